"""`isnad models`: the versions that are known, with what identifies them and what they scored."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..model.render.characters import printable
from ..model.render.table import Cell
from .options import ListFormat
from .support import console, say

if TYPE_CHECKING:
    from ..eval.benchmark.registry import Record


def list_models(registry: Path | None = None, *, format: ListFormat = ListFormat.TABLE) -> None:
    """Print the embedded models and every version in the registry, with its results, oldest first."""
    from ..eval.benchmark.adapters import files_hash
    from ..eval.benchmark.registry import Registry
    from ..model.store import embedded_models, resolve
    from ..training.model_facts import ModelFacts

    store = Registry(registry)
    records = store.records()
    embedded = {}
    for name in embedded_models():
        facts = ModelFacts.read(resolve(name))
        embedded[name] = {"hash": files_hash(facts.folder), "schema_hash": facts.schema.hash}
    if format is ListFormat.JSON:
        content = {
            "registry": str(store.path),
            "embedded": embedded,
            "results": [r.to_dict() for r in records],
        }
        print(json.dumps(content, ensure_ascii=False, indent=2))
        return
    _print(embedded, records)
    say(f"{len(records)} results in {store.path}" + ("" if records else "; measure with: isnad benchmark"))


def _print(embedded: dict[str, dict[str, str]], records: Sequence["Record"]) -> None:
    screen = console()
    versions = {(name, facts["hash"]): "embedded" for name, facts in embedded.items()}
    versions |= {(r.model, r.model_hash): r.kind for r in records if (r.model, r.model_hash) not in versions}
    for (name, digest), kind in versions.items():
        own = [r for r in records if (r.model, r.model_hash) == (name, digest)]
        facts = f"  {digest}, {kind}" + ("" if own else ", not measured")
        screen.print(Text.assemble((printable(name), "bold"), facts), soft_wrap=True)
        if own:
            screen.print(Padding(_table(own), (0, 0, 1, 2)))


def _table(records: Sequence["Record"]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("data", overflow="fold")
    for head in ("span F1", "macro F1", "relation F1"):
        table.add_column(head, justify="right", overflow="fold")
    for head in ("compared", "texts", "labels", "code", "measured"):
        table.add_column(head, overflow="fold")
    for r in records:
        table.add_row(*_scored(r))
    return table


def _scored(r: "Record") -> list[Any]:
    entities, relations = r.scores.get("entities", {}), r.scores.get("relations", {})
    return [
        Cell(r.data),
        _percent(entities.get("f1")),
        _percent(entities.get("macro_f1")),
        _percent(relations.get("f1")),
        f"{r.convention} {'flat' if r.flat else 'nested'}",
        r.data_hash[:6],
        r.schema_hash[:6],
        Cell(r.revision),
        r.made[:10],
    ]


def _percent(value: object) -> str:
    return f"{100 * value:.1f}" if isinstance(value, int | float) else ""
