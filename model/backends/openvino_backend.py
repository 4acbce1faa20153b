"""The OpenVINO backend: an exported model on Intel's runtime, without torch, transformers or onnx."""

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, ModelError
from ..store import GRAPHS, IR_FILES
from .graph_backend import OUTPUTS, GraphBackend, read_export
from .light import LightConfig, LightTokenizer
from .sealed import SealedFiles

if TYPE_CHECKING:
    from openvino import CompiledModel, Core, InferRequest, Model

# Activations that share a scale, where weights are in 8 bits: with 128 a product of matrices (8x128 tokens, 768 and
# 3,072 wide, AVX512-VNNI) took 0.44 of the time of fp32 and erred by 1.7%, with OpenVINO's own 32 0.57 and 1.6%.
_ACTIVATION_GROUP = 128
# OpenVINO compiles kernels for every shape that it meets and keeps 5,000 of them: gigabytes, as texts have all lengths.
# With shapes in steps and fewer kernels, memory stays as it is after the first thousands of words.
_KERNELS = {"CPU_RUNTIME_CACHE_CAPACITY": 200}
_STEP = 8


_TELEMETRY = "openvino_telemetry"
_first = Lock()


def runtime() -> Any:
    """Return the module `openvino`, imported so that it reports to nobody.

    Imported as it is (2026.4), it starts a process that tells Google Analytics of the import, and leaves an
    identifier in the home folder, unless the user has opted out. Where its telemetry package cannot be imported,
    it takes a stub that does nothing, for good. What was imported before is left as it is.
    """
    with _first:
        module = sys.modules.get("openvino") or _imported()
        # The first array that it sees must not be two at the same time: pybind11, which it is made with, looks NumPy up
        # then, and of two threads each would wait for what the other holds, one for the interpreter's lock.
        _ = module.Tensor(np.zeros(1, dtype=np.float32), shared_memory=True).data
    return module


def _imported() -> Any:
    before = sys.modules.get(_TELEMETRY)
    # None is what makes an import fail.
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
    try:
        return importlib.import_module("openvino")
    finally:
        del sys.modules[_TELEMETRY]
        if before is not None:
            sys.modules[_TELEMETRY] = before


def load_openvino(folder: Path, device: str = "cpu") -> tuple["OpenVinoBackend", LightConfig, LightTokenizer]:
    """Return backend, configuration and tokenizer of a folder written by `isnad export --to openvino`.

    Args:
        folder: checked by `store.resolve`.
        device: `cpu`.

    Raises:
        ModelError: files that are missing, altered, not sealed by the manifest, or not written by `isnad export`.
        ConfigError: another device.
    """
    if device != "cpu":
        raise ConfigError(f"device {device!r}; accepted by the openvino backend: cpu")
    export, config, tokenizer = read_export(folder)
    source = SealedFiles(folder, IR_FILES, export.digests)
    backend = OpenVinoBackend(
        source, config, tokenizer.pad_token_id or 0, bf16=export.notes.get("bf16") is True
    )
    return backend, config, tokenizer


class OpenVinoBackend(GraphBackend):
    """Runs graphs on OpenVINO.

    Args:
        source: of the graphs, as OpenVINO's intermediate representation.
        config, pad_id: see `GraphBackend`.
        bf16: compute in bf16 where the processor has instructions for it (AMX, AVX512-BF16); on all others, and
            without it on these too, in fp32.
    """

    _multiple = _STEP

    def __init__(self, source: SealedFiles, config: LightConfig, pad_id: int, *, bf16: bool = False) -> None:
        self._source, self._bf16 = source, bf16
        super().__init__(config, pad_id)

    def _load(self, calls: int, threads: int) -> Mapping[str, "OpenGraph"]:
        files, core = self._source.read(), runtime().Core()
        settings = {
            # Said outright: left to itself, OpenVINO computes in bf16 where it can. Where it cannot, it would
            # emulate what is asked for, forty times slower.
            "INFERENCE_PRECISION_HINT": "bf16" if self._bf16 and computes_bf16(core) else "f32",
            "INFERENCE_NUM_THREADS": calls * threads,
            "NUM_STREAMS": calls,
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": _ACTIVATION_GROUP,
            # Pinned, the threads of all processes of a machine would crowd on its first cores.
            "ENABLE_CPU_PINNING": False,
        }
        return {
            name: OpenGraph(core, files[f"{name}.xml"], files[f"{name}.bin"], name, settings)
            for name in GRAPHS
        }

    def _call(self, graph: "OpenGraph", inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        return graph(inputs)


class OpenGraph:
    """One compiled graph, which several threads may call at the same time.

    Args:
        core: of OpenVINO.
        structure, weights: content of the `.xml` and of the `.bin` file.
        name: of the part.
        settings: properties of the device.

    Raises:
        ModelError: the files are no graph.
    """

    def __init__(
        self, core: "Core", structure: bytes, weights: bytes, name: str, settings: Mapping[str, Any]
    ) -> None:
        try:
            model = core.read_model(model=structure, weights=weights)
            self._compiled = _compiled(core, model, settings)
        except Exception as error:  # RuntimeError for nearly all, TypeError for some
            reason = " ".join(str(error).split())[:300]
            raise ModelError(
                f"{name}.xml cannot be loaded ({reason}); export the model again: isnad export"
            ) from error
        # To OpenVINO, a net without layers is one too.
        if len(self._compiled.outputs) != OUTPUTS[name]:
            raise ModelError(
                f"{name}.xml has {len(self._compiled.outputs)} outputs; accepted: {OUTPUTS[name]}. Export the model "
                "again: isnad export"
            )
        # A request serves one call at a time; there will be as many as there were calls at the same time.
        self._idle: list[InferRequest] = []
        self._outputs = range(OUTPUTS[name])

    def __call__(self, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Return the outputs."""
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        request.infer(dict(inputs), share_inputs=True)
        # The request's own memory serves the next call.
        found = [request.get_output_tensor(number).data.copy() for number in self._outputs]
        self._idle.append(request)
        return found


def _compiled(core: "Core", model: "Model", settings: Mapping[str, Any]) -> "CompiledModel":
    """Compile with few kernels kept, if this OpenVINO lets itself be told: the property is not a documented one."""
    try:
        return core.compile_model(model, "CPU", {**settings, **_KERNELS})
    except RuntimeError as error:
        if not any(name in str(error) for name in _KERNELS):
            raise
    return core.compile_model(model, "CPU", dict(settings))


def computes_bf16(core: "Core | None" = None) -> bool:
    """Whether the processor has instructions for bf16, as OpenVINO sees it."""
    core = runtime().Core() if core is None else core
    return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
