"""`Predictor`: batches of columns in, batches of columns out, for every engine that maps over tables."""

import inspect
import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .attempts import BATCH_SIZE, attempt, describe, is_null, text_fault
from .batching import BATCH_CHARACTERS
from .columns import arrow_schema, need_pyarrow, to_columns
from .document import Document
from .errors import ConfigError, DataError, nearest
from .inference import Extractor
from .processes import after_fork, is_worker, set_threads
from .store import embedded_models

if TYPE_CHECKING:
    import pandas
    import pyarrow
    from pyspark.sql.types import StructType

_COLUMNS = ("entities", "relations", "clusters")

# One model a process, however many copies of a predictor an engine unpickles there.
_extractors: dict[str, Extractor] = {}
_lock = threading.Lock()


def _new_lock() -> None:
    global _lock  # noqa: PLW0603  (a lock that another thread held at a fork is never released in the child)
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_lock)


class Predictor:
    """A function over batches of columns that `datasets.map`, Ray Data and Spark call alike.

    It is pickled without weights: a name and settings travel, and every process loads the model once, at its first
    batch. A document that fails gets its error in the column `error`; the others of the batch are not touched.

        dataset.map(Predictor(), batched=True, batch_size=256, num_proc=4)                       # datasets
        dataset.map_batches(Predictor, fn_constructor_kwargs={"as_json": True, "threads": 1},    # Ray Data
                            batch_size=256, compute=ray.data.ActorPoolStrategy(size=4))
        frame.mapInPandas(predictor.frames, predictor.spark_schema(frame.schema))                # Spark

    Args:
        model: a folder, a name on the hub, or an embedded model (the default); it has to be there for every worker.
        text_key: column of the texts.
        id_key: column of the documents' ids, if there is one; numbers are written out.
        as_json: give one column `document` with the JSON of `Document.to_dict` instead of nested columns, for
            engines that handle strings better than lists of structs.
        prefix: put before the names of the new columns, where the table has columns of such names already.
        keep: return the columns of the batch too; `datasets.map` keeps them by itself.
        threads: of a process; by default one in worker processes, elsewhere OMP_NUM_THREADS or all cores.
        batch_size, batch_chars: see `Extractor.pipe`.
        options: of `Extractor.from_pretrained`: `thresholds`, `device` and so on.

    Raises:
        ConfigError: an option is unknown.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        text_key: str = "text",
        id_key: str = "id",
        as_json: bool = False,
        prefix: str = "",
        keep: bool = True,
        threads: int | None = None,
        batch_size: int = BATCH_SIZE,
        batch_chars: int = BATCH_CHARACTERS,
        **options: Any,
    ) -> None:
        known = list(inspect.signature(Extractor.from_pretrained).parameters)[1:]
        for name in options:
            if name not in known:
                raise ConfigError(f"the unknown option {name!r}; {nearest(name, known)}")
        if model is not None and str(model) not in embedded_models() and Path(model).is_dir():
            model = Path(model).absolute()  # a worker may run in another folder
        self.model = None if model is None else str(model)
        self.text_key, self.id_key, self.as_json = text_key, id_key, as_json
        self.prefix, self.keep, self.threads = prefix, keep, threads
        self.batch_size, self.batch_chars, self.options = batch_size, batch_chars, options

    def __call__(self, batch: Any) -> dict[str, list[Any]]:
        """Extract from one batch.

        Args:
            batch: columns of equal length by name: a dict of lists or arrays, a pandas DataFrame, a table of Arrow.

        Returns:
            The columns of the batch (see `keep`), then `entities`, `relations` and `clusters` as in
            `Document.to_dict` with unrounded scores (or `document`, see `as_json`; null where there is an error),
            and `error`: null, or what went wrong.

        Raises:
            ConfigError: the texts' column is missing, or a column of the batch has the name of a new one.
            DataError: the batch is none.
        """
        columns = _plain(batch)
        if self.text_key not in columns:
            raise ConfigError(f"no column {self.text_key!r} (text_key); {nearest(self.text_key, columns)}")
        for name in self.columns() if self.keep else ():
            if name in columns:
                raise ConfigError(
                    f"the batch has a column {name!r} already; pass prefix='isnad_', or rename it before"
                )
        texts = columns[self.text_key]
        faults = [text_fault(text) for text in texts]
        ids = [_id(value) for value in columns.get(self.id_key, [None] * len(texts))]
        sound = [(id_, text) for id_, text, fault in zip(ids, texts, faults, strict=True) if not fault]
        found = attempt(self.extractor, sound, batch_size=self.batch_size, batch_chars=self.batch_chars)
        rows = [self._row(fault or next(found)) for fault in faults]
        new = {name: [row[name] for row in rows] for name in self.columns()}
        return (columns | new) if self.keep else new

    def frames(self, frames: "Iterator[pandas.DataFrame]") -> "Iterator[pandas.DataFrame]":
        """Extract from a stream of frames, as `mapInPandas` of Spark hands them to a task.

        Args:
            frames: each a batch; `spark.sql.execution.arrow.maxRecordsPerBatch` bounds their rows.

        Yields:
            A frame for each, with the columns that `__call__` returns.

        Raises:
            ConfigError: as `__call__`.
        """
        import pandas

        for frame in frames:
            yield pandas.DataFrame(self(frame))

    @property
    def extractor(self) -> Extractor:
        """The model of this process, loaded at first use."""
        after_fork()
        key = json.dumps([self.model, self._written(), self.options], sort_keys=True, default=repr)
        with _lock:
            if key not in _extractors:
                if self.threads is not None or is_worker():
                    set_threads(self.threads or 1)
                _extractors[key] = Extractor.from_pretrained(
                    self.model, **({"precision": "auto"} | self.options)
                )
            return _extractors[key]

    def columns(self) -> tuple[str, ...]:
        """Return the names of the new columns."""
        names = ("document",) if self.as_json else _COLUMNS
        return tuple(self.prefix + name for name in (*names, "error"))

    def arrow_schema(self, base: "pyarrow.Schema | None" = None) -> "pyarrow.Schema":
        """Return the types of the result, which engines cannot guess from a batch without any entity.

            features = Features.from_arrow_schema(predictor.arrow_schema(dataset.features.arrow_schema))
            dataset.map(predictor, batched=True, features=features)

        Args:
            base: types of the columns of the batch, which come first.

        Raises:
            ConfigError: `pyarrow` is not installed.
        """
        pa = need_pyarrow("types of columns")
        full = arrow_schema()
        types = {name: full.field(name).type for name in _COLUMNS} | dict.fromkeys(
            ("document", "error"), pa.string()
        )
        fields = [pa.field(name, types[name.removeprefix(self.prefix)]) for name in self.columns()]
        return pa.schema([*(base or ()), *fields])

    def spark_schema(self, base: "StructType | None" = None) -> "StructType":
        """Return the types of the result for Spark.

            frame.mapInPandas(predictor.frames, predictor.spark_schema(frame.schema))

        Args:
            base: types of the columns of the frame, which come first; leave it out for a predictor that does not
                keep them.

        Raises:
            ConfigError: PySpark or `pyarrow` is not installed.
        """
        try:
            from pyspark.sql.pandas.types import from_arrow_schema
            from pyspark.sql.types import StructType
        except ImportError as error:
            raise ConfigError(
                "types for Spark need pyspark, which is not installed; write: pip install 'isnad[spark]'"
            ) from error
        new = from_arrow_schema(self.arrow_schema())
        return StructType([*(base.fields if base is not None else ()), *new.fields])

    def _row(self, found: Document | Exception | str) -> dict[str, Any]:
        error = None
        values: dict[str, Any] = {}
        if isinstance(found, Document):
            try:
                values = {"document": found.to_json(indent=None)} if self.as_json else to_columns(found)
            except DataError as fault:
                found = fault
        if not isinstance(found, Document):
            error = describe(found) if isinstance(found, Exception) else found
            values = {"document": None} | {name: [] for name in _COLUMNS}
        values["error"] = error
        return {name: values[name.removeprefix(self.prefix)] for name in self.columns()}

    def _written(self) -> int:
        """Return when the weights were written, so that a folder that is trained anew is loaded anew."""
        files = Path(self.model).glob("*.safetensors") if self.model and Path(self.model).is_dir() else ()
        return max((file.stat().st_mtime_ns for file in files), default=0)

    def __repr__(self) -> str:
        return f"Predictor({self.model!r}, text_key={self.text_key!r})"


def _plain(batch: Any) -> dict[str, list[Any]]:
    """Return the columns of whatever an engine calls a batch as lists."""
    if hasattr(batch, "to_pydict"):
        return dict(batch.to_pydict())
    if hasattr(batch, "columns") and hasattr(batch, "iloc"):
        return {str(name): batch[name].tolist() for name in batch.columns}
    if not isinstance(batch, Mapping):
        raise DataError(
            f"found a batch of type {type(batch).__name__}",
            accepted="a dict of lists or arrays, a DataFrame, or a table of Arrow",
        )
    columns = {str(name): _list(values) for name, values in batch.items()}
    if len({len(values) for values in columns.values()}) > 1:
        lengths = ", ".join(f"{name} {len(values)}" for name, values in columns.items())
        raise DataError(f"the columns are of unequal lengths: {lengths}", accepted="one length")
    return columns


def _list(values: Sequence[Any] | Any) -> list[Any]:
    if isinstance(values, str | bytes):
        raise DataError("a column is a single text", accepted="a list of texts; map with batched=True")
    for method in ("to_pylist", "tolist"):
        if hasattr(values, method):
            return list(getattr(values, method)())
    return list(values)


def _id(value: object) -> str:
    return "" if is_null(value) else str(value)
