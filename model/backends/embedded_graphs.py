"""ONNX graphs without weights, as an embedded model has them: its `model.safetensors` serves torch and ONNX Runtime.

The graphs say by name which tensors of that file they take; what has to be laid out anew for ONNX (LSTM gates,
products of two matrices) is part of the graph, and ONNX Runtime computes it once, when it opens the graph.
`training.export_embedded` writes them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from ..store import EXPORT, GRAPHS, WEIGHTLESS, WEIGHTS
from .graph_backend import read_export
from .light import LightConfig, LightTokenizer
from .onnx_backend import OnnxBackend, open_session
from .onnx_check import tensors_in_memory
from .sealed import SealedFiles

# Number formats of safetensors that graphs take as they are, and those of which they take the value in fp32.
_AS_IS = {"F32": "<f4", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1", "BOOL": "?"}
_WIDENED = {"F16": "<f2", "F64": "<f8"}


def load_embedded(folder: Path, device: str = "cpu") -> tuple["EmbeddedBackend", LightConfig, LightTokenizer]:
    """Return backend, configuration and tokenizer of a model with weightless graphs.

    Args:
        folder: checked by `store.resolve`.
        device: see `load_onnx`.

    Raises:
        ModelError, ConfigError: as in `load_onnx`.
    """
    export, config, tokenizer = read_export(folder, f"{WEIGHTLESS}/{EXPORT}")
    names = (WEIGHTS, *(graph_file(name) for name in GRAPHS))
    source = SealedFiles(folder, names, export.digests)
    return EmbeddedBackend(source, config, tokenizer.pad_token_id or 0, device), config, tokenizer


def graph_file(name: str) -> str:
    """Return the path of a weightless graph inside the folder of its model."""
    return f"{WEIGHTLESS}/{name}.onnx"


class EmbeddedBackend(OnnxBackend):
    """Runs weightless graphs on ONNX Runtime; see `OnnxBackend`."""

    def _load(self, calls: int, threads: int) -> Mapping[str, "Opened"]:
        files = self._source.read()
        weights = read_weights(files[WEIGHTS])
        return {
            name: Opened(files[graph_file(name)], name, weights, self._device, threads) for name in GRAPHS
        }


class Opened:
    """A session with the weights that it reads: ONNX Runtime keeps no copy of those that it can use as they are.

    Args:
        graph: content of the ONNX file.
        name: of the part, for messages.
        weights: tensors by name.
        device: see `load_onnx`.
        threads: of one call.

    Raises:
        ModelError: the graph asks for what the weights lack, or keeps tensors in other files.
    """

    def __init__(
        self, graph: bytes, name: str, weights: Mapping[str, NDArray[Any]], device: str, threads: int
    ) -> None:
        from onnxruntime import OrtValue, SessionOptions

        names = tensors_in_memory(graph, graph_file(name))
        absent = [each for each in names if each not in weights]
        if absent:
            raise ModelError(
                f"{graph_file(name)} asks for {len(absent)} tensors that {WEIGHTS} lacks, {absent[0]!r} among them; "
                "get the model again"
            )
        self._weights = {each: weights[each] for each in names}
        options = SessionOptions()
        values = [OrtValue.ortvalue_from_numpy(weight) for weight in self._weights.values()]
        options.add_external_initializers(names, values)
        self._session = open_session(graph, name, device, threads, options=options)

    def run(self, outputs: Any, inputs: Mapping[str, NDArray[Any]]) -> list[Any]:
        """Return the outputs; see onnxruntime.InferenceSession."""
        return list(self._session.run(outputs, inputs))


def read_weights(content: bytes) -> dict[str, NDArray[Any]]:
    """Return the tensors of a safetensors file by name, floating-point numbers as float32.

    Args:
        content: of the file.

    Raises:
        ModelError: it is no safetensors file, or holds numbers of 8 bits or fewer that are no integers.
    """
    from safetensors import SafetensorError, deserialize

    try:
        found = deserialize(content)
    except SafetensorError as error:
        raise ModelError(f"{WEIGHTS} is not in safetensors ({error}); get the model again") from error
    return {name: _array(name, tensor) for name, tensor in found}


def _array(name: str, tensor: Mapping[str, Any]) -> NDArray[Any]:
    kind, data, shape = tensor["dtype"], tensor["data"], tensor["shape"]
    if kind == "BF16":
        # The upper half of a float32.
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32).reshape(shape)
    if kind in _WIDENED:
        return np.frombuffer(data, _WIDENED[kind]).astype(np.float32).reshape(shape)
    if kind in _AS_IS:
        return np.frombuffer(data, _AS_IS[kind]).reshape(shape)
    accepted = ", ".join(("BF16", *_WIDENED, *_AS_IS))
    raise ModelError(f"{WEIGHTS}: {name} is of type {kind}; accepted: {accepted}")
