"""The numbers of a benchmark report: scores with intervals, differences from the baseline, confusions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...model.errors import DataError
from ..bootstrap import Interval
from ..counts import Counts, CountsTable
from ..evaluation import DocumentScores, Evaluation
from ..relations import GIVEN
from ..significance import Difference, paired_documents, paired_test
from ..spans import ErrorClass
from .report_data import Benchmark, Result, bounds, is_number

BOUNDARY, MISSED, SPURIOUS = "(boundary)", "(missed)", "(spurious)"
# In the error browser: no entity on this side.
NONE = "(none)"
# What is counted strictly, and where the counts and intervals of relations are kept. The last kind is there only for
# models that can be shown the gold entities.
ENTITY, RELATION, GIVEN_RELATION = "entity", "relation", "relation with gold entities"
KINDS = (ENTITY, RELATION, GIVEN_RELATION)
_VIEWS = {RELATION: "strict", GIVEN_RELATION: GIVEN}
# Exchanges of documents that a test draws; p is exact where there are no more.
ROUNDS = 4999


@dataclass(frozen=True, slots=True)
class Score:
    """A score in [0, 1] with its interval, if it has one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Trio:
    """Precision, recall and F1 of the same counts; `support` is the number of gold items."""

    precision: Score
    recall: Score
    f1: Score
    support: int | None = None


def score(value: float, interval: tuple[float, float] | None = None) -> Score:
    """Return a score with the interval, if there is one."""
    return Score(value, *interval) if interval else Score(value)


def table_of(counted: Evaluation | DocumentScores, kind: str) -> CountsTable:
    """Return the strict counts of one of `KINDS`; empty where a model was not shown the gold entities."""
    return counted.entities if kind == ENTITY else counted.relations.get(_VIEWS[kind], CountsTable())


def trio(result: Result, kind: str, label: str = "", *, average: str = "micro") -> Trio | None:
    """Return the scores of a label, or an average, with the stored intervals.

    Args:
        result: where from.
        kind: one of `KINDS`.
        label: a label; empty for an average.
        average: "micro", "macro" or "weighted".

    Returns:
        None if neither gold nor predictions have the label, or anything at all.
    """
    table = table_of(result.evaluation, kind)
    keys = ("entities",) if kind == ENTITY else ("relations", _VIEWS[kind])
    if not table or (label and label not in table):
        return None
    scored = table[label] if label else getattr(table, average)
    where = (*keys, "labels", label) if label else (*keys, average)
    measures = {
        m: score(getattr(scored, m), result.interval(*where, m)) for m in ("precision", "recall", "f1")
    }
    return Trio(**measures, support=scored.support if isinstance(scored, Counts) else None)


def labels_of(results: Sequence[Result], kind: str) -> list[str]:
    """Return the labels that occur in any of the results, those of the schema first and in its order."""
    order: dict[str, None] = {}
    for r in results:
        known = r.evaluation.entity_labels if kind == ENTITY else r.evaluation.relation_labels
        order |= dict.fromkeys(known)
    there: set[str] = set()
    for r in results:
        there |= set(table_of(r.evaluation, kind))
    return [label for label in order if label in there] + sorted(there - order.keys())


def change(result: Result, baseline: Result | None, kind: str) -> Difference | None:
    """Return the `micro_difference` from the baseline, or None if the two cannot be paired."""
    if baseline is None or baseline is result or not table_of(baseline.evaluation, kind):
        return None
    if kind == GIVEN_RELATION and not table_of(result.evaluation, kind):
        return None
    try:
        return micro_difference(baseline.evaluation, result.evaluation, kind, rounds=ROUNDS)
    except DataError:
        return None


def micro_difference(a: Evaluation, b: Evaluation, kind: str, *, rounds: int, seed: int = 0) -> Difference:
    """Return the difference of micro F1, b minus a.

    See `significance.paired_test`: documents are paired, the interval is a bootstrap's, p comes from
    approximate randomisation.

    Args:
        a, b: two systems on the same documents.
        kind: one of `KINDS`, which both have.
        rounds, seed: of the test.

    Raises:
        DataError: the evaluations are not of the same gold documents compared in the same way.
    """
    pairs = paired_documents(a, b)
    sides = np.array(
        [[[table_of(d, kind).micro.to_list()] for d in pair] for pair in pairs], dtype=np.float64
    )
    differences, _ = paired_test(sides[:, 0], sides[:, 1], rounds=rounds, seed=seed)
    return differences[0]


def confusion(evaluation: Evaluation) -> tuple[list[str], list[str], dict[tuple[str, str], int]]:
    """Return rows, columns and cells of the confusion matrix of entities.

    A gold entity is counted once in the row of its label: on the diagonal if it was found exactly, under
    another label if a prediction with that label stands for it, under `BOUNDARY` if the label is right and
    the span is not, under `MISSED` if nothing stands for it. Predictions that stand for nothing are in the
    row `SPURIOUS`. So the row of a label adds up to its support.
    """
    cells = {(label, label): counts.tp for label, counts in evaluation.entities.items() if counts.tp}
    for (kind, gold, predicted), n in evaluation.errors.items():
        right_label = kind in (ErrorClass.BOUNDARY, ErrorClass.CLITIC)
        key = (gold or SPURIOUS, BOUNDARY if right_label else predicted or MISSED)
        cells[key] = cells.get(key, 0) + n
    labels = [a for a in evaluation.entities if any(a in key for key in cells)]
    return [*labels, SPURIOUS], [*labels, BOUNDARY, MISSED], cells


def measured(values: Any) -> dict[str, Trio | Score]:
    """Return what a slice or a robustness test holds, by name: counts as `Trio`, fractions as `Score`.

    Understood are `[tp, fp, fn]` and `{"tp": …, "fp": …, "fn": …}`, numbers in [-1, 1] with or without an
    interval beside them (`interval`, or `low` and `high`), mappings with `value` or `f1`, and `false_pairs` of
    `pairs`. What is all zeros is left out; anything else is left to the JSON report.
    """
    if not isinstance(values, Mapping):
        return {}
    found: dict[str, Trio | Score] = {}
    own = bounds(values.get("interval")) or bounds(values)
    spreads = values.get("intervals")
    spreads = spreads if isinstance(spreads, Mapping) else {}
    for name, value in values.items():
        counts = _as_counts(value)
        if name == "false_positive_rate" and values.get("pairs") == 0:
            continue  # 0/0: there was nothing to get wrong
        if counts is not None:
            if counts != Counts():
                found[name] = _trio(counts, spreads.get(name, spreads))
        elif isinstance(value, Mapping) and is_number(value.get("value", value.get("f1"))):
            inner = bounds(value.get("interval")) or bounds(value)
            found[name] = score(float(value.get("value", value.get("f1"))), inner)
        elif isinstance(value, float) and -1 <= value <= 1 and name not in ("low", "high"):
            found[name.replace("_", " ")] = score(value, own if name == "f1" else bounds(spreads.get(name)))
    false, pairs = values.get("false_pairs"), values.get("pairs")
    if is_number(false) and is_number(pairs) and pairs:
        found["false positive rate"] = score(false / pairs, bounds(spreads.get("false_positive_rate")))
    return found


def reliability_of(calibration: Any, name: str = "") -> list[tuple[str, Mapping[str, Any]]]:
    """Return (name, diagram) of every mapping with `bins` in a stored calibration, however deep."""
    if not isinstance(calibration, Mapping):
        return []
    if isinstance(calibration.get("bins"), list):
        return [(name, calibration)]
    return [
        found
        for key, value in calibration.items()
        for found in reliability_of(value, f"{name}, {key}".lstrip(", ").replace("_", " "))
    ]


def loss(stored: Any) -> Difference | None:
    """Return a stored robustness result as the change from clean to perturbed texts; see `eval.robustness`."""
    if not isinstance(stored, Mapping) or not is_number(stored.get("f1")):
        return None
    drop, clean = stored.get("drop"), stored.get("clean_f1")
    if not is_number(drop) or not is_number(clean):
        return None
    spread = bounds(stored.get("interval"))
    p, adjusted = (stored.get(k) for k in ("p_value", "p_adjusted"))
    return Difference(
        a=float(clean or 0),
        b=float(stored["f1"]),
        difference=-float(drop or 0),
        interval=Interval(-spread[1], -spread[0]) if spread else None,
        p_value=float(p) if is_number(p) and p is not None else 1.0,
        p_adjusted=float(adjusted) if is_number(adjusted) and adjusted is not None else 1.0,
    )


def baseline_of(benchmark: Benchmark, result: Result) -> Result | None:
    """Return what the baseline model reached on the same corpus."""
    return benchmark.of(benchmark.baseline, result.data) if benchmark.baseline else None


def _as_counts(value: Any) -> Counts | None:
    if isinstance(value, Mapping) and {"tp", "fp", "fn"} <= value.keys():
        value = [value["tp"], value["fp"], value["fn"]]
    if isinstance(value, list) and len(value) == 3 and all(isinstance(n, int) for n in value):
        return Counts.from_list(value)
    return None


def _trio(counts: Counts, spread: Any) -> Trio:
    spread = spread if isinstance(spread, Mapping) else {}
    scores = {m: score(getattr(counts, m), bounds(spread.get(m))) for m in ("precision", "recall", "f1")}
    return Trio(**scores, support=counts.support)
