"""The report of `isnad bench`: one HTML page of plots and tables, made of `bench.json`."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from string import Template
from typing import Any

from ...model.render.html import viewer_style
from ...model.render.page import asset, page, report_style
from ..benchmark import report_html
from ..benchmark.report_cells import esc, name_of, tables_html
from ..benchmark.report_plots import legend
from .plots import Bar, Line, bar_plot, interval, line_plot, short
from .tables import about, arithmetic, failures, growth, labels, latency, throughput, within

_STYLE = """
.plot .barred { fill: var(--c); }
.plot text.name { fill: var(--ink); }
.plot .ends { stroke: var(--ink); stroke-width: 1.4; fill: none; }
figure { inline-size: min(100%, 29rem); }
"""
# Colours of bars: what is ours, the pipelines, other libraries.
_OURS, _PIPELINE, _LIBRARY = 0, 1, 7


def to_html(content: Mapping[str, Any]) -> str:
    """Return the whole page; every field is escaped, and nothing comes from outside."""
    parts = [(id_, title, body) for id_, title, body in sections(content) if body]
    nav = "".join(f'<li><a href="#{id_}">{title}</a></li>' for id_, title, _ in parts)
    body = "\n".join(
        f'<section id="{id_}" aria-labelledby="h-{id_}"><h2 id="h-{id_}">{title}</h2>\n{text}\n</section>'
        for id_, title, text in parts
    )
    title = "isnad bench"
    machine = content["machine"]
    threads = content["environment"].get("OMP_NUM_THREADS", machine.get("threads", ""))
    facts = [str(machine.get("gpu") or machine.get("cpu", "")), f"{threads} threads", content["made"]]
    folder = report_html.__file__
    script = asset(folder, "report.js")
    whole = Template(asset(folder, "report.html")).substitute(
        title=title,
        summary=" · ".join(name_of(str(f)) for f in facts),
        nav=nav,
        sections=body,
        script=script,
    )
    style = report_style() + viewer_style() + asset(folder, "report.css") + _STYLE
    return page(whole, title=title, style=style, script=script)


def sections(content: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield id, title and HTML of the sections, empty where nothing was measured; for other reports too."""
    timed = [g for g in content["groups"] if g.get("contestants")]
    yield "leaderboard", "Words a second", "".join(_group(g, content["peaks"]) for g in timed)
    yield "latency", "Latency and memory", tables_html([latency(g) for g in timed])
    yield "growth", "Growth", _growth(content)
    yield "arithmetic", "Arithmetic", tables_html(arithmetic(content))
    left = failures(content)
    yield "failures", "Left out", tables_html([left]) if left else ""
    yield "about", "About", tables_html([about(content)])


def _group(group: Mapping[str, Any], peaks: Mapping[str, Any]) -> str:
    bars = []
    for name, found in group["contestants"].items():
        value, low, high = interval(found["rate"]) or (0.0, None, None)
        ratio = interval(found["ratios"].get(group["default"]))
        note = short(value) + (f" · {ratio[0]:.1f}×" if ratio else "")
        kind = _OURS if found["ours"] else _PIPELINE if "pipeline" in name else _LIBRARY
        bars.append(Bar(within(group, name), value, low, high, note, kind))
    plot = bar_plot(f"Words a second, {group['name']}", bars)
    versus = f", and times as many as {esc(within(group, group['default']))}" if group["default"] else ""
    caption = f"<figcaption><b>{name_of(group['name'])}</b> words a second{versus}</figcaption>"
    return f"<figure>{caption}{plot}</figure>{tables_html([throughput(group, peaks)])}"


def _growth(content: Mapping[str, Any]) -> str:
    found = {name: g["points"] for name, g in content["growth"].items() if g.get("points")}
    seconds = [
        Line(name, [(p["words"], statistics.median(p["seconds"]), *_ends(p["seconds"])) for p in points], n)
        for n, (name, points) in enumerate(found.items())
    ]
    memory = [
        Line(name, [(p["words"], p["peak_memory"] / 2**20, None, None) for p in points], n)
        for n, (name, points) in enumerate(found.items())
    ]
    typed = {name: g["points"] for name, g in content["labels"].items() if g.get("points")}
    counts = [
        Line(name, [(p["labels"], *(interval(p["rate"]) or (0.0, None, None))) for p in points], n)
        for n, (name, points) in enumerate(typed.items())
    ]
    x = "words of one text"
    figures = [
        _figure("Seconds", "whiskers: fastest and slowest", seconds, x, "seconds", y_log=True),
        _figure("Peak memory", "of the process", memory, x, "MiB"),
        _figure("Words a second by entity types", "", counts, "entity types", "words a second"),
    ]
    body = "".join(figures)
    rows = [t for t in (growth(content["growth"]), labels(content["labels"])) if t is not None]
    return f'<div class="figures">{body}</div>{tables_html(rows)}' if body else ""


def _ends(seconds: Sequence[float]) -> tuple[float | None, float | None]:
    return (min(seconds), max(seconds)) if len(seconds) > 1 else (None, None)


def _figure(
    title: str, note: str, lines: Sequence[Line], x_title: str, y_title: str, *, y_log: bool = False
) -> str:
    plot = line_plot(title, lines, x_title=x_title, y_title=y_title, y_log=y_log)
    if not plot:
        return ""
    caption = f"<figcaption><b>{esc(title)}</b> {esc(note)}</figcaption>"
    return f"<figure>{caption}{plot}{legend([line.name for line in lines])}</figure>"
