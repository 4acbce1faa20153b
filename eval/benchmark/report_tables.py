"""The tables of a benchmark report, as values that HTML and Markdown write in their own way."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..evaluation import PARTITIONS
from ..perturb import perturbations
from ..report import DECISIONS, METRIC_NAMES
from ..significance import Difference
from ..slices import SLICES
from ..spans import ErrorClass
from .report_data import Benchmark, Result, is_number
from .report_numbers import (
    ENTITY,
    GIVEN_RELATION,
    RELATION,
    Score,
    Trio,
    baseline_of,
    change,
    labels_of,
    loss,
    measured,
    score,
    table_of,
    trio,
)

WITHOUT = "without_singletons"
AVERAGES = ("micro", "macro", "weighted")
_SLICE_NOTES = {
    "entities": "F1 of the entities in the slice, strict.",
    "relations": "F1 of the relations in the slice, strict, end to end.",
    "false positive rate": "Of the pairs of mentions that gold does not relate, the share that the model relates.",
}


class Prose(str):
    """An English sentence in a cell: it runs from left to right even where it begins with Arabic."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number that is no score, with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Linked:
    """A number of errors, and the fields of the error browser that show them."""

    value: int
    filters: Mapping[str, str]


Cell = str | int | float | Score | Trio | Difference | Quantity | Linked | None


@dataclass(frozen=True, slots=True)
class Table:
    """One table.

    Attributes:
        title: its caption.
        columns: heads; the first column names the row.
        rows: cells, one for each column.
        totals: how many of the last rows are averages, which sorting leaves where they are.
        note: what the numbers are, in a sentence.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    totals: int = 0
    note: str = ""


def overview(benchmark: Benchmark) -> list[Table]:
    """Return span F1 of every model on every corpus, if there are several corpora."""
    if len(benchmark.data) < 2:
        return []
    rows = []
    for model in benchmark.models:
        found = [benchmark.of(model, data) for data in benchmark.data]
        rows.append((model, *(_f1(trio(r, ENTITY)) if r else None for r in found)))
    note = "Micro F1 of entities, strict: label and both offsets must be right."
    return [Table("Span F1 by corpus", ("Model", *benchmark.data), tuple(rows), note=note)]


def leaderboard(benchmark: Benchmark) -> Table:
    """Return one row for each model and corpus: span and relation F1, difference from the baseline."""
    conventions = len({r.convention for r in benchmark.results}) > 1
    versus = bool(benchmark.baseline)
    columns = ["Model", "Data", "Span F1"]
    columns += ["Δ span F1"] if versus else []
    columns += ["Span P", "Span R", "Macro F1", "Relation F1", *(["Δ relation F1"] if versus else [])]
    shown = any(table_of(r.evaluation, GIVEN_RELATION) for r in benchmark.results)
    columns += ["Relation F1, gold entities"] if shown else []
    columns += ["CoNLL coref", "Docs", *(["Spans"] if conventions else [])]
    rows = []
    for data in benchmark.data:
        here = [r for r in benchmark.results if r.data == data]
        for r in sorted(here, key=lambda r: -r.evaluation.entities.micro.f1):
            rows.append(_standing(benchmark, r, conventions, shown))
    note = f"Δ: difference from the baseline, {benchmark.baseline}." if versus else ""
    return Table("Leaderboard", tuple(columns), tuple(rows), note=note)


def per_label(benchmark: Benchmark, kind: str) -> list[Table]:
    """Return one table a corpus, label by model; `kind` is one of `report_numbers.KINDS`."""
    tables = []
    for data, results in _by_data(benchmark):
        labels = labels_of(results, kind)
        if not labels or (kind != ENTITY and not any(map(has_relations, results))):
            continue
        rows: list[tuple[Cell, ...]] = []
        for label in labels:
            cells = [trio(r, kind, label) for r in results]
            gold = max((c.support or 0 for c in cells if c), default=0)
            rows.append((label, gold, *cells))
        for average in AVERAGES:
            means = [trio(r, kind, average=average) for r in results]
            whole = max((c.support or 0 for c in means if c), default=0) if average == "micro" else None
            rows.append((average, whole, *means))
        head = "Label" if kind == ENTITY else "Relation"
        columns = (head, "Gold", *(r.model for r in results))
        note = _given_note(results) if kind == GIVEN_RELATION else ""
        tables.append(Table(data, columns, tuple(rows), totals=3, note=note))
    return tables


def _given_note(results: Sequence[Result]) -> str:
    lost = max((len(r.content.get("not_given") or ()) for r in results), default=0)
    note = (
        "Shown the gold spans and their types; calibration and thresholds as end to end. Models that cannot be shown "
        "entities have no score."
    )
    return f"{note} Missed for want of an end that can be given: {lost}." if lost else note


def error_classes(benchmark: Benchmark) -> Table:
    """Return the number of entity errors of each class, a row for each model and corpus."""

    def cell(r: Result, kind: str, n: int) -> Cell:
        return Linked(n, {"model": r.model, "data": r.data, "class": kind}) if r.predicted and n else n

    rows: list[tuple[Cell, ...]] = []
    for r in benchmark.results:
        classes = [cell(r, kind.value, r.evaluation.error_classes[kind]) for kind in ErrorClass]
        rows.append((r.model, r.data, *classes, cell(r, "", sum(r.evaluation.errors.values()))))
    return Table("Errors by class", ("Model", "Data", *(k.value for k in ErrorClass), "all"), tuple(rows))


def coreference(benchmark: Benchmark) -> list[Table]:
    """Return coreference metrics and proclitic decisions, where gold has anything to judge."""
    rows: list[tuple[Cell, ...]] = []
    decisions: list[tuple[Cell, ...]] = []
    for r in benchmark.results:
        for partition in PARTITIONS if has_clusters(r) else ():
            rows.append((r.model, r.data, partition.partition("_")[0], *_clusters(r, partition)))
        kinds = r.evaluation.proclitics
        if kinds["all"].total:
            cells = [_accuracy(r, k) if kinds[k].total else None for k in DECISIONS]
            decisions.append((r.model, r.data, *cells, kinds["all"].total))
    tables = []
    if rows:
        columns = ("Model", "Data", "Singletons", *METRIC_NAMES.values())
        tables.append(Table("Coreference", columns, tuple(rows), note="F1, end to end."))
    if decisions:
        columns = ("Model", "Data", *DECISIONS.values(), "Decisions")
        note = "Share of right decisions on cutting و ف ب ل ك off the first word of a name."
        tables.append(Table("Proclitics", columns, tuple(decisions), note=note))
    return tables


def slices(benchmark: Benchmark) -> list[Table]:
    """Return tables of slice by model: for each corpus F1 of entities, F1 of relations, and shares."""
    tables = []
    for data, results in _by_data(benchmark):
        stored = [mapping(r.content.get("slices")) for r in results]
        names = _telling(list(dict.fromkeys(name for s in stored for name in s)))
        found = {name: [measured(s.get(name)) for s in stored] for name in names}
        for part in dict.fromkeys(k for parts in found.values() for p in parts for k in p):
            rows: list[tuple[Cell, ...]] = []
            for name, parts in found.items():
                cells = [p.get(part) for p in parts]
                gold = max((c.support or 0 for c in cells if isinstance(c, Trio)), default=None)
                if any(cells):
                    rows.append((_slice_name(name), gold, *cells, Prose(SLICES.get(name, ""))))
            heads = ("Slice", "Gold", *(r.model for r in results), "Meaning")
            tables += _filled(f"{data}: {part}", heads, rows, _SLICE_NOTES.get(part, ""))
    return tables


def _telling(names: list[str]) -> list[str]:
    """Leave out the source of documents that have only one: its slice is that of everything."""
    sources = [n for n in names if n.startswith("source:")]
    return [n for n in names if n not in sources] if len(sources) == 1 else names


def _slice_name(name: str) -> str:
    kind, _, words = name.partition("distance_")
    if kind or not words:
        return name.replace("_", " ")
    return f"distance {words.replace('_', '–')}" + ("+" if name == "distance_16" else "")


def robustness(benchmark: Benchmark) -> list[Table]:
    """Return tables of perturbation by model: F1 of entities and of relations, and what the change costs."""
    meanings = {p.name: p.description for p in perturbations().values()}
    note = "Δ: change from the clean texts, paired by document; bootstrap interval and p of randomisation."
    tables = []
    for data, results in _by_data(benchmark):
        stored = [mapping(r.content.get("robustness")) for r in results]
        heads = [head for r in results for head in (r.model, f"Δ {r.model}")]
        for kind in ("entities", "relations"):
            rows: list[tuple[Cell, ...]] = []
            for name in dict.fromkeys(name for s in stored for name in s):
                parts = [mapping(s.get(name)) for s in stored]
                parts = [mapping(p.get("relations")) for p in parts] if kind == "relations" else parts
                pairs = ((score(float(p["f1"])) if is_number(p.get("f1")) else None, loss(p)) for p in parts)
                cells = [cell for pair in pairs for cell in pair]
                if any(cells):
                    rows.append((name.replace("_", " "), *cells, Prose(meanings.get(name, ""))))
            tables += _filled(f"{data}: {kind}", ("Perturbation", *heads, "Meaning"), rows, note)
    return tables


def _standing(benchmark: Benchmark, r: Result, conventions: bool, shown: bool) -> tuple[Cell, ...]:
    spans, relations = trio(r, ENTITY), trio(r, RELATION) if has_relations(r) else None
    macro = trio(r, ENTITY, average="macro")
    base = baseline_of(benchmark, r)
    of_base = "baseline" if base is r else None
    row: list[Cell] = [r.model, r.data, _f1(spans)]
    row += [of_base or change(r, base, ENTITY)] if benchmark.baseline else []
    row += [spans.precision, spans.recall] if spans else [None, None]
    row += [_f1(macro), _f1(relations)]
    row += [(of_base or change(r, base, RELATION)) if relations else None] if benchmark.baseline else []
    row += [_f1(trio(r, GIVEN_RELATION))] if shown else []
    row += [_clusters(r, WITHOUT)[-1] if has_clusters(r) else None, len(r.evaluation.documents)]
    spans_are = "characters" if r.evaluation.convention == "char" else "words"
    return (
        *row,
        *([f"{spans_are}, {'outermost' if r.evaluation.flat else 'nested'}"] if conventions else []),
    )


def has_relations(r: Result) -> bool:
    """Whether gold has relations; without them what a model predicts cannot be judged."""
    return table_of(r.evaluation, RELATION).micro.support > 0


def has_clusters(r: Result) -> bool:
    """Whether gold has clusters of two or more; without them coreference scores mean nothing."""
    return r.evaluation.coreference[WITHOUT]["b_cubed"].r_whole > 0


def _clusters(r: Result, partition: str) -> list[Score]:
    """Return F1 of each of `METRIC_NAMES`, the CoNLL average last."""
    scores = {**r.evaluation.coreference[partition], "conll": r.evaluation.conll[partition]}
    return [score(scores[m].f1, r.interval("coreference", partition, m, "f1")) for m in METRIC_NAMES]


def _accuracy(r: Result, kind: str) -> Score:
    return score(r.evaluation.proclitics[kind].accuracy, r.interval("proclitics", kind))


def _f1(scores: Trio | None) -> Score | None:
    return scores.f1 if scores else None


def _by_data(benchmark: Benchmark) -> Iterable[tuple[str, list[Result]]]:
    for data in benchmark.data:
        yield data, [r for r in benchmark.results if r.data == data]


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping as it is, an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def _filled(
    title: str, columns: Sequence[str], rows: Sequence[tuple[Cell, ...]], note: str = ""
) -> list[Table]:
    """Return a table without the columns that say nothing; none without rows."""
    kept = [n for n in range(len(columns)) if any(row[n] not in (None, "") for row in rows)]
    if not rows:
        return []
    cut = tuple(tuple(row[n] for n in kept) for row in rows)
    return [Table(title, tuple(columns[n] for n in kept), cut, note=note)]
