"""A benchmark as one HTML file that needs nothing else: tables, plots, and a browser of the errors."""

import json
from string import Template
from typing import Any

from ...model.render.characters import one_line
from ...model.render.html import viewer_style
from ...model.render.page import asset, page, report_style
from ..report import ERROR_MEANINGS
from ..spans import ErrorClass
from . import report_tables as tables
from .report_cells import esc, name_of, table_html, tables_html
from .report_curves import curves
from .report_data import Benchmark
from .report_errors import browser_data
from .report_numbers import ENTITY, GIVEN_RELATION, RELATION
from .report_panels import calibration, confusions
from .report_run import about, speed

METHOD = (
    "Scores in percent. Brackets hold the 95% bootstrap interval over documents; with a handful of documents it is "
    "too narrow. Differences from the baseline are paired by document: bootstrap interval, and p of approximate "
    "randomisation. They stand out where p &lt; 0.05."
)


def to_html(benchmark: Benchmark) -> str:
    """Return the whole page.

    Every field is escaped; the page's policy forbids network access and every script but our own.

    Raises:
        DataError: predictions that do not belong to the gold documents.
    """
    parts = [
        ("leaderboard", "Leaderboard", _leaderboard(benchmark)),
        ("entities", "Entities", _labels(benchmark, ENTITY)),
        ("relations", "Relations", _labels(benchmark, RELATION, GIVEN_RELATION)),
        ("confusion", "Confusion", confusions(benchmark)),
        ("coreference", "Coreference", tables_html(tables.coreference(benchmark))),
        ("calibration", "Calibration", calibration(benchmark)),
        ("curves", "Learning curves", curves(benchmark)),
        ("slices", "Slices", tables_html(tables.slices(benchmark))),
        ("robustness", "Robustness", tables_html(tables.robustness(benchmark))),
        ("speed", "Speed", tables_html(speed(benchmark))),
        ("errors", "Errors", _errors(benchmark)),
        ("about", "About", tables_html(about(benchmark))),
    ]
    kept = [(id_, title, body) for id_, title, body in parts if body]
    nav = "".join(f'<li><a href="#{id_}">{title}</a></li>' for id_, title, _ in kept)
    sections = "\n".join(
        f'<section id="{id_}" aria-labelledby="h-{id_}"><h2 id="h-{id_}">{title}</h2>\n{body}\n</section>'
        for id_, title, body in kept
    )
    script = asset(__file__, "report.js") + asset(__file__, "report_browser.js")
    title = one_line(
        str(benchmark.settings.get("name") or benchmark.settings.get("title") or "isnad benchmark")
    )
    body = Template(asset(__file__, "report.html")).substitute(
        title=esc(title), summary=_summary(benchmark), nav=nav, sections=sections, script=script
    )
    style = report_style() + viewer_style() + asset(__file__, "report.css")
    return page(body, title=title, style=style, script=script)


def _summary(benchmark: Benchmark) -> str:
    facts = [
        f"{len(benchmark.models)} model{'s' * (len(benchmark.models) != 1)}",
        f"{len(benchmark.data)} corp{'ora' if len(benchmark.data) != 1 else 'us'}",
    ]
    facts += [
        f"{key} {name_of(value)}"
        for key in ("made", "revision", "machine")
        if isinstance(value := benchmark.settings.get(key), str) and value
    ]
    return " · ".join(facts)


def _leaderboard(benchmark: Benchmark) -> str:
    parts = tables_html([*tables.overview(benchmark), tables.leaderboard(benchmark)])
    versus = f" The baseline is {name_of(benchmark.baseline)}." if benchmark.baseline else ""
    return f'<p class="note">{METHOD}{versus}</p>{parts}'


def _labels(benchmark: Benchmark, kind: str, also: str = "") -> str:
    """Return the tables of a kind, and below them those of another one, if there are any."""
    found = tables.per_label(benchmark, kind)
    if not found:
        return ""
    more = tables.per_label(benchmark, also) if also else []
    measures = "".join(
        f'<label><input type="radio" name="measure-{kind}" value="{value}"{" checked" * (value == "f1")}> {text}'
        "</label>"
        for value, text in (("f1", "F1"), ("precision", "Precision"), ("recall", "Recall"))
    )
    note = (
        "Strict: the label and both offsets must be right."
        if kind == ENTITY
        else "Strict, end to end: both spans, both types, direction and label must be right."
    )
    below = f"<h3>With gold entities</h3>{tables_html(more)}" if more else ""
    return (
        f'<p class="note">{note}</p><fieldset class="measure"><legend>Show</legend>{measures}</fieldset>'
        f'<div class="measured" data-measure="f1">{tables_html(found)}{below}</div>'
    )


def _errors(benchmark: Benchmark) -> str:
    counts = table_html(tables.error_classes(benchmark))
    meanings = "".join(
        f'<dt><span class="kind k-{kind.value}">{kind.value}</span></dt><dd>{esc(text)}</dd>'
        for kind, text in ERROR_MEANINGS.items()
    )
    legend_ = (
        f'<details><summary>What the classes mean</summary><dl class="meanings">{meanings}</dl></details>'
    )
    stored = browser_data(benchmark)
    if not stored:
        return (
            f'{counts}{legend_}<p class="note">No predictions were kept, so there are no texts to show.</p>'
        )
    blocks = "".join(
        f'<script type="application/json" class="error-data" data-name="{esc(part["data"])}">{_json(part)}</script>\n'
        for part in stored
    )
    browser = Template(asset(__file__, "report_browser.html")).substitute(classes=" ".join(ErrorClass))
    return f"{counts}{legend_}{browser}{blocks}"


def _json(value: Any) -> str:
    """Return JSON that no HTML parser takes for markup and no reader for a line end."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text
