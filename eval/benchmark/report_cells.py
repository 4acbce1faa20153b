"""Tables, scores and names of a benchmark report as HTML; everything is escaped here."""

import re
from collections.abc import Mapping, Sequence
from html import escape
from urllib.parse import quote

from ...model.render.characters import one_line, printable
from ..significance import Difference
from .report_numbers import Score, Trio
from .report_plots import bar
from .report_tables import Cell, Linked, Prose, Quantity, Table

# Arabic words in an English sentence, with the dots that stand for more of them.
_ARABIC = re.compile(
    "[\u0621-\u064a\u066e-\u06d3][\u0600-\u06ff \u2026]*[\u0600-\u06ff\u2026]|[\u0621-\u064a]"
)
# A word in a column of numbers: sorted as a missing number.
_BLANK = ' class="num" data-v=""'


def scrolling(table: str, name: str) -> str:
    """Return a table in a frame that scrolls sideways, by keyboard too."""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{esc(one_line(name))}">{table}</div>\n'
    )


def tables_html(found: Sequence[Table]) -> str:
    """Return tables side by side where there is room; nothing for none."""
    return f'<div class="tables">{"".join(map(table_html, found))}</div>' if found else ""


def table_html(table: Table) -> str:
    """Return a sortable table; averages stay at its foot."""
    head = "".join(
        f'<th scope="col"{_numeric(table, n)}><button type="button" class="sort">{name_of(c)}</button></th>'
        for n, c in enumerate(table.columns)
    )
    cut = len(table.rows) - table.totals
    numbers = [bool(_numeric(table, n)) for n in range(len(table.columns))]
    body, foot = (
        "".join(_row(row, numbers) for row in part) for part in (table.rows[:cut], table.rows[cut:])
    )
    note = f'<span class="about">{esc(table.note)}</span>' if table.note else ""
    return scrolling(
        f'<table class="sortable"><caption>{name_of(table.title)}{note}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody>{f'<tfoot>{foot}</tfoot>' if foot else ''}</table>",
        table.title,
    )


def _numeric(table: Table, column: int) -> str:
    cells = [row[column] for row in table.rows]
    return ' class="num"' if column and any(c is not None and not isinstance(c, str) for c in cells) else ""


def _row(row: Sequence[Cell], numbers: Sequence[bool]) -> str:
    trios = [c for c in row if isinstance(c, Trio)]
    best = {
        m: max(values)
        for m in ("precision", "recall", "f1")
        if len(set(values := [_rounded(getattr(c, m)) for c in trios])) > 1
    }
    first = f'<th scope="row">{name_of(str(row[0]))}</th>'
    cells = "".join(_cell(cell, best, number) for cell, number in zip(row[1:], numbers[1:], strict=True))
    return f"<tr>{first}{cells}</tr>"


def _rounded(value: Score) -> float:
    """Return a score as it is shown: what looks the same is the same."""
    return round(100 * value.value, 1)


def _cell(cell: Cell, best: Mapping[str, float], number: bool) -> str:
    """Return a table cell; `data-v`, or one attribute a measure, is what sorting goes by."""
    kind, content = "num", ""
    value: float | str = ""
    match cell:
        case None:
            kind, content = "num none" if number else "none", "–"
        case Prose():
            return f'<td class="long" dir="ltr">{_ARABIC.sub(_isolated, esc(one_line(cell)))}</td>'
        case str():
            return f"<td{_BLANK * number}>{name_of(cell)}</td>"
        case int():
            value, content = cell, f"{cell:,}"
        case float():
            value, content = cell, plain_number(cell)
        case Linked():
            value, content = cell.value, errors_link(cell.filters, f"{cell.value:,}")
        case Quantity():
            low_high = f'<span class="i">[{plain_number(cell.low)}, {plain_number(cell.high)}]</span>'
            kind, value, content = "num stacked", cell.value, f"{plain_number(cell.value)} {low_high}"
        case Score():
            kind, value, content = "num stacked", cell.value, f"{bar(cell)} {score_of(cell)}"
        case Difference():
            kind = "num stacked certain" if cell.significant() else "num stacked"
            value, content = cell.difference, _difference(cell)
        case Trio():
            return _measures(cell, best)
    return f'<td class="{kind}" data-v="{value}">{content}</td>'


def _isolated(words: re.Match[str]) -> str:
    """Return Arabic words so that they, and the dots after them, run from right to left."""
    return f'<bdi dir="rtl">{words[0]}</bdi>'


def _measures(cell: Trio, best: Mapping[str, float]) -> str:
    """Return a cell that holds three scores, of which the page shows one."""
    parts, values = [], []
    for measure in ("f1", "precision", "recall"):
        found: Score = getattr(cell, measure)
        mark = " best" if best.get(measure) == _rounded(found) else ""
        parts.append(f'<span class="m {measure}{mark}">{score_of(found)}</span>')
        values.append(f'data-{measure}="{found.value}"')
    return f'<td class="num" {" ".join(values)}>{" ".join(parts)}</td>'


def signed(share: float) -> str:
    """Return a difference of scores in percent with its sign; nothing is written as -0.0."""
    shown = f"{100 * share:+.1f}"
    return "0.0" if shown in ("+0.0", "-0.0") else shown


def plain_number(value: float) -> str:
    """Return a number that is no score with four significant digits."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def score_of(value: Score) -> str:
    """Return a score in percent and its interval."""
    shown = f'<span class="v">{100 * value.value:.1f}</span>'
    if value.low is None or value.high is None:
        return shown
    return f'{shown} <span class="i">[{100 * value.low:.1f}, {100 * value.high:.1f}]</span>'


def _difference(value: Difference) -> str:
    low_high = value.interval
    spread = f"[{signed(low_high.low)}, {signed(low_high.high)}] " if low_high else ""
    p = "&lt; 0.001" if value.p_value < 0.001 else f"= {value.p_value:.3f}"
    return f'<span class="v">{signed(value.difference)}</span> <span class="i">{spread}p {p}</span>'


def name_of(text: str) -> str:
    """Return a name for one line, isolated from the direction of what is around it."""
    return f"<bdi>{esc(one_line(text))}</bdi>"


def esc(text: str) -> str:
    """Return text that is safe in HTML, in attributes too."""
    return escape(printable(text), quote=True)


def errors_link(filters: Mapping[str, str], text: str) -> str:
    """Return a link to the error browser with some of its fields set; `text` is shown as it is."""
    query = "&".join(f"{k}={quote(one_line(v), safe='')}" for k, v in filters.items())
    return f'<a href="#errors?{esc(query)}">{text}</a>'
