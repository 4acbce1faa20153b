"""Readers and writers of annotation formats, one private module a format, and the registry of them.

A format module has `read(path, schema)`, `write(documents, path, schema)` and `detects(path)`; adding a
format is adding a module and a line to `FORMATS`. Options of a format are keyword-only arguments of its `read`
and `write`.
"""

import inspect
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...model.document import Document
from ...model.errors import DataError, nearest
from ...model.schema import LabelSchema
from . import (
    brat,
    cas,
    conll,
    docbin,
    doccano,
    gliner,
    hub,
    inline,
    jsonl,
    label_studio,
    prodigy,
    wojood,
)

__all__ = ["FORMATS", "Format", "detect_format", "read_documents", "write_documents"]


@dataclass(frozen=True, slots=True)
class Format:
    """One annotation format.

    Attributes:
        name: what `format=` takes.
        summary: the files it consists of, for messages and help.
        read, write: as in the format modules; `write` returns what the format could not hold, by kind.
        detects: whether a path that exists looks like this format.
    """

    name: str
    summary: str
    read: Callable[..., list[Document]]
    write: Callable[..., Counter[str]]
    detects: Callable[[Path], bool]

    @property
    def read_options(self) -> dict[str, Any]:
        """Names and defaults of what `read` takes beside path and schema."""
        return _options(self.read)

    @property
    def write_options(self) -> dict[str, Any]:
        """Names and defaults of what `write` takes beside documents, path and schema."""
        return _options(self.write)


_MODULES: tuple[tuple[str, str, Any], ...] = (
    ("brat", "a folder of .txt and .ann pairs", brat),
    ("datasets", "a folder or file of Hugging Face datasets in .parquet", hub),
    ("docbin", ".spacy of spaCy's DocBin", docbin),
    ("label-studio", ".json of Label Studio tasks", label_studio),
    ("doccano", ".jsonl of doccano, with relations or without", doccano),
    ("prodigy", ".jsonl of Prodigy", prodigy),
    ("gliner", ".json of GLiNER's training data", gliner),
    ("cas", "a folder or file of UIMA CAS JSON, as INCEpTION exports it", cas),
    ("wojood", "words and their nested tags in columns", wojood),
    ("conll", "words and their tag in columns: IOB2, IOB1, BIOES, BILOU", conll),
    ("jsonl", ".jsonl or .json of Document.to_dict()", jsonl),
    ("inline", "text with [spans|LABEL#n] and '>' lines", inline),
)
# In the order of detection: what is recognised by its content comes before what only has a suffix (jsonl), and a
# `.txt` with a `.ann` beside it is brat whatever its text begins with.
FORMATS: dict[str, Format] = {
    name: Format(name, summary, module.read, module.write, module.detects)
    for name, summary, module in _MODULES
}


def read_documents(
    path: str | Path,
    *,
    format: str | None = None,
    schema: LabelSchema,
    options: Mapping[str, Any] | None = None,
) -> list[Document]:
    """Read annotated documents.

    What was read otherwise than written (offsets repaired, annotations of a kind that has no place here) is
    logged as a warning.

    Args:
        path: a file or folder.
        format: a name of `FORMATS`; None to detect it from the files.
        schema: the labels and signatures that the annotation must keep to.
        options: keyword arguments of the format's `read`, such as `offsets` of `doccano`; values may be text.

    Returns:
        Documents with gold scores of 1.0, in the order of the file or of the file names.

    Raises:
        DataError: unknown or undetected format or option, missing or faulty files; the message names file
            and line, what was found and what is accepted, for up to 20 faults of a file.
    """
    path = Path(path)
    if not path.exists():
        raise DataError("no such file or folder", path=path, accepted=f"an existing path to {_listing()}")
    chosen = find_format(format) if format else detect_format(path)
    return chosen.read(path, schema, **_given(chosen.name, "reading", chosen.read_options, options))


def write_documents(
    documents: Sequence[Document],
    path: str | Path,
    *,
    format: str,
    schema: LabelSchema,
    options: Mapping[str, Any] | None = None,
) -> Counter[str]:
    """Write documents; each file is written whole or not at all.

    Args:
        documents: what to write; ids name the documents and must be unique (empty ones are numbered).
        path: the file or folder to make.
        format: a name of `FORMATS`.
        schema: the labels.
        options: keyword arguments of the format's `write`, such as `scheme` of `conll`; values may be text.

    Returns:
        What the format could not hold, by kind: "nested entities", "relations", "scores", …; empty if all
        went in. Ids of mentions may change.

    Raises:
        DataError: unknown format or option, an id or label that the format cannot hold, or an unwritable path.
    """
    chosen = find_format(format)
    given = _given(chosen.name, "writing", chosen.write_options, options)
    return chosen.write(documents, Path(path), schema, **given)


def detect_format(path: str | Path) -> Format:
    """Return the format that the files at `path` look like, or raise DataError with the known ones."""
    for candidate in FORMATS.values():
        if candidate.detects(Path(path)):
            return candidate
    raise DataError("the format is not recognised", path=path, accepted=f"{_listing()}; or name the format")


def find_format(name: str) -> Format:
    """Return the format with this name, or raise DataError with the known ones."""
    if name not in FORMATS:
        raise DataError(f"unknown format {name!r}", accepted=nearest(name, FORMATS))
    return FORMATS[name]


def _listing() -> str:
    return "; ".join(f"{f.name}: {f.summary}" for f in FORMATS.values())


def _options(function: Callable[..., Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def _given(
    format: str, doing: str, known: Mapping[str, Any], options: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the options that were given, text turned into numbers and truth values where those are meant."""
    made: dict[str, Any] = {}
    for name, value in (options or {}).items():
        if name not in known:
            accepted = nearest(name, known) if known else "none"
            raise DataError(f"unknown option {name!r} of {doing} {format}", accepted=accepted)
        made[name] = _typed(name, value, known[name])
    return made


def _typed(name: str, value: Any, default: Any) -> Any:
    if not isinstance(value, str) or isinstance(default, str):
        return value
    if isinstance(default, bool):
        if value.lower() not in {"true", "false"}:
            raise DataError(f"{name}={value}", accepted="true or false")
        return value.lower() == "true"
    try:
        return int(value)  # an option that is a number, or None for one that is found out
    except ValueError:
        raise DataError(f"{name}={value}", accepted="a whole number") from None
