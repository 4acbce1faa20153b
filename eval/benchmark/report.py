"""Reports of a benchmark folder: HTML to look at, Markdown to paste, JSON and CSV to work on."""

import csv
import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...model.errors import ConfigError, nearest
from ...model.render.characters import one_line
from ..bootstrap import Interval
from ..report import percent
from ..significance import Difference
from . import report_tables as tables
from .report_cells import plain_number, signed
from .report_curves import curve_tables
from .report_data import Benchmark, Result, load_benchmark
from .report_html import to_html
from .report_numbers import (
    ENTITY,
    GIVEN_RELATION,
    KINDS,
    RELATION,
    Score,
    Trio,
    baseline_of,
    change,
    confusion,
    labels_of,
    table_of,
    trio,
)
from .report_run import about, speed
from .report_tables import AVERAGES, Cell, Linked, Quantity, Table

# Version of the layout of report.json.
FORMAT_VERSION = 1
_MEASURES = ("precision", "recall", "f1")
COLUMNS = (
    *("model", "data", "convention", "flat", "kind", "label", "gold", "predicted", "tp", "fp", "fn"),
    *(f"{measure}{end}" for measure in _MEASURES for end in ("", "_low", "_high")),
)


def write_report(folder: Path, *, formats: Sequence[str] = ("html", "md", "json", "csv")) -> list[Path]:
    """Write `report.html`, `.md`, `.json` and `.csv` into a benchmark folder.

    Args:
        folder: with `results/*.json`; see `report_data.load_benchmark` for what else it may hold. What is
            missing is left out of the report.
        formats: any of "html", "md", "json" and "csv".

    Returns:
        The files, in the order of `formats`; each is replaced as a whole.

    Raises:
        ConfigError: an unknown format.
        DataError: no results, or a faulty file.
    """
    for name in formats:
        if name not in _WRITERS:
            raise ConfigError(f"unknown report format {name!r}; {nearest(name, _WRITERS)}")
    folder = Path(folder)
    benchmark = load_benchmark(folder)
    written = []
    for name in formats:
        path = folder / f"report.{name}"
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            # Lone surrogates, which UTF-8 cannot hold, become question marks; CSV brings its own line ends.
            content = _WRITERS[name](benchmark).encode("utf-8", "replace")
            temporary.write_bytes(content)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        written.append(path)
    return written


def to_markdown(benchmark: Benchmark) -> str:
    """Return the leaderboard and the tables as GitHub Markdown; scores in percent with 95% intervals."""
    parts = [
        ("", [*tables.overview(benchmark), tables.leaderboard(benchmark)]),
        ("Entities", tables.per_label(benchmark, ENTITY)),
        ("Relations", tables.per_label(benchmark, RELATION)),
        ("Relations with gold entities", tables.per_label(benchmark, GIVEN_RELATION)),
        ("", [tables.error_classes(benchmark), *tables.coreference(benchmark)]),
        ("Slices", tables.slices(benchmark)),
        ("Robustness", tables.robustness(benchmark)),
        ("Learning curve", curve_tables(benchmark)),
        ("", [*speed(benchmark), *about(benchmark)]),
    ]
    lines = [
        "# Benchmark",
        "",
        "Scores in percent; in brackets 95% bootstrap intervals over documents. Labels: F1, strict. Differences "
        "from the baseline: paired bootstrap interval and p of approximate randomisation over documents.",
        "",
    ]
    for group, found in parts:
        for table in found:
            title = f"{group}: {table.title}" if group else table.title
            lines += [
                f"## {markdown_cell(title)}",
                "",
                *([markdown_cell(table.note), ""] if table.note else []),
                *markdown_rows(table),
                "",
            ]
    return "\n".join(lines)


def to_json(benchmark: Benchmark) -> str:
    """Return all numbers as JSON, fractions in [0, 1].

    The layout: `results` holds for each model and corpus the `summary` of `Evaluation.summary`, the stored
    `intervals`, `confusion` as {gold: {predicted: number}}, `versus_baseline`, and slices, robustness and
    calibration as they were stored.
    """
    return (
        json.dumps(
            {
                "format_version": FORMAT_VERSION,
                "benchmark": dict(benchmark.settings),
                "models": list(benchmark.models),
                "data": list(benchmark.data),
                "baseline": benchmark.baseline or None,
                "results": [result_dict(benchmark, r) for r in benchmark.results],
                "speed": benchmark.speed,
                "learning_curves": list(benchmark.curves),
            },
            ensure_ascii=False,
            indent=1,
        )
        + "\n"
    )


def to_csv(benchmark: Benchmark) -> str:
    """Return one row a model, corpus and label, and rows of the averages; empty cells where there is no number.

    The kinds are those of `report_numbers.KINDS`. The label of an average is `micro`, `macro` or `weighted`, and its
    kind ends in ` average`: `entity average`. Fractions are in [0, 1].
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for r in benchmark.results:
        of_result = (r.model, r.data, r.evaluation.convention, r.evaluation.flat)
        for kind in KINDS:
            table = table_of(r.evaluation, kind)
            for label in labels_of([r], kind):
                counts = table[label]
                sizes = (counts.support, counts.predicted, *counts.to_list())
                writer.writerow([*of_result, kind, label, *sizes, *_numbers(trio(r, kind, label))])
            for average in AVERAGES if table else ():
                whole = table.micro
                known = average == "micro"
                totals = (whole.support, whole.predicted, *whole.to_list()) if known else ("",) * 5
                scores = _numbers(trio(r, kind, average=average))
                writer.writerow([*of_result, f"{kind} average", average, *totals, *scores])
    return out.getvalue()


_WRITERS: Mapping[str, Callable[[Benchmark], str]] = {
    "html": to_html,
    "md": to_markdown,
    "json": to_json,
    "csv": to_csv,
}


def result_dict(benchmark: Benchmark, r: Result) -> dict[str, Any]:
    """Return one result as plain data, without the counts per document, which are in its own file."""
    cells: dict[str, dict[str, int]] = {}
    for (gold, predicted), n in confusion(r.evaluation)[2].items():
        cells.setdefault(gold, {})[predicted] = n
    kinds = [k for k in KINDS if k != GIVEN_RELATION or table_of(r.evaluation, k)]
    versus = {kind: change(r, baseline_of(benchmark, r), kind) for kind in kinds}
    kept = {k: v for k, v in r.content.items() if k not in ("evaluation", "model", "data")}
    return {
        "model": r.model,
        "data": r.data,
        "convention": r.evaluation.convention,
        "flat": r.evaluation.flat,
        "summary": r.evaluation.summary(),
        "confusion": cells,
        "versus_baseline": {kind: asdict(c) if c else None for kind, c in versus.items()},
    } | {k: v for k, v in kept.items() if k not in ("convention", "flat")}


def _numbers(scores: Trio | None) -> list[float | str]:
    cells: list[float | str] = []
    for measure in _MEASURES:
        found = getattr(scores, measure) if scores else Score(0.0)
        cells += [round(found.value, 6), *("" if v is None else round(v, 6) for v in (found.low, found.high))]
    return cells


def markdown_rows(table: Table) -> list[str]:
    """Return the lines of a Markdown table."""
    numbers = [
        n > 0 and any(row[n] is not None and not isinstance(row[n], str) for row in table.rows)
        for n in range(len(table.columns))
    ]
    lines = [_line(table.columns), _line(["--:" if number else ":--" for number in numbers])]
    cut = len(table.rows) - table.totals
    for n, row in enumerate(table.rows):
        lines.append(_line([f"**{row[0]}**" if n >= cut else row[0], *row[1:]]))
    return lines


def _line(cells: Sequence[Cell]) -> str:
    return "| " + " | ".join(map(_shown, cells)) + " |"


def _shown(cell: Cell) -> str:
    shown = "–"
    match cell:
        case str():
            shown = markdown_cell(cell)
        case int():
            shown = f"{cell:,}"
        case float():
            shown = plain_number(cell)
        case Score():
            shown = _percent(cell)
        case Trio():
            shown = _percent(cell.f1)
        case Linked():
            shown = f"{cell.value:,}"
        case Quantity():
            shown = f"{plain_number(cell.value)} [{plain_number(cell.low)}, {plain_number(cell.high)}]"
        case Difference():
            spread = cell.interval
            inside = f" [{signed(spread.low)}, {signed(spread.high)}]" if spread else ""
            shown = f"{signed(cell.difference)}{inside}, p = {cell.p_value:.3f}"
    return shown


def _percent(found: Score) -> str:
    known = found.low is not None and found.high is not None
    return percent(found.value, Interval(found.low or 0.0, found.high or 0.0) if known else None)


def markdown_cell(text: str) -> str:
    """Escape what would end a Markdown table cell, start HTML or a link, or emphasise."""
    shown = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace("\\", "\\\\")
    for char in "|[]`_":
        shown = shown.replace(char, "\\" + char)
    return shown
