"""Scores of calibration with their uncertainty, and the record that stored results keep of them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .bootstrap import Array, Interval
from .calibration import (
    Judged,
    Reliability,
    bin_index,
    equal_mass_edges,
    equal_width_edges,
    quantile_edges,
)

# Name of a binning -> (kind, number of bins); the first is the one that Guo et al. report.
SCHEMES = {"width_15": ("width", 15), "width_10": ("width", 10), "mass_15": ("mass", 15)}
HEADLINE = "width_15"


@dataclass(frozen=True)
class CalibrationScores:
    """How well the scores of a set of documents are calibrated.

    Attributes:
        reliability: the bins, by name of `SCHEMES`.
        ece_intervals: bootstrap intervals over documents of the expected calibration error, by scheme; None
            for fewer than two documents with items.
        ece_by_chance: by scheme, the expected calibration error that perfectly calibrated scores would show
            on as many items: the error is a mean of absolute values and never 0 on finite data.
        brier_interval: bootstrap interval of the Brier score.
        samples, level, seed: how the intervals were made.
    """

    reliability: Mapping[str, Reliability]
    ece_intervals: Mapping[str, Interval | None]
    ece_by_chance: Mapping[str, float]
    brier_interval: Interval | None
    samples: int
    level: float
    seed: int

    @property
    def n(self) -> int:
        """Number of items."""
        return self.reliability[HEADLINE].n

    @property
    def ece(self) -> float:
        """Expected calibration error over 15 bins of equal width."""
        return self.reliability[HEADLINE].ece

    @property
    def brier(self) -> float:
        """Brier score."""
        return self.reliability[HEADLINE].brier

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON: the scores, and the 15 bins of equal width."""
        main = self.reliability[HEADLINE]
        return {
            "n": main.n,
            "accuracy": main.accuracy,
            "confidence": main.confidence,
            "brier": main.brier,
            "brier_interval": _plain(self.brier_interval),
            "ece": {
                name: {
                    "value": r.ece,
                    "interval": _plain(self.ece_intervals[name]),
                    "by_chance": self.ece_by_chance[name],
                    "largest_gap": r.largest_gap,
                }
                for name, r in self.reliability.items()
            },
            "bins": main.to_dict()["bins"],
            "samples": self.samples,
            "level": self.level,
            "seed": self.seed,
        }


def measure_calibration(
    documents: Sequence[Sequence[Judged]], *, samples: int = 2000, level: float = 0.95, seed: int = 0
) -> CalibrationScores:
    """Return calibration error and Brier score with percentile bootstrap intervals over documents.

    Bins of equal mass are drawn anew in every resample. The percentile interval of a mean of absolute values
    leans upwards, as the error itself does; `ece_by_chance` says by how much one should expect.

    Args:
        documents: judged items of each document, from `judge_spans` or `judge_relations`.
        samples: number of resamples.
        level: coverage, between 0 and 1.
        seed: of the random generator; the same seed gives the same result.
    """
    items = [j for document in documents for j in document]
    owner = np.repeat(np.arange(len(documents)), [len(d) for d in documents])
    score = np.asarray([j.score for j in items], dtype=np.float64)
    correct = np.asarray([j.correct for j in items], dtype=np.float64)
    order = np.argsort(score, kind="stable")
    owner, score, correct = owner[order], score[order], correct[order]
    edges = {
        name: equal_width_edges(bins) if kind == "width" else equal_mass_edges(score, bins)
        for name, (kind, bins) in SCHEMES.items()
    }
    random = np.random.default_rng(seed)
    enough = sum(bool(d) for d in documents) > 1
    drawn = (
        random.multinomial(len(documents), np.full(len(documents), 1 / len(documents)), size=samples)
        if enough
        else np.zeros((0, len(documents)), dtype=np.int64)
    )

    def interval(values: Array) -> Interval | None:
        defined = values[np.isfinite(values)]
        if not len(defined):
            return None
        low, high = np.percentile(defined, [50 * (1 - level), 50 * (1 + level)])
        return Interval(float(low), float(high))

    return CalibrationScores(
        {name: Reliability.of(items, edge) for name, edge in edges.items()},
        {
            name: interval(_resampled_ece(score, correct, owner, drawn, kind, bins))
            for name, (kind, bins) in SCHEMES.items()
        },
        {name: _ece_by_chance(score, edge, random) for name, edge in edges.items()},
        interval(_resampled_mean((score - correct) ** 2, owner, drawn)),
        samples,
        level,
        seed,
    )


def _resampled_ece(
    score: Array, correct: Array, owner: np.ndarray, drawn: np.ndarray, kind: str, bins: int
) -> Array:
    """Return the error of each resample [samples]; scores are in rising order; nan where there are none."""
    place = bin_index(score, equal_width_edges(bins))
    errors = np.full(len(drawn), np.nan)
    for sample, often in enumerate(drawn):
        weight = often[owner].astype(np.float64)
        whole = weight.sum()
        if not whole:
            continue
        if kind == "mass":
            there = weight > 0
            cuts = quantile_edges(score[there], weight[there], bins)
            place = np.searchsorted(cuts, score, side="left")
        errors[sample] = np.abs(np.bincount(place, weight * (correct - score))).sum() / whole
    return errors


def _resampled_mean(values: Array, owner: np.ndarray, drawn: np.ndarray) -> Array:
    """Return the mean of values in each resample [samples]; nan where there are none."""
    documents = drawn.shape[1]
    sums = np.bincount(owner, values, minlength=documents)
    counts = np.bincount(owner, minlength=documents)
    whole = drawn @ counts
    return np.divide(drawn @ sums, whole, out=np.full(len(drawn), np.nan), where=whole > 0)


def _ece_by_chance(
    score: Array, edges: Sequence[float], random: np.random.Generator, *, draws: int = 200
) -> float:
    """Return the mean error if every item were right with the probability of its score."""
    if not len(score):
        return 0.0
    place = bin_index(score, edges)
    right = random.random((draws, len(score))) < score
    return float(np.mean([np.abs(np.bincount(place, r - score)).sum() for r in right]) / len(score))


def _plain(interval: Interval | None) -> dict[str, float] | None:
    return asdict(interval) if interval else None
