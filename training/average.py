"""Average the weights of several fine-tunings of one model ("model soup", Wortsman et al. 2022, section 2).

The models were trained from the same start, on the same data and schema, with different seeds. Coreference,
calibration and thresholds are fitted anew to the mean, as a training does at its end.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import yaml
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from ..model.configuration import IsnadConfig
from ..model.errors import ModelError
from ..model.modeling import IsnadModel
from ..model.schema import LabelSchema
from ..model.store import resolve
from .compute import energy
from .config import FinetuneConfig, build, plain
from .data.sources import load_schema, load_split
from .extend import RECORD, plan_extension
from .extend_run import finisher, known_score
from .finetune import Score, save_model
from .finish import finish, predict


@torch.no_grad()
def average_weights(models: Sequence[IsnadModel]) -> IsnadModel:
    """Return the first model with the mean of all weights; the models must differ in weights only."""
    first, *others = models
    for other in others:
        if other.schema != first.schema or other.config.encoder != first.config.encoder:
            raise ModelError(
                f"{other.config.model_name!r} and {first.config.model_name!r} differ in schema or encoder; accepted: "
                "runs of one configuration that differ in their seeds"
            )
    state = first.state_dict()
    rest = [other.state_dict() for other in others]
    for name, value in state.items():
        if value.is_floating_point():
            value.copy_(torch.stack([value, *(s[name] for s in rest)]).mean(dim=0))
    return first


def average(folders: Sequence[Path], output: Path, *, score: Score) -> dict[str, Any]:
    """Average trained models and leave the result in `output/model`, a folder like that of a training.

    Args:
        folders: of finished models, each with its `training.yaml` and `metrics.json`.
        output: as for `finetune`.
        score: development scores by name.

    Raises:
        ModelError: fewer than two models, or models that differ in more than their weights.

    Returns:
        The metrics, with `averaged`: seed and development scores of each of the models.
    """
    if len(folders) < 2:
        raise ModelError(f"found {len(folders)} model folder(s) to average; accepted: two or more")
    models = [_load(folder) for folder in folders]
    tokenizer = AutoTokenizer.from_pretrained(folders[0], local_files_only=True)
    config = build(
        FinetuneConfig,
        yaml.safe_load((folders[0] / "training.yaml").read_text(encoding="utf-8")),
        where=str(folders[0] / "training.yaml"),
    )
    records = [json.loads((folder / "metrics.json").read_text(encoding="utf-8")) for folder in folders]
    model = average_weights(models)
    history = folders[0] / RECORD
    refit = _refit_extended if history.is_file() else _refit
    scores = refit(model, tokenizer, config, score)
    seconds = round(sum(record["seconds"] for record in records), 1)
    metrics = records[0] | {
        "dev": scores | {"mean_f1": (scores["span_f1"] + scores["relation_f1"]) / 2},
        "seconds": seconds,
        "energy_estimate": energy(seconds, config.watts),
        "averaged": [{"seed": record["seed"], "dev": record["dev"]} for record in records],
    }
    kept = {RECORD: history.read_text(encoding="utf-8")} if history.is_file() else None
    save_model(model, tokenizer, config, output / "model", metrics, records=kept)
    return metrics


def _refit(
    model: IsnadModel, tokenizer: PreTrainedTokenizerBase, config: FinetuneConfig, score: Score
) -> dict[str, float]:
    """Fit what follows the gradient steps and return the development scores."""
    schema = load_schema(config.data.schema)
    train, dev = load_split(config.data.train, config.data.dev, schema)
    finish(model, tokenizer, config, schema, train, dev)
    return score(dev, predict(model, tokenizer, dev))


def _refit_extended(
    model: IsnadModel, tokenizer: PreTrainedTokenizerBase, config: FinetuneConfig, score: Score
) -> dict[str, float]:
    """As `_refit`, with each label fitted and measured on documents that annotate it."""
    extension = plan_extension(plain(asdict(config)), where="training.yaml")
    finisher(extension)(model, tokenizer, config, extension.schema, (), extension.dev)
    return known_score(extension, score)(extension.dev, predict(model, tokenizer, extension.dev))


def schema_of(folder: Path) -> LabelSchema:
    """Return the label schema of a model folder."""
    return IsnadConfig.from_pretrained(folder, local_files_only=True).schema()


def _load(folder: Path) -> IsnadModel:
    return IsnadModel.from_pretrained(
        resolve(folder), dtype=torch.float32, local_files_only=True, use_safetensors=True
    )
