"""Parts: numbered output files that appear whole, with the errors of their documents beside them."""

import json
import os
from pathlib import Path
from typing import IO, Any, Protocol

from ..columns import arrow_schema, need_pyarrow, to_columns
from ..document import Document
from ..errors import ConfigError, nearest
from .records import Record

# Documents of a row group of parquet, and characters that close it before.
_ROWS, _ROW_CHARACTERS = 1000, 10_000_000


class Staged:
    """A file under a temporary name until it is complete and on the disk.

    Args:
        folder: where it will be.
        name: what it will be called.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.name, self._target = name, folder / name
        self._temporary = folder / f".{name}.tmp"
        self.file: IO[bytes] = self._temporary.open("wb")

    def publish(self) -> int:
        """Give the file its name and return its bytes."""
        self.file.flush()
        os.fsync(self.file.fileno())
        size = self.file.tell()
        self.file.close()
        os.replace(self._temporary, self._target)
        return size

    def abort(self) -> None:
        """Leave nothing of it."""
        self.file.close()
        self._temporary.unlink(missing_ok=True)


class Writer(Protocol):
    """Writes the documents of one part."""

    files: list[Staged]

    def add(self, document: Document) -> None:
        """Write a document; DataError if the format cannot hold it."""
        ...

    def finish(self) -> None:
        """Write what is still held back."""
        ...


class _JsonLines:
    """`part-00000.jsonl`: one `Document.to_dict` a line."""

    def __init__(self, folder: Path, stem: str) -> None:
        self.files = [Staged(folder, f"{stem}.jsonl")]

    def add(self, document: Document) -> None:
        self.files[0].file.write(document.to_json(indent=None).encode("utf-8") + b"\n")

    def finish(self) -> None:
        pass


class _Csv:
    """`part-00000.entities.csv`, a row a mention, and `part-00000.relations.csv`, a row a triple."""

    def __init__(self, folder: Path, stem: str) -> None:
        self.files = [Staged(folder, f"{stem}.entities.csv"), Staged(folder, f"{stem}.relations.csv")]
        self._begun = False

    def add(self, document: Document) -> None:
        from ..render.table import relations_to_csv, to_csv

        for staged, rows in zip(self.files, (to_csv([document]), relations_to_csv([document])), strict=True):
            # The header once; no column has a line break in its name.
            text = rows.partition("\n")[2] if self._begun else rows
            staged.file.write(text.encode("utf-8"))
        self._begun = True

    def finish(self) -> None:
        from ..render.table import relations_to_csv, to_csv

        if not self._begun:
            for staged, rows in zip(self.files, (to_csv([]), relations_to_csv([])), strict=True):
                staged.file.write(rows.encode("utf-8"))


class _Parquet:
    """`part-00000.parquet`: a row a document, with the columns of `model.columns.arrow_schema`."""

    def __init__(self, folder: Path, stem: str) -> None:
        need_pyarrow("parquet files")
        import pyarrow.parquet

        self.files = [Staged(folder, f"{stem}.parquet")]
        self._schema = arrow_schema()
        self._writer = pyarrow.parquet.ParquetWriter(self.files[0].file, self._schema, compression="zstd")
        self._rows: list[dict[str, Any]] = []
        self._characters = 0

    def add(self, document: Document) -> None:
        self._rows.append(to_columns(document))
        self._characters += len(document.text)
        if len(self._rows) >= _ROWS or self._characters >= _ROW_CHARACTERS:
            self._flush()

    def finish(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        import pyarrow

        if self._rows:
            self._writer.write_table(pyarrow.Table.from_pylist(self._rows, schema=self._schema))
        self._rows, self._characters = [], 0


WRITERS: dict[str, Any] = {"jsonl": _JsonLines, "parquet": _Parquet, "csv": _Csv}


class Part:
    """The files of one part.

    Args:
        folder: of the run.
        number: from 0.
        format: jsonl, parquet or csv.
    """

    def __init__(self, folder: Path, number: int, format: str) -> None:
        self._folder, self._number = folder, number
        self._writer: Writer = writer(format)(folder, stem(number))
        self._errors: Staged | None = None

    def add(self, document: Document) -> None:
        """Write a document; DataError if the format cannot hold it."""
        self._writer.add(document)

    def fail(self, record: Record, error: str) -> None:
        """Write what went wrong with a record."""
        if self._errors is None:
            self._errors = Staged(self._folder, errors_name(self._number))
        entry = {"id": record.id, "where": record.where, "error": error}
        self._errors.file.write(
            json.dumps(entry, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
        )

    def publish(self) -> dict[str, int]:
        """Give all files their names; return their bytes by name."""
        self._writer.finish()
        return {staged.name: staged.publish() for staged in self._staged()}

    def abort(self) -> None:
        """Leave nothing of what has no name yet."""
        for staged in self._staged():
            staged.abort()

    def _staged(self) -> list[Staged]:
        return [*self._writer.files, *([self._errors] if self._errors else [])]


def writer(format: str) -> Any:
    """Return the writer of a format, or raise ConfigError."""
    if format not in WRITERS:
        raise ConfigError(f"parts cannot be written as {format!r}; {nearest(format, WRITERS)}")
    return WRITERS[format]


def stem(number: int) -> str:
    """Return the name of a part without its suffix."""
    return f"part-{number:05d}"


def errors_name(number: int) -> str:
    """Return the name of a part's errors; what begins with `_` is no data to Spark, Arrow and others."""
    return f"_errors-{number:05d}.jsonl"
