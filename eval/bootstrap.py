"""Percentile bootstrap over documents: how far a score could have moved with other documents.

Documents, not entities, are drawn with replacement, because the mentions of one document depend on each
other (Efron & Tibshirani, "An Introduction to the Bootstrap", 1993; for NLP scores
Berg-Kirkpatrick et al., "An Empirical Investigation of Statistical Significance in NLP", EMNLP 2012). Scores
of a resample are computed from the summed counts of its documents, as the scores themselves are. With few
documents (the five articles) percentile intervals are too narrow; read them as a lower bound of the
uncertainty.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.errors import ConfigError
from .coreference import CONLL, METRICS, ClusterCounts
from .counts import Accuracy, CountsTable
from .evaluation import PARTITIONS, Evaluation
from .proclitics import KINDS

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval of a score in [0, 1]."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PrfIntervals:
    """Intervals of precision, recall and F1; None where fewer than two documents have anything to count."""

    precision: Interval | None = None
    recall: Interval | None = None
    f1: Interval | None = None


@dataclass(frozen=True, slots=True)
class TableIntervals:
    """Intervals of a `CountsTable`."""

    labels: Mapping[str, PrfIntervals] = field(default_factory=dict)
    micro: PrfIntervals = PrfIntervals()
    macro: PrfIntervals = PrfIntervals()
    weighted: PrfIntervals = PrfIntervals()


@dataclass(frozen=True, slots=True)
class Intervals:
    """Intervals of an `Evaluation`, laid out like `Evaluation.summary`.

    Attributes:
        samples, level, seed: how they were made.
        entities: of the entity types.
        relations: of the relation types in each view.
        coreference: of each metric, and of `conll`, in each partition.
        proclitics: of each kind of decision, and of `all`.
    """

    samples: int
    level: float
    seed: int
    entities: TableIntervals
    relations: Mapping[str, TableIntervals]
    coreference: Mapping[str, Mapping[str, PrfIntervals]]
    proclitics: Mapping[str, Interval | None]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)


def bootstrap(
    evaluation: Evaluation, *, samples: int = 2000, level: float = 0.95, seed: int = 0
) -> Intervals:
    """Return percentile intervals of every score of an evaluation.

    A label's interval comes from the resamples in which the label occurs; it needs two documents that have
    the label, otherwise every resample gives the same score and no interval is given.

    Args:
        evaluation: counts per document.
        samples: number of resamples.
        level: coverage, between 0 and 1.
        seed: of the random generator; the same seed gives the same intervals.

    Raises:
        ConfigError: samples or level out of range.
    """
    if samples < 1 or not 0 < level < 1:
        raise ConfigError(
            f"bootstrap of {samples} samples at level {level}; accepted: samples >= 1, 0 < level < 1"
        )
    documents = evaluation.documents
    n = len(documents)
    # How often each document is in each resample; the sums over documents are then one matrix product.
    drawn = (
        np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=samples)
        if n
        else np.zeros((samples, 0))
    )
    resamples = Resamples(drawn.astype(np.float64), level)
    return Intervals(
        samples=samples,
        level=level,
        seed=seed,
        entities=resamples.table([d.entities for d in documents]),
        relations={
            view: resamples.table([d.relations[view] for d in documents]) for view in evaluation.relations
        },
        coreference={p: resamples.clusters([d.coreference[p] for d in documents]) for p in PARTITIONS},
        proclitics=resamples.decisions([d.proclitics for d in documents]),
    )


class Resamples:
    """Draws of documents, and the intervals of scores over them.

    Args:
        drawn: how often each document is in each draw, [samples, documents].
        level: coverage of the intervals, between 0 and 1.
    """

    def __init__(self, drawn: Array, level: float) -> None:
        self._drawn = drawn
        self._percentiles = [50 * (1 - level), 50 * (1 + level)]

    def table(self, tables: Sequence[CountsTable]) -> TableIntervals:
        """Return the intervals of the sum of tables, one table a document, in the order of the draws."""
        labels = sorted({label for table in tables for label in table})
        counts = np.zeros((len(tables), len(labels), 3))
        for i, table in enumerate(tables):
            for j, label in enumerate(labels):
                if label in table:
                    counts[i, j] = table[label].to_list()
        occurs = _some(counts, 2)
        totals = self._sum(counts)
        micro: Array = np.asarray(totals.sum(axis=1))
        prf = _scores(totals)  # [samples, labels, 3]
        any_label = int(_some(occurs, 1).sum())

        def mean(weights: Array) -> PrfIntervals:
            whole: Array = np.asarray(weights.sum(axis=1))[:, None]
            return self._prf(
                _divide((prf * weights[..., None]).sum(axis=1), whole), whole[:, 0] > 0, any_label
            )

        return TableIntervals(
            labels={
                label: self._prf(prf[:, j], _some(totals[:, j], 1), int(occurs[:, j].sum()))
                for j, label in enumerate(labels)
            },
            micro=self._prf(_scores(micro), _some(micro, 1), any_label),
            macro=mean(_some(totals, 2).astype(np.float64)),
            weighted=mean(totals[..., 0] + totals[..., 2]),
        )

    def clusters(self, documents: Sequence[Mapping[str, ClusterCounts]]) -> dict[str, PrfIntervals]:
        """Return the intervals of each of `coreference.METRICS` and of `conll`; one mapping a document."""
        counts = np.array([[d[m].to_list() for m in METRICS] for d in documents]).reshape(-1, len(METRICS), 4)
        totals = self._sum(counts)
        precision = _divide(totals[..., 0], totals[..., 1])
        recall = _divide(totals[..., 2], totals[..., 3])
        prf = np.stack([precision, recall, _divide(2 * precision * recall, precision + recall)], axis=-1)
        # What there is to count is in the denominators: numerators are 0 for a wrong answer too.
        something, occurs = _some(totals[..., [1, 3]], 2), _some(counts[..., [1, 3]], 2).sum(axis=0)
        scores = {m: self._prf(prf[:, j], something[:, j], int(occurs[j])) for j, m in enumerate(METRICS)}
        conll = [list(METRICS).index(m) for m in CONLL]
        defined = something[:, conll]
        mean = _divide((prf[:, conll] * defined[..., None]).sum(axis=1), defined.sum(axis=1)[:, None])
        return scores | {"conll": self._prf(mean, _some(defined, 1), int(occurs[conll].max()))}

    def decisions(self, documents: Sequence[Mapping[str, Accuracy]]) -> dict[str, Interval | None]:
        """Return the intervals of the accuracy of each of `proclitics.KINDS`, and of `all`."""
        counts = np.array([[d[k].to_list() for k in KINDS] for d in documents]).reshape(-1, len(KINDS), 2)
        counts = np.concatenate([counts, counts.sum(axis=1, keepdims=True)], axis=1)
        totals = self._sum(counts)
        accuracy = _divide(totals[..., 0], totals[..., 1])
        return {
            kind: self._interval(accuracy[:, j], totals[:, j, 1] > 0, int((counts[:, j, 1] > 0).sum()))
            for j, kind in enumerate((*KINDS, "all"))
        }

    def _sum(self, counts: NDArray[Any]) -> Array:
        """[documents, rows, columns] -> [samples, rows, columns]."""
        documents, rows, columns = counts.shape
        return (self._drawn @ counts.reshape(documents, rows * columns)).reshape(
            len(self._drawn), rows, columns
        )

    def _prf(self, scores: Array, defined: NDArray[np.bool_], documents: int) -> PrfIntervals:
        return PrfIntervals(*(self._interval(scores[:, k], defined, documents) for k in range(3)))

    def _interval(self, scores: Array, defined: NDArray[np.bool_], documents: int) -> Interval | None:
        if documents < 2 or not defined.any():
            return None
        low, high = np.percentile(scores[defined], self._percentiles)
        return Interval(float(low), float(high))


def _some(counts: NDArray[Any], axis: int) -> NDArray[np.bool_]:
    """Whether anything was counted along an axis."""
    return np.asarray(counts.sum(axis=axis) > 0)


def _divide(part: Array, whole: Array) -> Array:
    """Part / whole with 0/0 = 0, as `counts.ratio`."""
    return np.divide(part, whole, out=np.zeros(np.broadcast_shapes(part.shape, whole.shape)), where=whole > 0)


def _scores(counts: Array) -> Array:
    """[..., (tp, fp, fn)] -> [..., (precision, recall, f1)]."""
    tp, fp, fn = counts[..., 0], counts[..., 1], counts[..., 2]
    return np.stack([_divide(tp, tp + fp), _divide(tp, tp + fn), _divide(2 * tp, 2 * tp + fp + fn)], axis=-1)
