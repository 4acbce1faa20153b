"""Counts that add up: true and false positives per label, and the scores that follow from them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import fsum
from typing import Any, Protocol, Self


class Scored(Protocol):
    """Anything with precision, recall and F1 in [0, 1]."""

    @property
    def precision(self) -> float:
        """Share of the predicted that is right."""

    @property
    def recall(self) -> float:
        """Share of the gold that was found."""

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""


def ratio(part: float, whole: float) -> float:
    """Return part / whole, and 0.0 for 0/0.

    A label that was never predicted has no precision and one that never occurs has no recall; both are
    reported as 0.0 (seqeval's `zero_division=0`, and what nervaluate and the CoNLL scorers do). Averages
    leave out labels that occur in neither gold nor predictions, so 0/0 never drags them down.
    """
    return part / whole if whole else 0.0


def harmonic(precision: float, recall: float) -> float:
    """Return the harmonic mean of precision and recall; 0.0 if both are 0."""
    return ratio(2 * precision * recall, precision + recall)


@dataclass(frozen=True, slots=True)
class Prf:
    """Precision, recall and F1 that are not backed by counts: an average over labels or metrics."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class Counts:
    """True positives, false positives and false negatives; `a + b` counts both.

    Attributes:
        tp: gold items that were predicted.
        fp: predicted items that are not gold.
        fn: gold items that were not predicted.
    """

    tp: int = 0
    fp: int = 0
    fn: int = 0

    def __add__(self, other: Self) -> Self:
        return type(self)(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @classmethod
    def of(cls, gold: Iterable[object], predicted: Iterable[object]) -> Self:
        """Count two collections as sets: an item that occurs twice counts once."""
        wanted, found = set(gold), set(predicted)
        tp = len(wanted & found)
        return cls(tp, len(found) - tp, len(wanted) - tp)

    @property
    def support(self) -> int:
        """Number of gold items, tp + fn."""
        return self.tp + self.fn

    @property
    def predicted(self) -> int:
        """Number of predicted items, tp + fp."""
        return self.tp + self.fp

    @property
    def precision(self) -> float:
        """Tp / (tp + fp); 0.0 if nothing was predicted."""
        return ratio(self.tp, self.predicted)

    @property
    def recall(self) -> float:
        """Tp / (tp + fn); 0.0 if there is nothing to find."""
        return ratio(self.tp, self.support)

    @property
    def f1(self) -> float:
        """2 tp / (2 tp + fp + fn); 0.0 if there is neither gold nor prediction."""
        return ratio(2 * self.tp, self.predicted + self.support)

    def to_list(self) -> list[int]:
        """Return [tp, fp, fn]."""
        return [self.tp, self.fp, self.fn]

    @classmethod
    def from_list(cls, data: Iterable[int]) -> Self:
        """Rebuild counts from `to_list`; ValueError unless there are three numbers."""
        tp, fp, fn = map(int, data)
        return cls(tp, fp, fn)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Right decisions out of all; `a + b` counts both."""

    correct: int = 0
    total: int = 0

    def __add__(self, other: Self) -> Self:
        return type(self)(self.correct + other.correct, self.total + other.total)

    @property
    def accuracy(self) -> float:
        """Correct / total; 0.0 if there was nothing to decide."""
        return ratio(self.correct, self.total)

    def to_list(self) -> list[int]:
        """Return [correct, total]."""
        return [self.correct, self.total]

    @classmethod
    def from_list(cls, data: Iterable[int]) -> Self:
        """Rebuild the counts from `to_list`; ValueError unless there are two numbers."""
        correct, total = map(int, data)
        return cls(correct, total)


class CountsTable(Mapping[str, Counts]):
    """Counts keyed by label; `a + b` adds label by label.

    Only labels that occur in gold or predictions are kept, so two tables are equal whenever they count the
    same things, and `macro` is the mean over the labels that there was something to say about.

    Args:
        counts: counts per label; entries of zeros are dropped.
    """

    def __init__(self, counts: Mapping[str, Counts] | None = None) -> None:
        self._counts = {k: c for k, c in (counts or {}).items() if c != Counts()}

    @classmethod
    def of(cls, gold: Iterable[tuple[str, object]], predicted: Iterable[tuple[str, object]]) -> Self:
        """Count (label, item) pairs as sets, label by label."""
        wanted, found = set(gold), set(predicted)
        right = wanted & found
        table: dict[str, list[int]] = {}
        for column, pairs in enumerate((right, found - right, wanted - right)):
            for label, _ in pairs:
                table.setdefault(label, [0, 0, 0])[column] += 1
        return cls({label: Counts(*table[label]) for label in sorted(table)})

    def __getitem__(self, label: str) -> Counts:
        return self._counts[label]

    def __iter__(self) -> Iterator[str]:
        return iter(self._counts)

    def __len__(self) -> int:
        return len(self._counts)

    def __repr__(self) -> str:
        return f"CountsTable({self._counts!r})"

    def __add__(self, other: "CountsTable") -> "CountsTable":
        return CountsTable.total((self, other))

    @classmethod
    def total(cls, tables: Iterable["CountsTable"]) -> "CountsTable":
        """Add any number of tables."""
        sums: dict[str, Counts] = {}
        for table in tables:
            for label, counts in table.items():
                sums[label] = sums.get(label, Counts()) + counts
        return cls(sums)

    def ordered(self, labels: Iterable[str]) -> "CountsTable":
        """Return the same table in the order of `labels`; labels not named there come last."""
        order = [label for label in labels if label in self]
        return CountsTable({k: self[k] for k in (*order, *(k for k in self if k not in set(order)))})

    @property
    def micro(self) -> Counts:
        """The counts of all labels together."""
        return Counts(*(sum(getattr(c, f) for c in self.values()) for f in ("tp", "fp", "fn")))

    @property
    def macro(self) -> Prf:
        """The unweighted mean over the labels that occur in gold or predictions.

        Macro F1 is the mean of the labels' F1 (the first of the two definitions in Opitz & Burst, "Macro F1
        and Macro F1", 2019, arXiv:1911.03347), as in seqeval and scikit-learn, not the F1 of the mean
        precision and recall. A label that was predicted but is not in gold counts with 0.
        """
        return self._mean(dict.fromkeys(self, 1))

    @property
    def weighted(self) -> Prf:
        """The mean over labels weighted by support; predicted labels without gold have weight 0."""
        return self._mean({label: counts.support for label, counts in self.items()})

    def _mean(self, weights: Mapping[str, int]) -> Prf:
        whole = sum(weights.values())
        means = (
            ratio(fsum(getattr(self[k], field) * w for k, w in weights.items()), whole)
            for field in ("precision", "recall", "f1")
        )
        return Prf(*means)

    def to_dict(self) -> dict[str, list[int]]:
        """Return {label: [tp, fp, fn]}, which `from_dict` reads back."""
        return {label: counts.to_list() for label, counts in self.items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "CountsTable":
        """Rebuild a table from `to_dict`."""
        return cls({str(label): Counts.from_list(counts) for label, counts in data.items()})
