"""A source of parquet: row groups one after the other, and of them only the columns that are needed."""

from collections.abc import Iterator
from typing import Any

from ..columns import need_pyarrow
from ..errors import DataError
from .records import KeyedFile, Mark, Record

# Rows decoded at a time.
_ROWS = 256


class ParquetRows(KeyedFile):
    """The rows of a parquet file; its keys are columns."""

    kind = "parquet"

    def check(self) -> None:
        """Raise ConfigError if a column is missing, DataError if the file is not parquet."""
        with self._open() as file:
            columns = file.schema_arrow.names
        self.keys.check(columns, self.label)

    def records(self, start: Mark) -> Iterator[Record]:
        """Yield the rows that follow `start`; of a damaged row group one record tells."""
        pa = need_pyarrow("parquet files")
        with self._open() as file:
            wanted = [name for name in (self.keys.text, self.keys.id) if name in file.schema_arrow.names]
            ends = 0
            for group in range(file.num_row_groups):
                before, ends = ends, ends + file.metadata.row_group(group).num_rows
                if ends <= start.offset:
                    continue
                try:
                    for batch in file.iter_batches(batch_size=_ROWS, row_groups=[group], columns=wanted):
                        yield from self._rows(batch, before, start, file.metadata.num_rows)
                        before += batch.num_rows
                except (pa.ArrowException, OSError) as fault:
                    if isinstance(fault, OSError) and fault.errno is not None:
                        raise  # the disk, not the file: a resumed run may do better
                    where = f"{self.label}:{before + 1}"
                    error = f"damaged: {' '.join(str(fault).split())}; rows {before + 1} to {ends} are lost"
                    yield Record(where, "", where, Mark(start.source, ends), error)

    def _rows(self, batch: Any, before: int, start: Mark, total: int) -> Iterator[Record]:
        columns = {name: _values(batch.column(name)) for name in batch.schema.names}
        for n in range(batch.num_rows):
            number = before + n + 1
            if number <= start.offset:
                continue
            where, mark = f"{self.label}:{number}", Mark(start.source, number)
            done = (self.size or 0) * number // max(total, 1)
            row = {name: values[n] for name, values in columns.items()}
            fault = next((v for v in row.values() if isinstance(v, UnicodeDecodeError)), None)
            if fault is not None:
                error = f"byte {fault.object[fault.start]:#04x} at offset {fault.start} is not UTF-8"
                yield Record(where, "", where, mark, error, done)
            else:
                yield self.keys.record(row, where=where, mark=mark, done=done)

    def _open(self) -> Any:
        pa = need_pyarrow("parquet files")
        import pyarrow.parquet

        try:
            return pyarrow.parquet.ParquetFile(self.path)
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            reason = " ".join(str(error).split())
            raise DataError(f"not a parquet file: {reason}", path=self.path, accepted="parquet") from error


def _values(column: Any) -> list[Any]:
    """Return the values of a column, with an exception in the place of what is not UTF-8."""
    try:
        return column.to_pylist()
    except UnicodeDecodeError:
        return [_value(scalar) for scalar in column]


def _value(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except UnicodeDecodeError as error:
        return error
