"""What a run was computed on and with, for records and model cards."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch


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


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
