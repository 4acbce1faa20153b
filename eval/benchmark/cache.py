"""Predictions on disk, keyed by what they depend on: content of the model, data, and code.

Each key has a folder of parts; a part is there whole or not at all, so what was cut off goes on where it was.
"""

import hashlib
import json
import logging
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...model.document import Document
from ...model.errors import DataError
from .adapters import Candidate, Predictor, short_hash
from .data import BenchmarkData

log = logging.getLogger(__name__)

# Documents of a part: what is lost at most when a run is cut off.
PART = 16


@dataclass(frozen=True)
class Part:
    """Predictions of some documents in a row.

    Attributes:
        documents: in the labels of the model.
        seconds: that the prediction took, loading left out.
        reused: whether they were there already.
    """

    documents: tuple[Document, ...]
    seconds: float
    reused: bool


def cache_key(candidate: Candidate, data: BenchmarkData) -> str:
    """Return the name of the folder of a model's predictions on data."""
    return short_hash(
        {"model": candidate.hash, "kind": candidate.kind, "data": data.hash, "code": candidate.code}
    )


def predictions(candidate: Candidate, data: BenchmarkData, cache: Path) -> Iterator[Part]:
    """Yield the predictions of a model in parts, from the cache where it has them.

    The model is loaded when the first part is missing. A part that is damaged or belongs to other texts is made
    again.

    Args:
        candidate: the model.
        data: whose texts are annotated, in order.
        cache: folder of all keys.
    """
    folder = cache / cache_key(candidate, data)
    predictor: Predictor | None = None
    for number, at in enumerate(range(0, len(data.documents), PART)):
        wanted = data.documents[at : at + PART]
        path = folder / f"{number:05}.jsonl"
        part = _read(path, wanted)
        if part is None:
            predictor = predictor or candidate.load()
            begun = time.perf_counter()
            found = predictor.predict([(d.id, d.text) for d in wanted])
            seconds = time.perf_counter() - begun
            _check(found, wanted, candidate.name)
            # Written and read back: a score is rounded, and must be the same in this run and in the next.
            part = Part(tuple(Document.from_dict(d.to_dict()) for d in found), seconds, False)
            _write(path, part)
        yield part


def write_whole(path: Path, text: str) -> None:
    """Write a UTF-8 file whole or not at all; parent folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_documents(path: Path, documents: Sequence[Document]) -> None:
    """Write documents, one a line."""
    write_whole(path, "".join(d.to_json(indent=None) + "\n" for d in documents))


def _read(path: Path, wanted: Sequence[Document]) -> Part | None:
    try:
        head, _, body = path.read_text(encoding="utf-8").partition("\n")
        facts = json.loads(head)
        if hashlib.sha256(body.encode("utf-8")).hexdigest() != facts["sha256"]:
            raise DataError("the file was changed")
        found = tuple(Document.from_dict(json.loads(line)) for line in body.splitlines())
        _check(found, wanted, str(path))
        return Part(found, float(facts["seconds"]), True)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:  # DataError is a ValueError
        log.warning("%s is damaged and is made again (%s)", path, error)
        return None


def _write(path: Path, part: Part) -> None:
    # Lines are split at line feeds only: JSON escapes them, but not the other line ends of Unicode.
    body = "".join(_line(d) + "\n" for d in part.documents)
    facts = {"sha256": hashlib.sha256(body.encode("utf-8")).hexdigest(), "seconds": part.seconds}
    write_whole(path, json.dumps(facts) + "\n" + body)


def _line(document: Document) -> str:
    return json.dumps(document.to_dict(), ensure_ascii=True)


def _check(found: Sequence[Document], wanted: Sequence[Document], where: str) -> None:
    if [(d.id, d.text) for d in found] != [(d.id, d.text) for d in wanted]:
        raise DataError(f"{where}: predictions of other texts", accepted="one for each document, in order")
