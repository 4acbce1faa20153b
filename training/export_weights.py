"""The tensors of exported graphs that follow from a model's, as functions of its heads.

An ordinary export computes them once and keeps the result. The graphs of an embedded model hold no weights: there
the functions themselves become part of a graph, and ONNX Runtime computes them when it loads the model.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..model.heads import RelationHead, SpanHead


def place(part: nn.Module, name: str) -> tuple[nn.Module, str]:
    """Return the module that owns a tensor of a part (`side.weight`), and the tensor's name there."""
    owner, _, own = name.rpartition(".")
    return part.get_submodule(owner), own


def settle(part: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Make tensors parameters of a part, by name."""
    for name, tensor in tensors.items():
        setattr(*place(part, name), nn.Parameter(tensor.detach().clone()))


def span_tensors(head: SpanHead, buckets: Tensor) -> dict[str, Tensor]:
    """Return the tensors of `SpanGraph`.

    Args:
        head: of the model.
        buckets: [distances], the class of each distance in words.
    """
    table, size = head.biaffine, head.biaffine.shape[1] - 1
    return {
        # [size, types * size]: one plain matrix, which quantises column by column.
        "biaffine": table[:, :-1, :-1].permute(1, 0, 2).reshape(size, head.types * size),
        "from_start.weight": table[:, :-1, -1],
        "from_start.bias": table[:, -1, -1],
        "from_end.weight": table[:, -1, :-1],
        "widths": head.width.weight[buckets],
    }


def relation_tensors(head: RelationHead) -> dict[str, Tensor]:
    """Return the tensors of `RelationGraph`: what is linear in one mention alone, behind one projection of it."""
    size = head.head.out_features
    scale = (size // head.heads) ** 0.5
    query, query_bias = head.query.weight / scale, head.query.bias / scale
    alone, both, context, distance = head.hidden.weight.split(size, dim=1)
    derived = {
        "place_value": head.place_value.weight.unflatten(-1, (head.heads, -1)).permute(1, 0, 2),
        "distance": head.distance.weight @ distance.T,
        "hidden.weight": torch.cat([both, context], dim=1),
    }
    for name, own, part in (("head", head.head, query[:, :size]), ("tail", head.tail, query[:, size:])):
        derived[f"{name}.weight"] = torch.cat([own.weight, part @ own.weight, alone @ own.weight])
        biases = [part @ own.bias, alone @ own.bias]
        if name == "tail":  # once a pair
            biases = [biases[0] + query_bias, biases[1] + head.hidden.bias]
        derived[f"{name}.bias"] = torch.cat([own.bias, *biases])
    return derived
