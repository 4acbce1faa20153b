"""The counts of one slice, which add up, with bootstrap intervals over documents."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.errors import ConfigError, DataError
from .bootstrap import Array, Interval, PrfIntervals
from .counts import Counts, CountsTable, ratio


@dataclass(frozen=True, slots=True)
class SliceRow:
    """What a slice holds of one document.

    Attributes:
        id: the document; empty if it has no id.
        entities, relations: matches per label.
        false_pairs: unrelated pairs of mentions that a prediction relates.
        pairs: unrelated pairs of mentions; see `slices.slice_counts`.
    """

    id: str
    entities: CountsTable
    relations: CountsTable
    false_pairs: int = 0
    pairs: int = 0


@dataclass(frozen=True)
class SliceResult:
    """Counts of a slice over documents; `a + b` is the slice of both sets.

    Attributes:
        documents: how many were evaluated, those without anything in the slice included.
        rows: the documents with something in the slice, by id.
    """

    documents: int
    rows: tuple[SliceRow, ...] = ()

    def __post_init__(self) -> None:
        rows = tuple(sorted(self.rows, key=lambda r: r.id))
        object.__setattr__(self, "rows", rows)
        for a, b in pairwise(rows):
            if a.id and a.id == b.id:
                raise DataError(f"document {a.id!r} is in a slice twice", accepted="every document once")
        if len(rows) > self.documents:
            raise DataError(f"{len(rows)} rows of {self.documents} documents", accepted="a row a document")

    def __add__(self, other: "SliceResult") -> "SliceResult":
        """Return the slice of both sets of documents; DataError if one is in both."""
        return SliceResult(self.documents + other.documents, (*self.rows, *other.rows))

    @classmethod
    def total(cls, documents: int, rows: Iterable[SliceRow | None]) -> "SliceResult":
        """Return the result of rows, of which None says that the slice holds nothing of the document."""
        return cls(documents, tuple(r for r in rows if r is not None))

    @cached_property
    def entities(self) -> CountsTable:
        """Matches of mentions per entity label."""
        return CountsTable.total(r.entities for r in self.rows)

    @cached_property
    def relations(self) -> CountsTable:
        """Strict matches of relations per relation label."""
        return CountsTable.total(r.relations for r in self.rows)

    @property
    def support(self) -> int:
        """Number of gold mentions in the slice."""
        return self.entities.micro.support

    @property
    def false_pairs(self) -> int:
        """Unrelated pairs that a prediction relates."""
        return sum(r.false_pairs for r in self.rows)

    @property
    def pairs(self) -> int:
        """Unrelated pairs of mentions."""
        return sum(r.pairs for r in self.rows)

    @property
    def false_positive_rate(self) -> float:
        """Share of the unrelated pairs that a prediction relates; 0.0 if there are none."""
        return ratio(self.false_pairs, self.pairs)

    def intervals(self, *, samples: int = 2000, level: float = 0.95, seed: int = 0) -> "SliceIntervals":
        """Return bootstrap percentile intervals; documents are drawn, those without anything here too.

        An interval is None where fewer than two documents have anything to count. Where everything (or nothing)
        is right the bootstrap sees no variance: [1, 1] or [0, 0] says nothing about other documents.

        Raises:
            ConfigError: samples or level out of range.
        """
        if samples < 1 or not 0 < level < 1:
            raise ConfigError(
                f"{samples} samples at level {level}; accepted: samples >= 1, level between 0 and 1"
            )
        if not self.rows:
            return SliceIntervals()
        # The last column stands for all documents that have nothing in the slice.
        shares = np.full(len(self.rows) + 1, 1 / self.documents)
        shares[-1] = max(0.0, 1 - len(self.rows) / self.documents)
        drawn = np.random.default_rng(seed).multinomial(self.documents, shares, size=samples)[:, :-1]
        columns = np.array(
            [
                [*r.entities.micro.to_list(), *r.relations.micro.to_list(), r.false_pairs, r.pairs]
                for r in self.rows
            ],
            dtype=np.float64,
        )
        resamples = _Ratios(drawn.astype(np.float64) @ columns, columns > 0, level)
        return SliceIntervals(resamples.prf(0), resamples.prf(3), resamples.interval([6], [7]))

    def to_dict(self, *, samples: int = 2000, level: float = 0.95, seed: int = 0) -> dict[str, Any]:
        """Return plain data for JSON: counts and scores for readers, and the rows that `from_dict` reads back."""
        return {
            "support": self.support,
            "documents": self.documents,
            "entities": self.entities.micro.to_list(),
            "relations": self.relations.micro.to_list(),
            "pairs": [self.false_pairs, self.pairs],
            "scores": {"entities": _prf(self.entities.micro), "relations": _prf(self.relations.micro)}
            | {"false_positive_rate": self.false_positive_rate},
            "intervals": asdict(self.intervals(samples=samples, level=level, seed=seed)),
            "rows": [
                [r.id, r.entities.to_dict(), r.relations.to_dict(), r.false_pairs, r.pairs] for r in self.rows
            ],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "SliceResult":
        """Rebuild a result from `to_dict`; anything else raises DataError."""
        try:
            rows = tuple(
                SliceRow(
                    str(id_),
                    CountsTable.from_dict(entities),
                    CountsTable.from_dict(relations),
                    int(false),
                    int(n),
                )
                for id_, entities, relations, false, n in data["rows"]
            )
            return cls(int(data["documents"]), rows)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(
                f"not a slice: {error!r}", accepted="the layout of SliceResult.to_dict()"
            ) from error


@dataclass(frozen=True, slots=True)
class SliceIntervals:
    """Intervals of a `SliceResult`: micro scores of mentions and relations, and the false positive rate."""

    entities: PrfIntervals = field(default_factory=PrfIntervals)
    relations: PrfIntervals = field(default_factory=PrfIntervals)
    false_positive_rate: Interval | None = None


class _Ratios:
    """Ratios of resampled counts.

    Args:
        totals: summed columns of each resample, [samples, columns].
        held: whether a document has something in a column, [documents, columns].
        level: coverage of the intervals.
    """

    def __init__(self, totals: Array, held: NDArray[np.bool_], level: float) -> None:
        self._totals, self._held = totals, held
        self._edges = (50 * (1 - level), 50 * (1 + level))

    def interval(self, part: Sequence[int], whole: Sequence[int]) -> Interval | None:
        """Return the interval of the sum of some columns over that of others (listed twice: counted twice)."""
        documents = int(self._held[:, whole].any(axis=1).sum())
        top, bottom = self._totals[:, part].sum(axis=1), self._totals[:, whole].sum(axis=1)
        defined = bottom > 0
        if documents < 2 or not defined.any():
            return None
        low, high = np.percentile(top[defined] / bottom[defined], self._edges)
        return Interval(float(low), float(high))

    def prf(self, at: int) -> PrfIntervals:
        """Return the intervals of the scores of tp, fp and fn, which stand in columns from `at` on."""
        tp, fp, fn = at, at + 1, at + 2
        return PrfIntervals(
            self.interval([tp], [tp, fp]),
            self.interval([tp], [tp, fn]),
            self.interval([tp, tp], [tp, tp, fp, fn]),
        )


def _prf(counts: Counts) -> dict[str, float]:
    return {"precision": counts.precision, "recall": counts.recall, "f1": counts.f1}
