"""`isnad curve`: a learning curve from a training configuration."""

import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from rich.table import Table
from rich.text import Text

from ..model.document import Document
from ..model.errors import ConfigError, nearest
from ..model.render.characters import printable
from ..model.render.table import Cell
from ..model.schema import LabelSchema
from ..training.config import FinetuneConfig, plain
from ..training.data.annotation import Source
from ..training.data.sources import load_corpora, load_schema, load_source, load_split
from .support import console, quiet, remarks_only, require, say, whole_file
from .train import configured

if TYPE_CHECKING:
    from ..eval.curves import NamedCurve
    from ..eval.learning_curve import FitPredict
    from ..eval.spread import Spread

NEEDS = {"flat": ("accelerate",), "crf": ("pycrfsuite",)}
_SHOWN = {"span_f1": "span F1", "span_macro_f1": "macro F1", "relation_f1": "relation F1"}


def draw_curve(
    config_name: str,
    output: Path,
    *,
    sizes: str,
    seeds: str,
    system: str = "joint",
    data: str | None = None,
    name: str = "",
    show: Sequence[str] = (),
    settings: Sequence[str] = (),
) -> None:
    """Train on growing parts of the training documents, store the curve and print it.

    Args:
        config_name, settings: the training configuration; see `configured`.
        output: folder of `learning_curves.json`; it may hold the curves of other systems.
        sizes, seeds: as `read_sizes` and `read_seeds` take them.
        system: one of `training.systems.SYSTEMS`.
        data: what is scored; None for the development documents of the configuration.
        name: of the curve; empty for that of the configuration.
        show: entity and relation types whose F1 is printed too.
    """
    config = configured(config_name, settings)
    wanted, runs = read_sizes(sizes), read_seeds(seeds)
    need = (
        ("accelerate", *sorted({config.tracker} - {"none"})) if system == "joint" else NEEDS.get(system, ())
    )
    require(*need, task=f"isnad curve --system {system}")
    schema = load_schema(config.data.schema)
    columns = _columns(show, schema)
    train, dev = load_split(config.data.train, config.data.dev, schema)
    scored = load_source(data, schema) if data else dev
    corpora = load_corpora(config.data.corpora, schema, [*dev, *(scored if data else ())])
    # The tracker reads its folder once a process: all runs log beside each other.
    os.environ.setdefault("TRACKIO_DIR", str((output / "trackio").resolve()))
    quiet()
    found = _run(
        config, schema, train, dev, scored, corpora,
        output=output, sizes=wanted, seeds=runs, system=system,
        name=name or config.name, data=data or ", ".join(config.data.dev),
    )  # fmt: skip
    console().print(_table(found, columns))
    say(
        f"wrote {_file(output)}; show it in a report with: isnad benchmark MODEL… --data DATA --curves {output}"
    )


def read_sizes(text: str) -> list[int | float]:
    """Return sizes as `eval.learning_curve` takes them: `50` is a number, `12.5%` a share, `all` is all.

    Raises:
        ConfigError: anything else.
    """
    sizes: list[int | float] = []
    for part in (p.strip() for p in text.split(",")):
        number = part.removesuffix("%")
        try:
            size = 1.0 if part == "all" else float(number) / 100 if number != part else int(part)
        except ValueError:
            size = 0
        if not size > 0 or (isinstance(size, float) and size > 1):
            raise ConfigError(
                f"--sizes has {part!r}; accepted: numbers, shares and all, such as 50,100,25%,all"
            )
        sizes.append(size)
    return sizes


def read_seeds(text: str) -> list[int]:
    """Return seeds: whole numbers from 0 on, between commas; ConfigError for anything else."""
    parts = [p.strip() for p in text.split(",")]
    if not all(p.isascii() and p.isdigit() for p in parts):
        raise ConfigError(f"--seeds is {text!r}; accepted: whole numbers from 0 on, such as 1,2,3")
    return [int(p) for p in parts]


def _run(
    config: FinetuneConfig,
    schema: LabelSchema,
    train: Sequence[Document],
    dev: Sequence[Document],
    scored: Sequence[Document],
    corpora: Sequence[Source],
    *,
    output: Path,
    sizes: Sequence[int | float],
    seeds: Sequence[int],
    system: str,
    name: str,
    data: str,
) -> "NamedCurve":
    """Make the runs that are not there yet and return the whole curve."""
    from ..eval.benchmark.data import slug
    from ..eval.benchmark.registry import now
    from ..eval.curves import NamedCurve, curve_scores, read_curves, write_curves
    from ..eval.learning_curve import LearningCurve, learning_curve
    from ..eval.stored import data_hash, revision
    from ..training.systems import make_system

    # An unknown system is found before anything is written.
    make_system(system, config, schema, output, score=curve_scores(schema), corpora=corpora)
    facts = {
        "unit": "training documents",
        "system": system,
        "config": plain(asdict(config)),
        "hashes": {"train": data_hash(train), "scored": data_hash(scored), "schema": schema.hash},
    }
    folder = output / slug(f"{name}-{data}")
    _claim(folder, facts)
    file = _file(output)
    others = {c.key: c for c in read_curves(file)} if file.exists() else {}
    done = others.get((name, data))
    # A name may only be taken over from runs of the same folder, which `_claim` has compared.
    if done is not None and {k: done.facts.get(k) for k in facts} != facts:
        raise ConfigError(f"{file} has another curve called {name!r} on {data}; choose another --name or -o")

    def named(curve: LearningCurve) -> NamedCurve:
        return NamedCurve(name, data, curve, facts | {"made": now(), "revision": revision()})

    def keep(curve: LearningCurve) -> None:
        # Read anew: the curve of another system may have been written meanwhile.
        there = {c.key: c for c in read_curves(file)} if file.exists() else {}
        write_curves(file, (there | {(name, data): named(curve)}).values())

    unique = list({d.text: d for d in train}.values())
    with remarks_only():
        curve = learning_curve(
            unique,
            scored,
            sizes,
            _fit_predict(system, config, schema, train, dev, corpora, folder),
            seeds,
            score=curve_scores(schema),
            done=done.curve if done else None,
            keep=keep,
            progress=say,
        )
    return named(curve)


def _fit_predict(
    system: str,
    config: FinetuneConfig,
    schema: LabelSchema,
    train: Sequence[Document],
    dev: Sequence[Document],
    corpora: Sequence[Source],
    folder: Path,
) -> "FitPredict":
    """Return what trains on a part of the texts and predicts; a text that is listed twice counts twice."""
    from ..eval.scores import development_scores
    from ..training.systems import make_system

    def run(part: Sequence[Document], scored: Sequence[Document], seed: int) -> Sequence[Document]:
        texts = {d.text for d in part}
        own = make_system(
            system,
            replace(config, seed=seed),
            schema,
            folder / f"{len(part)}-{seed}",
            score=development_scores(schema),
            corpora=corpora,
        )
        own.fit([d for d in train if d.text in texts], dev)
        return own.predict(scored)

    return run


def _claim(folder: Path, facts: dict[str, Any]) -> None:
    """Mark the folder of the runs with what they are of; ConfigError if it has runs of something else."""
    resolved = yaml.safe_dump(facts, allow_unicode=True, sort_keys=False)
    mark = folder / "config.yaml"
    if mark.is_file():
        if mark.read_text(encoding="utf-8") != resolved:
            raise ConfigError(
                f"{folder} holds runs of another configuration or of other data ({mark.name} differs); choose "
                "another --name or -o"
            )
        return
    with whole_file(mark) as temporary:
        temporary.write_text(resolved, encoding="utf-8")


def _file(output: Path) -> Path:
    from ..eval.curves import FILE

    return output / FILE


def _columns(show: Sequence[str], schema: LabelSchema) -> dict[str, str]:
    """Return the scores to print and their headings."""
    from ..eval.curves import ENTITY, RELATION

    known = {label: f"{ENTITY}{label}" for label in schema.entity_labels}
    known |= {label: f"{RELATION}{label}" for label in schema.relation_labels}
    for label in show:
        if label not in known:
            raise ConfigError(f"--show {label!r} is no label of {schema.name}; {nearest(label, known)}")
    return _SHOWN | {known[label]: label for label in show}


def _table(found: "NamedCurve", columns: dict[str, str]) -> Table:
    title = Text(printable(f"{found.model} on {found.data}: F1, mean and 95% interval over seeds"))
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    for head in ("documents", "mentions", "runs"):
        table.add_column(head, justify="right")
    kept = [k for k in columns if all(k in p.scores for p in found.curve.points)]
    for key in kept:
        table.add_column(Cell(columns[key]), justify="right", overflow="fold")
    summaries = [found.curve.summary(key) for key in kept]
    for size in found.curve.sizes:
        points = [p for p in found.curve.points if p.size == size]
        mentions = round(sum(p.mentions for p in points) / len(points))
        cells = [_cell(s[size]) for s in summaries]
        table.add_row(f"{size:,}", f"{mentions:,}", str(len(points)), *cells)
    return table


def _cell(score: "Spread") -> str:
    spread = score.interval
    if spread is None:
        return f"{100 * score.mean:.1f}"
    low, high = max(0.0, spread.low), min(1.0, spread.high)
    return f"{100 * score.mean:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
