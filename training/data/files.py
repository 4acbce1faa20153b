"""Files of every format: faults with their lines, whole reads, atomic writes, unique names."""

import contextlib
import logging
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ...model.document import Document
from ...model.errors import DataError

# Rows of an error, and places that a row of several faults of one kind names.
MAX_FAULTS = 20
_MAX_PLACES = 3

logger = logging.getLogger(__name__)


class Fault(NamedTuple):
    """One fault of a file.

    Attributes:
        line: 0 stands for the whole file.
        found, accepted: what is there, and what may be there.
        kind: what faults that are alike have in common, for instance an unknown label; they are listed together.
        place: where it is inside the line, for such a list.
    """

    line: int
    found: str
    accepted: str
    kind: str
    place: str


class Faults:
    """The faults of one file, gathered so that one error reports them all.

    Attributes:
        path: the file.
        items: the faults in the order in which they were found.
    """

    def __init__(self, path: object = "") -> None:
        self.path = path
        self.items: list[Fault] = []

    def __bool__(self) -> bool:
        return bool(self.items)

    def add(self, found: str, *, line: int = 0, accepted: str = "", kind: str = "", place: str = "") -> None:
        """Note one fault; without a `kind` it is listed with those of which the same was found."""
        self.items.append(Fault(line, found, accepted, kind or found, place))

    def raise_any(self) -> None:
        """Raise one DataError that lists the faults in the order of their lines, at most `MAX_FAULTS` kinds of them.

        Faults of one kind are one row, with their number and the first places.
        """
        if not self.items:
            return
        kinds: dict[tuple[str, str], list[Fault]] = {}
        for fault in sorted(self.items, key=lambda item: item.line):
            kinds.setdefault((fault.kind, fault.accepted), []).append(fault)
        first, *others = kinds.values()
        if not others:
            line = first[0].line
            found = _listed(first) if len(first) > 1 else first[0].found
            raise DataError(found, path=self.path, line=line, accepted=first[0].accepted)
        rows = [_row(faults) for faults in (first, *others)]
        left = sum(len(faults) for faults in [first, *others][MAX_FAULTS:])
        if left:
            rows[MAX_FAULTS:] = [f"… and {left} more"]
        raise DataError("\n  ".join([f"{len(self.items)} faults", *rows]), path=self.path, line=first[0].line)


def _row(faults: Sequence[Fault]) -> str:
    """Return one row of the list: faults that are alike."""
    line, found, accepted = faults[0][:3]
    what = _listed(faults) if len(faults) > 1 else (f"line {line}: " if line else "") + found
    return what + (f"; accepted: {accepted}" if accepted else "")


def _listed(faults: Sequence[Fault]) -> str:
    """Return several faults that are alike as one, with their number and the first places."""
    places: dict[str, None] = {}
    for fault in faults:
        at = [f"line {fault.line}"] if fault.line else []
        places[" ".join([*at, *([fault.place] if fault.place else [])])] = None
    shown = [place for place in places if place][:_MAX_PLACES]
    if len(places) > len(shown):
        shown.append("…")
    return f"{faults[0].kind}, {len(faults)} times" + (f" ({', '.join(shown)})" if shown else "")


def log_notices(path: object, notices: Counter[str]) -> None:
    """Log, in one warning a call, what was read but changed or left out."""
    if notices:
        logger.warning("%s: %s", path, "; ".join(f"{n} × {what}" for what, n in sorted(notices.items())))


def read_bytes(path: Path) -> bytes:
    """Return what a file holds, or raise DataError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read: {error.strerror}", path=path, accepted="a readable file") from error


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file with its line ends unchanged, or raise DataError."""
    data = read_bytes(path)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"byte {data[error.start]:#04x} is not UTF-8", path=path, line=line, accepted="UTF-8 text"
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file whole or not at all, line ends unchanged; parent folders are made."""
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            f"the character {text[error.start]!r} at {error.start} is half of a surrogate pair",
            path=path,
            accepted="text that UTF-8 can hold; JSON (format 'jsonl') writes it as an escape",
        ) from error
    write_bytes(path, data)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; parent folders are made."""
    temporary = path.with_name(f".{path.name[:40]}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise DataError(f"cannot write: {error.strerror}", path=path, accepted="a writable folder") from error


def named(documents: Sequence[Document]) -> list[tuple[str, Document]]:
    """Pair documents with names that are unique: their ids, or `document-<n>` where one has none."""
    names = [document.id or f"document-{n}" for n, document in enumerate(documents, 1)]
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        raise DataError(
            f"{len(twice)} document ids are used more than once: {', '.join(map(repr, twice[:5]))}",
            accepted="a different id for every document",
        )
    return list(zip(names, documents, strict=True))
