"""Models of random weights on encoders of standard sizes: as fast as trained ones of that size.

Time depends on what there is to decode, and random heads would call nothing an entity, or everything. So biases are
set until the model scores as many candidates, and finds as many entities and relations, as a trained model does in
the same texts; which ones they are does not matter to the clock.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...model.decoding import Decisions, Decoder
from ...model.document import Document
from ...model.errors import ConfigError, nearest
from ...model.scores import WindowScores
from ...model.windows import Window, WindowMaker
from .density import Density

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from ...model.backends.torch_backend import TorchBackend
    from ...model.modeling import IsnadModel


@dataclass(frozen=True)
class Size:
    """Layers, width, attention heads and feed-forward width of a BERT."""

    layers: int
    width: int
    heads: int
    inner: int


# Turc et al. 2019, "Well-Read Students Learn Better", table 1; `bert-base` is Devlin et al. 2019, and CAMeLBERT's.
SIZES = {
    "bert-tiny": Size(2, 128, 2, 512),
    "bert-mini": Size(4, 256, 4, 1024),
    "bert-small": Size(4, 512, 8, 2048),
    "bert-medium": Size(8, 512, 8, 2048),
    "bert-base": Size(12, 768, 12, 3072),
}
# Pieces of CAMeLBERT and most Arabic BERTs; the donor's tokenizer may have some more.
_VOCABULARY = 30_000
_SEED = 17
# Fields of the configuration that are the donor's.
_COPIED = (
    *("word_size", "letter_size", "span_size", "pair_size", "mention_size", "attention_heads", "max_pieces"),
    *("overlap_pieces", "max_candidates", "prune_threshold", "same_start", "cross_sentence"),
    "coreference_threshold",
)
# Buckets of widths that are candidates: 1 to 4 words.
_SHORT = 4


def random_model(size: str, donor: Path, target: Path, texts: Sequence[str], wanted: Density) -> Path:
    """Write a model with the schema, the tokenizer and the head sizes of another one on a BERT of random weights.

    Args:
        size: one of `SIZES`.
        donor: folder of a trained model.
        target: folder to write.
        texts: on which biases and thresholds are set.
        wanted: what the donor scores and finds in them.

    Raises:
        ConfigError: an unknown size.
    """
    if size not in SIZES:
        raise ConfigError(f"--encoder-config {size!r}; {nearest(size, tuple(SIZES))}")
    from ...model.backends.torch_backend import TorchBackend
    from ...model.inference import load_torch

    trained, tokenizer = load_torch(donor)
    model = _build(SIZES[size], trained, tokenizer, size)
    own = model.config
    maker = WindowMaker(tokenizer, max_pieces=own.max_pieces, overlap_pieces=own.overlap_pieces)
    windows = [list(maker.windows(text)) for text in texts]
    backend = TorchBackend(model, tokenizer.pad_token_id or 0)
    _set_candidates(model, [w for group in windows for w in group], wanted)
    _set_decisions(model, backend, texts, windows, wanted)
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)
    return target


def _build(
    size: Size, trained: "IsnadModel", tokenizer: "PreTrainedTokenizerBase", name: str
) -> "IsnadModel":
    import torch
    from transformers import AutoModel, BertConfig

    from ...model.modeling import IsnadModel

    config = BertConfig(
        vocab_size=max(_VOCABULARY, len(tokenizer)),
        hidden_size=size.width,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        intermediate_size=size.inner,
        pad_token_id=tokenizer.pad_token_id,
    )
    old = trained.config
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(_SEED)
        model = IsnadModel.from_encoder(
            AutoModel.from_config(config),
            trained.schema,
            model_name=name,
            **{key: getattr(old, key) for key in _COPIED},
        )
        model.span_head.width.weight[:_SHORT], model.span_head.width.weight[_SHORT:] = 0.0, -60.0
        model.relation_head.output.weight.normal_(std=1.0)
        # Which names are one thing is read off the names above all: that much can be the donor's.
        model.coreference_head.layers.load_state_dict(trained.coreference_head.layers.state_dict())
    return model.eval()


def _set_candidates(model: "IsnadModel", windows: Sequence[Window], wanted: Density) -> None:
    """Set the span head such that the texts hold so many candidates, and about so many pairs of them.

    Words differ in how likely an entity of a type begins or ends with them: by a random direction of the type's own and
    one that all types share. The more they share, the more types a candidate may have, and the more pairs the
    signatures of relations let through.
    """
    import torch

    from ...model.backends.torch_backend import batch_tensors

    with torch.inference_mode():
        batches = [batch_tensors([window], 0) for window in windows]
        encoded = [(model(**batch).words, batch["word_mask"]) for batch in batches]
    types, width = len(model.schema.entities), model.config.word_size
    draw = torch.Generator().manual_seed(_SEED)
    own, shared = (0.2 * torch.randn(2, n, width, generator=draw) for n in (types, 1))

    @torch.no_grad()
    def pairs(share: float) -> int:
        mixed = share**0.5 * shared + (1 - share) ** 0.5 * own
        first, last, *_ = model.span_head.parts.weight.chunk(5)
        first.copy_(mixed[0]), last.copy_(mixed[1])
        logits = [model.span_head(states, mask)[0] for states, mask in encoded]
        best = torch.cat([found.amax(dim=-1).flatten() for found in logits]).sort(descending=True).values
        floor = torch.logit(torch.tensor(model.config.prune_threshold))
        shift = floor - best[min(wanted.candidates, len(best) - 1)]
        model.span_head.width.weight[:_SHORT] += shift
        return sum(_pairs(model, found + shift, floor) for found in logits)

    pairs(bisect(lambda share: pairs(share) >= wanted.pairs, 0.0, 1.0, steps=7))


def _pairs(model: "IsnadModel", logits: "Tensor", floor: "Tensor") -> int:
    """Return how many pairs of candidates of a window some relation may join; logits [words, words, types]."""
    from ...model.modeling import same_window_pairs

    spans = (logits.amax(dim=-1) > floor).nonzero()
    likely = logits[spans[:, 0], spans[:, 1]] > floor
    pairs = same_window_pairs(spans.new_zeros(len(spans), 1))
    return int(model.possible(likely[pairs[:, 0]], likely[pairs[:, 1]]).any(dim=1).sum())


def _set_decisions(
    model: "IsnadModel",
    backend: "TorchBackend",
    texts: Sequence[str],
    windows: Sequence[Sequence[Window]],
    wanted: Density,
) -> None:
    """Set the thresholds of entities and the bias of relations such that the counts are about those wanted."""
    import torch

    schema, config = model.schema, model.config
    scores = [backend.score(group) for group in windows]

    def found(threshold: float, shift: float) -> list[Document]:
        decisions = Decisions.build(
            schema,
            entity_thresholds=dict.fromkeys(schema.entity_labels, threshold),
            coreference_threshold=config.coreference_threshold,
            same_start=config.same_start,
            cross_sentence=config.cross_sentence,
        )
        decoder = Decoder(schema, decisions)
        return [
            decoder.decode(text, group, [_shifted(s, shift) for s in own], backend)
            for text, group, own in zip(texts, windows, scores, strict=True)
        ]

    none = -1000.0  # no relations while entities are counted
    threshold = bisect(
        lambda t: sum(len(d.entities) for d in found(t, none)) <= wanted.entities,
        model.config.prune_threshold,
        1.0,
    )
    shift = bisect(
        lambda s: sum(len(d.relations) for d in found(threshold, -s)) <= wanted.relations,
        -50.0,
        50.0,
        steps=24,  # random logits lie close together
    )
    config.entity_thresholds = dict.fromkeys(schema.entity_labels, threshold)
    with torch.no_grad():
        model.relation_head.output.bias.sub_(shift)


def _shifted(scores: WindowScores, shift: float) -> WindowScores:
    return replace(scores, pair_logits=scores.pair_logits + np.float32(shift))


def bisect(enough: Callable[[float], bool], low: float, high: float, steps: int = 14) -> float:
    """Return about the least number between `low` and `high` from which on `enough` holds; `high` if none."""
    for _ in range(steps):
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
