"""The exceptions that users meet. Every message says what was found, what is accepted and what to do."""

from collections.abc import Iterable
from difflib import get_close_matches


class IsnadError(ValueError):
    """Base of every error that isnad raises about its input; the command line prints it as one sentence."""


class SchemaError(IsnadError):
    """A label schema or a reference to one of its labels is faulty."""


class DataError(IsnadError):
    """A data file is faulty.

    Args:
        found: what is wrong, in words.
        path: the file.
        line: its line, counted from 1; 0 if the fault belongs to the whole file.
        accepted: what would have been right.
    """

    def __init__(self, found: str, *, path: object = "", line: int = 0, accepted: str = "") -> None:
        where = f"{path}:{line}: " if line else f"{path}: " if path else ""
        super().__init__(f"{where}{found}" + (f"; accepted: {accepted}" if accepted else ""))
        self.found, self.path, self.line, self.accepted = found, path, line, accepted


class ConfigError(IsnadError):
    """A configuration file is faulty."""


class ModelError(IsnadError):
    """A model folder is missing, incomplete or not one of ours."""


def nearest(name: object, known: Iterable[str]) -> str:
    """Return `known` as text, preceded by the known name nearest to `name` if one is near."""
    names = [str(k) for k in known]
    close = get_close_matches(str(name), names, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}known: {', '.join(names)}"
