"""Graphs of an embedded model: ONNX without weights, which come from `model.safetensors` when the model is loaded."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from ..model.backends.onnx_check import IN_MEMORY, tensors_in_memory
from ..model.encoder import IsnadEncoderModel
from ..model.errors import ModelError
from ..model.modeling import IsnadModel
from ..model.store import EXPORT, WEIGHTLESS, WEIGHTS
from .data.files import write_text
from .export import described, trace
from .export_graphs import graphs
from .export_modules import EncodeGraph, RecurrentGraph
from .export_weights import place

Derive = Callable[[], Mapping[str, Tensor]]
# Bytes of what a graph may hold itself: numbers of positions and the like, which models do not store.
_SMALL = 65_536


class _Pieces(RecurrentGraph):
    """Character features of the pieces at hand: a table of all would have to be computed at every start."""

    def __init__(self, encoder: IsnadEncoderModel) -> None:
        super().__init__(encoder)
        del self.table
        self._of = (encoder,)

    def pieces(self, input_ids: Tensor) -> Tensor:
        (encoder,) = self._of
        states = encoder.embeddings(input_ids)
        if encoder.characters is None:
            return states
        # Flat, as ONNX counts positions when it looks for equal pieces.
        features = encoder.characters(input_ids.flatten())
        return torch.cat([states, features.view(*input_ids.shape, -1)], dim=-1)


class _FromModel(nn.Module):
    """A part that computes its tensors from the model's when it runs, so that a trace holds how."""

    def __init__(self, part: nn.Module, model: IsnadModel) -> None:
        super().__init__()
        self.model = model
        # In a tuple: what is traced has no weights but the model's own.
        derived: list[tuple[nn.Module, Derive]] = [
            (module, cast(Derive, module.derive)) for module in part.modules() if hasattr(module, "derive")
        ]
        self._held = (part, derived)
        for module, derive in derived:
            for name in derive():
                delattr(*place(module, name))

    def forward(self, *inputs: Tensor) -> Any:
        part, derived = self._held
        for module, derive in derived:
            for name, tensor in derive().items():
                owner, own = place(module, name)
                setattr(owner, own, tensor)
        return part(*inputs)


def write_weightless(model: IsnadModel, tokenizer: Any, folder: Path) -> None:
    """Write the graphs of a model beside its weights, so that it runs without torch.

    Args:
        model: as in `folder`; of its weights only names and sizes are written.
        tokenizer: fast, as in `folder`.
        folder: of the model; its manifest is left to be written.

    Raises:
        ModelError: the encoder cannot be traced.
    """
    place = folder / WEIGHTLESS
    place.mkdir(exist_ok=True)
    sizes = {}
    for name, content in weightless(model).items():
        tensors_in_memory(content, name)
        (place / f"{name}.onnx").write_bytes(content)
        sizes[f"{name}.onnx"] = len(content)
    notes = {**described(tokenizer), "precision": "fp32", "weights": WEIGHTS, "bytes": sizes}
    write_text(place / EXPORT, json.dumps(notes, ensure_ascii=False, indent=2) + "\n")


def weightless(model: IsnadModel) -> dict[str, bytes]:
    """Return the graphs of a model by name, without weights: see `model.backends.embedded_graphs`."""
    found = {}
    for graph in graphs(model):
        if isinstance(graph.module, EncodeGraph) and isinstance(model.encoder, IsnadEncoderModel):
            graph.module.encoder = _Pieces(model.encoder)
        content = trace(replace(graph, module=_FromModel(graph.module, model)), fold=False)
        found[graph.name] = _without_weights(content, graph.name, model.state_dict())
    return found


def _without_weights(content: bytes, name: str, weights: Mapping[str, Tensor]) -> bytes:
    """Return an ONNX model whose weights are named as in the model and marked as handed over in memory."""
    import onnx

    graph = onnx.load_from_string(content)
    renamed = {}
    for weight in graph.graph.initializer:
        own = weight.name.removeprefix("model.")
        if own not in weights:
            if len(weight.raw_data) <= _SMALL:
                continue
            raise ModelError(
                f"the part {name!r} holds {weight.name!r}, which is no tensor of the model; an encoder of this kind "
                "cannot be embedded"
            )
        renamed[weight.name] = own
        weight.CopyFrom(
            onnx.TensorProto(
                name=own,
                dims=weight.dims,
                data_type=weight.data_type,
                data_location=onnx.TensorProto.EXTERNAL,
            )
        )
        weight.external_data.add(key="location", value=IN_MEMORY)
    for node in graph.graph.node:
        for number, each in enumerate(node.input):
            node.input[number] = renamed.get(each, each)
    return bytes(graph.SerializeToString())
