"""The backends that a model is timed on, and the exports that some of them need."""

from dataclasses import dataclass
from pathlib import Path

from ...model.backends.choice import installed
from ...model.errors import ConfigError


@dataclass(frozen=True)
class BackendKind:
    """How a backend runs a model.

    Attributes:
        runner: what `Extractor.from_pretrained` calls it.
        precision: of the export that it runs; empty where it runs the model's own folder.
        needs: packages.
        bf16: compute in bf16 where the processor has instructions for it.
        static: set the scales of activations beforehand, on `CALIBRATION`.
    """

    runner: str
    precision: str = ""
    needs: tuple[str, ...] = ()
    bf16: bool = False
    static: bool = False


# Texts that the scales of activations are set on; others than those that are timed.
CALIBRATION = "seeds:authored/train"
_ONNX, _OPENVINO = ("onnx", "onnxruntime"), ("onnx", "openvino")
BACKENDS = {
    "torch": BackendKind("torch"),
    "onnx": BackendKind("onnx", "fp32", _ONNX),
    "onnx-int8": BackendKind("onnx", "int8", _ONNX),
    "openvino": BackendKind("openvino", "fp32", _OPENVINO),
    "openvino-bf16": BackendKind("openvino", "fp32", _OPENVINO, bf16=True),
    "openvino-int8": BackendKind("openvino", "int8", _OPENVINO),
    "openvino-int8-static": BackendKind("openvino", "int8", _OPENVINO, static=True),
    "openvino-int8-bf16": BackendKind("openvino", "int8", _OPENVINO, bf16=True),
}


def backend_folder(folder: Path, backend: str, scratch: Path) -> Path:
    """Return the folder that a backend runs, exported into `scratch` where it has to be.

    Raises:
        ConfigError: packages that the backend needs are not installed.
        ModelError: the model cannot be exported.
        DataError: the texts to calibrate on are not here.
    """
    kind = BACKENDS[backend]
    lacking = [name for name in kind.needs if not installed(name)]
    if lacking:
        raise ConfigError(f"{backend} needs {' and '.join(lacking)}; write: pip install {' '.join(lacking)}")
    if not kind.precision:
        return folder
    target = scratch / backend
    if target.is_dir():
        return target
    if kind.runner == "openvino":
        from ...training.data.sources import load_texts
        from ...training.export_openvino import export_openvino

        texts = load_texts(CALIBRATION) if kind.static else ()
        return export_openvino(folder, target, precision=kind.precision, bf16=kind.bf16, calibration=texts)
    from ...training.export import export_onnx

    return export_onnx(folder, target, precision=kind.precision)
