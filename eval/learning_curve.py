"""Learning curves: how scores grow with the number of training documents, and how much the seed matters."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..model.document import Document
from ..model.errors import ConfigError, DataError, nearest
from .spread import Spread, spread

log = logging.getLogger(__name__)

FitPredict = Callable[[Sequence[Document], Sequence[Document], int], Sequence[Document]]
Score = Callable[[Sequence[Document], Sequence[Document]], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One training run.

    Attributes:
        size: number of training documents.
        seed: of the choice of documents, and of training.
        mentions: number of gold mentions in the training documents.
        scores: named scores on the development documents.
    """

    size: int
    seed: int
    mentions: int
    scores: Mapping[str, float]


@dataclass(frozen=True)
class LearningCurve:
    """Runs of several sizes and seeds; `a + b` joins the runs of both.

    Attributes:
        points: by size, then seed.
    """

    points: tuple[CurvePoint, ...] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        points = tuple(sorted(self.points, key=lambda p: (p.size, p.seed)))
        object.__setattr__(self, "points", points)
        runs = [(p.size, p.seed) for p in points]
        for run in runs:
            if runs.count(run) > 1:
                raise DataError(
                    f"two runs of size {run[0]} with seed {run[1]}", accepted="one run a size and seed"
                )

    def __add__(self, other: "LearningCurve") -> "LearningCurve":
        """Return the runs of both; DataError if one size and seed is in both."""
        return LearningCurve((*self.points, *other.points))

    @property
    def sizes(self) -> tuple[int, ...]:
        """The numbers of training documents, smallest first."""
        return tuple(sorted({p.size for p in self.points}))

    def summary(self, score: str, *, level: float = 0.95) -> dict[int, Spread]:
        """Return the spread of a score over seeds for each size.

        Raises:
            DataError: a run lacks the score.
        """
        for point in self.points:
            if score not in point.scores:
                raise DataError(
                    f"unknown score {score!r} of the run of size {point.size}, seed {point.seed}",
                    accepted=nearest(score, point.scores),
                )
        return {
            n: spread([p.scores[score] for p in self.points if p.size == n], level=level) for n in self.sizes
        }

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that `from_dict` reads back."""
        return {
            "points": [
                {"size": p.size, "seed": p.seed, "mentions": p.mentions, "scores": dict(p.scores)}
                for p in self.points
            ]
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "LearningCurve":
        """Rebuild a curve from `to_dict`; anything else raises DataError."""
        try:
            return cls(
                tuple(
                    CurvePoint(
                        int(p["size"]),
                        int(p["seed"]),
                        int(p["mentions"]),
                        {str(name): float(value) for name, value in p["scores"].items()},
                    )
                    for p in data["points"]
                )
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(
                f"not a learning curve: {error!r}", accepted="the layout of LearningCurve.to_dict()"
            ) from error


def learning_curve(
    train: Sequence[Document],
    dev: Sequence[Document],
    sizes: Sequence[int | float],
    fit_predict: FitPredict,
    seeds: Sequence[int],
    *,
    score: Score,
    done: LearningCurve | None = None,
    keep: Callable[[LearningCurve], None] | None = None,
    progress: Callable[[str], None] = log.info,
) -> LearningCurve:
    """Train on growing parts of the training documents and score on the development documents.

    For each seed the documents are shuffled once and each size takes the first of them, so that a larger part holds
    the smaller ones and the curve of a seed shows more data, not other data.

    Args:
        train: training documents.
        dev: gold documents to score on; none may be a training document.
        sizes: numbers of documents (int), or shares of `train` (float in (0, 1]).
        fit_predict: called with (part of train, dev, seed); returns predictions for dev, in order. It may use dev
            to stop or calibrate; then the curve is as optimistic as that makes it.
        seeds: one run each for every size.
        score: turns (dev, predictions) into named scores, such as `scores.development_scores(schema)`.
        done: runs of an earlier call, which are not made again.
        keep: told the curve so far after each run, to store it.
        progress: told what happens.

    Raises:
        ConfigError: sizes or seeds missing, listed twice or out of range.
        DataError: no development documents, or one that is a training document.
    """
    numbers = _sizes(sizes, len(train))
    if not seeds or len(set(seeds)) < len(seeds):
        raise ConfigError(f"seeds {list(seeds)}; accepted: one or more different numbers")
    shared = {d.text for d in dev} & {d.text for d in train}
    if not dev or shared:
        raise DataError(
            f"{len(dev)} development documents, {len(shared)} of them in training", accepted="some, and none"
        )
    curve = done or LearningCurve()
    finished = {(p.size, p.seed) for p in curve.points}
    for seed in seeds:
        order = np.random.default_rng(seed).permutation(len(train))
        for size in numbers:
            if (size, seed) in finished:
                progress(f"{size} documents, seed {seed}: done before")
                continue
            part = [train[n] for n in order[:size]]
            progress(f"{size} documents, seed {seed}: training")
            scores = {name: float(v) for name, v in score(dev, fit_predict(part, dev, seed)).items()}
            mentions = sum(len(d.entities) for d in part)
            curve += LearningCurve((CurvePoint(size, seed, mentions, scores),))
            if keep:
                keep(curve)
    return curve


def _sizes(sizes: Sequence[int | float], documents: int) -> list[int]:
    """Return sizes as different numbers of documents, smallest first."""
    numbers = [max(1, round(n * documents)) if isinstance(n, float) and 0 < n <= 1 else n for n in sizes]
    for given, n in zip(sizes, numbers, strict=True):
        if isinstance(given, bool) or not isinstance(n, int) or not 1 <= n <= documents:
            raise ConfigError(
                f"size {given!r} of {documents} training documents; accepted: a whole number from 1 to {documents}, "
                "or a share such as 0.25"
            )
    if not numbers or len(set(numbers)) < len(numbers):
        raise ConfigError(
            f"sizes {list(sizes)} are {numbers} documents; accepted: different sizes, at least one"
        )
    return sorted(int(n) for n in numbers)
