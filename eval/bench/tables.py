"""The tables of `isnad bench`, made of `bench.json`, for the terminal and for the report."""

import statistics
from collections.abc import Mapping
from typing import Any

from ..benchmark.report_tables import Cell, Quantity, Table
from ..benchmark.speed import ARTICLE, SENTENCE

Stored = Mapping[str, Any]


def throughput(group: Stored, peaks: Stored) -> Table:
    """Return words a second, ratios to the pipelines and the share of the peak, best first as they are given."""
    baselines = list(dict.fromkeys(b for b in (group["default"], group["best"]) if b))
    peak = peaks.get("float32")
    rows = []
    for name, found in group["contestants"].items():
        ratios = ["baseline" if b == name else quantity(found["ratios"].get(b)) for b in baselines]
        speed = found["words_per_second"] * found["flops_per_word"] if found["flops_per_word"] else None
        rows.append(
            (
                within(group, name),
                quantity(found["rate"]),
                *ratios,
                speed / 1e9 if speed else None,
                100 * speed / peak if speed and peak else None,
            )
        )
    heads = ("model", "words a second", *(f"× {within(group, b)}" for b in baselines))
    made = (
        f" Weights are random: {_amounts(group['density'])}, set to those of the first model "
        f"({_amounts(group['donor_density'])})."
        if group.get("random")
        else ""
    )
    note = (
        "Whole documents, text in, documents out: entities, relations and coreference; the pipelines find flat "
        "entities only. Rounds were interleaved; brackets hold the 95% interval over rounds. GFLOP/s count what the "
        "text needs, without padding, and are compared with the fastest fp32 product of matrices." + made
    )
    return Table(group["name"], (*heads, "GFLOP/s", "% of peak"), tuple(rows), note=note)


def latency(group: Stored) -> Table:
    """Return first call, latencies, memory and size of each contestant."""
    heads = (
        "model",
        "first call ms",
        "process s",
        *(f"{n} words {p} ms" for n in (SENTENCE, ARTICLE) for p in ("p50", "p95")),
        "peak MiB",
        "disk MiB",
    )
    rows = tuple(
        (
            within(group, name),
            1000 * found["first_call"]["p50"],
            found["cold_start"]["p50"],
            *(
                1000 * found[key][p]
                for key in (f"sentence_{SENTENCE}", f"article_{ARTICLE}")
                for p in ("p50", "p95")
            ),
            found["peak_memory"] / 2**20,
            found["size"] / 2**20 if found["size"] else None,
        )
        for name, found in group["contestants"].items()
    )
    note = (
        "First call: a sentence in a fresh process that has loaded the model; process: from its start to that "
        "answer; medians."
    )
    return Table(f"{group['name']}: latency and memory", heads, rows, note=note)


def growth(stored: Stored) -> Table | None:
    """Return seconds by length of one text, with the slopes; None for nothing measured."""
    found = {name: g for name, g in stored.items() if g.get("points")}
    lengths = sorted({p["words"] for g in found.values() for p in g["points"]})
    rows = []
    for name, g in found.items():
        seconds = {p["words"]: statistics.median(p["seconds"]) for p in g["points"]}
        rows.append(
            (
                name,
                quantity(g["slope"]),
                *(seconds.get(n) for n in lengths),
                g["points"][-1]["peak_memory"] / 2**20,
                quantity(g["bytes_per_word"]),
            )
        )
    note = (
        "One text of real sentences in random order. Slope: of log seconds over log words, 1 is linear, with its 95% "
        "interval by Student's t. Peak memory: of the process, up to its longest text; the result of a text grows with "
        "the text, so some bytes a word are its entities."
    )
    heads = ("one text", "slope", *(f"{n:,} words, s" for n in lengths), "peak MiB", "bytes a word")
    return Table("Growth with length", heads, tuple(rows), note=note) if rows else None


def labels(stored: Stored) -> Table | None:
    """Return words a second by number of entity types; None for nothing measured."""
    found = {name: g["points"] for name, g in stored.items() if g.get("points")}
    rows = tuple(
        (f"{name}, {p['labels']} types", quantity(p["rate"]), p["found"], p["peak_memory"] / 2**20)
        for name, points in found.items()
        for p in points
    )
    note = (
        "The same model with its most frequent types only, or with its types several times over under other names; on "
        "the torch backend."
    )
    heads = ("types", "words a second", "entities found", "peak MiB")
    return Table("Growth with labels", heads, rows, note=note) if rows else None


def arithmetic(content: Stored) -> list[Table]:
    """Return the operations a word by part of each model, and the peaks of the machine."""
    tables = []
    for group in content["groups"]:
        work = group.get("work")
        if work:
            parts = dict(work["parts"])
            parts["other"] = work["flops"] - sum(parts.values())
            rows = tuple(
                (name.replace("_", " "), n / work["words"] / 1e6, 100 * n / work["flops"])
                for name, n in parts.items()
                if n
            )
            total = ("all", work["flops"] / work["words"] / 1e6, 100.0)
            heads = ("part", "million operations a word", "%")
            tables.append(Table(f"{group['name']}: arithmetic", heads, (*rows, total), totals=1))
    peaks = tuple((name, rate / 1e9) for name, rate in content["peaks"].items() if isinstance(rate, float))
    if peaks:
        note = "The fastest product of two square matrices with torch, on the same threads."
        tables.append(Table("Peak of the machine", ("numbers", "GFLOP/s"), peaks, note=note))
    return tables


def failures(content: Stored) -> Table | None:
    """Return who failed and why; None if nobody did."""
    rows = list(content["left_out"].items())
    for group in content["groups"]:
        rows += [(group["name"], group["error"])] if "error" in group else []
        rows += list(group.get("failed", {}).items())
    for kind in ("growth", "labels"):
        rows += [(f"{kind}: {name}", g["error"]) for name, g in content[kind].items() if "error" in g]
    for name, g in content["growth"].items():
        rows += [
            (
                f"growth: {name}",
                f"{left['words']:,} words would take {left['expected_seconds']:,.0f} s; see --limit",
            )
            for left in g.get("left_out", ())
        ]
    return Table("Left out", ("what", "why"), tuple(rows)) if rows else None


def about(content: Stored) -> Table:
    """Return what the numbers depend on."""
    machine, settings = content["machine"], content["settings"]
    speed = settings["speed"]
    rows: list[tuple[Cell, ...]] = [
        ("made", content["made"]),
        ("command", content["command"]),
        ("machine", ", ".join(f"{k} {v}" for k, v in (machine | content["environment"]).items())),
        ("load before and after", " → ".join(str(content["load"].get(k)) for k in ("before", "after"))),
        ("versions", ", ".join(f"{k} {v}" for k, v in content["versions"].items())),
        ("revision", content["revision"]),
        (
            "texts",
            f"{content['texts']} documents of {', '.join(settings['data'])}: {content['words']:,} words",
        ),
        ("rounds", f"{speed['rounds']}, starts {speed['starts']}, seed {settings['seed']}"),
        ("device", settings["device"]),
    ]
    return Table("How it was measured", ("what", "value"), tuple(rows))


def shown(content: Stored) -> list[Table]:
    """Return the tables for the terminal, in order."""
    found: list[Table | None] = []
    for group in content["groups"]:
        if group.get("contestants"):
            found += [throughput(group, content["peaks"]), latency(group)]
    found += [growth(content["growth"]), labels(content["labels"]), failures(content)]
    return [t for t in found if t is not None]


def quantity(stored: Stored | None) -> Cell:
    """Return a stored value with its interval as a cell."""
    if not stored:
        return None
    if stored["low"] is None:
        return float(stored["value"])
    return Quantity(stored["value"], stored["low"], stored["high"])


def within(group: Stored, name: str) -> str:
    """Return the name of a contestant where its group is named already: `torch` of `isnad-small torch`."""
    return name.removeprefix(f"{group['name']} ")


def _amounts(density: Mapping[str, float]) -> str:
    return ", ".join(f"{value:g} {key}" for key, value in density.items()) + " in 100 words"
