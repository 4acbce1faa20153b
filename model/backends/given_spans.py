"""Scores of windows whose spans are given, not found: what is left to the model is how they relate."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import one_hot

from ..modeling import IsnadModel, same_window_pairs
from ..scores import Floats, Integers, WindowScores
from ..windows import Window
from .batches import PIECES_A_BATCH, split_scores
from .torch_backend import batch_tensors, window_batches

# Logit of the label that a span is given; all others have its negative.
CERTAIN = 20.0


@dataclass(frozen=True, slots=True)
class GivenSpans:
    """Spans of one window that are known.

    Attributes:
        spans: [spans, 2], first and last word, each pair once.
        labels: [spans], row of the entity type in the schema.
        proclitics: [spans], leading letters of the first word that stand outside the name.
    """

    spans: Integers
    labels: Integers
    proclitics: Integers


@torch.inference_mode()
def score_given(
    model: IsnadModel, windows: Sequence[Window], given: Sequence[GivenSpans], *, pad_id: int
) -> list[WindowScores]:
    """Return the scores of windows in which exactly the given spans are candidates.

    The mention head is shown the given types, as in the half of training that shows gold ones
    (`IsnadModel._training_spans`), and the relation head scores every ordered pair of spans whose types some
    relation joins. This is relation extraction with gold entities (Zhong & Chen, NAACL 2021, table 4).

    Args:
        model: in evaluation mode; it stays on its device.
        windows: in any order; they are batched by length.
        given: what stands in each window.
        pad_id: piece id that pads.

    Returns:
        One for each window, in order: the given spans and proclitics as they are, ±`CERTAIN` as logits, and pair
        logits and mention vectors of the model.

    Raises:
        ValueError: windows and given differ in number.
    """
    if len(windows) != len(given):
        raise ValueError(f"{len(windows)} windows and {len(given)} sets of spans; accepted: one for each")
    scores: dict[int, WindowScores] = {}
    for group in window_batches(windows, PIECES_A_BATCH):
        found = _batch(model, [windows[i] for i in group], [given[i] for i in group], pad_id)
        scores.update(zip(group, found, strict=True))
    return [scores[i] for i in range(len(windows))]


def _batch(
    model: IsnadModel, windows: list[Window], given: list[GivenSpans], pad_id: int
) -> list[WindowScores]:
    device = next(model.parameters()).device
    tensors = {k: v.to(device) for k, v in batch_tensors(windows, pad_id).items()}
    output = model(**tensors)
    assert output.words is not None
    rows = np.repeat(np.arange(len(given)), [len(g.spans) for g in given])
    spans = np.concatenate([rows[:, None], np.concatenate([g.spans for g in given])], axis=1)
    labels = torch.from_numpy(np.concatenate([g.labels for g in given])).to(device)
    held = one_hot(labels, len(model.schema.entities)).bool()
    placed = torch.from_numpy(spans).to(device)
    mentions = model.mentions(output.words, placed, held.to(output.words.dtype))
    pairs = same_window_pairs(placed)
    pairs = pairs[model.possible(held[pairs[:, 0]], held[pairs[:, 1]]).any(dim=1)]
    pair_logits = model.relate(output.words, tensors["word_mask"], mentions, placed, pairs)
    logits: Floats = np.where(held.cpu().numpy(), CERTAIN, -CERTAIN).astype(np.float32)
    return split_scores(
        len(windows),
        spans,
        logits,
        model.coreference_head.vectors(mentions).float().cpu().numpy(),
        np.concatenate([g.proclitics for g in given]),
        pairs.cpu().numpy(),
        pair_logits.cpu().numpy(),
        np.zeros(len(windows), dtype=np.int64),  # nothing was cut off
    )
