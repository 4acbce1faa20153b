"""Which backend runs a model folder: by what was asked for, what the folder holds and what is installed."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError, ModelError, nearest
from ..store import has_graphs, has_ir, has_weightless_graphs, has_weights

if TYPE_CHECKING:
    from ..scores import Backend
    from .light import LightConfig, LightTokenizer


@dataclass(frozen=True)
class _Kind:
    """What a backend runs.

    Attributes:
        found: whether a folder holds it.
        files: what it is called.
        origin: where it comes from.
        needs: packages that the backend cannot do without.
    """

    found: Callable[[Path], bool]
    files: str
    origin: str
    needs: tuple[str, ...]


def _exported(found: Callable[[Path], bool], files: str, name: str, *needs: str) -> _Kind:
    origin = f"write them where torch is installed: isnad export MODEL --to {name}"
    return _Kind(found, files, origin, (*needs, "tokenizers"))


# In the order in which `auto` looks for them.
_KINDS = {
    "torch": _Kind(
        has_weights,
        "weights in safetensors",
        "take the folder it was exported from",
        ("torch", "transformers"),
    ),
    "onnx": _exported(has_graphs, "ONNX graphs", "onnx", "onnxruntime"),
    "openvino": _exported(has_ir, "OpenVINO graphs", "openvino", "openvino"),
}
BACKENDS = ("auto", *_KINDS)
PRECISIONS = ("auto", "fp32", "bf16")
# Overrides `auto`, for whoever wants the same digits from every machine.
PRECISION_VARIABLE = "ISNAD_PRECISION"


def choose(folder: Path, backend: str) -> str:
    """Return the name of one backend.

    Args:
        folder: of a model.
        backend: a name; `auto` takes the first of torch, onnx and openvino that the folder has files for and
            whose packages are installed.

    Raises:
        ConfigError: an unknown name, or a backend whose packages are not installed.
        ModelError: the folder does not hold what the backend runs.
    """
    if backend not in BACKENDS:
        raise ConfigError(f"unknown backend {backend!r}; {nearest(backend, BACKENDS)}")
    held = [name for name, kind in _KINDS.items() if kind.found(folder)]
    if backend == "auto":
        ready = [name for name in held if not _missing(name)]
        if not ready and {"torch", "onnx"} <= {*held}:
            raise ConfigError(
                "no backend is installed; write: pip install 'isnad[torch]' for training and GPUs, or pip install "
                "'isnad[onnx]' for a light install"
            )
        # Where nothing is ready, an export asks for the smaller packages.
        backend = next(iter(ready or held[::-1]), "torch")
    kind = _KINDS[backend]
    if backend not in held:
        others = f"backend={' or '.join(map(repr, held))}" if held else "a model of isnad"
        raise ModelError(f"{folder} holds no {kind.files}; accepted: {others}, or {kind.origin}")
    missing = _missing(backend)
    if missing:
        usable = [name for name in held if not _missing(name)]
        way_out = (
            f"or take backend={usable[0]!r}" if usable else "or export the model to ONNX on another machine"
        )
        raise ConfigError(
            f"the {backend} backend needs {' and '.join(missing)}, not installed here; write: pip install "
            f"{' '.join(missing)}, {way_out}"
        )
    return backend


def load_exported(folder: Path, backend: str, device: str) -> "tuple[Backend, LightConfig, LightTokenizer]":
    """Return backend, configuration and tokenizer of an export; errors as in `load_onnx` and `load_openvino`."""
    if backend == "openvino":
        from .openvino_backend import load_openvino

        return load_openvino(folder, device)
    if has_weightless_graphs(folder):
        from .embedded_graphs import load_embedded

        return load_embedded(folder, device)
    from .onnx_backend import load_onnx

    return load_onnx(folder, device)


def _missing(backend: str) -> list[str]:
    return [name for name in _KINDS[backend].needs if not installed(name)]


def choose_precision(precision: str) -> str:
    """Return one of `PRECISIONS`, `auto` replaced by what ISNAD_PRECISION says; ConfigError for anything else."""
    if precision not in PRECISIONS:
        raise ConfigError(f"unknown precision {precision!r}; {nearest(precision, PRECISIONS)}")
    wanted = os.environ.get(PRECISION_VARIABLE) or precision
    if wanted not in PRECISIONS:
        raise ConfigError(f"{PRECISION_VARIABLE} is {wanted!r}; {nearest(wanted, PRECISIONS)}")
    return wanted if precision == "auto" else precision


def installed(package: str) -> bool:
    """Whether a package can be imported, found out without importing it."""
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):
        return False
