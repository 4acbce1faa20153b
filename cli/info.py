"""`isnad info`: what a model folder says about itself, read without loading the weights."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from ..model.render.table import Cell
from ..model.schema import LabelSchema
from ..model.store import DEFAULT_MODEL, MANIFEST, embedded_models, resolve
from .support import console

# Terminals narrower than this see the Arabic descriptions only.
_DESCRIBED = 80


@dataclass(frozen=True)
class ModelCard:
    """What is known of a model.

    Attributes:
        folder: where it is; its files match their manifest if there is one.
        config: `config.json`.
        schema: its labels.
        parameters: number of weights.
        precisions: the number formats that they are stored in.
        size: of all files, in bytes.
        sealed: number of files that the manifest vouches for; 0 without a manifest.
        training: the text of `training.yaml`, or "".
        metrics: `metrics.json`, or empty.
    """

    folder: Path
    config: dict[str, Any]
    schema: LabelSchema
    parameters: int
    precisions: tuple[str, ...]
    size: int
    sealed: int
    training: str
    metrics: dict[str, Any]

    @classmethod
    def read(cls, model: str | None) -> "ModelCard":
        """Read the files of a model; errors as in `model.store.resolve`."""
        folder = resolve(model)
        config = _json(folder / "config.json")
        shapes = [shape for file in folder.glob("*.safetensors") for shape in _tensors(file)]
        training = folder / "training.yaml"
        return cls(
            folder,
            config,
            LabelSchema.from_dict(config.get("labels") or {}, source=f"{folder}/config.json"),
            sum(prod(shape) for shape, _ in shapes),
            tuple(sorted({precision for _, precision in shapes})),
            sum(p.stat().st_size for p in folder.iterdir() if p.is_file()),
            len(_json(folder / MANIFEST).get("sha256", {})),
            training.read_text(encoding="utf-8") if training.is_file() else "",
            _json(folder / "metrics.json"),
        )


def show_model(model: str | None) -> None:
    """Print the model card; without a model that of the embedded one, with the list of embedded models."""
    card = ModelCard.read(model)
    screen = console()
    screen.print(_facts(card))
    if card.metrics:
        screen.print(Text("\nmetrics.json", "bold"))
        screen.print(_pairs((name, _number(value)) for name, value in _flat(card.metrics)))
    screen.print()
    screen.print(_entity_types(card, described=screen.width >= _DESCRIBED))
    if card.schema.relations:
        screen.print(_relation_types(card))
    if card.training:
        screen.print(Text("\ntraining.yaml", "bold"))
        screen.print(Text(card.training.rstrip()))
    if model is None:
        screen.print(Text(f"embedded models: {', '.join(embedded_models())} (default: {DEFAULT_MODEL})"))


def _facts(card: ModelCard) -> RenderableType:
    encoder = card.config.get("encoder") or {}
    sizes = [
        f"{what} {encoder[key]:,}"
        for key, what in (("num_hidden_layers", "layers"), ("hidden_size", "width"), ("vocab_size", "pieces"))
        if key in encoder
    ]
    schema = card.schema
    facts = {
        "model": str(card.config.get("model_name") or card.folder.name),
        "folder": str(card.folder),
        "files": f"{card.size / 1e6:.1f} MB, "
        + (f"{card.sealed} files match {MANIFEST}" if card.sealed else f"no {MANIFEST}: not checked"),
        "weights": f"{card.parameters:,} in {', '.join(card.precisions)}",
        "encoder": f"{encoder.get('model_type', 'unknown')} ({', '.join(sizes)})",
        "window": f"{card.config.get('max_pieces')} pieces, {card.config.get('overlap_pieces')} of them shared",
        "schema": f"{schema.name} {schema.version} ({schema.hash}): {len(schema.entities)} entity types, "
        f"{len(schema.relations)} relation types",
        "calibrated": "yes" if card.config.get("calibration") else "no",
    }
    return _pairs(facts.items())


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
    thresholds = card.config.get("entity_thresholds") or {}
    for type_ in card.schema.entities:
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
    thresholds = card.config.get("relation_thresholds") or {}
    for type_ in card.schema.relations:
        table.add_row(
            Cell(type_.name, "magenta"),
            Cell(type_.ar),
            Cell(" ".join(type_.head)),
            Cell("symmetric" if type_.symmetric else " ".join(type_.tail)),
            f"{thresholds.get(type_.name, 0.5):.2f}",
        )
    return table


def _tensors(file: Path) -> Iterable[tuple[list[int], str]]:
    """Yield (shape, number format) of every tensor; only the header of the file is read."""
    from safetensors import safe_open

    with safe_open(file, framework="np") as opened:
        for name in opened.keys():  # noqa: SIM118  (not a mapping)
            part = opened.get_slice(name)
            yield part.get_shape(), part.get_dtype()


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _flat(metrics: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in metrics.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}".replace("_", " "), value


def _number(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
