"""How a model came to be: the pretraining and the trainings before its own, each with its record.

A training starts from an encoder or from another model, whose folder may be gone when somebody reads the card.
`write_lineage` therefore keeps the records of all earlier stages in `lineage.json` beside the finished model.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..model.errors import ModelError
from ..model.store import EMBEDDED
from .model_facts import read_json

LINEAGE = "lineage.json"
PRETRAINING = "pretraining.json"
# The loss curve is of no use to a card and by far the longest part of the record.
_LEFT_OUT = ("loss_history",)


@dataclass(frozen=True)
class Stage:
    """One training on the way to a model.

    Attributes:
        kind: `pretraining` or `finetuning`.
        name: of the run.
        settings: its configuration: `training.yaml`, or `config` of `pretraining.json`.
        record: what was measured: `metrics.json`, or `pretraining.json`.
    """

    kind: str
    name: str
    settings: Mapping[str, Any]
    record: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that `from_dict` reads back."""
        return {
            "kind": self.kind,
            "name": self.name,
            "settings": dict(self.settings),
            "record": dict(self.record),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Stage":
        """Rebuild a stage; a fault raises KeyError, TypeError or ValueError."""
        return cls(str(data["kind"]), str(data["name"]), dict(data["settings"]), dict(data["record"]))

    @classmethod
    def finetuning(cls, folder: Path) -> "Stage":
        """Read the training whose record lies in a model folder."""
        settings = _yaml(folder / "training.yaml")
        return cls("finetuning", str(settings.get("name", "")), settings, read_json(folder / "metrics.json"))

    @classmethod
    def pretraining(cls, file: Path) -> "Stage":
        """Read the record of a pretraining."""
        record = {k: v for k, v in read_json(file).items() if k not in _LEFT_OUT}
        settings = record.pop("config", None) or {}
        return cls("pretraining", str(settings.get("name", "")), settings, record)


def stages(folder: Path) -> list[Stage]:
    """Return the stages of a model, the earliest first and its own training last.

    Earlier ones are taken from `lineage.json`; without it from `pretraining.json` in the folder and from the
    embedded model that the training started from, if it did. Nothing outside the package's own models is
    followed, so the answer is the same on every machine.
    """
    return [*_recorded(folder, frozenset()), Stage.finetuning(folder)]


def write_lineage(source: Path, target: Path) -> Path | None:
    """Write `lineage.json` into the folder of a finished model.

    Args:
        source: the model as training left it; the folder named by `encoder.path` in its `training.yaml` is
            followed if it is still there (relative paths from the working directory), and so on.
        target: where the file goes.

    Returns:
        The file, or None if nothing is known of what came before.
    """
    earlier = _followed(source, frozenset())
    if not earlier:
        return None
    file, temporary = target / LINEAGE, target / (LINEAGE + ".tmp")
    content = {"stages": [stage.to_dict() for stage in earlier]}
    temporary.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, file)
    return file


def _recorded(folder: Path, seen: frozenset[Path]) -> list[Stage]:
    if (folder / LINEAGE).is_file():
        return _read(folder / LINEAGE)
    base = _embedded_base(folder, seen)
    if base is not None:
        return [*_recorded(base, seen | {base}), Stage.finetuning(base)]
    return [Stage.pretraining(folder / PRETRAINING)] if (folder / PRETRAINING).is_file() else []


def _followed(folder: Path, seen: frozenset[Path]) -> list[Stage]:
    if (folder / LINEAGE).is_file():
        return _read(folder / LINEAGE)
    path = Path(_start(folder))
    base = path if (path / "config.json").is_file() else _embedded_base(folder, seen)
    if base is None or base.resolve() in seen:
        own = folder / PRETRAINING
        return [Stage.pretraining(own)] if own.is_file() else []
    if (base / "training.yaml").is_file():
        return [*_followed(base, seen | {base.resolve()}), Stage.finetuning(base)]
    record = base / PRETRAINING
    return [Stage.pretraining(record)] if record.is_file() else []


def _embedded_base(folder: Path, seen: frozenset[Path]) -> Path | None:
    """Return the embedded model that the training in a folder started from, if it is one."""
    name = _start(folder)
    if not name or Path(name).name != name:
        return None
    for place in (folder.parent, EMBEDDED):
        base = place / name
        if (base / "training.yaml").is_file() and base != folder and base not in seen:
            return base
    return None


def _start(folder: Path) -> str:
    encoder = _yaml(folder / "training.yaml").get("encoder")
    return str(encoder.get("path") or "") if isinstance(encoder, Mapping) else ""


def _read(path: Path) -> list[Stage]:
    try:
        return [Stage.from_dict(stage) for stage in read_json(path)["stages"]]
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(
            f"{path} is not a lineage: {error!r}; write it anew with isnad.training.embed"
        ) from error


def _yaml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ModelError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    return data if isinstance(data, dict) else {}
