"""From a trained model to graphs that run without torch: tracing into ONNX, quantisation, the folder's files."""

import json
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from .. import __version__
from ..model.backends.onnx_check import refuse_external_data
from ..model.backends.onnx_files import LAYOUT, SPECIAL
from ..model.errors import ConfigError, ModelError, nearest
from ..model.inference import load_torch
from ..model.store import EXPORT, write_manifest
from .data.files import write_text
from .export_graphs import Graph, graphs
from .model_facts import fingerprints

PRECISIONS = ("fp32", "int8")
OPSET = 17
# Four numbers a pair of names: nothing to gain from 8 bits, and the vectors of names are compared exactly.
EXACT = ("coreference",)
# What int8 touches: matrix products, recurrent layers, and the embedding tables, which are most of a small model.
_QUANTISED = ["MatMul", "LSTM", "Gather"]


def export_onnx(source: Path, target: Path, *, precision: str = "fp32") -> Path:
    """Write a model as ONNX graphs with its configuration, its tokenizer and a manifest.

    Args:
        source: folder of a model with torch weights.
        target: an empty folder; made if absent.
        precision: `fp32`, or `int8` for weights of 8 bits and activations quantised as they come.

    Raises:
        ModelError: the model cannot be loaded, or has an encoder that cannot be traced.
        ConfigError: an unknown precision.
    """

    def write(name: str, content: bytes) -> None:
        if precision == "int8" and name not in EXACT:
            content = quantise(content)
        (target / f"{name}.onnx").write_bytes(content)

    return write_export(source, target, write, precision, {"format": "onnx"})


def write_export(
    source: Path, target: Path, write: Callable[[str, bytes], None], precision: str, notes: Mapping[str, Any]
) -> Path:
    """Trace the graphs of a model and write a folder that runs without torch.

    The graphs are traced with the TorchScript exporter: the newer one (torch 2.13) freezes the length of the
    examples into layers that reverse a sequence before an LSTM (https://github.com/pytorch/pytorch/issues/191855).

    Args:
        source: folder of a model with torch weights.
        target: an empty folder; made if absent.
        write: writes one graph into `target`, from its name and its content in ONNX.
        precision: one of `PRECISIONS`.
        notes: what `export.json` says of the format.

    Raises:
        ModelError, ConfigError: as in `export_onnx`.
    """
    if precision not in PRECISIONS:
        raise ConfigError(f"unknown precision {precision!r}; {nearest(precision, PRECISIONS)}")
    model, tokenizer = load_torch(source)
    target.mkdir(parents=True, exist_ok=True)
    for graph in graphs(model):
        content = trace(graph)
        # A model of more than 2 GB, which torch divides into files.
        refuse_external_data(content, graph.name)
        write(graph.name, content)
    written = {file.name: file.stat().st_size for file in sorted(target.iterdir())}
    model.config.save_pretrained(target)
    # As transformers uses it: some classes change what the file says.
    write_text(target / "tokenizer.json", tokenizer.backend_tokenizer.to_str())
    write_notes(
        target,
        {
            **described(tokenizer),
            "precision": precision,
            **notes,
            "source": {"model": model.config.model_name, "sha256": fingerprints(source)},
            "bytes": written,
        },
    )
    return target


def described(tokenizer: Any) -> dict[str, Any]:
    """Return what `export.json` says of every model: how it was traced, and the ids of special pieces."""
    return {
        "layout": LAYOUT,
        "opset": OPSET,
        "isnad": __version__,
        "torch": torch.__version__,
        "special": {name: getattr(tokenizer, f"{name}_token_id") for name in SPECIAL},
    }


def write_notes(folder: Path, notes: Mapping[str, Any]) -> None:
    """Write `export.json` of an export and seal all its files."""
    write_text(folder / EXPORT, json.dumps(notes, ensure_ascii=False, indent=2) + "\n")
    write_manifest(folder)


def trace(graph: Graph, *, fold: bool = True) -> bytes:
    """Return one part as an ONNX model; ModelError if torch cannot trace it.

    Args:
        graph: the part.
        fold: compute beforehand what follows from the weights alone, where the exporter can.
    """
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            torch.no_grad(),
            warnings.catch_warnings(),
        ):
            path = Path(folder) / "graph.onnx"
            # About the exporter's age, and about LSTMs whose batch is fixed, which tests show it is not.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                graph.module,
                tuple(graph.inputs.values()),
                path,
                input_names=list(graph.inputs),
                output_names=list(graph.outputs),
                dynamic_axes=graph.axes,
                opset_version=OPSET,
                dynamo=False,
                do_constant_folding=fold,
            )
            return path.read_bytes()
    except Exception as error:  # the exporter raises every kind, and so does the code of encoders
        reason = " ".join(str(error).split())[:300]
        raise ModelError(
            f"the part {graph.name!r} cannot be exported to ONNX ({type(error).__name__}: {reason}); accepted: the "
            "recurrent encoder of isnad, BERT and what torch.onnx.export(dynamo=False) takes"
        ) from error


def quantise(content: bytes) -> bytes:
    """Return a model with the weights of matrix products, LSTMs and embeddings in 8 bits.

    Dynamic quantisation: activations get their scale from each batch, so no calibration texts are needed. The
    other side of it: a score depends on the texts that are scored with it and on the number of threads, with the
    embedded model by 0.002 of a probability in the median and by 0.05 at most (windows of five articles).
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    graph = onnx.load_from_string(content).graph
    # ONNX Runtime has 8-bit products for matrices only, not for stacks of them.
    stacks = {weight.name for weight in graph.initializer if len(weight.dims) > 2}
    excluded = [node.name for node in graph.node if node.op_type == "MatMul" and stacks & set(node.input)]
    with tempfile.TemporaryDirectory() as folder, _quiet():
        before, after = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        before.write_bytes(content)
        quantize_dynamic(
            before,
            after,
            op_types_to_quantize=_QUANTISED,
            per_channel=True,
            nodes_to_exclude=excluded,
            weight_type=QuantType.QInt8,
            # 7 of the 8 bits: two products of 8 bits overflow where a processor adds them in 16 (AVX2, AVX-512
            # without VNNI), and the model would be less exact there than here.
            reduce_range=True,
        )
        return after.read_bytes()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what the quantiser advises at the root of logging."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
