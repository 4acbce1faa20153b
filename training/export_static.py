"""Activations in 8 bits with scales set beforehand, for OpenVINO.

Where the scales are constants, OpenVINO computes a product of matrices, its bias and what follows in one kernel on
integers; with scales found at run time (`export_openvino.compress` alone) it cannot. On a BERT-base and AVX512-VNNI
that takes two thirds of the time. The scheme is the usual one of quantisation after training (Jacob et al. 2018,
"Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", CVPR, sections 2.1 and
3): a range for each tensor, from texts that are like those to come.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..model.backends.batches import batch_arrays, window_batches
from ..model.backends.light import load_tokenizer, unreadable
from ..model.backends.openvino_backend import runtime
from ..model.configuration import IsnadConfig
from ..model.errors import DataError, IsnadError
from ..model.windows import WindowMaker

if TYPE_CHECKING:
    from openvino import Model, Node, Output

Inputs = Mapping[str, NDArray[Any]]
Range = tuple[float, float]

# Windows that ranges are measured on: the mean over their batches hardly changes with more.
_WINDOWS, _PIECES_A_BATCH = 300, 256
_LEVELS = 256


def calibration_batches(source: Path, texts: Sequence[str]) -> list[Inputs]:
    """Return inputs of the graph `encode` for the first windows of some texts.

    Args:
        source: folder of a model with torch weights.
        texts: like those that the model will read; 300 windows of them are used at most.

    Raises:
        ModelError: the configuration or the tokenizer cannot be loaded; the weights are not looked at.
        SchemaError: the configuration holds no labels.
        DataError: no words in the texts.
    """
    config, tokenizer = _config_and_tokenizer(source)
    maker = WindowMaker.of(tokenizer, config)
    windows = [w for _, w in zip(range(_WINDOWS), (w for t in texts for w in maker.windows(t)), strict=False)]
    if not windows:
        raise DataError("no words to calibrate on", accepted="texts like those that the model will read")
    groups = window_batches(windows, _PIECES_A_BATCH)
    return [batch_arrays([windows[n] for n in group], tokenizer.pad_token_id or 0) for group in groups]


def _config_and_tokenizer(folder: Path) -> tuple[IsnadConfig, Any]:
    """Return them without the weights; files that cannot be read raise ModelError, as in `load_torch`."""
    try:
        config = IsnadConfig.from_pretrained(folder, local_files_only=True)
        config.schema()  # of a folder without config.json transformers makes a configuration of defaults
    except IsnadError:
        raise
    except Exception as error:  # transformers raises every kind
        raise unreadable(folder, error) from error
    return config, load_tokenizer(folder)


def ranges(model: "Model", products: Sequence["Node"], batches: Sequence[Inputs]) -> list[Range]:
    """Return the range of what each of some matrix products multiplies its weights with.

    Args:
        model: with weights in fp32; it is left as it is.
        products: MatMul nodes of it, weights on the right.
        batches: inputs to run it on.

    Returns:
        For each product the least and the greatest value, each the mean over the batches, with 0 in between.
    """
    copied = model.clone()
    named = {node.get_friendly_name(): node for node in copied.get_ops()}
    sources = [_place(node.input_value(0)) for node in products]
    copied.add_outputs([named[name].output(number) for name, number in dict.fromkeys(sources)])
    # What was an output before is not added again.
    order = [_place(result.input_value(0)) for result in copied.get_results()]
    compiled = runtime().Core().compile_model(copied, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    request = compiled.create_infer_request()
    found: dict[tuple[str, int], list[Range]] = {source: [] for source in sources}
    for batch in batches:
        request.infer(dict(batch))
        for number, place in enumerate(order):
            if place in found:
                values = request.get_output_tensor(number).data
                found[place].append((float(values.min()), float(values.max())))
    means = {place: np.mean(seen, axis=0) for place, seen in found.items()}
    return [(min(0.0, float(means[s][0])), max(0.0, float(means[s][1]))) for s in sources]


def quantise_activations(products: Sequence["Node"], found: Sequence[Range]) -> None:
    """Put the rounding to 256 levels before matrix products; products of one tensor share it.

    Args:
        products: MatMul nodes.
        found: the range of each, see `ranges`.
    """
    operations = runtime().opset13
    rounded: dict[tuple[str, int], Node] = {}
    for node, (low, high) in zip(products, found, strict=True):
        source = node.input_value(0)
        place = _place(source)
        if place not in rounded:
            # A tensor that was 0 throughout has no scale; any will do.
            bounds = [operations.constant(np.float32(x)) for x in (low, high if high > low else low + 1)]
            rounded[place] = operations.fake_quantize(source, *bounds, *bounds, _LEVELS)
        node.input(0).replace_source_output(rounded[place].output(0))


def _place(output: "Output") -> tuple[str, int]:
    return output.get_node().get_friendly_name(), output.get_index()
