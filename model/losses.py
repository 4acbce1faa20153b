"""Training losses of the joint model, masked where a corpus does not annotate a label."""

import torch
from torch import Tensor
from torch.nn import functional


def smoothed_targets(shape: torch.Size, spans: Tensor, types: Tensor, *, smoothing: float) -> Tensor:
    """Return dense span targets with boundary smoothing (Zhu and Li 2022, "Boundary Smoothing…", section 3.2).

    Args:
        shape: batch, words, words, types.
        spans: [spans, 3]: window, first word, last word.
        types: [spans, types], multi-hot.
        smoothing: mass moved from a gold span to the spans whose one boundary differs by one word.
    """
    targets = torch.zeros(shape, device=spans.device)
    if not len(spans):
        return targets
    window, start, end = spans.unbind(1)
    if smoothing > 0:
        for shift_start, shift_end in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            s, e = start + shift_start, end + shift_end
            inside = (s >= 0) & (e < shape[2]) & (s <= e)
            cell = (window[inside], s[inside], e[inside])
            targets[cell] = torch.maximum(targets[cell], smoothing / 4 * types[inside].float())
    targets[window, start, end] = torch.maximum(targets[window, start, end], (1 - smoothing) * types.float())
    return targets


def span_loss(logits: Tensor, gold: dict[str, Tensor], *, smoothing: float) -> Tensor:
    """Return the binary cross-entropy of all spans and types, summed, divided by the number of words.

    Args:
        logits: [batch, words, words, types]; impossible cells hold -10000 and cost nothing.
        gold: `spans` [spans, 3], `types` [spans, types], `annotated` [batch, types] (False: not negative,
            unknown).
        smoothing: see `smoothed_targets`.
    """
    targets = smoothed_targets(logits.shape, gold["spans"], gold["types"], smoothing=smoothing)
    possible = logits > -9e3
    weight = gold["annotated"][:, None, None, :] & possible
    losses = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    words = possible[..., 0].diagonal(dim1=1, dim2=2).sum().clamp(min=1)
    return torch.where(weight, losses, 0.0).sum() / words


def proclitic_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the cross-entropy at entity-initial words; other words carry -100."""
    if not (labels != -100).any():
        return logits.sum() * 0.0
    return functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)


def relation_loss(
    logits: Tensor,
    valid: Tensor,
    pairs: Tensor,
    index: Tensor,
    spans: Tensor,
    gold: dict[str, Tensor],
    *,
    words: int,
) -> Tensor:
    """Return the binary cross-entropy of pairs and relations, summed, divided by the number of words.

    The same divisor as in `span_loss`: with a smaller one the relations drown the spans that they build on.

    Args:
        logits, valid: [pairs, relations]; pairs that no signature admits are left out.
        pairs: [pairs, 2], rows of `spans`.
        index: [gold spans], row of each gold span.
        spans: [spans, 3]: window, first word, last word.
        gold: `relations` [relations, 3] (gold span, label, gold span), `relation_annotated` [batch].
        words: number of words of the batch.
    """
    rows = torch.full((len(spans), len(spans)), -1, dtype=torch.long, device=logits.device)
    rows[pairs[:, 0], pairs[:, 1]] = torch.arange(len(pairs), device=logits.device)
    targets = torch.zeros_like(logits)
    head, label, tail = gold["relations"].unbind(1)
    row = rows[index[head], index[tail]]
    targets[row[row >= 0], label[row >= 0]] = 1.0
    weight = (valid | (targets > 0)) & gold["relation_annotated"][spans[pairs[:, 0], 0]][:, None]
    losses = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    # Wrong candidates come and go with the state of the span head; together they weigh no more than gold pairs.
    is_gold = torch.zeros(len(spans), dtype=torch.bool, device=logits.device)
    is_gold[index] = True
    sure = is_gold[pairs].all(dim=1)
    share = (sure.sum() / (~sure).sum().clamp(min=1)).clamp(max=1.0)
    scale = torch.where(sure, 1.0, share)[:, None]
    return (torch.where(weight, losses, 0.0) * scale).sum() / words
