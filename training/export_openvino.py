"""From a trained model to OpenVINO's intermediate representation: conversion, weights in 8 bits."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..model.backends.openvino_backend import runtime
from ..model.errors import ConfigError, ModelError
from .export import EXACT, write_export
from .export_static import Inputs, calibration_batches, quantise_activations, ranges

if TYPE_CHECKING:
    from openvino import Model, Node

# Smaller tables gain nothing and are read exactly.
_LEAST = 1024
# Inputs that hold weights, by operation; the axis along which the weights of one scale lie, from the end.
_LSTM_WEIGHTS, _GATHER_TABLE, _MATMUL_WEIGHTS = (4, 5), (0,), (1,)
_INPUTS = {"MatMul": _MATMUL_WEIGHTS, "LSTMSequence": _LSTM_WEIGHTS, "Gather": _GATHER_TABLE}


def export_openvino(
    source: Path,
    target: Path,
    *,
    precision: str = "fp32",
    bf16: bool = False,
    calibration: Sequence[str] = (),
) -> Path:
    """Write a model for OpenVINO with its configuration, its tokenizer and a manifest.

    Args:
        source: folder of a model with torch weights.
        target: an empty folder; made if absent.
        precision: `fp32`, or `int8` for weights of 8 bits (see `compress`).
        bf16: noted in the export: compute in bf16 on processors that have instructions for it. Weights are stored
            as `precision` says.
        calibration: with `int8`: texts that the scales of activations in the graph `encode`, which takes nearly all
            the time, are measured on. Without them scales are found as a text is read, which takes longer.

    Raises:
        ModelError: the model cannot be loaded, traced or converted.
        ConfigError: an unknown precision, or calibration for fp32.
        DataError: no words to calibrate on.
    """
    if calibration and precision != "int8":
        raise ConfigError(f"texts to calibrate on with precision {precision!r}; accepted: int8")
    batches = calibration_batches(source, calibration) if calibration else []

    def write(name: str, content: bytes) -> None:
        int8 = precision == "int8" and name not in EXACT
        structure, weights = convert(content, name, int8=int8, batches=batches if name == "encode" else ())
        (target / f"{name}.xml").write_bytes(structure)
        (target / f"{name}.bin").write_bytes(weights)

    notes = {
        "format": "openvino",
        "bf16": bf16,
        "static": bool(calibration),
        "openvino": runtime().__version__,
    }
    return write_export(source, target, write, precision, notes)


def convert(
    content: bytes, name: str, *, int8: bool = False, batches: Sequence[Inputs] = ()
) -> tuple[bytes, bytes]:
    """Return structure (XML) and weights of an ONNX model in OpenVINO's intermediate representation.

    Args:
        content: the ONNX model.
        name: of the part.
        int8: whether weights are stored in 8 bits.
        batches: inputs that scales of activations are measured on.

    Raises:
        ModelError: it holds what OpenVINO does not know.
    """
    openvino = runtime()
    try:
        model = openvino.Core().read_model(content)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"the part {name!r} cannot be converted for OpenVINO ({reason})") from error
    if int8:
        fold(model)
        products = [n for n in model.get_ordered_ops() if _multiplies(n)] if batches else []
        found = ranges(model, products, batches) if products else []
        compress(model, recurrent=not products)
        quantise_activations(products, found)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.xml"
        # By default it would store half of the bits of every weight.
        openvino.save_model(model, path, compress_to_fp16=False)
        return path.read_bytes(), path.with_suffix(".bin").read_bytes()


def compress(model: "Model", *, recurrent: bool = True) -> None:
    """Store the weights of matrix products, LSTMs and embeddings in 8 bits, one scale an output or row.

    Where the processor has 8-bit products (VNNI, AMX), OpenVINO also quantises what they are multiplied with, in
    groups within one row: unlike with ONNX Runtime, a score does not depend on the texts that are scored with it.
    LSTMs are computed with the weights unpacked: smaller files, not faster.

    Args:
        model: folded, see `fold`.
        recurrent: LSTMs too. In a graph with rounded activations OpenVINO (2026.4) takes no packed ones.
    """
    for node in model.get_ordered_ops():
        if not recurrent and node.get_type_name() == "LSTMSequence":
            continue
        for number in _INPUTS.get(node.get_type_name(), ()):
            weights = _weights(node, number)
            if weights is not None:
                node.input(number).replace_source_output(_unpacked(weights, _axis(node)).output(0))


def fold(model: "Model") -> None:
    """Compute what is derived from weights alone, which makes it a weight: LSTMs come with their gates as in ONNX."""
    runtime()  # before anything else imports it
    from openvino.passes import ConstantFolding, Manager

    passes = Manager()
    passes.register_pass(ConstantFolding())
    passes.run_passes(model)


def _multiplies(node: "Node") -> bool:
    """Whether a node multiplies something with weights that `compress` stores in 8 bits."""
    return node.get_type_name() == "MatMul" and _weights(node, *_MATMUL_WEIGHTS) is not None


def _weights(node: "Node", number: int) -> NDArray[np.float32] | None:
    """Return an input that is a constant worth compressing."""
    constant = node.input_value(number).get_node()
    if constant.get_type_name() != "Constant":
        return None
    # Stacks of matrices have no 8-bit products.
    data = np.asarray(constant.get_data())
    fits = data.ndim == (3 if node.get_type_name() == "LSTMSequence" else 2)
    return data if fits and data.dtype == np.float32 and data.size >= _LEAST else None


def _axis(node: "Node") -> int:
    """Return the axis of the weights that share a scale: that which a product sums over, the width of a table."""
    transposed = node.get_type_name() != "MatMul" or node.get_attributes()["transpose_b"]
    return -1 if transposed else -2


def _unpacked(weights: NDArray[np.float32], axis: int) -> "Node":
    """Return the product of 8-bit integers and scales that stands in for some weights."""
    operations = runtime().opset13
    scales = np.abs(weights).max(axis=axis, keepdims=True) / 127
    scales[scales == 0] = 1
    integers = np.rint(weights / scales).astype(np.int8)
    return operations.multiply(
        operations.convert(operations.constant(integers), "f32"),
        operations.constant(scales.astype(np.float32)),
    )
