"""`isnad train --base`: new labels for a trained model, and what became of the old ones."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ..model.errors import ConfigError
from ..training.config import FinetuneConfig, load_config, put
from ..training.data.files import write_text
from ..training.data.sources import find_config
from .processes import decided_by_first
from .support import FORGOTTEN, console, fail, quiet, remarks_only, require, say
from .train import parsed_setting

if TYPE_CHECKING:
    from ..eval.forgetting import Forgetting, NewLabel, OldLabel
    from ..training.extend import Extension
    from ..training.finetune import Result

FORGETTING = "forgetting.json"


def extension_settings(
    base: str,
    *,
    config: str | None,
    data: Sequence[str],
    dev: Sequence[str],
    schema: str | None,
    annotates: Sequence[str],
    method: str | None,
    settings: Sequence[str],
) -> dict[str, Any]:
    """Return the keys of `FinetuneConfig` that the command line gives: the file, then options, then --set."""
    given: dict[str, Any] = {}
    if config is not None:
        path = find_config(config, "finetune")
        load_config(path, FinetuneConfig)  # whose errors name the file
        given = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    if data and isinstance(given.get("data"), dict):
        given["data"] |= {
            "dev": []
        }  # what a file measures on has other labels than the data of the command line
    listed = [label for part in annotates for label in part.replace("،", ",").split(",") if label.strip()]
    options: dict[str, Any] = {
        "encoder.path": base,
        "data.train": list(data),
        "data.dev": list(dev),
        "data.schema": schema,
        "extend.annotates": [label.strip() for label in listed],
        "method": method,
    }
    for key, value in options.items():
        if value:
            put(given, key, value, where=key)
    for setting in settings:
        put(given, *parsed_setting(setting), where=f"--set {setting}")
    for key, option in (("data.train", "--data"), ("data.schema", "--schema")):
        section, _, name = key.partition(".")
        if not (given.get(section) or {}).get(name):
            raise ConfigError(
                f"--base without {option}; accepted: also {option}, or {key} in the configuration"
            )
    return given


def extend_model(
    settings: dict[str, Any],
    output: Path,
    *,
    allow_forgetting: bool = False,
    learning_curve: bool = False,
    resume: bool = False,
) -> None:
    """Extend a model, print old labels before and after and new labels, and fail if an old one was forgotten."""
    require("accelerate", task="isnad train")
    quiet()
    from ..eval.scores import development_scores
    from ..training.extend import plan_extension
    from ..training.extend_run import extend
    from ..training.finetune import prepare_output

    if learning_curve and os.environ.get("WORLD_SIZE", "1") != "1":
        raise ConfigError("--learning-curve in several processes; accepted: one process, or no curve")
    with remarks_only():
        extension = plan_extension(settings, where="the settings")
    require(*({extension.config.tracker} - {"none"}), task="isnad train")
    if not extension.old and not allow_forgetting:
        raise ConfigError(
            "extend.measure is empty, so nothing would show what is forgotten; accepted: a source of texts annotated "
            "in the old labels, or --allow-forgetting"
        )
    say(f"{extension.config.name!r} extends {extension.extractor.name}:")
    for note in extension.notes:
        say(f"  {note}")
    for warning in extension.warnings:
        say(f"warning: {warning}")
    if learning_curve:
        prepare_output(output, resume)  # whose refusal should not wait for the curve
    rows = _learning_curve(settings, output) if learning_curve else []
    score = development_scores(extension.schema)
    with remarks_only():
        result = extend(extension, output, score=score, resume=resume)
    decided_by_first(lambda: _conclude(extension, output, result, rows, allow_forgetting=allow_forgetting))


def _conclude(
    extension: "Extension",
    output: Path,
    result: "Result",
    rows: Sequence[Sequence[str]],
    *,
    allow_forgetting: bool,
) -> None:
    """Measure the finished model, print and write the tables, and end the command if an old label was forgotten."""
    with remarks_only():
        found = measure(extension, result.folder)
    record = found.to_dict() | {
        "base": extension.extractor.name,
        "removed": list(extension.changes.removed),
        "allowed": allow_forgetting,
    }
    write_text(output / FORGETTING, json.dumps(record, ensure_ascii=False, indent=1) + "\n")
    if rows:
        _show_curve([*rows, _curve_row(len(extension.new), result.metrics["dev"])])
    show(found, extension)
    say(f"model written to {result.folder}; the tables as JSON to {output / FORGETTING}")
    if not found.lost:
        return
    message = _verdict(found)
    if not allow_forgetting:
        config = extension.config
        rehearsal, weight = max(0.7, (1 + config.extend.rehearsal) / 2), max(1.0, 2 * config.distil.weight)
        fail(
            f"{message}. The model is whole and can be used, but this run does not call itself a success; accept the "
            f"loss with --allow-forgetting, or keep more: more rehearsal (--set extend.rehearsal={rehearsal:.2g}), "
            f"more weight for the base model's scores (--set distil.weight={weight:g}), --method head, or more texts "
            "in the old labels (--set extend.rehearse=[seeds:authored/train,PATH])",
            code=FORGOTTEN,
        )
    say(f"warning: {message}; allowed by --allow-forgetting")


def measure(extension: "Extension", folder: Path) -> "Forgetting":
    """Return what an extended model in a folder has forgotten and learned."""
    from ..eval.forgetting import Forgetting, forgetting, new_scores, unmeasured
    from ..model.inference import Extractor
    from ..training.extend_compare import read_old
    from ..training.extend_data import restrict

    extended = Extractor.from_pretrained(folder)
    known = extension.new_dev
    gold = known.gold()
    predicted = [restrict(d, known.labels) for d in extended.pipe((d.id, d.text) for d in gold)]
    new = new_scores(gold, predicted, extension.schema)
    if not extension.old:
        return unmeasured(new)
    read = read_old(extension, extended)
    found: Forgetting = forgetting(
        read.gold, read.before, read.after, read.schema, replaced=read.replaced, new=new
    )
    return found


def show(found: "Forgetting", extension: "Extension") -> None:
    """Print the two tables."""
    from rich.table import Table
    from rich.text import Text

    screen = console()
    if found.old:
        table = Table(
            title=f"Old labels, before and after, on {found.documents} documents", header_style="bold"
        )
        table.add_column("label", overflow="fold")
        for head in ("gold", "F1 before", "after", "change", "95% interval", "p (Holm)"):
            table.add_column(head, justify="right", no_wrap=head != "95% interval")
        table.add_column("")
        rows = {"all entities": found.spans, "all relations": found.relations, **found.old}
        for n, (name, label) in enumerate(rows.items()):
            if label.change.support:
                table.add_row(
                    *_old_row(name, label, found), style="bold" if n < 2 else "", end_section=n == 1
                )
        screen.print(table)
    table = Table(
        title=f"New data, {len(extension.new_dev.documents)} documents kept for it", header_style="bold"
    )
    table.add_column("label", overflow="fold")
    for head in ("gold", "found", "precision", "recall", "F1", "95% interval"):
        table.add_column(head, justify="right")
    for name, new in found.new.items():
        table.add_row(*_new_row(name, new))
    screen.print(table)
    if found.old:
        screen.print(
            Text(
                "95% interval of the change: paired bootstrap over documents; p: paired approximate randomisation, "
                "corrected over the labels by Holm",
                "dim",
            )
        )


def _old_row(name: str, label: "OldLabel", found: "Forgetting") -> list[Any]:
    from rich.text import Text

    d = label.change
    spread = f"{100 * d.interval.low:+.1f} … {100 * d.interval.high:+.1f}" if d.interval else ""
    said = Text("lost" if name in found.lost else "worse", "bold red") if label.lost else Text("")
    if label.replaced:
        said.append(" " * bool(said) + ", ".join(f"{n} now {new}" for new, n in label.replaced.items()))
    return [
        Text(name),
        str(d.support),
        f"{100 * d.a:.1f}",
        f"{100 * d.b:.1f}",
        f"{100 * d.difference:+.1f}",
        spread,
        f"{d.p_adjusted:.3f}",
        said,
    ]


def _new_row(name: str, label: "NewLabel") -> list[Any]:
    from rich.text import Text

    spread = f"{100 * label.interval.low:.1f} … {100 * label.interval.high:.1f}" if label.interval else ""
    scores = [f"{100 * value:.1f}" for value in (label.precision, label.recall, label.f1)]
    return [Text(name), str(label.support), str(label.predicted), *scores, spread]


def _verdict(found: "Forgetting") -> str:
    parts = []
    for name, label in found.lost.items():
        now = ", ".join(f"{n} of its mentions are {new} now" for new, n in label.replaced.items())
        hint = f"; {now}: if that is meant, write 'from: {name}' at the new label" if now else ""
        parts.append(f"{name} {100 * label.change.a:.1f} → {100 * label.change.b:.1f} ({label.lost}{hint})")
    return f"old labels lost more than chance explains: {'; '.join(parts)}"


def _learning_curve(settings: dict[str, Any], output: Path) -> list[list[str]]:
    """Train on a quarter and on half of the new documents; return a row of the table for each."""
    import shutil

    from ..eval.scores import development_scores
    from ..training.extend import plan_extension
    from ..training.extend_run import extend

    rows = []
    for share in (0.25, 0.5):
        with remarks_only():
            part = plan_extension(settings | {"tracker": "none"}, where="the settings", share=share)
            say(f"learning curve: {len(part.new)} of the new documents")
            folder = output / f"curve-{len(part.new)}"
            shutil.rmtree(folder, ignore_errors=True)
            result = extend(part, folder, score=development_scores(part.schema))
        shutil.rmtree(folder, ignore_errors=True)
        rows.append(_curve_row(len(part.new), result.metrics["dev"]))
    return rows


def _curve_row(documents: int, scores: Mapping[str, float]) -> list[str]:
    names = ("new_span_f1", "new_relation_f1", "old_span_f1")
    return [str(documents), *(f"{100 * scores[name]:.1f}" if name in scores else "" for name in names)]


def _show_curve(rows: Sequence[Sequence[str]]) -> None:
    from rich.table import Table

    table = Table(title="Learning curve: F1 by the number of new documents", header_style="bold")
    for head in ("documents", "new entities", "new relations", "old entities"):
        table.add_column(head, justify="right")
    for row in rows:
        table.add_row(*row)
    console().print(table)
