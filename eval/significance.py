"""Is system B better than system A, or would chance do? Paired tests over documents.

Documents are exchanged or drawn as wholes, because the mentions of one document depend on each other. p-values come
from approximate randomisation (Noreen, "Computer-Intensive Methods for Testing Hypotheses", 1989; for F1
Yeh, "More accurate tests for the statistical significance of result differences", COLING 2000): under the
null hypothesis the two systems are exchangeable in every document. Intervals come from the paired bootstrap (Efron &
Tibshirani, 1993). They answer for other documents of the same kind, not for other training seeds; for those
see `spread`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ..model.errors import ConfigError, DataError
from .bootstrap import Array, Interval, _divide
from .counts import CountsTable
from .evaluation import DocumentScores, Evaluation

SPANS, RELATIONS = "spans", "relations"
# Cells of the largest matrix of draws that is held at once (documents times draws).
_CELLS = 4_000_000


@dataclass(frozen=True, slots=True)
class Difference:
    """F1 of two systems on the same documents.

    Attributes:
        a, b: F1 of either.
        difference: b - a; above 0 where b is better.
        interval: paired bootstrap interval of the difference; None with fewer than two documents to count.
        p_value: two-sided, of a difference this large under the null hypothesis.
        p_adjusted: the same after Holm's correction over the labels; equal to `p_value` for the totals.
        support: gold items.
    """

    a: float
    b: float
    difference: float
    interval: Interval | None
    p_value: float
    p_adjusted: float
    support: int = 0

    def significant(self, alpha: float = 0.05) -> bool:
        """Whether the corrected p-value is below `alpha`."""
        return self.p_adjusted < alpha


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every F1 of two evaluations against each other.

    Attributes:
        spans, relations: micro F1 of entities, and of relations in the strict view.
        entity_labels, relation_labels: F1 per label; Holm's correction is made within each of the two.
        documents: how many documents both have.
        exact: whether all exchanges were tried (few documents), not a sample of them.
        rounds, level, seed: of the test and the intervals.
    """

    spans: Difference
    relations: Difference
    entity_labels: Mapping[str, Difference]
    relation_labels: Mapping[str, Difference]
    documents: int
    exact: bool
    rounds: int
    level: float
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)

    def regressions(self, alpha: float = 0.05) -> dict[str, Difference]:
        """Return what is significantly worse in b, keyed `spans`, `relations` or by label."""
        named = {SPANS: self.spans, RELATIONS: self.relations, **self.entity_labels, **self.relation_labels}
        return {n: d for n, d in named.items() if d.difference < 0 and d.significant(alpha)}


def compare(
    a: Evaluation, b: Evaluation, *, rounds: int = 9999, level: float = 0.95, seed: int = 0
) -> Comparison:
    """Test the differences between two evaluations of the same documents.

    Args:
        a, b: the two systems, b the one that is judged; same gold, convention and flatness. The label sets may
            differ where the gold does not: what one of them never predicts counts as missed.
        rounds: exchanges drawn for the test, and resamples for the intervals. Where there are no more different
            exchanges than that, all are tried, and the p-value is exact.
        level: coverage of the intervals, between 0 and 1.
        seed: of the random generator.

    Raises:
        DataError: the evaluations are not of the same gold documents compared in the same way.
        ConfigError: rounds or level out of range.
    """
    check_draws(rounds, level)
    pairs = paired_documents(a, b)
    spans, entity_labels, exact = _tables(
        [(x.entities, y.entities) for x, y in pairs], a.entity_labels, rounds, level, seed
    )
    relations, relation_labels, also_exact = _tables(
        [(x.relations["strict"], y.relations["strict"]) for x, y in pairs],
        a.relation_labels,
        rounds,
        level,
        seed,
    )
    return Comparison(
        spans=spans,
        relations=relations,
        entity_labels=entity_labels,
        relation_labels=relation_labels,
        documents=len(pairs),
        exact=exact and also_exact,
        rounds=rounds,
        level=level,
        seed=seed,
    )


def paired_test(
    a: Array, b: Array, *, rounds: int = 9999, level: float = 0.95, seed: int = 0
) -> tuple[list[Difference], bool]:
    """Test the F1 of the sum over columns, then of each column, of two systems' counts.

    Args:
        a, b: counts [documents, columns, (tp, fp, fn)] of either system, in the same order of documents.
        rounds, level, seed: see `compare`.

    Returns:
        The differences, the total first, and whether every exchange was tried.
    """
    check_draws(rounds, level)
    a, b = (np.concatenate([x.sum(axis=1, keepdims=True), x], axis=1).astype(np.float64) for x in (a, b))
    generator = np.random.default_rng(seed)
    p_values, exact = _randomisation(a, b, rounds, generator)
    intervals = _paired_bootstrap(a, b, rounds, level, generator)
    scores_a, scores_b = _f1(a.sum(axis=0)), _f1(b.sum(axis=0))
    support = (a[..., 0] + a[..., 2]).sum(axis=0)
    differences = [
        Difference(
            a=float(x),
            b=float(y),
            difference=float(y - x),
            interval=interval,
            p_value=float(p),
            p_adjusted=float(p),
            support=int(n),
        )
        for x, y, interval, p, n in zip(scores_a, scores_b, intervals, p_values, support, strict=True)
    ]
    return differences, exact


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return p-values corrected for testing several labels at once (Holm, Scand. J. Statist. 6, 1979).

    The smallest is multiplied by the number of labels, the next by one less, …, none below the one before it
    and none above 1; the chance of any false alarm stays below the level that they are compared with.
    """
    adjusted: dict[str, float] = {}
    highest = 0.0
    for rank, (label, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        highest = max(highest, min(1.0, p * (len(p_values) - rank)))
        adjusted[label] = highest
    return {label: adjusted[label] for label in p_values}


def paired_documents(a: Evaluation, b: Evaluation) -> list[tuple[DocumentScores, DocumentScores]]:
    """Return the documents of two evaluations in pairs; DataError unless both are of the same gold."""
    for what, left, right in (("convention", a.convention, b.convention), ("flat", a.flat, b.flat)):
        if left != right:
            raise DataError(
                f"two evaluations differ in {what}: {left!r} and {right!r}",
                accepted="evaluations alike in it",
            )
    ids = [[d.id for d in side.documents] for side in (a, b)]
    if not ids[0] or ids[0] != ids[1]:
        odd = sorted({*ids[0]} ^ {*ids[1]})
        named = f", {odd[0]!r} is in one of them only" if odd else ""
        raise DataError(
            f"two evaluations of {len(ids[0])} and {len(ids[1])} documents{named}",
            accepted="evaluations of the same documents, at least one",
        )
    pairs = list(zip(a.documents, b.documents, strict=True))
    for n, (x, y) in enumerate(pairs, 1):
        gold = [
            {label: c.support for label, c in table.items() if c.support}
            for d in (x, y)
            for table in (d.entities, d.relations["strict"])
        ]
        if gold[:2] != gold[2:]:
            raise DataError(
                f"document {x.id or n!r} has other gold in one evaluation than in the other",
                accepted="evaluations against the same annotation",
            )
    return pairs


def check_draws(rounds: int, level: float) -> None:
    """Raise ConfigError unless there is at least one round and the level lies between 0 and 1."""
    if rounds < 1 or not 0 < level < 1:
        raise ConfigError(f"{rounds} rounds at level {level}; accepted: rounds >= 1, level between 0 and 1")


def _tables(
    pairs: Sequence[tuple[CountsTable, CountsTable]],
    order: Sequence[str],
    rounds: int,
    level: float,
    seed: int,
) -> tuple[Difference, dict[str, Difference], bool]:
    """Return the difference of the totals, that of each label that occurs (those of `order` first), and exactness."""
    occurring = {label for pair in pairs for table in pair for label in table}
    labels = [label for label in order if label in occurring]
    labels += sorted(occurring - set(labels))
    first, second = (_counts([pair[n] for pair in pairs], labels) for n in (0, 1))
    (total, *each), exact = paired_test(first, second, rounds=rounds, level=level, seed=seed)
    adjusted = holm({label: d.p_value for label, d in zip(labels, each, strict=True)})
    named = {label: replace(d, p_adjusted=adjusted[label]) for label, d in zip(labels, each, strict=True)}
    return total, named, exact


def _counts(tables: Sequence[CountsTable], labels: Sequence[str]) -> Array:
    counts = np.zeros((len(tables), len(labels), 3))
    for i, table in enumerate(tables):
        for j, label in enumerate(labels):
            if label in table:
                counts[i, j] = table[label].to_list()
    return counts


def _randomisation(a: Array, b: Array, rounds: int, generator: np.random.Generator) -> tuple[Array, bool]:
    """Return p-values [columns] and whether they are exact."""
    change = b - a
    change = change[change.any(axis=(1, 2))]  # exchanging equal counts changes nothing
    n = len(change)
    total_a, total_b = a.sum(axis=0), b.sum(axis=0)
    observed = np.abs(_f1(total_b) - _f1(total_a))
    exact = n < 63 and 2**n <= rounds + 1
    draws = 2**n if exact else rounds
    reached = np.zeros(len(observed))
    chunk = max(1, _CELLS // max(1, n))
    for at in range(0, draws, chunk):
        size = min(chunk, draws - at)
        if exact:
            exchanged = (np.arange(at, at + size)[:, None] >> np.arange(n)) & 1
        else:
            exchanged = generator.integers(0, 2, size=(size, n), dtype=np.int8)
        moved = np.tensordot(exchanged.astype(np.float64), change, axes=1)
        differences = np.abs(_f1(total_b - moved) - _f1(total_a + moved))
        reached += (differences >= observed - 1e-12).sum(axis=0)
    return (reached / draws if exact else (reached + 1) / (draws + 1)), exact


def _paired_bootstrap(
    a: Array, b: Array, rounds: int, level: float, generator: np.random.Generator
) -> list[Interval | None]:
    """Return an interval of b - a for each column, from resamples in which either has something to count."""
    n, columns = a.shape[:2]
    counted = (a + b).any(axis=2).sum(axis=0)
    differences, defined = np.zeros((rounds, columns)), np.zeros((rounds, columns), dtype=bool)
    chunk = max(1, _CELLS // max(1, n))
    for at in range(0, rounds, chunk):
        size = min(chunk, rounds - at)
        drawn = generator.multinomial(n, np.full(n, 1 / n), size=size).astype(np.float64)
        sums = [np.tensordot(drawn, x, axes=1) for x in (a, b)]
        differences[at : at + size] = _f1(sums[1]) - _f1(sums[0])
        defined[at : at + size] = (sums[0] + sums[1]).any(axis=2)
    edges = (50 * (1 - level), 50 * (1 + level))
    found: list[Interval | None] = []
    for j in range(columns):
        kept = differences[defined[:, j], j]
        if counted[j] < 2 or not len(kept):
            found.append(None)
            continue
        low, high = np.percentile(kept, edges)
        found.append(Interval(float(low), float(high)))
    return found


def _f1(counts: Array) -> Array:
    """[..., (tp, fp, fn)] -> F1 [...]."""
    tp = counts[..., 0]
    return _divide(2 * tp, 2 * tp + counts[..., 1] + counts[..., 2])
