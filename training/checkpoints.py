"""Checkpoints that are complete or absent, without pickle: safetensors and JSON in a folder renamed last."""

import errno
import json
import os
import random
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..model.errors import ConfigError, IsnadError, ModelError
from ..model.store import MANIFEST, read_manifest, sha256, write_manifest

PREFIX = "checkpoint-"
_OPTIMIZER, _STATE = "optimizer.safetensors", "training_state.json"
# Nothing else is removed: the folder may hold what is not a run's.
_LEFTOVER = re.compile(rf"saving\.tmp|model\.(tmp|old)|{PREFIX}\d+\.old")
# What a disk or its owner may refuse; any other error is a fault of the program.
_REFUSALS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# How the libraries written in Rust (safetensors, tokenizers) name the error of the system in their messages.
_OS_ERROR = re.compile(r"os error (\d+)|\bcode: (\d+)")


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn what a full disk or a read-only folder causes meanwhile into one error that says what to do.

    Args:
        folder: of the run, for the message.

    Raises:
        ConfigError: the disk is full, or the folder cannot be written; whatever the library that met with it raised.
    """
    try:
        yield
    except IsnadError:
        raise
    except Exception as error:  # tokenizers raise bare ones
        number = error.errno if isinstance(error, OSError) else None
        if number is None and (match := _OS_ERROR.search(str(error))):
            number = int(match[1] or match[2])
        if number not in _REFUSALS:
            raise
        remedy = "free some space" if number in _FULL else "make it writable"
        raise ConfigError(
            f"cannot write to {folder}: {os.strerror(number)}; {remedy} and go on with --resume from the last complete "
            "checkpoint"
        ) from error


def latest(folder: Path) -> Path | None:
    """Return the newest complete checkpoint of a run, or None.

    A checkpoint counts only if its manifest lists every file with the right hash; half-written folders are
    passed over (the manifest is written last), and so are folders without the state of the training.
    """
    found = [p for p in folder.glob(PREFIX + "*") if re.fullmatch(rf"{PREFIX}\d+", p.name)]
    for path in sorted(found, key=lambda p: int(p.name.removeprefix(PREFIX)), reverse=True):
        if (path / _OPTIMIZER).is_file() and (path / _STATE).is_file() and is_complete(path):
            return path
    return None


def tidy(run: Path) -> None:
    """Remove what a run that was killed left half-written; no process may be writing to it.

    Killed while `publish` replaced a whole folder by a whole one, a run has the old one under another name: it gets
    its name back.
    """
    for path in (p for p in run.glob("*") if _LEFTOVER.fullmatch(p.name) and p.is_dir()):
        final = path.with_suffix("")
        if path.suffix == ".old" and not final.exists():
            os.replace(path, final)
        else:
            shutil.rmtree(path, ignore_errors=True)


def is_complete(path: Path) -> bool:
    """Whether a checkpoint folder has its manifest and every file in it is whole."""
    try:
        digests = read_manifest(path / MANIFEST)
    except ModelError:
        return False
    return all((path / name).is_file() and sha256(path / name) == digest for name, digest in digests.items())


def publish(temporary: Path, final: Path) -> None:
    """Flush a finished folder to disk, seal it with its manifest, and give it its name."""
    write_manifest(temporary)
    for file in temporary.rglob("*"):
        if file.is_file():
            with file.open("rb") as handle:
                os.fsync(handle.fileno())
    if final.exists():
        # Only a whole folder is ever replaced by a whole folder: the old one leaves by rename first.
        old = final.with_name(final.name + ".old")
        shutil.rmtree(old, ignore_errors=True)
        os.replace(final, old)
        os.replace(temporary, final)
        shutil.rmtree(old)
    else:
        os.replace(temporary, final)


def random_states() -> dict[str, Tensor]:
    """Return the random states of torch in this process: `torch`, and `cuda` where there is one."""
    states = {"torch": torch.random.get_rng_state()}
    return states | ({"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {})


def save_state(
    folder: Path,
    optimizer: torch.optim.Optimizer,
    scheduler: Any,
    *,
    others: Sequence[Mapping[str, Tensor]] = (),
) -> None:
    """Write optimizer tensors to safetensors; scalars, scheduler and random states to JSON.

    Args:
        folder: of the checkpoint.
        optimizer, scheduler: what is written.
        others: `random_states` of the second and further processes of a run.
    """
    state = optimizer.state_dict()
    tensors: dict[str, Tensor] = {f"rng.{name}": value for name, value in random_states().items()}
    for process, theirs in enumerate(others, 1):
        tensors |= {f"rng.{name}.{process}": value.contiguous() for name, value in theirs.items()}
    scalars: dict[str, dict[str, Any]] = {}
    for index, slots in state["state"].items():
        for name, value in slots.items():
            if isinstance(value, Tensor):
                tensors[f"{index}.{name}"] = value.detach().cpu().contiguous()
            else:
                scalars.setdefault(str(index), {})[name] = value
    kind, keys, position, gauss, cached = np.random.get_state()
    version, internal, python_gauss = random.getstate()
    tensors["rng.numpy"] = torch.from_numpy(np.asarray(keys).astype(np.int64))
    save_file(tensors, folder / _OPTIMIZER)
    content = {
        "groups": [{k: v for k, v in g.items() if _is_plain(v)} for g in state["param_groups"]],
        "scalars": scalars,
        # Without the schedule's own functions, which a scheduler built from the same configuration has anyway.
        "scheduler": {k: v for k, v in scheduler.state_dict().items() if _is_plain(v)},
        "numpy": [kind, int(position), int(gauss), float(cached)],
        "python": [version, list(internal), python_gauss],
    }
    (folder / _STATE).write_text(json.dumps(content), encoding="utf-8")


def load_state(folder: Path, optimizer: torch.optim.Optimizer, scheduler: Any) -> None:
    """Restore what `save_state` wrote into an optimizer and a scheduler of the same shape."""
    try:
        content = json.loads((folder / _STATE).read_text(encoding="utf-8"))
        tensors = load_file(folder / _OPTIMIZER)
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(f"{folder}: not a complete checkpoint ({error})") from error
    state: dict[int, dict[str, Any]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        if index != "rng":
            state.setdefault(int(index), {})[name] = value
    for index, values in content["scalars"].items():
        state.setdefault(int(index), {}).update(values)
    groups = optimizer.state_dict()["param_groups"]
    if len(groups) != len(content["groups"]):
        raise ModelError(
            f"{folder}: its optimizer has {len(content['groups'])} parameter groups, this run {len(groups)}; "
            "resume with the configuration that the run was started with"
        )
    for group, saved in zip(groups, content["groups"], strict=True):
        group.update({k: tuple(v) if isinstance(v, list) and k == "betas" else v for k, v in saved.items()})
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    scheduler.load_state_dict(scheduler.state_dict() | content["scheduler"])


def load_random(folder: Path, *, process: int = 0) -> None:
    """Restore the random states of torch, numpy and Python, in one of several processes those of its own."""
    content = json.loads((folder / _STATE).read_text(encoding="utf-8"))
    tensors = load_file(folder / _OPTIMIZER)
    own = f".{process}" if f"rng.torch.{process}" in tensors else ""
    torch.random.set_rng_state(tensors[f"rng.torch{own}"])
    if f"rng.cuda{own}" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors[f"rng.cuda{own}"])
    kind, position, gauss, cached = content["numpy"]
    np.random.set_state((kind, tensors["rng.numpy"].numpy().astype(np.uint32), position, gauss, cached))
    version, internal, python_gauss = content["python"]
    random.setstate((version, tuple(internal), python_gauss))


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_plain(v) for v in value)
    return value is None or isinstance(value, bool | int | float | str)
