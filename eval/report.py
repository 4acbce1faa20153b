"""An evaluation as terminal tables, Markdown and JSON; scores in percent: `87.3 [84.1, 90.0]`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from .bootstrap import Interval, Intervals, PrfIntervals, TableIntervals, bootstrap
from .counts import Counts, CountsTable, Scored
from .evaluation import PARTITIONS, Evaluation
from .relations import GIVEN
from .spans import ErrorClass

METRIC_NAMES = {
    "b_cubed": "B-cubed",
    "muc": "MUC",
    "ceaf_e": "CEAF-e",
    "lea": "LEA",
    "conll": "CoNLL average",
}
ERROR_MEANINGS = {
    ErrorClass.CLITIC: "only the proclitic at the start is cut wrongly",
    ErrorClass.TYPE: "right span, other label",
    ErrorClass.BOUNDARY: "right label, overlapping span",
    ErrorClass.NESTING: "an inner or outer entity of a right one, not found or invented",
    ErrorClass.BOTH: "overlapping span, other label",
    ErrorClass.MISSED: "gold entity without any counterpart",
    ErrorClass.SPURIOUS: "predicted entity without any counterpart",
}
# No Arabic in these cells: a terminal that reorders right-to-left text would reorder the cells after it.
DECISIONS = {
    "attached": "name after a proclitic",
    "whole": "name whose first letter could be one",
    "all": "all",
}


@dataclass(frozen=True, slots=True)
class Section:
    """One table of a report.

    Attributes:
        title: its heading.
        columns: column heads; the first column holds names, the others numbers.
        rows: cells as text, one for each column.
        totals: how many of the last rows are averages.
        texts: indices of the columns besides the first that hold text rather than numbers.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    totals: int = 0
    texts: tuple[int, ...] = ()


def percent(score: float, interval: Interval | None = None, *, signed: bool = False) -> str:
    """Return a score in [0, 1] in percent, with its interval if there is one: `87.3 [84.1, 90.0]`.

    Args:
        score: the score, or a difference of scores.
        interval: of the score.
        signed: whether to write a plus before what is above 0, as of a difference.
    """
    shown = f"{100 * score:{'+' if signed else ''}.1f}"
    return shown if interval is None else f"{shown} {bracketed(interval, signed=signed)}"


def bracketed(interval: Interval, *, signed: bool = False) -> str:
    """Return an interval in percent, as in `percent`: `[84.1, 90.0]`."""
    form = f"{'+' if signed else ''}.1f"
    return f"[{100 * interval.low:{form}}, {100 * interval.high:{form}}]"


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of Markdown cells as a table, the first row its head; all columns but the first stand right."""
    head, *body = rows
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *body])


def sections(evaluation: Evaluation, intervals: Intervals | None = None) -> list[Section]:
    """Return the tables of a report: entities, errors, relations, coreference, proclitics.

    Relations with gold entities are left out for a model that was not shown them.

    Args:
        evaluation: what to report.
        intervals: from `bootstrap`; without them scores stand alone. F1 and accuracy show theirs; the
            intervals of precision and recall are in the JSON.
    """
    entities = _table(
        "Entities (strict)", "Label", evaluation.entities, intervals.entities if intervals else None
    )
    parts = [entities, _errors(evaluation)]
    if any(evaluation.relations.values()):
        parts += _relations(evaluation, intervals)
    parts += _coreference(evaluation, intervals)
    if evaluation.proclitics["all"].total:
        parts.append(_proclitics(evaluation, intervals))
    return parts


def to_rich(evaluation: Evaluation, title: str = "", *, samples: int = 2000, seed: int = 0) -> Group:
    """Return terminal tables, for `rich.print`; arguments as in `to_markdown`."""
    intervals = _intervals(evaluation, samples, seed)
    tables: list[Table | Text] = [Text(title, style="bold")] if title else []
    tables.append(Text(_method(evaluation, intervals), style="dim"))
    for section in sections(evaluation, intervals):
        table = Table(
            title=escape(section.title), title_justify="left", title_style="bold", header_style="bold"
        )
        for n, column in enumerate(section.columns):
            is_text = n == 0 or n in section.texts
            # Labels stay whole in a narrow terminal; all other cells may wrap, so that no digit is cut off.
            justify: Literal["left", "right"] = "left" if is_text else "right"
            table.add_column(escape(column), justify=justify, no_wrap=n == 0, overflow="fold")
        for n, row in enumerate(section.rows, 1):
            average = n > len(section.rows) - section.totals
            before_averages = n == len(section.rows) - section.totals
            cells = map(escape, row)
            table.add_row(
                *cells, style="bold" if average else "", end_section=before_averages and bool(section.totals)
            )
        tables.append(table)
    return Group(*tables)


def to_text(
    evaluation: Evaluation, title: str = "", *, width: int = 110, samples: int = 2000, seed: int = 0
) -> str:
    """Return the terminal tables as plain text of at most `width` columns."""
    console = Console(width=width, no_color=True, force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        console.print(to_rich(evaluation, title, samples=samples, seed=seed))
    return capture.get()


def to_markdown(evaluation: Evaluation, title: str = "", *, samples: int = 2000, seed: int = 0) -> str:
    """Return the report as GitHub Markdown.

    Args:
        evaluation: what to report.
        title: heading of the report, for instance model and data.
        samples: bootstrap resamples for the 95% intervals; 0 leaves the intervals out.
        seed: of the bootstrap.
    """
    intervals = _intervals(evaluation, samples, seed)
    lines = [f"## {_cell(title)}", ""] if title else []
    lines += [_method(evaluation, intervals), ""]
    for section in sections(evaluation, intervals):
        aligned = [":--" if n == 0 or n in section.texts else "--:" for n in range(len(section.columns))]
        lines += [f"### {_cell(section.title)}", "", _row(section.columns), _row(aligned)]
        for n, row in enumerate(section.rows, 1):
            average = n > len(section.rows) - section.totals
            lines.append(_row([f"**{_cell(c)}**" if average and c else _cell(c) for c in row], escaped=True))
        lines.append("")
    return "\n".join(lines)


def to_json(evaluation: Evaluation, title: str = "", *, samples: int = 2000, seed: int = 0) -> str:
    """Return scores, intervals and the counts per document as JSON; `Evaluation.from_dict` reads it back."""
    intervals = _intervals(evaluation, samples, seed)
    data: dict[str, Any] = {"title": title} | evaluation.to_dict()
    data["intervals"] = intervals.to_dict() if intervals else None
    # One line a document: stored results stay small, and their differences readable.
    lines = ",\n    ".join(json.dumps(d, ensure_ascii=False) for d in data.pop("documents"))
    head = json.dumps(data, ensure_ascii=False, indent=2).removesuffix("\n}")
    return f'{head},\n  "documents": [\n    {lines}\n  ]\n}}\n'


def _intervals(evaluation: Evaluation, samples: int, seed: int) -> Intervals | None:
    return bootstrap(evaluation, samples=samples, seed=seed) if samples else None


def _method(evaluation: Evaluation, intervals: Intervals | None) -> str:
    n = len(evaluation.documents)
    spans = "character spans without proclitics" if evaluation.convention == "char" else "whole-word spans"
    layers = "outermost entities only" if evaluation.flat else "nested"
    text = f"{n} document{'' if n == 1 else 's'}; {spans}, {layers}; scores in percent"
    if intervals and n > 1:
        level = f"{100 * intervals.level:g}%"
        text += f"; in brackets {level} bootstrap intervals over documents ({intervals.samples} samples)"
    return text + "."


def _prf(scored: Scored, intervals: PrfIntervals | None) -> tuple[str, str, str]:
    f1 = percent(scored.f1, intervals.f1 if intervals else None)
    return percent(scored.precision), percent(scored.recall), f1


def _averages(
    table: CountsTable, intervals: TableIntervals | None
) -> list[tuple[str, Scored, PrfIntervals | None]]:
    return [
        (name, getattr(table, name), getattr(intervals, name) if intervals else None)
        for name in ("micro", "macro", "weighted")
    ]


def _table(title: str, head: str, table: CountsTable, spread: TableIntervals | None) -> Section:
    rows = [
        (
            label,
            *_prf(counts, spread.labels.get(label) if spread else None),
            str(counts.support),
            str(counts.predicted),
        )
        for label, counts in table.items()
    ]
    for name, scored, interval in _averages(table, spread):
        sizes = (str(table.micro.support), str(table.micro.predicted)) if name == "micro" else ("", "")
        rows.append((name, *_prf(scored, interval), *sizes))
    return Section(title, (head, "P", "R", "F1", "Gold", "Predicted"), tuple(rows), totals=3)


def _errors(evaluation: Evaluation) -> Section:
    classes = evaluation.error_classes
    whole = sum(classes.values())
    rows = tuple(
        (kind.value, str(n), percent(n / whole if whole else 0.0), ERROR_MEANINGS[kind])
        for kind, n in classes.items()
    )
    return Section("Entity errors", ("Class", "Number", "%", "Meaning"), rows, texts=(3,))


def _relations(evaluation: Evaluation, intervals: Intervals | None) -> list[Section]:
    spread = intervals.relations if intervals else {}
    views = evaluation.relations
    strict = _table("Relations (strict)", "Relation", views["strict"], spread.get("strict"))

    def f1(view: str, label: str) -> str:
        counts, found = views[view].get(label, Counts()), spread.get(view, TableIntervals()).labels.get(label)
        return _prf(counts, found)[2]

    rows = [(label, f1("boundary", label), f1("entity", label)) for label in views["strict"]]
    both = [_averages(views[view], spread.get(view)) for view in ("boundary", "entity")]
    rows += [
        (name, _prf(b, b_spread)[2], _prf(e, e_spread)[2])
        for (name, b, b_spread), (_, e, e_spread) in zip(*both, strict=True)
    ]
    columns = ("Relation", "Boundary F1 (without entity types)", "Entity-level F1 (any mention)")
    others = Section("Relations (other views)", columns, tuple(rows), totals=3)
    if GIVEN not in views:
        return [strict, others]
    given = _table("Relations (strict, gold entities)", "Relation", views[GIVEN], spread.get(GIVEN))
    return [strict, given, others]


def _coreference(evaluation: Evaluation, intervals: Intervals | None) -> list[Section]:
    parts = []
    for partition in PARTITIONS:
        scores: Mapping[str, Scored] = {
            **evaluation.coreference[partition],
            "conll": evaluation.conll[partition],
        }
        spread = intervals.coreference[partition] if intervals else {}
        rows = tuple((name, *_prf(scores[m], spread.get(m))) for m, name in METRIC_NAMES.items())
        title = f"Coreference (end to end, {partition.replace('_', ' ')})"
        parts.append(Section(title, ("Metric", "P", "R", "F1"), rows, totals=1))
    return parts


def _proclitics(evaluation: Evaluation, intervals: Intervals | None) -> Section:
    spread: Mapping[str, Interval | None] = intervals.proclitics if intervals else {}
    rows = tuple(
        (DECISIONS[kind], percent(a.accuracy, spread.get(kind)), str(a.total))
        for kind, a in evaluation.proclitics.items()
    )
    return Section("Proclitic decisions at the first word", ("Case", "Accuracy", "Number"), rows, totals=1)


def _cell(text: str) -> str:
    """Escape what would end a Markdown table cell or start HTML."""
    return " ".join(text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|").split())


def _row(cells: Sequence[str], *, escaped: bool = False) -> str:
    return "| " + " | ".join(cells if escaped else map(_cell, cells)) + " |"
