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

    What a corpus does not say costs nothing: labels that it does not annotate, spans inside the names of a
    corpus without nesting, and which of several labels a coarser tag stands for. Of the latter the
    probability that at least one holds is learned (marginal likelihood over the labels, as for partially
    labelled data in Greenberg et al. 2018, "Marginal Likelihood Training of BiLSTM-CRF…", section 3).

    Args:
        logits: [batch, words, words, types]; impossible cells hold -10000 and cost nothing.
        gold: `spans` [spans, 3], `types` [spans, types], `coarse` [spans], `owner` [batch, words] (see
            `training.examples.Example`), `annotated` [batch, types] (False: not negative, unknown).
        smoothing: see `smoothed_targets`.
    """
    targets = smoothed_targets(logits.shape, gold["spans"], gold["types"], smoothing=smoothing)
    possible = logits > -9e3
    owner = gold["owner"]
    inside = (owner[:, :, None] == owner[:, None, :]) & (owner >= 0)[:, :, None]
    weight = gold["annotated"][:, None, None, :] & possible & ~inside[..., None]
    window, start, end = gold["spans"].unbind(1)
    # A gold span is known, for the labels of its corpus and for its own.
    known = gold["annotated"][window] | gold["types"]
    silent = (gold["coarse"] & ~gold["types"].any(dim=1))[:, None]
    weight[window, start, end] = known & ~silent & ~(gold["types"] & gold["coarse"][:, None])
    losses = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    total = torch.where(weight, losses, 0.0).sum()
    total = total + _any_of(logits[window, start, end], gold["types"] & gold["coarse"][:, None])
    words = possible[..., 0].diagonal(dim1=1, dim2=2).sum().clamp(min=1)
    return total / words


def _any_of(logits: Tensor, types: Tensor) -> Tensor:
    """Return the summed negative log-probability that some of `types` [spans, types] hold; rows of none cost 0."""
    rows = types.any(dim=1)
    none = torch.where(types[rows], functional.softplus(logits[rows]), 0.0).sum(dim=1)
    return -torch.log(-torch.expm1(-none.clamp(min=1e-6))).sum()


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
        gold: `relations` [relations, 3] (gold span, label, gold span), `relation_annotated` [batch, relations]
            (False: a missing one is not negative, unknown).
        words: number of words of the batch.
    """
    rows = torch.full((len(spans), len(spans)), -1, dtype=torch.long, device=logits.device)
    rows[pairs[:, 0], pairs[:, 1]] = torch.arange(len(pairs), device=logits.device)
    targets = torch.zeros_like(logits)
    head, label, tail = gold["relations"].unbind(1)
    row = rows[index[head], index[tail]]
    targets[row[row >= 0], label[row >= 0]] = 1.0
    annotated = gold["relation_annotated"][spans[pairs[:, 0], 0]]
    weight = (valid & annotated) | (targets > 0)
    losses = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    # Wrong candidates come and go with the state of the span head; together they weigh no more than gold pairs.
    is_gold = torch.zeros(len(spans), dtype=torch.bool, device=logits.device)
    is_gold[index] = True
    sure = is_gold[pairs].all(dim=1)
    share = (sure.sum() / (~sure).sum().clamp(min=1)).clamp(max=1.0)
    scale = torch.where(sure, 1.0, share)[:, None]
    return (torch.where(weight, losses, 0.0) * scale).sum() / words
