"""The parts of an `IsnadModel` as modules that trace into ONNX graphs of any batch, length and number of pairs.

They compute what `model.heads` computes, from the same weights, laid out for one session a part: what depends on
the vocabulary only (character features, distance classes) becomes a table, what depends on one mention only is
computed once a mention instead of once a pair, and every shape follows from the inputs.

A part whose weights are laid out anew has a function `derive` that computes them from the model's, by name.
"""

from collections.abc import Iterable
from copy import copy
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, gelu, pad

from ..model.encoder import BidirectionalLayer, IsnadEncoderModel, reversed_positions
from ..model.heads import DISTANCE_BUCKETS, CoreferenceHead, MentionHead, RelationHead, SpanHead, bucket
from ..model.modeling import IsnadModel
from .export_weights import relation_tensors, settle, span_tensors

# From this distance on everything is in the last bucket.
_FAR = 5 * 2 ** (DISTANCE_BUCKETS - 6)


def rows(table: Tensor, index: Tensor) -> Tensor:
    """Return [count, batch, width], the rows `index` [count, batch] of `table` [length, batch, width].

    One Gather, where indexing with two tensors becomes a dozen nodes.
    """
    batch = table.shape[1]
    return embedding(index * batch + torch.arange(batch), table.flatten(0, 1))


class RecurrentGraph(nn.Module):
    """`IsnadEncoderModel` with the character features of every piece computed beforehand.

    Pieces come before windows, as ONNX wants them for an LSTM: nothing is transposed.
    """

    def __init__(self, encoder: IsnadEncoderModel) -> None:
        super().__init__()
        table = encoder.embeddings.weight.detach()
        if encoder.characters is not None:
            with torch.no_grad():
                parts = torch.arange(len(table)).split(4096)
                characters = torch.cat([encoder.characters(part[None])[0] for part in parts])
            table = torch.cat([table, characters], dim=1)
        self.table = nn.Parameter(table.clone())
        layers = cast(Iterable[BidirectionalLayer], encoder.layers)
        self.ahead = nn.ModuleList(_pieces_first(layer.forward_lstm) for layer in layers)
        self.back = nn.ModuleList(_pieces_first(layer.backward_lstm) for layer in layers)
        self.norm = encoder.norm

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return states [length, batch, hidden]; see `IsnadEncoderModel.forward`."""
        states = self.pieces(input_ids.T)
        reverse = reversed_positions(attention_mask).T
        for number, (ahead, back) in enumerate(zip(self.ahead, self.back, strict=True)):
            backward = rows(back(rows(states, reverse))[0], reverse)
            output = torch.cat([ahead(states)[0], backward], dim=-1)
            states = output if number == 0 else states + output
        return self.norm(states)

    def pieces(self, input_ids: Tensor) -> Tensor:
        """Return what the layers see of some pieces [length, batch, width]."""
        return embedding(input_ids, self.table)


def _pieces_first(lstm: nn.LSTM) -> nn.LSTM:
    copied = copy(lstm)  # with the same weights
    copied.batch_first = False
    return copied


class SpanGraph(nn.Module):
    """`SpanHead` with the biaffine's edges among the scores of single words, and types between the two words.

    In that order the products of all types are one product of matrices.
    """

    biaffine: Tensor
    widths: Tensor

    def __init__(self, head: SpanHead) -> None:
        super().__init__()
        types, size = head.types, head.biaffine.shape[1] - 1
        self.start, self.end, self.types, self.size = head.start, head.end, types, size
        self.parts = head.parts
        self.from_start, self.from_end = nn.Linear(size, types), nn.Linear(size, types, bias=False)
        self.derive = partial(span_tensors, head, bucket(torch.arange(_FAR + 1)))
        settle(self, self.derive())

    def forward(self, words: Tensor, word_mask: Tensor) -> Tensor:
        """Return logits [batch, words, types, words], first word, type, last word."""
        count = words.shape[1]
        start, end = self.start(words), self.end(words)
        half = (start @ self.biaffine).view(-1, count * self.types, self.size)
        scores = (half @ end.transpose(1, 2)).view(-1, count, self.types, count)
        keep = word_mask[..., None].to(words.dtype)
        first, last, inside, before, after = self.parts(words).split(self.types, dim=-1)
        inside = inside * keep
        total = torch.cumsum(inside, dim=1)
        left = pad(before * keep, (0, 0, 1, 0))[:, :-1]
        right = pad(after * keep, (0, 0, 0, 1))[:, 1:]
        opening = first + left + self.from_start(start) - (total - inside)
        closing = last + right + self.from_end(end) + total
        position = torch.arange(count)
        distance = (position[None, :] - position[:, None]).clamp(0, _FAR)
        widths = embedding(distance, self.widths).transpose(1, 2)
        scores = scores + opening[..., None] + (closing.transpose(1, 2)[:, None] + widths)
        valid = (position[None, :] >= position[:, None]) & word_mask[:, None, :] & word_mask[:, :, None]
        return scores.masked_fill(~valid[:, :, None], -1e4)


class EncodeGraph(nn.Module):
    """Encoder, words, spans and proclitics."""

    def __init__(self, model: IsnadModel) -> None:
        super().__init__()
        own = isinstance(model.encoder, IsnadEncoderModel)
        self.encoder = RecurrentGraph(model.encoder) if own else _States(model.encoder)
        self.words, self.spans = model.word_head, SpanGraph(model.span_head)
        self.proclitics = model.proclitic_head

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        word_first: Tensor,
        word_last: Tensor,
        word_letters: Tensor,
        word_mask: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return words [batch, words, size], logits [batch, words, types, words], their best, proclitics."""
        states = self.encoder(input_ids, attention_mask)
        letters = self.words.letters(word_letters).flatten(2)
        edges = [rows(states, at.T).transpose(0, 1) for at in (word_first, word_last)]
        parts = [*edges, letters]
        words = self.words.norm(gelu(self.words.project(torch.cat(parts, dim=-1))))
        logits = self.spans(words, word_mask)
        return words, logits, logits.amax(dim=2), self.proclitics(words).argmax(dim=-1)


class _States(nn.Module):
    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state.transpose(
            0, 1
        )


class MentionGraph(nn.Module):
    """`MentionHead` and the vectors of `CoreferenceHead`."""

    def __init__(self, head: MentionHead, coreference: CoreferenceHead) -> None:
        super().__init__()
        self.types, self.project, self.vector = head.types, head.project, coreference.mention

    def forward(self, words: Tensor, spans: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return mentions [spans, pair_size] and unit vectors [spans, mention_size].

        Args:
            words: [batch, words, word_size].
            spans: [spans, 3], window, first word, last word.
            logits: [spans, types].
        """
        count = words.shape[1]
        window, first, last = spans[:, 0], spans[:, 1], spans[:, 2]
        flat = words.flatten(0, 1)
        sums = pad(torch.cumsum(words, dim=1), (0, 0, 1, 0)).flatten(0, 1)
        at = window * (count + 1)
        whole = embedding(at + last + 1, sums) - embedding(at + first, sums)
        mean = whole / (last - first + 1)[:, None].to(words.dtype)
        edges = [embedding(window * count + word, flat) for word in (first, last)]
        mentions = gelu(self.project(torch.cat([*edges, mean, self.types(logits.sigmoid())], dim=-1)))
        vectors = self.vector(mentions)
        # The floor of `torch.nn.functional.normalize`.
        return mentions, vectors / vectors.square().sum(dim=-1, keepdim=True).sqrt().clamp(min=1e-12)


class RelationGraph(nn.Module):
    """`RelationHead` for windows whose pairs are padded to one number."""

    place_value: Tensor
    distance: Tensor
    buckets: Tensor

    def __init__(self, head: RelationHead) -> None:
        super().__init__()
        size = head.head.out_features
        self.heads, self.size, self.places = head.heads, size, head.PLACES
        self.key, self.value = head.key, head.value
        self.place_bias = head.place_bias
        self.head, self.tail = nn.Linear(size, 3 * size), nn.Linear(size, 3 * size)
        self.hidden, self.output = nn.Linear(2 * size, size, bias=False), head.output
        self.register_buffer("buckets", bucket(torch.arange(_FAR + 1)))
        self.derive = partial(relation_tensors, head)
        settle(self, self.derive())

    def forward(
        self, words: Tensor, word_mask: Tensor, mentions: Tensor, spans: Tensor, head: Tensor, tail: Tensor
    ) -> Tensor:
        """Return logits [windows, pairs, relations].

        Args:
            words: [windows, words, word_size].
            word_mask: [windows, words].
            mentions: [spans, pair_size].
            spans: [spans, 2], first and last word.
            head, tail: [windows, pairs], rows of `mentions`; padded with any row.
        """
        heads, tails = (side(mentions).split(self.size, dim=-1) for side in (self.head, self.tail))
        h, query_h, hidden_h = (embedding(head, part) for part in heads)
        t, query_t, hidden_t = (embedding(tail, part) for part in tails)
        bounds = embedding(head, spans), embedding(tail, spans)
        context = self._attend(words, word_mask, query_h + query_t, *bounds)
        hidden = self.hidden(torch.cat([h * t, context], dim=-1)) + hidden_h + hidden_t
        return self.output(gelu(hidden + embedding(self._distance(*bounds), self.distance)))

    def _attend(self, words: Tensor, word_mask: Tensor, query: Tensor, head: Tensor, tail: Tensor) -> Tensor:
        """Return [windows, pairs, size]."""
        place = self._places(head, tail, words.shape[1])
        key = self.key(words).unflatten(-1, (self.heads, -1)).permute(0, 2, 3, 1)
        value = self.value(words).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        logits = query.unflatten(-1, (self.heads, -1)).transpose(1, 2) @ key
        logits = logits + self.place_bias(place).permute(0, 3, 1, 2)
        weights = logits.masked_fill(~word_mask[:, None, None, :], -1e4).softmax(dim=-1)
        index = place[:, None].expand_as(weights)
        shares = torch.zeros_like(weights[..., :1]).expand(-1, -1, -1, self.places)
        shares = shares.scatter_add(3, index, weights)
        context = weights @ value + shares @ self.place_value
        return context.transpose(1, 2).flatten(2)

    @staticmethod
    def _places(head: Tensor, tail: Tensor, count: int) -> Tensor:
        """Return [windows, pairs, words] of place classes; see `RelationHead`."""
        word = torch.arange(count)
        before = (tail[..., 0] == head[..., 0]) & (tail[..., 1] > head[..., 1])
        swapped = ((tail[..., 0] < head[..., 0]) | before)[..., None]
        # The span that begins earlier is `first`, so no word before it is inside the other one.
        first, second = torch.where(swapped, tail, head), torch.where(swapped, head, tail)
        first_start, first_end = first[..., :1], first[..., 1:]
        second_start, second_end = second[..., :1], second[..., 1:]
        classes = torch.arange(5)
        place = torch.where(word < first_start, classes[0], classes[2])
        place = torch.where((word > first_end) & (word > second_end), classes[4], place)
        place = torch.where((word >= first_start) & (word <= first_end), classes[1], place)
        place = torch.where((word >= second_start) & (word <= second_end), classes[3], place)
        return place + 5 * swapped.long()

    def _distance(self, head: Tensor, tail: Tensor) -> Tensor:
        """Return [windows, pairs] classes; see `RelationHead`."""
        gap = torch.maximum(head[..., 0], tail[..., 0]) - torch.minimum(head[..., 1], tail[..., 1])
        kind = (tail[..., 0] < head[..., 0]).long() + 2 * (gap <= 0).long()
        # Indexing, not embedding: the table holds classes, not vectors.
        return self.buckets[gap.clamp(0, _FAR)] + DISTANCE_BUCKETS * kind


class CoreferenceGraph(nn.Module):
    """`CoreferenceHead` up to probabilities."""

    def __init__(self, head: CoreferenceHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, features: Tensor, first: Tensor, second: Tensor) -> Tensor:
        """Return probabilities [pairs]."""
        return torch.sigmoid(self.head(features, first, second))
