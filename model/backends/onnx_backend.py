"""The ONNX backend: an exported model on ONNX Runtime, without torch or transformers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..errors import ConfigError, ModelError
from ..store import GRAPHS
from .batches import PIECES_A_BATCH_GPU
from .graph_backend import GraphBackend, Graphs, read_export
from .light import LightConfig, LightTokenizer
from .onnx_check import refuse_external_data
from .onnx_files import graph_files
from .sealed import SealedFiles


def load_onnx(folder: Path, device: str = "cpu") -> tuple["OnnxBackend", LightConfig, LightTokenizer]:
    """Return backend, configuration and tokenizer of a folder written by `isnad export`.

    Args:
        folder: checked by `store.resolve`.
        device: `cpu`, or `cuda` (with a number: `cuda:1`) where onnxruntime-gpu is installed.

    Raises:
        ModelError: files that are missing, altered, not sealed by the manifest, or not written by `isnad export`.
        ConfigError: a device that this installation of ONNX Runtime lacks.
    """
    export, config, tokenizer = read_export(folder)
    source = graph_files(folder, export.digests)
    return OnnxBackend(source, config, tokenizer.pad_token_id or 0, device), config, tokenizer


class OnnxBackend(GraphBackend):
    """Runs graphs on ONNX Runtime.

    Args:
        source: of the graphs.
        config, pad_id: see `GraphBackend`.
        device: see `load_onnx`.
    """

    def __init__(self, source: SealedFiles, config: LightConfig, pad_id: int, device: str = "cpu") -> None:
        self._source, self._device = source, device
        if device != "cpu":
            self._budget, self._concurrent = PIECES_A_BATCH_GPU, False
        super().__init__(config, pad_id)

    def _load(self, calls: int, threads: int) -> Graphs:
        files = self._source.read()
        for name, content in files.items():
            refuse_external_data(content, name)
        return {name: open_session(files[f"{name}.onnx"], name, self._device, threads) for name in GRAPHS}

    def _call(self, graph: Any, inputs: Mapping[str, NDArray[Any]]) -> list[Any]:
        return list(graph.run(None, dict(inputs)))


def open_session(graph: bytes, name: str, device: str, threads: int, *, options: Any | None = None) -> Any:
    """Return an onnxruntime.InferenceSession.

    Args:
        graph: content of the ONNX file.
        name: of the part, for messages.
        device: see `load_onnx`.
        threads: of one call.
        options: an onnxruntime.SessionOptions to complete, for graphs whose weights are handed over with it.

    Raises:
        ModelError, ConfigError: as in `load_onnx`.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions() if options is None else options
    # Warnings about nodes that optimisation leaves out are of no use to anybody who runs a model.
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    # A thread that spins while another graph runs takes the core away from it.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # The other format that ONNX Runtime would detect has not been looked into.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        return onnxruntime.InferenceSession(graph, options, providers=_providers(device))
    except ConfigError:
        raise
    except Exception as error:  # onnxruntime raises classes of its own that share no base
        reason = " ".join(str(error).split())[:300]
        raise ModelError(
            f"{name}.onnx cannot be loaded ({reason}); export the model again: isnad export"
        ) from error


def _providers(device: str) -> list[Any]:
    import onnxruntime

    kind, _, number = device.partition(":")
    if kind == "cpu" and not number:
        return ["CPUExecutionProvider"]
    if kind != "cuda" or (number and not number.isdigit()):
        raise ConfigError(f"device {device!r}; accepted by the onnx backend: cpu, cuda, cuda:NUMBER")
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        raise ConfigError(
            f"device {device!r} needs onnxruntime-gpu; write: pip install onnxruntime-gpu, or take cpu"
        )
    return [("CUDAExecutionProvider", {"device_id": number or "0"}), "CPUExecutionProvider"]
