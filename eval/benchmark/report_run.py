"""The tables of a benchmark report that are about the run: speed, settings, hashes."""

from collections.abc import Mapping, Sequence
from typing import Any

from .report_data import Benchmark, bounds, is_number
from .report_tables import Cell, Quantity, Table, mapping


def speed(benchmark: Benchmark) -> list[Table]:
    """Return the tables of `speed.json` (see `speed.measure_speed`): models, and how they were timed."""
    stored = mapping(benchmark.speed)
    models = {str(name): dict(_timed(mapping(row))) for name, row in mapping(stored.get("models")).items()}
    tables = []
    if models:
        columns = list(dict.fromkeys(k for row in models.values() for k in row))
        rows = tuple((name, *(row.get(c) for c in columns)) for name, row in models.items())
        note = (
            "Rounds of all models were interleaved; the ratio says how many times as fast as the baseline, with its "
            "95% interval over rounds. p50: median, p95: 95th percentile."
        )
        tables.append(Table("Speed", ("Model", *columns), rows, note=note))
    # The seconds of single rounds are in the JSON report.
    method = {k: v for k, v in stored.items() if k not in ("models", "round_seconds")}
    return [*tables, *_pairs("How speed was measured", method)]


def about(benchmark: Benchmark) -> list[Table]:
    """Return the settings of the run and what identifies each result."""
    tables, plain = [], {}
    for key, value in benchmark.settings.items():
        if key == "learning_curves":
            continue
        if isinstance(value, list) and value and all(isinstance(v, Mapping) for v in value):
            flat = [dict(_flatten(v)) for v in value]
            columns = tuple(dict.fromkeys(k for row in flat for k in row))
            rows = tuple(tuple(row.get(c) for c in columns) for row in flat)
            heads = tuple(c.replace("_", " ") for c in columns)
            tables.append(Table(key.replace("_", " ").capitalize(), heads, rows))
        else:
            plain[key] = value
    tables += _pairs("Settings", plain)
    keys = list(dict.fromkeys(k for r in benchmark.results for k in mapping(r.content.get("hashes"))))
    rows = tuple(
        (
            r.model,
            r.data,
            r.convention,
            _seconds(r.content.get("seconds")),
            *(str(mapping(r.content.get("hashes")).get(k, "")) for k in keys),
        )
        for r in benchmark.results
    )
    columns = ("Model", "Data", "Compared", "Seconds", *(f"{k} hash" for k in keys))
    return [*tables, Table("Results", columns, rows)]


def _pairs(title: str, values: Mapping[str, Any]) -> list[Table]:
    """Return a table of names and values; none of nothing."""
    rows = tuple((_spaced(name), _worded(value)) for name, value in _flatten(values))
    return [Table(title, ("What", "Value"), rows)] if rows else []


def _worded(value: Cell) -> str:
    match value:
        case Quantity():
            return f"{value.value:.4g} [{value.low:.4g}, {value.high:.4g}]"
        case None:
            return ""
    return f"{value:,}" if isinstance(value, int) and abs(value) >= 10_000 else str(value)


def _spaced(name: str) -> str:
    return " ".join(part if part.isupper() else part.replace("_", " ") for part in name.split(" "))


def _timed(row: Mapping[str, Any]) -> list[tuple[str, Cell]]:
    """Return (heading, cell) pairs of one model's speed, in units that people read."""
    pairs: list[tuple[str, Cell]] = []
    for key, value in row.items():
        name = key.replace("_", " ")
        if isinstance(value, Mapping) and is_number(value.get("p50")):
            pairs += [(f"{name} {p}, ms", 1000 * value[p]) for p in ("p50", "p95") if is_number(value.get(p))]
        elif key in ("size", "peak_memory") and is_number(value):
            pairs.append((f"{name}, MiB", value / 2**20))
        elif key == "ratio" and value is None:
            pairs.append((name, "baseline"))
        elif not isinstance(value, list):  # the seconds of single rounds are in the JSON report
            pairs += [(k.replace("_", " "), v) for k, v in _flatten(value, name)]
    return pairs


def _flatten(value: Any, name: str = "") -> list[tuple[str, Cell]]:
    """Return (name, cell) pairs of nested plain data."""
    if isinstance(value, Mapping):
        interval = bounds(value.get("interval")) or bounds(value)
        if interval and is_number(value.get("value")):
            return [(name, Quantity(float(value["value"]), *interval))]
        return [pair for k, v in value.items() for pair in _flatten(v, f"{name} {k}".strip())]
    if isinstance(value, list | tuple):
        if any(isinstance(v, Mapping | list | tuple) for v in value):
            return [pair for n, v in enumerate(value, 1) for pair in _flatten(v, f"{name} {n}".strip())]
        return [(name, _list(value))]
    words = {None: "", True: "yes", False: "no"}
    plain = words[value] if value is None or isinstance(value, bool) else value
    return [(name, plain if is_number(plain) else str(plain))]


def _list(values: Sequence[Any]) -> str:
    shown = ", ".join(str(v) for v in values[:12])
    return shown + (f", … ({len(values)} in all)" if len(values) > 12 else "")


def _seconds(value: Any) -> float | None:
    return float(value) if is_number(value) else None
