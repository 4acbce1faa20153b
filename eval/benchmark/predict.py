"""Predictions of a model in the labels of the data, of texts as they are and perturbed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from ...model.document import Document
from ..perturb import perturbations
from ..robustness import robustness
from ..stored import data_hash
from .adapters import Candidate, with_entities
from .cache import PART, Part, predictions
from .data import BenchmarkData
from .labels import Translation, translate_document


class Progress(Protocol):
    """Passes items on and shows how many there were."""

    def __call__(self, items: Iterable[Part], *, total: int, what: str) -> Iterator[Part]:
        """Yield the items."""
        ...


def predict_all(
    candidate: Candidate, data: BenchmarkData, cache: Path, progress: Progress | None, what: str = ""
) -> tuple[list[Document], float, bool]:
    """Return all predictions in the model's labels, the seconds they took, and whether all were cached."""
    total = -(-len(data.documents) // PART)
    parts: Iterable[Part] = predictions(candidate, data, cache)
    if progress is not None:
        parts = progress(parts, total=total, what=what or f"{candidate.name} on {data.name}")
    found = list(parts)
    documents = [d for part in found for d in part.documents]
    return documents, sum(p.seconds for p in found), all(p.reused for p in found)


def translated(
    found: Sequence[Document], data: BenchmarkData, translation: Translation, model: str
) -> list[Document]:
    """Return predictions in the classes of the data."""
    return [
        replace(
            translate_document(p, gold, translation, convention=data.convention),
            model=model,
            schema={"name": data.schema.name, "version": data.schema.version, "hash": data.schema.hash},
        )
        for p, gold in zip(found, data.documents, strict=True)
    ]


def predict_given(
    candidate: Candidate,
    data: BenchmarkData,
    translation: Translation,
    cache: Path,
    progress: Progress | None,
) -> list[Document] | None:
    """Return what a model finds when it is shown the gold entities, in the classes of the data.

    Args:
        candidate, data, translation: what is measured.
        cache: folder of predictions; these are kept there under a key of their own.
        progress: shows how far it is.

    Returns:
        None where gold has no relations, where a gold label is none of the model's own, and for models that cannot
        be shown entities.
    """
    labels = {e.label for d in data.documents for e in d.entities}
    own = all(translation.class_of.get(label) == label for label in labels)
    if not own or not any(d.relations for d in data.documents):
        return None
    # Without their relations, whose labels need not be those of the model.
    shown = with_entities(candidate, [replace(d, relations=()) for d in data.documents])
    if shown is None:
        return None
    what = f"{candidate.name} on {data.name}, gold entities"
    found, _, _ = predict_all(shown, data, cache, progress, what)
    return translated(found, data, translation, candidate.name)


def robustness_of(
    candidate: Candidate,
    data: BenchmarkData,
    translation: Translation,
    clean: Sequence[Document],
    cache: Path,
    progress: Progress | None,
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """Return what a model scores on perturbed texts, as plain data by perturbation; see `eval.robustness`.

    Args:
        candidate, data, translation: what is measured.
        clean: predictions of the texts as they are, in the classes of the data.
        cache: folder of predictions; those of perturbed texts are kept there too.
        progress: shows how far a perturbation is.
        seed: of the perturbations and of the resampling.
    """
    known = perturbations()
    current = ""

    def told(name: str) -> None:
        nonlocal current
        current = name

    def predict(texts: list[str]) -> list[Document]:
        gold = _with_texts([known[current](d, seed=seed) for d in data.documents], texts)
        changed = replace(data, documents=tuple(gold), hash=data_hash(gold))
        what = f"{candidate.name} on {data.name}, {current}"
        found, _, _ = predict_all(candidate, changed, cache, progress, what)
        return translated(found, changed, translation, candidate.name)

    results = robustness(
        predict,
        data.documents,
        data.schema,
        clean=clean,
        seed=seed,
        convention=data.convention,
        flat=data.flat,
        progress=told,
    )
    return {name: result.to_dict() for name, result in results.items()}


def _with_texts(documents: Sequence[Document], texts: Sequence[str]) -> list[Document]:
    """Return the documents that have these texts, in the order of the texts; each document once."""
    waiting: dict[str, list[Document]] = {}
    for document in documents:
        waiting.setdefault(document.text, []).append(document)
    return [waiting[text].pop(0) for text in texts]
