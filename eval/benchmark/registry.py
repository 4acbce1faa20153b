"""The registry: results of benchmark runs in one SQLite file, safe with several writers.

A result is known by model (name and content), data, code and convention; measured again it replaces the older one.
The counts of every document are kept, so that two results can be tested against each other without predicting again.
"""

import json
import os
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...model.errors import ConfigError, DataError
from ..evaluation import Evaluation

# Version of the tables, kept in the file as SQLite's `user_version`.
VERSION = 1
# Seconds that a writer waits for another one.
_PATIENCE = 30.0
_TABLE = """
CREATE TABLE IF NOT EXISTS results (
    id INTEGER PRIMARY KEY,
    model TEXT NOT NULL, model_hash TEXT NOT NULL, spec TEXT NOT NULL, kind TEXT NOT NULL,
    data TEXT NOT NULL, data_hash TEXT NOT NULL, schema_hash TEXT NOT NULL, labels_hash TEXT NOT NULL,
    code_hash TEXT NOT NULL, convention TEXT NOT NULL, flat INTEGER NOT NULL,
    revision TEXT NOT NULL, made TEXT NOT NULL, scores TEXT NOT NULL, evaluation BLOB NOT NULL,
    UNIQUE (model, model_hash, data_hash, schema_hash, labels_hash, code_hash, convention, flat)
)
"""
_COLUMNS = (
    "model",
    "model_hash",
    "spec",
    "kind",
    "data",
    "data_hash",
    "schema_hash",
    "labels_hash",
    "code_hash",
    "convention",
    "flat",
    "revision",
    "made",
)

# What makes a result the same one; as UNIQUE above.
_KEY = ("model", "model_hash", "data_hash", "schema_hash", "labels_hash", "code_hash", "convention", "flat")


@dataclass(frozen=True)
class Record:
    """One result.

    Attributes:
        model, model_hash, spec, kind: of the `Candidate`.
        data, data_hash: name and hash of the data.
        schema_hash: of the labels that were compared.
        labels_hash: of the translation of the model's labels.
        code_hash: of the code that ran the model.
        convention, flat: how spans were compared.
        revision: of the code, as git calls it.
        made: when, UTC, ISO 8601.
        scores: the main scores as plain data, fractions in [0, 1].
        evaluation: the counts; None where records are only listed.
    """

    model: str
    model_hash: str
    spec: str
    kind: str
    data: str
    data_hash: str
    schema_hash: str
    labels_hash: str
    code_hash: str
    convention: str
    flat: bool
    revision: str
    made: str
    scores: Mapping[str, Any]
    evaluation: Evaluation | None = None

    @property
    def ground(self) -> tuple[str, str, str, bool]:
        """What two results must share to be comparable."""
        return self.data_hash, self.schema_hash, self.convention, self.flat

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the counts as plain data."""
        return {name: getattr(self, name) for name in _COLUMNS} | {"scores": dict(self.scores)}


def now() -> str:
    """Return the time as records hold it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def default_registry() -> Path:
    """Return `$ISNAD_HOME/registry.sqlite`, or the file below the user's data folder."""
    if home := os.environ.get("ISNAD_HOME"):
        return Path(home) / "registry.sqlite"
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "isnad" / "registry.sqlite"


class Registry:
    """Results in a file.

    Args:
        path: the file; made at the first `add`.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = Path(path) if path else default_registry()

    def create(self) -> None:
        """Make the file if it is not there, so that a place that cannot be written is known before the work.

        Raises:
            DataError: the file is no registry.
            ConfigError: the file cannot be written.
        """
        with self._open(write=True):
            pass

    def add(self, record: Record) -> None:
        """Store a result, in place of one of the same model, data, labels, code and convention.

        Raises:
            DataError: the record has no counts, or the file is no registry.
            ConfigError: the file cannot be written.
        """
        if record.evaluation is None:
            raise DataError(
                "a record without its evaluation", accepted="one with the counts of the documents"
            )
        counts = json.dumps(record.evaluation.to_dict(), ensure_ascii=False).encode("utf-8")
        values = [getattr(record, name) for name in _COLUMNS]
        names = (*_COLUMNS, "scores", "evaluation")
        marks = ", ".join("?" * len(names))
        with self._open(write=True) as db:
            db.execute("BEGIN IMMEDIATE")
            db.execute(
                f"INSERT OR REPLACE INTO results ({', '.join(names)}) VALUES ({marks})",
                [*values, json.dumps(dict(record.scores)), zlib.compress(counts)],
            )
            db.execute("COMMIT")

    def records(self) -> list[Record]:
        """Return all results without their counts, oldest first; none where there is no file."""
        if not self.path.exists():
            return []
        with self._open() as db:
            if not db.execute("PRAGMA user_version").fetchone()[0]:  # another process is just making it
                return []
            rows = db.execute(
                f"SELECT {', '.join(_COLUMNS)}, scores FROM results ORDER BY made, id"
            ).fetchall()
        return [_record(row) for row in rows]

    def with_counts(self, record: Record) -> Record:
        """Return a listed result with its counts; DataError if it has gone since."""
        with self._open() as db:
            row = db.execute(
                f"SELECT {', '.join(_COLUMNS)}, scores, evaluation FROM results "
                f"WHERE {' AND '.join(f'{name} = ?' for name in _KEY)}",
                [getattr(record, name) for name in _KEY],
            ).fetchone()
        if row is None:
            raise DataError(f"the result of {record.model} on {record.data} is gone", path=self.path)
        try:
            evaluation = Evaluation.from_dict(json.loads(zlib.decompress(row[-1])))
        except (zlib.error, ValueError) as error:
            raise DataError(f"damaged counts of {record.model} on {record.data}", path=self.path) from error
        return _record(row[:-1], evaluation)

    @contextmanager
    def _open(self, *, write: bool = False) -> Iterator[sqlite3.Connection]:
        try:
            if write:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            # Autocommit: transactions are written out, so that a writer takes its lock at once.
            opened = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
        except (OSError, sqlite3.OperationalError) as error:
            raise ConfigError(
                f"cannot open the registry {self.path}: {error}; name another --registry"
            ) from error
        with closing(opened) as db:
            try:
                self._prepare(db, write=write)
                yield db
            except sqlite3.OperationalError as error:
                raise ConfigError(f"the registry {self.path}: {error}; name another --registry") from error
            except sqlite3.DatabaseError as error:
                raise DataError(
                    f"not a registry: {error}", path=self.path, accepted="a file of isnad benchmark"
                ) from error

    def _prepare(self, db: sqlite3.Connection, *, write: bool) -> None:
        (found,) = db.execute("PRAGMA user_version").fetchone()
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        if found > VERSION or (not found and tables and tables != ["results"]):
            raise DataError(
                f"tables of version {found}" if found else f"another database ({', '.join(tables[:3])})",
                path=self.path,
                accepted=f"a registry of version {VERSION}",
            )
        if not found and write:
            # Readers go on while one writes; kept in the file from then on. Of two that make the file at once one
            # finds it locked here, without being made to wait, and the other has set the mode.
            with suppress(sqlite3.OperationalError):
                db.execute("PRAGMA journal_mode = WAL")
            db.execute("BEGIN IMMEDIATE")
            db.execute(_TABLE)
            db.execute(f"PRAGMA user_version = {VERSION}")
            db.execute("COMMIT")


def _record(row: tuple[Any, ...], evaluation: Evaluation | None = None) -> Record:
    values = dict(zip((*_COLUMNS, "scores"), row, strict=True))
    values["flat"], values["scores"] = bool(values["flat"]), json.loads(values["scores"])
    return Record(**values, evaluation=evaluation)
