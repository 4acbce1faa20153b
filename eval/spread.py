"""How much a score varies with the training seed: mean, sample standard deviation, range and t-interval."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import atan, cos, fsum, isfinite, pi, sin, sqrt
from typing import Any

from ..model.errors import ConfigError, DataError
from .bootstrap import Interval
from .evaluation import PARTITIONS, Evaluation
from .significance import paired_documents


@dataclass(frozen=True, slots=True)
class Spread:
    """A score over several runs.

    Attributes:
        n: number of runs.
        mean: their mean.
        sd: sample standard deviation (n - 1); 0.0 for one run.
        low, high: the worst and the best run.
        interval: Student's t interval of the mean; None for one run. It presumes scores that are about normal.
    """

    n: int
    mean: float
    sd: float
    low: float
    high: float
    interval: Interval | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{100 * self.mean:.1f} ± {100 * self.sd:.1f} ({self.n} runs)"


def spread(values: Sequence[float], *, level: float = 0.95) -> Spread:
    """Summarise the scores of runs that differ in their seed only.

    Raises:
        DataError: no values, or one that is not a finite number.
        ConfigError: a level outside (0, 1).
    """
    if not 0 < level < 1:
        raise ConfigError(f"level {level}; accepted: a number between 0 and 1, such as 0.95")
    numbers = [float(v) for v in values]
    if not numbers or not all(map(isfinite, numbers)):
        raise DataError(f"scores {numbers}", accepted="one finite number a run, at least one run")
    n, mean = len(numbers), fsum(numbers) / len(numbers)
    sd = sqrt(fsum((v - mean) ** 2 for v in numbers) / (n - 1)) if n > 1 else 0.0
    half = t_quantile(0.5 + level / 2, n - 1) * sd / sqrt(n) if n > 1 else 0.0
    interval = Interval(mean - half, mean + half) if n > 1 else None
    return Spread(n, mean, sd, min(numbers), max(numbers), interval)


def seed_summary(evaluations: Sequence[Evaluation], *, level: float = 0.95) -> dict[str, Spread]:
    """Summarise evaluations of runs with different seeds on the same documents.

    Returns:
        Spreads of `span_f1`, `span_macro_f1`, `relation_f1` (strict), `conll` (coreference with singletons) and
        of the F1 of every label that occurs, keyed `entity:LABEL` and `relation:LABEL`.

    Raises:
        DataError: no evaluations, or of different gold.
    """
    if not evaluations:
        raise DataError("no evaluations", accepted="one evaluation a run, at least one run")
    for other in evaluations[1:]:
        paired_documents(evaluations[0], other)
    scores = [headline_scores(e) for e in evaluations]
    names = dict.fromkeys(name for s in scores for name in s)
    return {name: spread([s.get(name, 0.0) for s in scores], level=level) for name in names}


def headline_scores(evaluation: Evaluation) -> dict[str, float]:
    """Return the F1 scores of an evaluation that `seed_summary` summarises, each in [0, 1]."""
    relations = evaluation.relations["strict"]
    return {
        "span_f1": evaluation.entities.micro.f1,
        "span_macro_f1": evaluation.entities.macro.f1,
        "relation_f1": relations.micro.f1,
        "conll": evaluation.conll[PARTITIONS[0]].f1,
        **_labels("entity", evaluation.entities),
        **_labels("relation", relations),
    }


def t_quantile(p: float, df: int) -> float:
    """Return the p-quantile of Student's t with `df` degrees of freedom, 0.5 <= p < 1.

    By bisection of `t_cdf`; exact to about nine digits.
    """
    if not 0.5 <= p < 1 or df < 1:
        raise ConfigError(
            f"quantile {p} with {df} degrees of freedom; accepted: 0.5 <= p < 1, 1 or more degrees"
        )
    low, high = 0.0, 1.0
    while t_cdf(high, df) < p:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if t_cdf(middle, df) < p else (low, middle)
    return (low + high) / 2


def t_cdf(t: float, df: int) -> float:
    """Return P(T <= t) for t >= 0 by the finite series of Abramowitz & Stegun, 26.7.3 and 26.7.4."""
    theta = atan(t / sqrt(df))
    term = cos(theta) if df % 2 else 1.0
    total = 0.0 if df == 1 else term
    for k in range(3 if df % 2 else 2, df - 1, 2):
        term *= (k - 1) / k * cos(theta) ** 2
        total += term
    inside = 2 / pi * (theta + sin(theta) * total) if df % 2 else sin(theta) * total
    return 0.5 + inside / 2


def _labels(kind: str, table: Mapping[str, Any]) -> dict[str, float]:
    return {f"{kind}:{label}": counts.f1 for label, counts in table.items()}
