"""What is written about a pretraining beside its encoder: the facts a model card is made from."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from transformers import TrainerState

from ..compute import energy, machine, versions
from ..config import plain
from .settings import PretrainConfig

_CURVE = (
    "step", "loss", "learning_rate", "tokens", "seconds", "tokens_per_second", "generator", "detector", "found",
)  # fmt: skip


def report(
    config: PretrainConfig, data: dict[str, Any], state: TrainerState, seconds: float
) -> dict[str, Any]:
    """Return the facts of a finished run, ready for JSON.

    Args:
        config: the run.
        data: `prepared.json`: texts, fertility and shards.
        state: of the trainer, with the loss curve.
        seconds: of training, all sittings together.
    """
    tokens = state.global_step * config.batch_size * config.block_size
    return {
        "objective": config.objective,
        "steps": state.global_step,
        "tokens": tokens,
        "seconds": round(seconds, 1),
        "tokens_per_second": round(tokens / seconds, 1) if seconds else None,
        "machine": machine(),
        "energy_estimate": energy(seconds, config.watts),
        "loss_history": loss_history(state),
        "earlier": earlier(config),
        "data": data,
        "versions": versions(),
        "config": without_folders(config),
    }


def earlier(config: PretrainConfig) -> list[dict[str, Any]]:
    """Return steps, tokens and seconds (None: unknown) of the runs that the initial weights come from, in order."""
    folder = Path(config.continue_from)
    if not config.continue_from:
        return []
    try:
        facts = json.loads((folder / "pretraining.json").read_text(encoding="utf-8"))
        return [*facts.get("earlier", []), {key: facts.get(key) for key in ("steps", "tokens", "seconds")}]
    except (OSError, ValueError):
        pass
    try:
        steps = int(json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))["global_step"])
    except (OSError, ValueError, KeyError):
        return []
    return [{"steps": steps, "tokens": steps * config.batch_size * config.block_size, "seconds": None}]


def loss_history(state: TrainerState) -> list[dict[str, Any]]:
    """Return the points of the loss curve."""
    return [{k: row[k] for k in _CURVE if k in row} for row in state.log_history if "loss" in row]


def without_folders(config: PretrainConfig) -> dict[str, Any]:
    """Return a configuration as plain data, its paths cut to names: where a file lay says nothing to others."""
    values = plain(asdict(config))
    for key in ("tokenizer_texts", "vector_texts", "stream_texts"):
        values[key] = {Path(name).name: weight for name, weight in values[key].items()}
    for key in ("fertility_text", "prepared", "continue_from"):
        values[key] = Path(values[key]).name if values[key] else ""
    return values
