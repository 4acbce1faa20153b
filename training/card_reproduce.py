"""The section of a model card that says how to make the model again."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from ..model.errors import ConfigError
from .card_data import averaged_seeds, fine_tunings
from .card_sources import CardSources
from .config import FinetuneConfig, load_config, plain
from .lineage import Stage
from .pretrain.settings import PretrainConfig

# Keys of a pretraining configuration that hold paths, which its record names without their folders.
_PATHS = ("_texts", "_text", "prepared", "continue_from")
_UNKNOWN = "no file of configs/ says what was run; it is recorded in lineage.json"


def reproduce_section(sources: CardSources) -> str:
    """Return the commands that make the model, its results and this card again."""
    lines = [line for number in range(len(sources.stages)) for line in _stage(sources, number)]
    lines.append(str(sources.dev["command"]) if sources.dev else sources.dev_command)
    if sources.leave_one_out:
        lines.append(str(sources.leave_one_out["command"]))
    lines.append(f"python -m isnad.training.card {sources.facts.name}")
    seeds = ", ".join(
        f"{s.name} {' and '.join(map(str, averaged_seeds(s) or [s.settings['seed']]))}"
        for s in sources.stages
        if "seed" in s.settings
    )
    text = "\n".join(lines)
    return f"```sh\n{text}\n```" + (f"\n\nSeeds: {seeds}." if seeds else "")


def _stage(sources: CardSources, number: int) -> list[str]:
    stage = sources.stages[number]
    if stage.kind == "pretraining":
        first = fine_tunings(sources)
        run = (_start(first[0]) if first else "").removesuffix("/encoder") or "runs/pretrain"
        return [_command("python -m isnad.training.pretrain {} {}", _config(sources, "pretrain", stage), run)]
    following = sources.stages[number + 1 : number + 2]
    # Where the next stage starts from: a run's folder, or the name of an embedded model; the last stage is embedded.
    start = _start(following[0]) if following else sources.facts.name
    run = start.removesuffix("/model") if "/" in start else f"runs/{stage.name}"
    config = _config(sources, "finetune", stage) or _beside(sources, stage)
    embedding = [] if "/" in start else [f"python -m isnad.training.embed {run}/model {start}"]
    return [*_trainings(stage, config, run), *embedding]


def _trainings(stage: Stage, config: str, run: str) -> list[str]:
    """Return the commands of a fine-tuning: one run, or several whose weights are averaged."""
    if not averaged_seeds(stage):
        return [_command("isnad train --config {} -o {}", config, run)]
    runs = {seed: f"{run}-{seed}" for seed in averaged_seeds(stage)}
    trained = [
        _command(f"isnad train --config {{}} --set seed={seed} -o {{}}", config, one)
        for seed, one in runs.items()
    ]
    return [*trained, f"isnad average {' '.join(f'{one}/model' for one in runs.values())} -o {run}"]


def _command(form: str, config: str, run: str) -> str:
    return form.format(config, run) if config else f"# {run}: {_UNKNOWN}"


def _start(stage: Stage) -> str:
    return str((stage.settings.get("encoder") or {}).get("path") or "")


def _config(sources: CardSources, kind: str, stage: Stage) -> str:
    """Return the repository's configuration that a stage was run with, or ""."""
    cls: type = PretrainConfig if stage.kind == "pretraining" else FinetuneConfig
    for path in sorted((sources.root / "configs" / kind).glob("*.yaml")):
        try:
            config: Any = load_config(path, cls)
        except ConfigError:
            continue  # a file for another command
        if _was_run(config, stage.settings):
            return f"configs/{kind}/{path.name}"
    return ""


def _was_run(config: Any, record: Mapping[str, Any]) -> bool:
    """Whether a record says what a configuration says; what an older record lacks has its default there."""
    for field in fields(config):
        value = getattr(config, field.name)
        if field.name.endswith(_PATHS):
            continue
        if field.name not in record:
            default = field.default_factory() if field.default_factory is not MISSING else field.default
            same = value == default
        elif is_dataclass(value):
            same = isinstance(record[field.name], Mapping) and _was_run(value, record[field.name])
        else:
            same = plain(value) == record[field.name]
        if not same:
            return False
    return True


def _beside(sources: CardSources, stage: Stage) -> str:
    """Return the configuration that lies beside the embedded model of a stage, or ""."""
    own = stage is sources.stages[-1]
    name = sources.facts.name if own else stage.name
    folder = sources.facts.folder if own else sources.facts.folder.parent / name
    return f"model/pretrained/{name}/training.yaml" if (folder / "training.yaml").is_file() else ""
