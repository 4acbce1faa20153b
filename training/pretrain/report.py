"""What is written about a pretraining beside its encoder: the facts a model card is made from."""

import os
import platform
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerState

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
        "data": data,
        "versions": versions(),
        "config": without_folders(config),
    }


def loss_history(state: TrainerState) -> list[dict[str, Any]]:
    """Return the points of the loss curve."""
    return [{k: row[k] for k in _CURVE if k in row} for row in state.log_history if "loss" in row]


def energy(seconds: float, watts: float) -> dict[str, Any] | None:
    """Return the estimated energy: nothing is measured, and only the training itself counts."""
    if not watts:
        return None
    return {
        "method": "estimate: seconds of training x watts given in the configuration; not measured",
        "watts": watts,
        "kilowatt_hours": round(seconds * watts / 3.6e6, 4),
    }


def machine() -> dict[str, Any]:
    """Return what the run was computed on."""
    found: dict[str, Any] = {"cpu": _cpu(), "cores": os.cpu_count(), "threads": torch.get_num_threads()}
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
    return found


def versions() -> dict[str, str]:
    """Return the versions of what computed the result."""
    found = {"python": platform.python_version()}
    for name in ("isnad", "torch", "transformers", "tokenizers", "accelerate", "gensim", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def without_folders(config: PretrainConfig) -> dict[str, Any]:
    """Return a configuration as plain data, its paths cut to names: where a file lay says nothing to others."""
    values = plain(asdict(config))
    for key in ("tokenizer_texts", "vector_texts", "stream_texts"):
        values[key] = {Path(name).name: weight for name, weight in values[key].items()}
    for key in ("fertility_text", "prepared", "continue_from"):
        values[key] = Path(values[key]).name if values[key] else ""
    return values


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
