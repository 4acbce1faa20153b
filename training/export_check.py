"""What an export is worth: the same documents and scores as the model it was made from, and how fast."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ..model.document import Document
from ..model.inference import Extractor
from ..model.schema import LabelSchema
from ..model.scores import Backend, Floats, WindowScores
from ..model.windows import Window


@dataclass(frozen=True)
class Parity:
    """How two backends of one model agree on the same texts.

    Attributes:
        documents: number of texts.
        entities, relations, clusters: number that the reference found.
        entity_changes, relation_changes, cluster_changes: number that only one of the two found.
        spans, pairs: number of candidates that both scored.
        span_changes: number of candidates that only one of the two scored.
        span_difference, pair_difference: largest difference of a probability (before calibration) between them.
    """

    documents: int
    entities: int
    entity_changes: int
    relations: int
    relation_changes: int
    clusters: int
    cluster_changes: int
    spans: int
    pairs: int
    span_changes: int
    span_difference: float
    pair_difference: float

    @property
    def same(self) -> bool:
        """Whether both found the same entities, relations and clusters."""
        return not (self.entity_changes or self.relation_changes or self.cluster_changes)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


class Recorder:
    """A backend that keeps what it returned.

    Args:
        backend: does the work.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.scores: list[WindowScores] = []

    def score(self, windows: Sequence[Window]) -> list[WindowScores]:
        """Return the scores of each window."""
        found = self._backend.score(windows)
        self.scores.extend(found)
        return found

    def coreference(self, features: Floats, first: Floats, second: Floats) -> Floats:
        """Return probabilities [pairs]."""
        return self._backend.coreference(features, first, second)


def compare(
    reference: Extractor, other: Extractor, texts: Sequence[str]
) -> tuple[Parity, list[Document], list[Document]]:
    """Extract from the same texts with two backends of one model.

    Returns:
        How they agree, and the documents of both.
    """
    found, scores = [], []
    for extractor in (reference, other):
        backend = extractor._backend
        recorder = Recorder(backend)
        extractor._backend = recorder
        try:
            found.append(extractor(texts))
        finally:
            extractor._backend = backend
        scores.append(recorder.scores)
    (ours, theirs) = found
    changes = {
        name: sum(len(facts(a) ^ facts(b)) for a, b in zip(ours, theirs, strict=True))
        for name, facts in _FACTS.items()
    }
    spans, pairs, span_changes, span_difference, pair_difference = _differences(*scores)
    return (
        Parity(
            documents=len(texts),
            entities=sum(len(d.entities) for d in ours),
            entity_changes=changes["entities"],
            relations=sum(len(d.relations) for d in ours),
            relation_changes=changes["relations"],
            clusters=sum(len(d.clusters) for d in ours),
            cluster_changes=changes["clusters"],
            spans=spans,
            pairs=pairs,
            span_changes=span_changes,
            span_difference=span_difference,
            pair_difference=pair_difference,
        ),
        ours,
        theirs,
    )


def _entities(document: Document) -> set[Any]:
    return {(e.start, e.end, e.label) for e in document.entities}


def _relations(document: Document) -> set[Any]:
    by_id = document.by_id()
    ends = [(by_id[r.head], r.label, by_id[r.tail]) for r in document.relations]
    return {(h.start, h.end, h.label, label, t.start, t.end, t.label) for h, label, t in ends}


def _clusters(document: Document) -> set[Any]:
    by_id = document.by_id()
    return {frozenset((by_id[m].start, by_id[m].end) for m in cluster) for cluster in document.clusters}


_FACTS: dict[str, Callable[[Document], set[Any]]] = {
    "entities": _entities,
    "relations": _relations,
    "clusters": _clusters,
}


def _differences(
    ours: Sequence[WindowScores], theirs: Sequence[WindowScores]
) -> tuple[int, int, int, float, float]:
    """Return the number of spans and pairs in common, of spans in one only, and the largest differences."""
    spans = pairs = changes = 0
    span_difference = pair_difference = 0.0
    for a, b in zip(ours, theirs, strict=True):
        key_a, key_b = (s.spans[:, 0] << 15 | s.spans[:, 1] for s in (a, b))
        _, row_a, row_b = np.intersect1d(key_a, key_b, assume_unique=True, return_indices=True)
        spans += len(row_a)
        changes += len(key_a) + len(key_b) - 2 * len(row_a)
        span_difference = max(span_difference, _largest(a.logits[row_a], b.logits[row_b]))
        pair_a, pair_b = (
            key[s.pairs[:, 0]] << 30 | key[s.pairs[:, 1]] for key, s in ((key_a, a), (key_b, b))
        )
        _, row_a, row_b = np.intersect1d(pair_a, pair_b, assume_unique=True, return_indices=True)
        pairs += len(row_a)
        pair_difference = max(pair_difference, _largest(a.pair_logits[row_a], b.pair_logits[row_b]))
    return spans, pairs, changes, span_difference, pair_difference


def _largest(ours: Floats, theirs: Floats) -> float:
    if not ours.size:
        return 0.0
    probabilities = (1.0 / (1.0 + np.exp(-np.clip(x, -60, 60))) for x in (ours, theirs))
    first, second = probabilities
    return float(np.abs(first - second).max())


def speeds(
    extractors: Mapping[str, Extractor], texts: Sequence[str], *, rounds: int = 3
) -> dict[str, dict[str, float]]:
    """Time extractors on the same texts, in turns, so that what slows the machine slows all of them.

    Args:
        extractors: by name.
        texts: extracted from as a whole in each round.
        rounds: timed; the caller has warmed the extractors up.

    Returns:
        For each name `words_per_second` (blanks divide words), median over the rounds, and the `slowest` and
        `fastest` round.
    """
    words = sum(len(text.split()) for text in texts)
    taken: dict[str, list[float]] = {name: [] for name in extractors}
    for _ in range(rounds):
        for name, extractor in extractors.items():
            begun = time.perf_counter()
            extractor(texts)
            taken[name].append(words / (time.perf_counter() - begun))
    return {
        name: {
            "words_per_second": round(statistics.median(rates), 1),
            "slowest": round(min(rates), 1),
            "fastest": round(max(rates), 1),
        }
        for name, rates in taken.items()
    }


def scores(gold: Sequence[Document], found: Sequence[Document], schema: LabelSchema) -> dict[str, float]:
    """Return F1 of `entities` and of strict `relations` as fractions; documents are matched by order."""
    from ..eval.evaluate import evaluate

    unnamed = [replace(document, id="") for document in found]
    evaluation = evaluate([replace(document, id="") for document in gold], unnamed, schema)
    return {
        "entities": evaluation.entities.micro.f1,
        "relations": evaluation.relations["strict"].micro.f1,
    }
