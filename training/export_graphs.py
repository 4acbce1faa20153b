"""The graphs that a model is exported as, with example inputs to trace them with.

encode       pieces of a batch of windows -> word vectors, span logits, best logit of a span, proclitics
mentions     word vectors and spans -> mention vectors for relations and for coreference
relations    windows with their mentions and pairs -> relation logits
coreference  features and vectors of mention pairs -> probabilities
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..model.encoder import IsnadEncoderModel
from ..model.modeling import IsnadModel
from ..model.windows import LETTER_SLOTS
from .export_modules import CoreferenceGraph, EncodeGraph, MentionGraph, RelationGraph


@dataclass(frozen=True)
class Graph:
    """One part, ready to be traced.

    Attributes:
        name: of the file, without suffix.
        module: the part.
        inputs: examples by name.
        outputs: names.
        axes: names of the dimensions that vary, by input or output.
    """

    name: str
    module: nn.Module
    inputs: dict[str, Tensor]
    outputs: tuple[str, ...]
    axes: dict[str, dict[int, str]]


def graphs(model: IsnadModel) -> list[Graph]:
    """Return the parts of a model with example inputs; the model is put into evaluation mode."""
    model.eval()
    if not isinstance(model.encoder, IsnadEncoderModel):
        # The fused kernels of torch have no counterpart in ONNX.
        model.encoder.set_attn_implementation("eager")
    return [_encode(model), _mentions(model), _relations(model), _coreference(model)]


def _encode(model: IsnadModel) -> Graph:
    first = torch.tensor([[1, 2, 4], [1, 3, 0]])
    return Graph(
        "encode",
        EncodeGraph(model),
        {
            "input_ids": torch.arange(12).view(2, 6) % 7,
            "attention_mask": torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0]]),
            "word_first": first,
            "word_last": first + torch.tensor([[0, 1, 0], [1, 0, 0]]),
            "word_letters": torch.arange(2 * 3 * LETTER_SLOTS).view(2, 3, LETTER_SLOTS),
            "word_mask": torch.tensor([[True, True, True], [True, True, False]]),
        },
        ("words", "span_logits", "best", "proclitics"),
        _vary(("input_ids", "attention_mask"), "windows", "pieces")
        | _vary(
            ("word_first", "word_last", "word_letters", "word_mask", "words", "proclitics"),
            "windows",
            "words",
        )
        | {
            "span_logits": {0: "windows", 1: "words", 3: "words"},
            "best": {0: "windows", 1: "words", 2: "words"},
        },
    )


def _mentions(model: IsnadModel) -> Graph:
    size, types = model.config.word_size, model.span_head.types
    return Graph(
        "mentions",
        MentionGraph(model.mention_head, model.coreference_head),
        {
            "words": torch.randn(2, 5, size),
            "spans": torch.tensor([[0, 0, 1], [0, 2, 4], [1, 0, 0]]),
            "logits": torch.randn(3, types),
        },
        ("mentions", "vectors"),
        _vary(("words",), "windows", "words") | _vary(("spans", "logits", "mentions", "vectors"), "spans"),
    )


def _relations(model: IsnadModel) -> Graph:
    return Graph(
        "relations",
        RelationGraph(model.relation_head),
        {
            "words": torch.randn(2, 5, model.config.word_size),
            "word_mask": torch.tensor([[True] * 5, [True] * 3 + [False] * 2]),
            "mentions": torch.randn(4, model.config.pair_size),
            "spans": torch.tensor([[0, 1], [2, 4], [0, 0], [0, 2]]),
            "head": torch.tensor([[0, 1, 0], [2, 3, 2]]),
            "tail": torch.tensor([[1, 0, 1], [3, 2, 3]]),
        },
        ("pair_logits",),
        _vary(("words", "word_mask"), "windows", "words")
        | _vary(("mentions", "spans"), "spans")
        | _vary(("head", "tail", "pair_logits"), "windows", "pairs"),
    )


def _coreference(model: IsnadModel) -> Graph:
    head = model.coreference_head
    features = head.layers[0].in_features - model.config.mention_size  # type: ignore[operator]
    return Graph(
        "coreference",
        CoreferenceGraph(head),
        {
            "features": torch.rand(3, int(features)),
            "first": torch.rand(3, model.config.mention_size),
            "second": torch.rand(3, model.config.mention_size),
        },
        ("probability",),
        _vary(("features", "first", "second", "probability"), "pairs"),
    )


def _vary(names: tuple[str, ...], *dimensions: str) -> dict[str, dict[int, str]]:
    """Return the names of the first dimensions of some inputs and outputs."""
    return {name: dict(enumerate(dimensions)) for name in names}
