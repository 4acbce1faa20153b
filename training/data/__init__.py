"""Readers and writers of annotation formats, one private module a format, and the registry of them.

A format module has `read(path, schema)`, `write(documents, path, schema)` and `detects(path)`; adding a
format is adding a module and a line to `FORMATS`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...model.document import Document
from ...model.errors import DataError, nearest
from ...model.schema import LabelSchema
from . import brat, inline, jsonl

__all__ = ["FORMATS", "Format", "detect_format", "read_documents", "write_documents"]


@dataclass(frozen=True, slots=True)
class Format:
    """One annotation format.

    Attributes:
        name: what `format=` takes.
        summary: the files it consists of, for messages and help.
        read, write: as in the format modules.
        detects: whether a path that exists looks like this format.
    """

    name: str
    summary: str
    read: Callable[[Path, LabelSchema], list[Document]]
    write: Callable[[Sequence[Document], Path, LabelSchema], None]
    detects: Callable[[Path], bool]


# In the order of detection: a `.txt` with a `.ann` beside it is brat whatever its text begins with.
FORMATS: dict[str, Format] = {
    f.name: f
    for f in (
        Format("brat", "a folder of .txt and .ann pairs", brat.read, brat.write, brat.detects),
        Format("jsonl", ".jsonl or .json of Document.to_dict()", jsonl.read, jsonl.write, jsonl.detects),
        Format(
            "inline", "text with [spans|LABEL#n] and '>' lines", inline.read, inline.write, inline.detects
        ),
    )
}


def read_documents(path: str | Path, *, format: str | None = None, schema: LabelSchema) -> list[Document]:
    """Read annotated documents.

    Args:
        path: a file or folder.
        format: a name of `FORMATS`; None to detect it from the files.
        schema: the labels and signatures that the annotation must keep to.

    Returns:
        Documents with gold scores of 1.0, in the order of the file or of the file names.

    Raises:
        DataError: unknown or undetected format, missing or faulty files; the message names file and line,
            what was found and what is accepted, for up to 20 faults of a file.
    """
    path = Path(path)
    if not path.exists():
        raise DataError("no such file or folder", path=path, accepted=f"an existing path to {_listing()}")
    chosen = _format(format) if format else detect_format(path)
    return chosen.read(path, schema)


def write_documents(
    documents: Sequence[Document], path: str | Path, *, format: str, schema: LabelSchema
) -> None:
    """Write documents; each file is written whole or not at all.

    Args:
        documents: what to write; ids name the documents and must be unique (empty ones are numbered).
        path: the file or folder to make.
        format: a name of `FORMATS`.
        schema: the labels.

    Raises:
        DataError: unknown format, a document that the format cannot hold, or an unwritable path.
    """
    _format(format).write(documents, Path(path), schema)


def detect_format(path: str | Path) -> Format:
    """Return the format that the files at `path` look like, or raise DataError with the known ones."""
    for candidate in FORMATS.values():
        if candidate.detects(Path(path)):
            return candidate
    raise DataError("the format is not recognised", path=path, accepted=f"{_listing()}; or name the format")


def _format(name: str) -> Format:
    if name not in FORMATS:
        raise DataError(f"unknown format {name!r}", accepted=f"{nearest(name, FORMATS)} ({_listing()})")
    return FORMATS[name]


def _listing() -> str:
    return "; ".join(f"{f.name}: {f.summary}" for f in FORMATS.values())
