"""Sources of JSON Lines and CSV."""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

from ..errors import ConfigError, DataError
from .lines import LONGEST, ByteLines, CorruptFile, LongLine
from .records import KeyedFile, Mark, Record, not_utf8

# Records that are looked at before a run: if none of them has a text, its key is wrong, not the records.
_PROBED = 20
_NOT_UTF8 = re.compile("[\udc80-\udcff]")


class JsonLines(KeyedFile):
    """One JSON object a line; blank lines are passed over. The file may be `.gz` or `.zst`."""

    kind = "jsonl"

    def check(self) -> None:
        """Raise ConfigError if none of the first records has the key of the text."""
        missing = []
        for record, _ in zip(self.records(Mark()), range(_PROBED), strict=False):
            if not record.error.startswith("no key "):
                return
            missing.append(record.error)
        if missing:
            raise ConfigError(f"{self.label}: {missing[0]}; name the key of the texts with --text-key")

    def records(self, start: Mark) -> Iterator[Record]:
        """Yield what follows `start`, the faulty lines too."""
        with ByteLines(self.path, start.offset, start.line) as lines:
            while True:
                line, error = b"", ""
                try:
                    read = lines.read()
                except LongLine as fault:
                    read, error = b"", str(fault)
                except CorruptFile as fault:
                    yield _rest(self.label, lines, start, fault)
                    return
                if read is None:
                    return
                line = read.strip()
                where = f"{self.label}:{lines.line}"
                mark = Mark(start.source, lines.offset, lines.line)
                if error:
                    yield Record(where, "", where, mark, error, lines.done())
                elif line:
                    yield self._record(line, where, mark, lines.done())

    def _record(self, line: bytes, where: str, mark: Mark, done: int) -> Record:
        error = not_utf8(line)
        if not error:
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as fault:
                error = f"not JSON: {fault}"
            else:
                if isinstance(row, dict):
                    return self.keys.record(row, where=where, mark=mark, done=done)
                error = f"found {type(row).__name__}; accepted: an object with the key {self.keys.text!r}"
        return Record(where, "", where, mark, error, done)


class CsvRows(KeyedFile):
    """Comma-separated values with a header line (RFC 4180), or with semicolons or tabs in place of commas.

    Cells may hold line breaks. Quotes are taken strictly: what a lax reader would make of a stray one is a cell
    that has swallowed the rows after it. The file is `.csv` or `.tsv`, plain, `.gz` or `.zst`; keys are columns.
    """

    kind = "csv"

    def check(self) -> None:
        """Raise ConfigError if there is no header, or none that names the columns."""
        columns, _, _ = self._header()
        self.keys.check(columns, self.label)

    def records(self, start: Mark) -> Iterator[Record]:
        """Yield what follows `start`, the faulty rows too."""
        columns, separator, begin = self._header()
        csv.field_size_limit(LONGEST)
        at = start if start.offset else begin
        with ByteLines(self.path, at.offset, at.line) as lines:
            rows = csv.reader(_Decoded(lines), delimiter=separator, strict=True)
            while True:
                where, error, row = f"{self.label}:{lines.line + 1}", "", []
                try:
                    row = next(rows)
                except StopIteration:
                    return
                except (csv.Error, LongLine) as fault:
                    error = f"not CSV: {fault} (up to line {lines.line})"
                except CorruptFile as fault:
                    yield _rest(self.label, lines, start, fault)
                    return
                mark = Mark(start.source, lines.offset, lines.line)
                if error:
                    yield Record(where, "", where, mark, error, lines.done())
                elif row:
                    yield self._record(columns, row, where, mark, lines.done())

    def _record(self, columns: list[str], row: list[str], where: str, mark: Mark, done: int) -> Record:
        error = ""
        if len(row) != len(columns):
            error = f"found {len(row)} cells; accepted: {len(columns)}, as in the header"
        else:
            cells = dict(zip(columns, row, strict=True))
            for key in (self.keys.text, self.keys.id):
                found = _NOT_UTF8.search(cells.get(key, ""))
                if found:
                    error = error or f"byte {ord(found[0]) - 0xDC00:#04x} in the column {key!r} is not UTF-8"
            if not error:
                return self.keys.record(cells, where=where, mark=mark, done=done)
        return Record(where, "", where, mark, error, done)

    def _header(self) -> tuple[list[str], str, Mark]:
        """Return the columns, the separator and the place of the first row."""
        tabs = Path(self.path.name.lower().removesuffix(".gz").removesuffix(".zst")).suffix == ".tsv"
        found: list[tuple[list[str], str, Mark]] = []
        for separator in "\t" if tabs else ",;\t":
            with ByteLines(self.path) as lines:
                try:
                    columns = next(csv.reader(_Decoded(lines), delimiter=separator, strict=True), [])
                except (csv.Error, LongLine, CorruptFile) as fault:
                    raise DataError(f"no header: {fault}", path=self.label, accepted="CSV") from fault
                found.append((columns, separator, Mark(0, lines.offset, lines.line)))
            if self.keys.text in columns:
                return found[-1]
        return max(found, key=lambda header: len(header[0]))


class _Decoded:
    """Lines as text for the csv module; bytes that are not UTF-8 become surrogates, which UTF-8 never holds."""

    def __init__(self, lines: ByteLines) -> None:
        self._lines = lines

    def __iter__(self) -> "_Decoded":
        return self

    def __next__(self) -> str:
        line = self._lines.read()
        if line is None:
            raise StopIteration
        return line.decode("utf-8", "surrogateescape")


def _rest(label: str, lines: ByteLines, start: Mark, fault: Exception) -> Record:
    """Return the record that stands for all that cannot be read of a file."""
    where = f"{label}:{lines.line + 1}"
    error = f"{fault}; nothing after line {lines.line} could be read"
    return Record(where, "", where, Mark(start.source + 1), error, lines.done())
