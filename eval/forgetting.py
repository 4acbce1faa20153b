"""What an extended model has forgotten: every old label before and after, and every new label with its interval."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import sqrt
from typing import Any

from ..model.document import Document
from ..model.schema import LabelSchema
from .bootstrap import Interval, bootstrap
from .evaluate import evaluate
from .significance import Difference, compare

FORMAT_VERSION = 1
ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class OldLabel:
    """One label of the base model before and after.

    Attributes:
        change: F1 of both with paired interval and p-values; Holm's correction is over the labels of its kind.
        before: interval of the F1 of the base model; None with fewer than two documents that have the label.
        replaced: mentions in the gold that now carry a new label, by that label.
        lost: why this is more than chance; empty if it is not.
    """

    change: Difference
    before: Interval | None
    replaced: Mapping[str, int] = field(default_factory=dict)
    lost: str = ""


@dataclass(frozen=True, slots=True)
class NewLabel:
    """One label on the new development data; scores in [0, 1]."""

    precision: float
    recall: float
    f1: float
    interval: Interval | None
    support: int
    predicted: int


@dataclass(frozen=True)
class Forgetting:
    """The outcome of an extension.

    Attributes:
        spans, relations: all old entities and all old relations together.
        old: by old label; `A+B` or `A→B` where labels were merged, split or renamed.
        new: by label, on the new development data.
        documents: old documents measured.
        exact: whether the paired test tried all exchanges.
    """

    spans: OldLabel
    relations: OldLabel
    old: Mapping[str, OldLabel]
    new: Mapping[str, NewLabel]
    documents: int
    exact: bool

    @property
    def lost(self) -> dict[str, OldLabel]:
        """The old labels that lost more than chance explains."""
        return {name: label for name, label in self.old.items() if label.lost}

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {"format_version": FORMAT_VERSION, "lost": list(self.lost), **asdict(self)}


def forgetting(
    gold: Sequence[Document],
    before: Sequence[Document],
    after: Sequence[Document],
    schema: LabelSchema,
    *,
    replaced: Mapping[str, Mapping[str, int]] | None = None,
    new: Mapping[str, NewLabel] | None = None,
    rounds: int = 9999,
    seed: int = 0,
) -> Forgetting:
    """Compare base model and extended model on old documents.

    A label counts as lost if its F1 fell below the interval of the base model's F1, or if the paired interval of the
    difference lies below 0 and the paired test is significant after Holm's correction. The first finds large losses of
    rare labels, which no test over few documents can, the second small losses of frequent ones.

    Args:
        gold, before, after: documents in labels that both models have, written in `schema`.
        schema: these labels.
        replaced: see `OldLabel`, by label.
        new: scores of new labels.
        rounds: of the test and the intervals.
        seed: of both.
    """
    first, second = evaluate(gold, before, schema), evaluate(gold, after, schema)
    found = compare(first, second, rounds=rounds, seed=seed)
    intervals = bootstrap(first, samples=min(2000, rounds), seed=seed)
    tables = (
        (found.entity_labels, intervals.entities.labels),
        (found.relation_labels, intervals.relations["strict"].labels),
    )
    old = {
        label: _judged(change, spread[label].f1 if label in spread else None, (replaced or {}).get(label, {}))
        for changes, spread in tables
        for label, change in changes.items()
        if change.support
    }
    return Forgetting(
        spans=_judged(found.spans, intervals.entities.micro.f1, {}),
        relations=_judged(found.relations, intervals.relations["strict"].micro.f1, {}),
        old=old,
        new=new or {},
        documents=found.documents,
        exact=found.exact,
    )


def unmeasured(new: Mapping[str, NewLabel]) -> Forgetting:
    """Return the outcome of an extension without documents in the old labels."""
    nothing = OldLabel(Difference(0.0, 0.0, 0.0, None, 1.0, 1.0), None)
    return Forgetting(spans=nothing, relations=nothing, old={}, new=new, documents=0, exact=False)


def new_scores(
    gold: Sequence[Document], predicted: Sequence[Document], schema: LabelSchema, *, seed: int = 0
) -> dict[str, NewLabel]:
    """Return the scores of every label that occurs in new development documents or in what was found there."""
    evaluation = evaluate(gold, predicted, schema)
    intervals = bootstrap(evaluation, seed=seed)
    found: dict[str, NewLabel] = {}
    for table, spread in (
        (evaluation.entities, intervals.entities),
        (evaluation.relations["strict"], intervals.relations["strict"]),
    ):
        for label, c in table.items():
            if c.support or c.tp + c.fp:
                interval = spread.labels[label].f1 if label in spread.labels else None
                found[label] = NewLabel(c.precision, c.recall, c.f1, interval, c.support, c.tp + c.fp)
    return found


def _judged(change: Difference, before: Interval | None, replaced: Mapping[str, int]) -> OldLabel:
    return OldLabel(change, before, dict(replaced), _reason(change, before))


def _reason(change: Difference, before: Interval | None) -> str:
    if change.difference >= 0 or not change.support:
        return ""
    # Resamples of a label that was always right are all alike; Wilson's interval still knows how few they were.
    floor = wilson_low(change.a, change.support)
    low = floor if before is None else min(before.low, floor)
    if change.b < low:
        return f"below {low:.3f}, the low end of the interval before"
    if change.interval is not None and change.interval.high < 0 and change.significant(ALPHA):
        return f"significantly worse (p = {change.p_adjusted:.3g} after Holm's correction)"
    return ""


def wilson_low(share: float, count: int, z: float = 1.96) -> float:
    """Return the low end of the 95% interval of a share of `count` (Wilson 1927, "Probable Inference…")."""
    if not count:
        return 0.0
    centre = share + z * z / (2 * count)
    spread = z * sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, (centre - spread) / (1 + z * z / count))
