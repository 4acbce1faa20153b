"""What changed between two models: every F1 of one against the other on the data that both were measured on."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ...model.errors import ConfigError, DataError, nearest
from ..relations import GIVEN
from ..significance import RELATIONS, SPANS, Comparison, Difference
from ..significance import compare as test
from .registry import Record, Registry
from .report_numbers import GIVEN_RELATION, micro_difference

BETTER, WORSE, SAME = "better", "worse", "no difference shown"
# What totals are called beside labels.
TOTALS = {SPANS: "all entities", RELATIONS: "all relations"}
GIVEN_TOTAL = "all relations (gold entities)"


@dataclass(frozen=True)
class Change:
    """The F1 of one label, or of all entities or relations.

    Attributes:
        kind: `entity` or `relation`.
        label: the label, one of the values of `TOTALS`, or `GIVEN_TOTAL`.
        difference: with p-values.
        verdict: `BETTER`, `WORSE` or `SAME`, at the level that was asked for.
    """

    kind: str
    label: str
    difference: Difference
    verdict: str


@dataclass(frozen=True)
class ModelComparison:
    """Model b against model a on one data set.

    Attributes:
        a, b: the records, counts included.
        comparison: the tests.
        alpha: level of significance.
        changes: totals first, then labels in the order of the schema; only what occurs. Last comes `GIVEN_TOTAL`, if
            both models were shown the gold entities.
    """

    a: Record
    b: Record
    comparison: Comparison
    alpha: float
    changes: tuple[Change, ...]

    @property
    def regressions(self) -> list[Change]:
        """What is significantly worse in b."""
        return [c for c in self.changes if c.verdict == WORSE]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "a": self.a.to_dict(),
            "b": self.b.to_dict(),
            "alpha": self.alpha,
            "regressions": [c.label for c in self.regressions],
            "comparison": self.comparison.to_dict(),
            "relations_gold_entities": next(
                (asdict(c.difference) for c in self.changes if c.label == GIVEN_TOTAL), None
            ),
        }


def compare_models(
    registry: Registry,
    a: str,
    b: str,
    *,
    data: str | None = None,
    alpha: float = 0.05,
    rounds: int = 9999,
    seed: int = 0,
) -> list[ModelComparison]:
    """Test what is better or worse in model b than in model a.

    Args:
        registry: where both were entered.
        a, b: names, hashes (six digits of them will do), or what named them in the benchmark. Of several versions
            of one name the one measured last is taken.
        data: the only data set to look at; None for all that both were measured on.
        alpha: level of significance, of p-values corrected over the labels (Holm).
        rounds, seed: of the tests; see `significance.compare`.

    Returns:
        A comparison for each data set and convention that both have, by name of the data.

    Raises:
        ConfigError: an unknown model, or alpha out of range.
        DataError: no data in common.
    """
    if not 0 < alpha < 1:
        raise ConfigError(f"alpha is {alpha}; accepted: a number between 0 and 1, such as 0.05")
    records = registry.records()
    first, second = (_versions(records, name, registry) for name in (a, b))
    if data is not None:
        first, second = (_on(side, data) for side in (first, second))
    pairs = [(x, y) for ground, x in _latest(first).items() if (y := _latest(second).get(ground)) is not None]
    if not pairs:
        known = [", ".join(sorted({r.data for r in side})) for side in (first, second)]
        raise DataError(
            f"{a} was measured on {known[0]} and {b} on {known[1]}, never on the same documents in the same way",
            accepted=f"isnad benchmark {first[0].spec} {second[0].spec} --data DATA",
        )
    return [
        _compare(registry.with_counts(x), registry.with_counts(y), alpha, rounds, seed)
        for x, y in sorted(pairs, key=lambda pair: (pair[0].data, pair[0].ground))
    ]


def _compare(a: Record, b: Record, alpha: float, rounds: int, seed: int) -> ModelComparison:
    assert a.evaluation is not None and b.evaluation is not None
    found = test(a.evaluation, b.evaluation, rounds=rounds, seed=seed)
    kinds = (
        ("entity", SPANS, found.spans, found.entity_labels),
        ("relation", RELATIONS, found.relations, found.relation_labels),
    )
    changes: list[Change] = []
    for kind, total, whole, labels in kinds:
        if labels:
            changes.append(_change(kind, TOTALS[total], whole, alpha))
            changes += [_change(kind, label, d, alpha) for label, d in labels.items()]
    if GIVEN in a.evaluation.relations and GIVEN in b.evaluation.relations:
        shown = micro_difference(a.evaluation, b.evaluation, GIVEN_RELATION, rounds=rounds, seed=seed)
        changes.append(_change("relation", GIVEN_TOTAL, shown, alpha))
    return ModelComparison(a, b, found, alpha, tuple(changes))


def _change(kind: str, label: str, difference: Difference, alpha: float) -> Change:
    verdict = SAME
    if difference.significant(alpha) and difference.difference:
        verdict = BETTER if difference.difference > 0 else WORSE
    return Change(kind, label, difference, verdict)


def _versions(records: Sequence[Record], name: str, registry: Registry) -> list[Record]:
    """Return the results of the model that a name stands for."""
    found = [r for r in records if name in (r.model, r.spec)]
    if not found and len(name) >= 6:
        found = [r for r in records if r.model_hash.startswith(name)]
    if not found:
        known = list(dict.fromkeys(r.model for r in records))
        raise ConfigError(
            f"{name!r} is not in the registry {registry.path}; "
            + (nearest(name, known) if known else "it is empty: measure models with isnad benchmark")
        )
    newest = found[-1].model_hash
    return [r for r in found if r.model_hash == newest]


def _on(records: Iterable[Record], data: str) -> list[Record]:
    found = list(records)
    kept = [r for r in found if r.data == data]
    if not kept:
        names = sorted({r.data for r in found})
        raise ConfigError(f"{found[0].model} was not measured on {data!r}; {nearest(data, names)}")
    return kept


def _latest(records: Iterable[Record]) -> dict[tuple[str, str, str, bool], Record]:
    """Return the last result on each ground; records come oldest first."""
    return {r.ground: r for r in records}
