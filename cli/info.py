"""`isnad info`: what a model folder says about itself, read without loading the weights."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from ..model.render.table import Cell
from ..model.store import DEFAULT_MODEL, EXPORT, MANIFEST, embedded_models, has_weights, resolve
from ..training.card_sources import training_sources
from ..training.lineage import Stage, stages
from ..training.model_facts import ModelFacts, read_json
from .support import console

# Terminals narrower than this see the Arabic descriptions only.
_DESCRIBED = 80
CARD = "README.md"


@dataclass(frozen=True)
class ModelCard:
    """What is known of a model.

    Attributes:
        facts: of its files, which match their manifest if there is one.
        stages: the trainings that made it, its own last.
        training: the text of `training.yaml`, or "".
        metrics: `metrics.json`, or empty.
        front: the front matter of its `README.md`: licence, and scores as model hubs read them; or empty.
    """

    facts: ModelFacts
    stages: tuple[Stage, ...]
    training: str
    metrics: Mapping[str, Any]
    front: Mapping[str, Any]

    @classmethod
    def read(cls, model: str | None) -> "ModelCard":
        """Read the files of a model; errors as in `model.store.resolve`."""
        folder = resolve(model)
        training = folder / "training.yaml"
        return cls(
            ModelFacts.read(folder),
            tuple(stages(folder)),
            training.read_text(encoding="utf-8") if training.is_file() else "",
            read_json(folder / "metrics.json"),
            front_matter(folder / CARD),
        )


def front_matter(path: Path) -> dict[str, Any]:
    """Return the YAML between the first two `---` lines of a model card; empty where there is none."""
    if not path.is_file():
        return {}
    parts = path.read_text(encoding="utf-8").split("---\n", 2)
    if len(parts) < 3 or parts[0]:
        return {}
    try:
        found = yaml.safe_load(parts[1])
    except yaml.YAMLError:
        return {}  # a card that somebody else wrote; what it holds for people is still in the file
    return found if isinstance(found, dict) else {}


def show_model(model: str | None) -> None:
    """Print the model card; without a model that of the embedded one, with the list of embedded models."""
    card = ModelCard.read(model)
    screen = console()
    screen.print(_facts(card))
    scores = _scores(card.front)
    if scores.row_count:
        screen.print(Text("\nscores (more, with intervals, in its README.md)", "bold"))
        screen.print(scores)
    elif card.metrics:
        screen.print(Text("\nmetrics.json", "bold"))
        screen.print(_pairs((name, _number(value)) for name, value in _flat(card.metrics)))
    data = _training_data(card)
    if data.row_count:
        screen.print(Text("\ntraining data", "bold"))
        screen.print(data)
    screen.print()
    screen.print(_entity_types(card, described=screen.width >= _DESCRIBED))
    if card.facts.schema.relations:
        screen.print(_relation_types(card))
    if card.training:
        screen.print(Text("\ntraining.yaml", "bold"))
        screen.print(Text(card.training.rstrip()))
    if model is None:
        screen.print(Text(f"embedded models: {', '.join(embedded_models())} (default: {DEFAULT_MODEL})"))


def _facts(card: ModelCard) -> RenderableType:
    found = card.facts
    config, schema = found.config, found.schema
    encoder = config.get("encoder") or {}
    sizes = [
        f"{what} {encoder[key]:,}"
        for key, what in (("num_hidden_layers", "layers"), ("hidden_size", "width"), ("vocab_size", "pieces"))
        if key in encoder
    ]
    tables = f", {found.table_entries:,} integers in tables" if found.table_entries else ""
    export = read_json(found.folder / EXPORT)
    facts = {
        "model": found.name,
        "licence": str(card.front.get("license") or export.get("license") or "not stated"),
        "folder": str(found.folder),
        "files": f"{found.size / 1e6:.1f} MB, "
        + (f"{found.sealed} files match {MANIFEST}" if found.sealed else f"no {MANIFEST}: not checked"),
        "weights": f"{found.parameters:,} in {', '.join(found.precisions)}{tables}"
        if has_weights(found.folder)
        else f"{'OpenVINO' if export.get('format') == 'openvino' else 'ONNX'} graphs, {export.get('precision')}",
        "encoder": f"{encoder.get('model_type', 'unknown')} ({', '.join(sizes)})",
        "window": f"{config.get('max_pieces')} pieces, {config.get('overlap_pieces')} of them shared",
        "schema": f"{schema.name} {schema.version} ({schema.hash}): {len(schema.entities)} entity types, "
        f"{len(schema.relations)} relation types",
        "calibrated": "yes" if config.get("calibration") else "no",
    }
    return _pairs(facts.items())


def _scores(front: Mapping[str, Any]) -> Table:
    """Return the metrics of the front matter, a column a data set; anything malformed is left out."""
    columns: dict[str, dict[str, float]] = {}
    for entry in _mappings(front.get("model-index")):
        for result in _mappings(entry.get("results")):
            dataset = result.get("dataset")
            name = str(dataset.get("name") or "") if isinstance(dataset, Mapping) else ""
            for metric in _mappings(result.get("metrics")):
                if isinstance(metric.get("value"), int | float):
                    label = str(metric.get("name") or metric.get("type"))
                    columns.setdefault(name, {})[label] = float(metric["value"])
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", style="bold", no_wrap=True)
    for name in columns:
        table.add_column(Cell(name), justify="right", overflow="fold")
    for label in dict.fromkeys(label for scores in columns.values() for label in scores):
        values = [f"{100 * s[label]:.1f}%" if label in s else "" for s in columns.values()]
        table.add_row(Cell(label), *values)
    return table


def _mappings(found: object) -> list[Mapping[str, Any]]:
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


def _training_data(card: ModelCard) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("source", no_wrap=True)
    table.add_column("stage", overflow="fold")
    table.add_column("licence", overflow="fold")
    seen: dict[str, tuple[list[str], str]] = {}
    for stage in card.stages:
        if stage.kind == "pretraining":
            runs = [*(stage.record.get("earlier") or []), stage.record]
            tokens = sum(int(run.get("tokens") or 0) for run in runs)
            seen[f"raw text, {tokens:,} tokens" if tokens else "raw text"] = (
                ["pretraining"],
                "several, see README.md",
            )
            continue
        for source in training_sources(stage):
            stages_of, _ = seen.setdefault(source.name, ([], source.licence or "not stated"))
            stages_of.append(stage.name)
    for name, (stages_of, licence) in seen.items():
        table.add_row(Cell(name), Cell(", ".join(stages_of)), Cell(licence))
    return table


def _pairs(rows: Iterable[tuple[str, str]]) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, Cell(value))
    return table


def _entity_types(card: ModelCard, *, described: bool) -> Table:
    table = Table(title="entity types", title_justify="left", title_style="bold", header_style="dim")
    table.add_column("label", no_wrap=True)
    table.add_column("Arabic", overflow="fold")
    if described:
        table.add_column("English", overflow="fold")
    for column in ("corefers", "threshold"):
        table.add_column(column, justify="right")
    thresholds = card.facts.config.get("entity_thresholds") or {}
    for type_ in card.facts.schema.entities:
        table.add_row(
            Cell(type_.name, "cyan"),
            Cell(type_.ar),
            *([Cell(type_.en)] if described else []),
            "yes" if type_.corefers else "",
            f"{thresholds.get(type_.name, 0.5):.2f}",
        )
    return table


def _relation_types(card: ModelCard) -> Table:
    table = Table(title="relation types", title_justify="left", title_style="bold", header_style="dim")
    table.add_column("label", no_wrap=True)
    for column in ("Arabic", "head", "tail"):
        table.add_column(column, overflow="fold")
    table.add_column("threshold", justify="right")
    thresholds = card.facts.config.get("relation_thresholds") or {}
    for type_ in card.facts.schema.relations:
        table.add_row(
            Cell(type_.name, "magenta"),
            Cell(type_.ar),
            Cell(" ".join(type_.head)),
            Cell("symmetric" if type_.symmetric else " ".join(type_.tail)),
            f"{thresholds.get(type_.name, 0.5):.2f}",
        )
    return table


def _flat(metrics: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in metrics.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}".replace("_", " "), value


def _number(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
