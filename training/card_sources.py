"""Everything a model card is made from, read from files: the model's own, stored results, corpora, citation."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..model.errors import DataError
from .lineage import Stage, stages
from .model_facts import ModelFacts, fingerprints, read_json

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "eval" / "results"
CORPORA = ROOT / "configs" / "data"
LEAVE_ONE_OUT = "leave_one_out_joint.json"


@dataclass(frozen=True)
class CardSources:
    """What a card says, before it is put into words.

    Attributes:
        facts: the model's files.
        metrics: `metrics.json`, the scores at the end of training.
        stages: how the model came to be, its own training last.
        dev: the stored result on development data, if it was measured on exactly these files.
        dev_command: what makes or remakes that result.
        leave_one_out: the stored result of the recipe of this model, if there is one.
        continued_by: name of a model with a leave-one-out result that continues this one, or "".
        citation: `CITATION.cff`, empty where that is absent.
        root: of the repository, for the places of configurations.
    """

    facts: ModelFacts
    metrics: Mapping[str, Any]
    stages: tuple[Stage, ...]
    dev: Mapping[str, Any] | None
    dev_command: str
    leave_one_out: Mapping[str, Any] | None
    continued_by: str
    citation: Mapping[str, Any]
    root: Path

    @classmethod
    def read(cls, folder: Path, *, results: Path = RESULTS, root: Path = ROOT) -> "CardSources":
        """Read what is there.

        Args:
            folder: of the model, with config, weights and tokenizer; all else may be missing.
            results: folder of `<name>_dev.json` and `leave_one_out_joint.json`.
            root: of the repository, with `CITATION.cff` and `configs/`.
        """
        facts = ModelFacts.read(folder)
        steps = tuple(stages(folder))
        own = result(results / LEAVE_ONE_OUT)
        settings = own["details"].get("config", {}) if own else {}
        mine = own is not None and own["system"] == facts.name and _agree(settings, steps[-1].settings)
        base = (settings.get("encoder") or {}).get("path")
        return cls(
            facts,
            read_json(folder / "metrics.json"),
            steps,
            _of_these_files(result(results / f"{facts.name}_dev.json"), folder),
            f"python -m isnad.eval.model_results {facts.name} -o eval/results/{facts.name}_dev.json",
            own if mine else None,
            str(own["system"]) if own and base == facts.name else "",
            read_yaml(root / "CITATION.cff"),
            root,
        )

    @property
    def licence(self) -> str:
        """SPDX name of the licence of code and weights; `other` where it is not known."""
        return str(self.citation.get("license", "other"))


@dataclass(frozen=True)
class Source:
    """Annotated documents that a model was trained on.

    Attributes:
        name: as in the configuration.
        weight: how often an epoch showed each document or sentence.
        what: what it is.
        origin, licence, citation: as its publishers state; "" where nothing is known.
    """

    name: str
    weight: float
    what: str
    origin: str = ""
    licence: str = ""
    citation: str = ""


# What each part of `seeds/` is, and its licence; more is said in its data sheet.
_SEEDS = {
    "seeds:articles": (
        "five news articles, annotated for this project",
        "CC BY 4.0 (the annotation; the quoted texts belong to their publishers)",
    ),
    "seeds:authored": (
        "news-like texts written and annotated for this project: fiction for training, not a source of facts",
        "CC BY 4.0",
    ),
}
_SEEDS_ORIGIN = "`seeds/` (data sheet: `seeds/README.md`)"


def training_sources(stage: Stage, *, root: Path = ROOT) -> list[Source]:
    """Return the annotated data of a stage, each source once."""
    data = stage.settings.get("data") or {}
    weights: dict[str, float] = {}
    for name in data.get("train") or ():
        weights[name] = weights.get(name, 0.0) + 1
    for name, weight in (data.get("corpora") or {}).items():
        weights[name] = weights.get(name, 0.0) + float(weight)
    return [_source(name, weight, root) for name, weight in weights.items()]


def _source(name: str, weight: float, root: Path) -> Source:
    seeds = next((key for key in _SEEDS if name.startswith(key)), None)
    if seeds:
        what, licence = _SEEDS[seeds]
        return Source(name, weight, what, _SEEDS_ORIGIN, licence, "isnad seeds, version 1 (`CITATION.cff`)")
    if name.endswith(".jsonl"):
        return Source(Path(name).name, weight, "raw text annotated by a model (self-training)")
    key = Path(name.removeprefix("corpus:").partition("/")[0]).stem if ":" in name else Path(name).stem
    config = read_yaml(root / "configs" / "data" / f"{key}.yaml")
    # A path may end like the name of a corpus; only what a configuration knows is described by it.
    if not config or not (name == key or name.startswith("corpus:") or name.endswith(".yaml")):
        return Source(Path(name).name or name, weight, "annotated documents")
    what = ", ".join(str(config[k]) for k in ("genre", "language") if config.get(k))
    return Source(name, weight, what, *(str(config.get(k) or "") for k in ("origin", "licence", "citation")))


def result(path: Path) -> dict[str, Any] | None:
    """Return a stored result, None if there is no such file; DataError for anything else."""
    if not path.is_file():
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        missing = [k for k in ("system", "data", "details", "intervals", "evaluation") if k not in data]
    except (ValueError, TypeError) as error:
        raise DataError(f"not JSON: {error}", path=path, accepted="a file of isnad eval") from error
    if missing:
        raise DataError(f"{', '.join(missing)} missing", path=path, accepted="a file of isnad eval")
    return data


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file; empty if the file is absent."""
    if not path.is_file():
        return {}
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise DataError(f"not YAML: {' '.join(str(error).split())}", path=path) from error
    return data if isinstance(data, dict) else {}


def _of_these_files(found: dict[str, Any] | None, folder: Path) -> dict[str, Any] | None:
    """Return a result if it was measured on the files in the folder: a number of other weights is no fact."""
    return found if found and found["details"].get("files") == fingerprints(folder) else None


def _agree(a: Any, b: Any) -> bool:
    """Whether two configurations say the same in all that both say: newer versions know more keys."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return all(_agree(a[key], b[key]) for key in a.keys() & b.keys())
    return bool(a == b)
