"""The learning curves of a benchmark report: plots, and the numbers behind them."""

from collections.abc import Mapping
from typing import Any

from ...model.errors import DataError
from ..learning_curve import LearningCurve
from .report_cells import name_of, tables_html
from .report_data import Benchmark, bounds, is_number
from .report_numbers import Score, score
from .report_plots import Curve, curve_plot, legend
from .report_tables import Cell, Table

# Scores that are drawn, by the name that `LearningCurve` has for them; relations only where a model finds any.
DRAWN = {"span_f1": "Span F1", "relation_f1": "Relation F1"}


def curves(benchmark: Benchmark) -> str:
    """Return the learning curves as HTML, plots and tables for each corpus; nothing where none were stored."""
    figures = []
    for data, parts in _by_data(benchmark).items():
        unit = _unit(parts)
        for key, title in DRAWN.items():
            lines = [
                Curve(str(p.get("model", "")), points, n) for n, (p, points) in enumerate(_drawn(parts, key))
            ]
            plot = curve_plot(f"{title} on {data}", lines, x_title=unit, y_title=f"{title} in percent")
            if plot:
                caption = f"<figcaption><b>{name_of(data)}</b> {title}</figcaption>"
                figures.append(f"<figure>{caption}{plot}{legend([c.name for c in lines])}</figure>")
    if not figures:
        return ""
    note = (
        "Scores by number of training documents, on a logarithmic scale. Lines join the means over training seeds; "
        "whiskers are 95% intervals (Student's t) over seeds where there are several. The intervals do not cover "
        "the choice of the scored documents."
    )
    tables = tables_html(curve_tables(benchmark))
    return f'<p class="note">{note}</p><div class="figures">{"".join(figures)}</div>{tables}'


def curve_tables(benchmark: Benchmark) -> list[Table]:
    """Return tables of size by model, one for each corpus and score."""
    tables = []
    for data, parts in _by_data(benchmark).items():
        for key, title in DRAWN.items():
            drawn = _drawn(parts, key)
            sizes = sorted({x for _, points in drawn for x, _ in points})
            columns = [dict(points) for _, points in drawn]
            rows: list[tuple[Cell, ...]] = [(f"{x:,g}", *(c.get(x) for c in columns)) for x in sizes]
            if rows:
                heads = (_unit(parts).capitalize(), *(str(p.get("model", "")) for p, _ in drawn))
                note = f"{title}, mean over training seeds and its 95% interval."
                tables.append(Table(f"{data}: {title[0].lower()}{title[1:]}", heads, tuple(rows), note=note))
    return tables


def _by_data(benchmark: Benchmark) -> dict[str, list[Mapping[str, Any]]]:
    parts: dict[str, list[Mapping[str, Any]]] = {}
    for stored in benchmark.curves:
        parts.setdefault(str(stored.get("data", "")), []).append(stored)
    return parts


def _unit(parts: list[Mapping[str, Any]]) -> str:
    return str(parts[0].get("unit") or "training documents")


def _drawn(
    parts: list[Mapping[str, Any]], key: str
) -> list[tuple[Mapping[str, Any], list[tuple[float, Score]]]]:
    """Return the curves that have a score, with its points; of relations those that are not 0 throughout."""
    found = [(part, _points(part, key)) for part in parts]
    return [
        (p, points) for p, points in found if points and (key == "span_f1" or any(s.value for _, s in points))
    ]


def _points(stored: Mapping[str, Any], key: str) -> list[tuple[float, Score]]:
    """Return (size, score) of `LearningCurve.to_dict`, the mean over seeds, or of points with `n` and `f1`."""
    points = stored.get("points") or []
    if points and "scores" in points[0]:
        try:
            means = LearningCurve.from_dict(stored).summary(key)
        except DataError:
            if key == "span_f1":
                raise
            return []
        spreads = {
            n: (max(0.0, s.interval.low), min(1.0, s.interval.high)) if s.interval else None
            for n, s in means.items()
        }
        return [(float(n), score(s.mean, spreads[n])) for n, s in means.items()]
    return [
        (float(p["n"]), score(float(p["f1"]), bounds(p.get("interval")) or bounds(p)))
        for p in points
        if key == "span_f1" and is_number(p.get("n")) and is_number(p.get("f1"))
    ]
