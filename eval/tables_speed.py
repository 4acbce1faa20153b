"""The speed tables of README.md, from the stored result of `isnad bench`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .bench.tables import growth, latency, throughput, within
from .benchmark.report import markdown_rows
from .benchmark.report_tables import Table
from .report import markdown_table

FILE = "bench.json"
# What the worked plan is about: articles, words of each, cores of the cluster.
ARTICLES, WORDS, CORES = 1_000_000_000, 400, 1000


def render_speed(results: Path) -> str:
    """Return the section on speed and memory as Markdown; `results` holds what `isnad bench` has stored."""
    content = _stored(results)
    parts = []
    for group in content["groups"]:
        if group.get("contestants"):
            parts += _written(throughput(group, content["peaks"]))
    for group in content["groups"][:1]:
        parts += _written(latency(group))
    grown = growth(content["growth"])
    parts += _written(grown) if grown else []
    threads = content["environment"].get("OMP_NUM_THREADS", "as many as cores")
    machine = content["machine"]
    parts.append(
        f"Threads: {threads}; {machine.get('cpu') or machine.get('processor') or 'processor unknown'}; "
        f"{content['words']:,} words of {content['texts']} documents, {content['settings']['speed']['rounds']} rounds; "
        f"made {content['made']}, revision {content['revision']}."
    )
    parts.append(f"```sh\n{content['command']}\n```")
    return "\n\n".join(parts)


def render_costs(results: Path) -> str:
    """Return the cost model and the worked plan as Markdown: what one worker does, and what many need."""
    content = _stored(results)
    threads = int(content["environment"].get("OMP_NUM_THREADS", 1))
    group = content["groups"][0]
    heads = ["backend", "words a second and core", f"articles of {WORDS} words a second and core"]
    rows = [[*heads, "memory of a worker", f"a billion articles on {CORES:,} cores"]]
    for name, found in group["contestants"].items():
        if found["ours"]:
            rows.append(_plan(within(group, name), found, threads))
    return markdown_table(rows)


def _plan(name: str, found: Mapping[str, Any], threads: int) -> list[str]:
    rate = found["words_per_second"] / threads
    days = ARTICLES * WORDS / rate / CORES / 86_400
    memory = found["peak_memory"] / 2**30
    return [name, f"{rate:,.0f}", f"{rate / WORDS:.1f}", f"{memory:.2f} GiB", f"{days:.1f} days"]


def _stored(results: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((results / FILE).read_text(encoding="utf-8"))
    return content


def _written(table: Table) -> list[str]:
    return [f"**{table.title}.** {table.note}", "\n".join(markdown_rows(table))]
