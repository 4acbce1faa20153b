"""What is wrong with an engine: it is not installed, or a worker met an error that is ours."""

import re
from importlib.util import find_spec

from .. import errors
from ..errors import ConfigError, IsnadError

# Engines hand errors of workers on as the text of a traceback.
_OURS = re.compile(r"^\s*isnad\.model\.errors\.(\w+): (.*)", re.MULTILINE)


def need(engine: str, *packages: str) -> None:
    """Raise ConfigError, with what to install, if a package of an engine is absent.

    Args:
        engine: its name, which is that of the extra of isnad too.
        packages: what has to be there.
    """
    for package in packages:
        if find_spec(package) is None:
            raise ConfigError(
                f"the engine {engine} needs {package}, which is not installed; write: pip install 'isnad[{engine}]'"
            )


def raise_ours(error: BaseException) -> None:
    """Raise the error of isnad that a worker met, if what an engine raises tells of one.

    The last one counts: of a chain of errors it is the one that was raised at last.
    """
    for name, message in reversed(_OURS.findall(str(error))):
        kind = getattr(errors, name, None)
        if isinstance(kind, type) and issubclass(kind, IsnadError):
            raise kind(message.rstrip()) from None
