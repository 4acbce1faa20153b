"""Leave-one-out evaluation: every document is predicted by a system that has not seen it."""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..model.document import Document
from ..model.errors import DataError
from ..model.schema import LabelSchema
from ..training.data.files import write_text
from .evaluate import evaluate
from .evaluation import Evaluation

log = logging.getLogger(__name__)


class System(Protocol):
    """Anything that learns from documents and annotates texts."""

    def fit(self, train: Sequence[Document], dev: Sequence[Document]) -> None:
        """Learn from `train`; `dev` is for stopping, calibration and thresholds."""
        ...

    def predict(self, documents: Sequence[Document]) -> list[Document]:
        """Annotate the texts of documents, in order."""
        ...


@dataclass(frozen=True)
class LeaveOneOut:
    """Outcome of a leave-one-out run.

    Attributes:
        evaluation: over all held-out documents, one entry a document.
        predictions: what was predicted for each, in the order of the held-out documents.
    """

    evaluation: Evaluation
    predictions: tuple[Document, ...]


def leave_one_out(
    held_out: Sequence[Document],
    train: Sequence[Document],
    dev: Sequence[Document],
    schema: LabelSchema,
    system: Callable[[str], System],
    *,
    folder: Path | None = None,
    progress: Callable[[str], None] = log.info,
) -> LeaveOneOut:
    """Train once for each held-out document, on everything but that document, and predict it.

    Args:
        held_out: documents to be predicted, with unique ids.
        train: training documents; those with the id or the text of the held-out document are left out of its
            fold, however often they are listed.
        dev: development documents, the same in every fold; none may be held out.
        schema: the labels.
        system: makes a fresh system for the fold of a document id.
        folder: predictions are kept here fold by fold, so that a run that was cut off goes on.
        progress: told what happens.
    """
    _check(held_out, dev)
    predictions = []
    for number, document in enumerate(held_out, 1):
        store = folder / f"{document.id}.json" if folder else None
        if store and store.is_file():
            progress(f"fold {number}/{len(held_out)} ({document.id}): predicted before, taken from {store}")
            predictions.append(Document.from_dict(json.loads(store.read_text(encoding="utf-8"))))
            continue
        rest = [d for d in train if d.id != document.id and d.text != document.text]
        progress(f"fold {number}/{len(held_out)} ({document.id}): training on {len(rest)} documents")
        fold = system(document.id)
        fold.fit(rest, dev)
        (found,) = fold.predict([document])
        predictions.append(found)
        if store:
            write_text(store, found.to_json())
    return LeaveOneOut(evaluate(held_out, predictions, schema), tuple(predictions))


def _check(held_out: Sequence[Document], dev: Sequence[Document]) -> None:
    ids = [d.id for d in held_out]
    if len(ids) < 2 or len(set(ids)) < len(ids) or not all(ids):
        raise DataError(
            f"{len(ids)} held-out documents, ids {ids}", accepted="two or more documents with unique ids"
        )
    shared = {d.text for d in dev} & {d.text for d in held_out}
    if shared:
        raise DataError(
            f"{len(shared)} held-out documents are development documents", accepted="disjoint sets"
        )
