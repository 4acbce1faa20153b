"""The parts of a benchmark report that are more than tables: confusion and calibration."""

from collections.abc import Mapping, Sequence
from math import log1p
from typing import Any

from ...model.render.characters import one_line
from .report_cells import errors_link, esc, name_of, score_of, scrolling
from .report_data import Benchmark, Result, bounds, is_number
from .report_numbers import BOUNDARY, MISSED, NONE, SPURIOUS, confusion, reliability_of, score
from .report_plots import reliability_plot


def confusions(benchmark: Benchmark) -> str:
    """Return the confusion matrices as heat maps, one of which shows at a time."""
    panels = [_confusion(r) for r in benchmark.results if r.evaluation.entities]
    if not panels:
        return ""
    note = (
        "Rows are gold labels, columns predictions; a row adds up to the number of gold entities. "
        f"{BOUNDARY}: right label, other boundaries. {MISSED}: nothing stands for it. "
        f"{SPURIOUS}: predictions that stand for nothing. Follow a number to its sentences."
    )
    return f'<p class="note">{note}</p>{_choice(benchmark, "confusion")}{"".join(panels)}'


def _choice(benchmark: Benchmark, group: str) -> str:
    """Return the selects that choose one panel of a group; without the script every panel shows."""

    def select(what: str, names: Sequence[str]) -> str:
        options = "".join(f'<option value="{esc(n)}">{esc(one_line(n))}</option>' for n in names)
        return f'<label>{what} <select data-choose="{what.lower()}">{options}</select></label>'

    return (
        f'<div class="controls" data-group="{group}" hidden>'
        f"{select('Model', benchmark.models)}{select('Data', benchmark.data)}"
        '<span class="missing" role="status" hidden>not measured</span></div>'
    )


def _panel(r: Result, group: str, body: str) -> str:
    return f'<div class="panel" data-of="{group}" data-model="{esc(r.model)}" data-data="{esc(r.data)}">{body}</div>'


def _confusion(r: Result) -> str:
    rows, columns, cells = confusion(r.evaluation)
    most = max(cells.values(), default=1)
    head = "".join(f'<th scope="col"><span>{name_of(c)}</span></th>' for c in columns)
    lines = []
    for row in rows:
        line = []
        for column in columns:
            n = cells.get((row, column), 0)
            if not n:
                line.append("<td></td>")
                continue
            heat = 1 + int(8.99 * log1p(n) / log1p(most))
            right = "right" if row == column else "wrong"
            line.append(
                f'<td class="{right} h{heat}">{n if row == column else _to_errors(r, row, column, n)}</td>'
            )
        lines.append(f'<tr><th scope="row">{name_of(row)}</th>{"".join(line)}</tr>')
    caption = f"<caption>{name_of(r.model)} on {name_of(r.data)}</caption>"
    table = (
        f'<table class="confusion">{caption}<thead><tr><th scope="col" class="corner">gold ↓ predicted →</th>{head}'
        f"</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    )
    return _panel(r, "confusion", scrolling(table, f"Confusion of {r.model} on {r.data}"))


def _to_errors(r: Result, row: str, column: str, n: int) -> str:
    if not (r.gold and r.predicted):
        return str(n)
    gold, predicted = {SPURIOUS: NONE}.get(row, row), {MISSED: NONE, BOUNDARY: row}.get(column, column)
    filters = {"model": r.model, "data": r.data, "gold": gold, "predicted": predicted}
    return errors_link(filters, str(n))


def calibration(benchmark: Benchmark) -> str:
    """Return the reliability diagrams with their numbers; nothing where none were stored."""
    panels = []
    for r in benchmark.results:
        figures = []
        for name, stored in reliability_of(r.content.get("calibration")):
            bins = [b for b in stored["bins"] if isinstance(b, Mapping)]
            if not sum(b["n"] for b in bins):
                continue
            caption = f"<b>{esc(one_line(name))}</b> {_calibration_numbers(stored)}"
            plot = reliability_plot(f"{r.model} on {r.data}: {name}", bins)
            figures.append(f"<figure><figcaption>{caption}</figcaption>{plot}</figure>")
        if figures:
            title = f"<h3>{name_of(r.model)} on {name_of(r.data)}</h3>"
            panels.append(_panel(r, "calibration", f'{title}<div class="figures">{"".join(figures)}</div>'))
    if not panels:
        return ""
    note = (
        "Of what was predicted with a score, how much is right? Dots on the dashed line: scores mean what they say. "
        "Whiskers are 95% Wilson intervals; the darker a bar, the more items it holds. ECE: expected calibration "
        "error over 15 bins of equal width."
    )
    return f'<p class="note">{note}</p>{_choice(benchmark, "calibration")}{"".join(panels)}'


def _calibration_numbers(stored: Mapping[str, Any]) -> str:
    parts = []
    ece: Any = stored.get("ece")
    main: Any = ece.get("width_15") if isinstance(ece, Mapping) else {"value": ece}
    if isinstance(main, Mapping) and is_number(main.get("value")):
        parts.append(f"ECE {score_of(score(main['value'], bounds(main.get('interval'))))}")
    if is_number(stored.get("brier")):
        parts.append(f"Brier {score_of(score(stored['brier'], bounds(stored.get('brier_interval'))))}")
    if is_number(stored.get("n")):
        parts.append(f"{stored['n']:,} items")
    return " · ".join(parts)
