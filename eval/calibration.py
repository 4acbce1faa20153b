"""Calibration: is a score of 0.8 right in 80% of the cases?

The expected calibration error (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, section 3,
equation 3) over bins of equal width (Naeini et al., AAAI 2015) or of equal mass (Nguyen & O'Connor, "Posterior
calibration and exploratory analysis for NLP models", EMNLP 2015), and the Brier score (Brier 1950). What is
judged are the items that predicted documents hold, each right or wrong under strict matching. Gold items that
were not predicted have no score, so they are no part of calibration; recall counts them.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from math import fsum
from typing import Any, NamedTuple, Self

import numpy as np

from ..model.document import Document
from ..model.errors import ConfigError, DataError
from ..model.schema import LabelSchema
from .counts import ratio
from .evaluate import pair_documents


class Judged(NamedTuple):
    """A predicted item.

    Attributes:
        score: the probability that it was given, in [0, 1].
        correct: whether gold has it.
    """

    score: float
    correct: bool


@dataclass(frozen=True, slots=True)
class Bin:
    """The items with scores in (low, high], or [0, high] for the first; `a + b` of one range counts both.

    Attributes:
        low, high: the range of scores.
        n: number of items.
        score_sum: sum of their scores.
        correct: how many are right.
        squared_error: sum of (score - right)², with right 1 or 0.
    """

    low: float
    high: float
    n: int = 0
    score_sum: float = 0.0
    correct: int = 0
    squared_error: float = 0.0

    def __add__(self, other: Self) -> Self:
        if (self.low, self.high) != (other.low, other.high):
            raise DataError(
                f"bins of ({self.low}, {self.high}] and of ({other.low}, {other.high}] do not add up",
                accepted="bins of the same range",
            )
        return type(self)(
            self.low,
            self.high,
            self.n + other.n,
            self.score_sum + other.score_sum,
            self.correct + other.correct,
            self.squared_error + other.squared_error,
        )

    @property
    def confidence(self) -> float:
        """Mean score; 0.0 of an empty bin."""
        return ratio(self.score_sum, self.n)

    @property
    def accuracy(self) -> float:
        """Share of right items; 0.0 of an empty bin."""
        return ratio(self.correct, self.n)

    @property
    def gap(self) -> float:
        """Accuracy minus confidence: negative where scores promise too much."""
        return self.accuracy - self.confidence


@dataclass(frozen=True, slots=True)
class Reliability:
    """Bins that together cover [0, 1]; `a + b` of the same bins counts both.

    Attributes:
        bins: in order; each begins where the one before ends.
    """

    bins: tuple[Bin, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "bins", tuple(self.bins))
        ends = [(b.low, b.high) for b in self.bins]
        joined = all(a[1] == b[0] for a, b in pairwise(ends)) and all(low < high for low, high in ends)
        if not ends or not joined or ends[0][0] != 0 or ends[-1][1] != 1:
            raise DataError(f"bins {ends} do not cover [0, 1]", accepted="rising edges from 0 to 1")

    @classmethod
    def of(cls, judged: Iterable[Judged], edges: Sequence[float]) -> Self:
        """Sort items into the bins between `edges`; DataError for a score outside [0, 1]."""
        items = list(judged)
        scores = np.asarray([j.score for j in items], dtype=np.float64)
        if not np.all((scores >= 0) & (scores <= 1)):
            raise DataError("a score is outside [0, 1] or not a number", accepted="probabilities")
        correct = np.asarray([j.correct for j in items], dtype=np.float64)
        place, count = bin_index(scores, edges), len(edges) - 1

        def total(weights: np.ndarray) -> list[float]:
            return [fsum(weights[place == b]) for b in range(count)]

        columns = zip(
            edges[:-1],
            edges[1:],
            np.bincount(place, minlength=count).tolist(),
            total(scores),
            map(int, total(correct)),
            total((scores - correct) ** 2),
            strict=True,
        )
        return cls(tuple(Bin(*column) for column in columns))

    def __add__(self, other: "Reliability") -> "Reliability":
        if len(self.bins) != len(other.bins):
            raise DataError(
                f"{len(self.bins)} and {len(other.bins)} bins do not add up", accepted="the same bins"
            )
        return Reliability(tuple(a + b for a, b in zip(self.bins, other.bins, strict=True)))

    @property
    def n(self) -> int:
        """Number of items."""
        return sum(b.n for b in self.bins)

    @property
    def accuracy(self) -> float:
        """Share of right items; 0.0 of none."""
        return ratio(sum(b.correct for b in self.bins), self.n)

    @property
    def confidence(self) -> float:
        """Mean score; 0.0 of no items."""
        return ratio(fsum(b.score_sum for b in self.bins), self.n)

    @property
    def brier(self) -> float:
        """Mean of (score - right)², with right 1 or 0: calibration and sharpness in one number; less is better."""
        return ratio(fsum(b.squared_error for b in self.bins), self.n)

    @property
    def ece(self) -> float:
        """Expected calibration error: the mean over items of |accuracy - confidence| of their bin."""
        return ratio(fsum(abs(b.correct - b.score_sum) for b in self.bins), self.n)

    @property
    def largest_gap(self) -> float:
        """Maximum calibration error (Guo et al. 2017, equation 5): the largest |gap| of a bin with items."""
        return max((abs(b.gap) for b in self.bins if b.n), default=0.0)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that `from_dict` reads back."""
        return {"bins": [asdict(b) for b in self.bins]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild the bins; DataError for anything but the layout of `to_dict`."""
        try:
            return cls(tuple(Bin(**b) for b in data["bins"]))
        except (KeyError, TypeError) as error:
            raise DataError(
                f"not a reliability diagram: {error!r}", accepted="the layout of Reliability.to_dict()"
            ) from error


def bin_index(scores: np.ndarray, edges: Sequence[float]) -> np.ndarray:
    """Return the bin of each score; a score on an edge belongs below it, 0 to the first bin."""
    return np.clip(np.searchsorted(np.asarray(edges), scores, side="left") - 1, 0, len(edges) - 2)


def equal_width_edges(bins: int) -> tuple[float, ...]:
    """Return the edges of `bins` bins of the same width."""
    _check(bins)
    return tuple(n / bins for n in range(bins + 1))


def equal_mass_edges(scores: Iterable[float], bins: int) -> tuple[float, ...]:
    """Return the edges of at most `bins` bins that hold about the same number of scores.

    Equal scores stay in one bin, so that the order of the items does not matter; where many are equal there
    are fewer bins.
    """
    _check(bins)
    ranked = np.sort(np.asarray(list(scores), dtype=np.float64))
    if not len(ranked):
        return (0.0, 1.0)
    inner = quantile_edges(ranked, np.ones(len(ranked)), bins)
    return (0.0, *(float(edge) for edge in inner if 0 < edge < 1), 1.0)


def quantile_edges(ranked: np.ndarray, weights: np.ndarray, bins: int) -> np.ndarray:
    """Return the scores that end each bin but the last, without repetition.

    Args:
        ranked: [items], scores in rising order; at least one.
        weights: [items], how often each counts; some above 0.
        bins: number of bins.
    """
    mass = np.cumsum(weights)
    last = np.searchsorted(mass, mass[-1] * np.arange(1, bins) / bins)
    edges = np.unique(ranked[last])
    return edges[edges < ranked[-1]]


def judge_spans(gold: Sequence[Document], predicted: Sequence[Document]) -> list[tuple[Judged, ...]]:
    """Judge every predicted entity: right if gold has its start, end and label, whatever the nesting.

    Args:
        gold, predicted: matched as `evaluate` matches them; errors likewise.

    Returns:
        The judged entities of each document, in the order of gold. One predicted twice counts once, with
        its higher score.
    """
    return [
        _judge(
            {(e.start, e.end, e.label) for e in wanted.entities},
            (((e.start, e.end, e.label), e.score) for e in found.entities),
        )
        for wanted, found in pair_documents(gold, predicted)
    ]


def judge_relations(
    gold: Sequence[Document], predicted: Sequence[Document], schema: LabelSchema
) -> list[tuple[Judged, ...]]:
    """Judge every predicted relation end to end: both spans, both types, direction and label must be right.

    The same as the view `strict` of `relations.match_relations`; arguments and result as in `judge_spans`.
    """
    symmetric = {r.name for r in schema.relations if r.symmetric}
    return [
        _judge({key for key, _ in _relation_keys(wanted, symmetric)}, _relation_keys(found, symmetric))
        for wanted, found in pair_documents(gold, predicted)
    ]


def _relation_keys(document: Document, symmetric: set[str]) -> Iterator[tuple[Hashable, float]]:
    ends = {e.id: (e.start, e.end, e.label) for e in document.entities}
    for r in document.relations:
        pair = ends[r.head], ends[r.tail]
        yield (r.label, frozenset(pair) if r.label in symmetric else pair), r.score


def _judge(wanted: set[Any], found: Iterable[tuple[Hashable, float]]) -> tuple[Judged, ...]:
    best: dict[Hashable, float] = {}
    for key, score in found:
        best[key] = max(score, best.get(key, 0.0))
    return tuple(Judged(float(score), key in wanted) for key, score in best.items())


def _check(bins: int) -> None:
    if bins < 1:
        raise ConfigError(f"{bins} bins; accepted: 1 or more")
