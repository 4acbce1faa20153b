"""Files of every format: faults with their lines, whole reads, atomic writes, unique names."""

import contextlib
import logging
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ...model.document import Document
from ...model.errors import DataError

MAX_FAULTS = 20

logger = logging.getLogger(__name__)


class Faults:
    """The faults of one file, gathered so that one error reports them all.

    Attributes:
        path: the file.
        items: (line, found, accepted) of each fault; line 0 stands for the whole file.
    """

    def __init__(self, path: object = "") -> None:
        self.path = path
        self.items: list[tuple[int, str, str]] = []

    def __bool__(self) -> bool:
        return bool(self.items)

    def add(self, found: str, *, line: int = 0, accepted: str = "") -> None:
        """Note one fault: its line, what was found there and what is accepted."""
        self.items.append((line, found, accepted))

    def raise_any(self) -> None:
        """Raise one DataError that lists the faults in the order of their lines, at most `MAX_FAULTS`."""
        if not self.items:
            return
        items = sorted(self.items, key=lambda item: item[0])
        line, found, accepted = items[0]
        if len(items) == 1:
            raise DataError(found, path=self.path, line=line, accepted=accepted)
        rows = [
            (f"line {n}: " if n else "") + what + (f"; accepted: {right}" if right else "")
            for n, what, right in items[:MAX_FAULTS]
        ]
        if len(items) > MAX_FAULTS:
            rows.append(f"… and {len(items) - MAX_FAULTS} more")
        raise DataError("\n  ".join([f"{len(items)} faults", *rows]), path=self.path, line=line)


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
