"""The sections on speed and costs of README.md, from the stored results of `isnad bench` and of the engines."""

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from .bench.tables import growth, latency, quantity, throughput, within
from .benchmark.report import markdown_rows
from .benchmark.report_tables import Table
from .report import markdown_table

# The second is of the same bench on all cores, the third of one model alone on a text of a million words.
BENCH, CORES_BENCH, LONG_BENCH, ENGINES = "bench.json", "bench_cores.json", "bench_long.json", "engines.json"
# The notes of exports (`export.json`), which hold how they agree with the model; the files are `export_NAME.json`.
EXPORTS = ("onnx", "onnx-int8", "openvino", "openvino-int8", "openvino-int8-static")
# What the worked plan is about: articles, words of each, cores of the cluster.
ARTICLES, WORDS, CORES = 1_000_000_000, 400, 1000
GROWN = 100_000


def render_speed(results: Path) -> str:
    """Return the section on speed and memory as Markdown; `results` holds what `isnad bench` has stored."""
    content = _stored(results / BENCH)
    parts = []
    for group in content["groups"]:
        if group.get("contestants"):
            parts += _written(throughput(group, content["peaks"]))
    for group in content["groups"][:1]:
        parts += _written(latency(group))
    grown = growth(content["growth"])
    parts += _written(grown) if grown else []
    threads = content["environment"].get("OMP_NUM_THREADS", "as many as cores")
    peaks = ", ".join(f"{kind} {rate / 1e9:,.0f}" for kind, rate in content["peaks"].items())
    parts.append(
        f"Threads: {threads}; processor: {_processor(content['machine'])}, fastest products of matrices in GFLOP/s: "
        f"{peaks}; {content['words']:,} words of "
        f"{content['texts']} documents, {content['settings']['speed']['rounds']} rounds; made {content['made']}, "
        f"revision {content['revision']}."
    )
    parts.append(f"```sh\n{content['command']}\n```")
    return "\n\n".join(parts)


def render_cores(results: Path) -> str:
    """Return words a second on all cores as Markdown, beside those on one thread and those of the pipelines."""
    single, content = _stored(results / BENCH), _stored(results / CORES_BENCH)
    alone = {g["name"]: g["contestants"] for g in single["groups"]}
    cores, parts = content["machine"]["threads"], []
    for group in content["groups"]:
        baselines = list(dict.fromkeys((group["default"], group["best"])))
        heads = ("model", f"words a second, {cores} threads", "× one thread")
        rows = tuple(
            (
                within(group, name),
                quantity(found["rate"]),
                found["rate"]["value"] / alone[group["name"]][name]["rate"]["value"],
                *("baseline" if b == name else quantity(found["ratios"].get(b)) for b in baselines),
            )
            for name, found in group["contestants"].items()
        )
        table = Table(group["name"], (*heads, *(f"× {within(group, b)}" for b in baselines)), rows)
        parts += [f"**{group['name']}, {cores} threads.**", "\n".join(markdown_rows(table))]
    parts.append(
        f"{content['words']:,} words of {content['texts']} documents, "
        f"{content['settings']['speed']['rounds']} rounds, in which all took turns; brackets hold the 95% interval "
        f"over rounds. The run on one thread was another one. Made {content['made']}, revision {content['revision']}."
    )
    return "\n\n".join([*parts, f"```sh\n{content['command']}\n```"])


def render_long(results: Path) -> str:
    """Return the growth with length up to a million words as Markdown."""
    content = _stored(results / LONG_BENCH)
    table = growth(content["growth"])
    threads = content["environment"].get("OMP_NUM_THREADS", content["machine"]["threads"])
    note = f"Threads: {threads}; made {content['made']}, revision {content['revision']}."
    rows = "\n".join(markdown_rows(table)) if table else ""
    return "\n\n".join([rows, note, f"```sh\n{content['command']}\n```"])


def render_exports(results: Path) -> str:
    """Return how exports agree with the model as Markdown: scores, documents, F1 of both, size."""
    rows = [["export", "size", "data", "largest difference of a probability", "entity F1", "relation F1"]]
    for name in EXPORTS:
        notes = _stored(results / f"export_{name}.json")
        size = f"{sum(notes['bytes'].values()) / 1e6:.1f} MB"
        for data, parity in notes["parity"].items():
            worst = max(parity["span_difference"], parity["pair_difference"])
            f1 = parity["f1"]
            scores = [
                " → ".join(f"{100 * f1[backend][kind]:.2f}" for backend in ("torch", notes["format"]))
                for kind in ("entities", "relations")
            ]
            rows.append([name, size, data, f"{worst:.1e}", *scores])
    return markdown_table(rows)


def render_engines(results: Path) -> str:
    """Return documents a second and memory of a worker by engine as Markdown."""
    content = _stored(results / ENGINES)
    settings = content["settings"]
    rows = [["engine", "workers", "documents a second", "a worker", "start, s", "memory of a worker"]]
    for engine, found in content["engines"].items():
        rate, workers = found["documents_per_second"], found["workers"]
        rows.append(
            [
                engine,
                str(workers),
                f"{rate['value']:.1f} [{rate['low']:.1f}, {rate['high']:.1f}]",
                f"{rate['value'] / workers:.1f}",
                f"{found['start']:.0f}",
                _memory(found["worker_memory"]),
            ]
        )
    note = (
        f"Documents of {settings['words']} words, `{settings['model']}` on torch with one thread a worker; the slope "
        f"between {settings['few']} and {settings['many']} documents, median of {settings['rounds']} rounds, in "
        "brackets the least and the most; what does not depend on the documents is the start. Processor: "
        f"{_processor(content['machine'])}, {content['machine']['cores']} cores, which with 2 workers have the driver "
        f"to run too; made {content['made']}, revision {content['revision']}."
    )
    return "\n\n".join([markdown_table(rows), note, f"```sh\n{content['command']}\n```"])


def render_costs(results: Path) -> str:
    """Return the worked plan as Markdown: what one worker does with the embedded model, and what many need.

    Rates and memory are those of the growing text at `GROWN` words, whose windows have all lengths, as a stream has.
    """
    content = _stored(results / BENCH)
    threads = int(content["environment"].get("OMP_NUM_THREADS", 1))
    group = content["groups"][0]
    heads = ["backend", "words a second and core", f"articles of {WORDS} words a second and core"]
    rows = [[*heads, "memory of a worker", f"a billion articles on {CORES:,} cores"]]
    for name, found in group["contestants"].items():
        points = content["growth"].get(name, {}).get("points", ())
        for point in points if found["ours"] else ():
            if point["words"] == GROWN:
                rate = GROWN / median(point["seconds"]) / threads
                rows.append(_plan(within(group, name), rate, point["peak_memory"]))
    return markdown_table(rows)


def _plan(name: str, rate: float, memory: float) -> list[str]:
    days = ARTICLES * WORDS / rate / CORES / 86_400
    return [name, f"{rate:,.0f}", f"{rate / WORDS:.1f}", _memory(memory), f"{days:.1f} days"]


def _memory(count: float) -> str:
    return f"{count / 2**30:.2f} GiB"


def _processor(machine: Mapping[str, Any]) -> str:
    return str(machine.get("cpu") or machine.get("processor") or "unknown")


def _stored(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _written(table: Table) -> list[str]:
    return [f"**{table.title}.** {table.note}", "\n".join(markdown_rows(table))]
