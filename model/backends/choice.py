"""Which backend runs a model folder: by what was asked for, what the folder holds and what is installed."""

from importlib.util import find_spec
from pathlib import Path

from ..errors import ConfigError, ModelError, nearest
from ..store import has_graphs, has_weights

BACKENDS = ("auto", "torch", "onnx")
# Packages that a backend cannot do without.
_NEEDS = {"torch": ("torch", "transformers"), "onnx": ("onnxruntime", "tokenizers")}


def choose(folder: Path, backend: str) -> str:
    """Return `torch` or `onnx`.

    Args:
        folder: of a model.
        backend: a name; `auto` takes torch where the folder has its weights and torch is installed, else onnx.

    Raises:
        ConfigError: an unknown name, or a backend whose packages are not installed.
        ModelError: the folder does not hold what the backend runs.
    """
    if backend not in BACKENDS:
        raise ConfigError(f"unknown backend {backend!r}; {nearest(backend, BACKENDS)}")
    if backend == "auto":
        lacking = [name for name in _NEEDS["torch"] if not installed(name)]
        backend = "torch" if has_weights(folder) and not (lacking and has_graphs(folder)) else "onnx"
    if backend == "torch" and not has_weights(folder):
        raise ModelError(
            f"{folder} is an ONNX export without torch weights; accepted: backend='onnx', or the folder that it was "
            "exported from"
        )
    if backend == "onnx" and not has_graphs(folder):
        raise ModelError(
            f"{folder} holds no ONNX graphs; write them where torch is installed: isnad export MODEL --to onnx"
        )
    missing = [name for name in _NEEDS[backend] if not installed(name)]
    if missing:
        way_out = (
            "or export the model to ONNX on another machine"
            if backend == "torch"
            else "or take backend='torch'"
        )
        raise ConfigError(
            f"the {backend} backend needs {' and '.join(missing)}, not installed here; write: pip install "
            f"{' '.join(missing)}, {way_out}"
        )
    return backend


def installed(package: str) -> bool:
    """Whether a package can be imported, found out without importing it."""
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):
        return False
