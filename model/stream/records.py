"""Records: what one line, row or file holds, and where the next one begins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..attempts import is_null, text_fault
from ..errors import ConfigError, nearest

_ABSENT = object()
# Names of keys that an error shows; a record may have thousands.
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Mark:
    """A place between two records of the input, from which reading can go on.

    Attributes:
        source: index of the file or folder.
        offset: what has been read of it: bytes (after decompression) of lines, rows of parquet, files of a folder.
        line: lines read, where there are any.
        name: the last file read of a folder, by which a resumed run knows that it is the same folder.
    """

    source: int = 0
    offset: int = 0
    line: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """One text of the input, or the fault that stands in its place.

    Attributes:
        id: of the document.
        text: empty if there is a fault.
        where: place for a reader, such as `news.jsonl:12`.
        mark: where the next record begins.
        error: what is wrong; empty if nothing is.
        done: bytes of the source's file that have been read.
    """

    id: str
    text: str
    where: str
    mark: Mark
    error: str = ""
    done: int = 0


@dataclass(frozen=True, slots=True)
class Keys:
    """Which fields of a record hold text and id.

    Attributes:
        text: key or column; dotted (`article.body`) for objects inside objects.
        id: key or column; records without one are named after file and line.
        id_needed: a record without id is at fault.
    """

    text: str = "text"
    id: str = "id"
    id_needed: bool = False

    def check(self, columns: Sequence[str], label: str) -> None:
        """Raise ConfigError if a table has no column of the texts, or none of the ids where they are needed.

        Args:
            columns: names of the columns that are there.
            label: name of the table in messages.
        """
        for key, needed, option in ((self.text, True, "--text-key"), (self.id, self.id_needed, "--id-key")):
            if needed and key not in columns:
                raise ConfigError(
                    f"{label}: no column {key!r}; {nearest(key, columns)}; name it with {option}"
                )

    def record(self, row: Mapping[str, Any], *, where: str, mark: Mark, done: int) -> Record:
        """Return the record of an object or row, with its fault if text or id is missing or of a wrong type."""
        text, name = field(row, self.text), field(row, self.id)
        if text is _ABSENT:
            error = f"no key {self.text!r}; there are: {', '.join(list(row)[:_SHOWN]) or 'none'}"
        else:
            error = text_fault(text)
        id_ = where
        if name is _ABSENT or is_null(name) or name == "":
            if self.id_needed:
                error = error or f"no id under {self.id!r}; accepted: a string or a number"
        elif isinstance(name, bool) or not isinstance(name, str | int | float):
            error = error or f"the id is of type {type(name).__name__}; accepted: a string or a number"
        else:
            id_ = str(name)
        return Record(id_, "" if error else str(text), where, mark, error, done)


def field(row: Mapping[str, Any], key: str) -> Any:
    """Return a value by its key, or by a dotted path of keys; a private mark if there is none."""
    if key in row:
        return row[key]
    value: Any = row
    for step in key.split("."):
        if not isinstance(value, Mapping) or step not in value:
            return _ABSENT
        value = value[step]
    return value


def not_utf8(data: bytes) -> str:
    """Return the text of bytes' fault: the first byte that is not UTF-8, and where it stands."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"byte {data[error.start]:#04x} at offset {error.start} is not UTF-8"
    return ""


class KeyedFile:
    """A file whose records have keys: what sources of lines, rows and columns begin with.

    Args:
        path: the file.
        label: its name in ids and messages.
        keys: of text and id.
    """

    def __init__(self, path: Path, label: str, keys: Keys) -> None:
        self.path, self.label, self.keys = path, label, keys
        self.size: int | None = path.stat().st_size
