"""The heads of the joint model: words, spans, proclitics, relations, coreference."""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from .configuration import IsnadConfig
from .text import MAX_PROCLITICS
from .windows import LETTER_SLOTS, LETTER_VOCABULARY

DISTANCE_BUCKETS = 12


def bucket(distance: Tensor) -> Tensor:
    """Return 0…DISTANCE_BUCKETS-1 for non-negative distances: exact up to 4, then powers of two."""
    large = 5 + torch.log2(distance.clamp(min=5).float() / 5).floor().long()
    return torch.where(distance < 5, distance, large).clamp(max=DISTANCE_BUCKETS - 1)


class WordHead(nn.Module):
    """Word representations from the states of a word's first and last piece and from its letters.

    Letters make the proclitic decision independent of how an encoder's tokenizer cuts words.
    """

    def __init__(self, config: IsnadConfig, hidden_size: int) -> None:
        super().__init__()
        self.letters = nn.Embedding(LETTER_VOCABULARY, config.letter_size, padding_idx=0)
        self.project = nn.Linear(2 * hidden_size + LETTER_SLOTS * config.letter_size, config.word_size)
        self.norm = nn.LayerNorm(config.word_size)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, states: Tensor, first: Tensor, last: Tensor, letters: Tensor) -> Tensor:
        """Return [batch, words, word_size].

        Args:
            states: [batch, pieces, hidden].
            first, last: [batch, words], piece positions.
            letters: [batch, words, LETTER_SLOTS], letter ids.
        """
        rows = torch.arange(states.shape[0], device=states.device)[:, None]
        parts = [states[rows, first], states[rows, last], self.letters(letters).flatten(2)]
        return self.dropout(self.norm(torch.nn.functional.gelu(self.project(torch.cat(parts, dim=-1)))))


class SpanHead(nn.Module):
    """Scores every span of a window for every type, independently.

    A biaffine over start and end words (Yu, Bohnet and Poesio 2020, "Named Entity Recognition as Dependency
    Parsing", section 3.2), to which the scores of the two boundaries, of the words inside and of the words
    just outside are added, as in a semi-Markov model (Sarawagi and Cohen 2004). The sums need one cumulative
    sum a window, and they learn from few examples where a bare biaffine does not.
    """

    def __init__(self, config: IsnadConfig, types: int) -> None:
        super().__init__()
        width, size = config.word_size, config.span_size
        self.start = nn.Sequential(nn.Linear(width, size), nn.GELU(), nn.Dropout(config.dropout))
        self.end = nn.Sequential(nn.Linear(width, size), nn.GELU(), nn.Dropout(config.dropout))
        self.biaffine = nn.Parameter(torch.empty(types, size + 1, size + 1))
        self.parts = nn.Linear(width, 5 * types)
        self.width = nn.Embedding(DISTANCE_BUCKETS, types)
        self.types = types

    def forward(self, words: Tensor, word_mask: Tensor) -> Tensor:
        """Return logits [batch, words, words, types]; cells with end < start or padding hold -10000.

        In memory the types stand between the two words, so that the biaffine of all types is two plain products
        of matrices; its edges, which see one word each, are added to what single words score.
        """
        batch, count, _ = words.shape
        start, end, table = self.start(words), self.end(words), self.biaffine
        both = table[:, :-1, :-1].permute(1, 0, 2).flatten(1).to(start.dtype)
        scores = (start @ both).view(batch, count * self.types, -1) @ end.transpose(1, 2)
        scores = scores.view(batch, count, self.types, count)
        first, last, inside, before, after = self.parts(words).split(self.types, dim=-1)
        # Padding and the window's own edges contribute nothing outside or inside.
        keep = word_mask[..., None].to(words.dtype)
        inside = inside * keep
        total = torch.cumsum(inside, dim=1)
        left = torch.nn.functional.pad(before * keep, (0, 0, 1, 0))[:, :-1]
        right = torch.nn.functional.pad(after * keep, (0, 0, 0, 1))[:, 1:]
        opening = first + left + start @ table[:, :-1, -1].T + table[:, -1, -1] - (total - inside)
        closing = last + right + end @ table[:, -1, :-1].T + total
        position = torch.arange(count, device=words.device)
        widths = self.width(bucket((position[None, :] - position[:, None]).clamp(min=0)))
        scores = scores + opening[..., None] + (closing.transpose(1, 2)[:, None] + widths.transpose(1, 2))
        valid = (position[None, :] >= position[:, None]) & word_mask[:, None, :] & word_mask[:, :, None]
        return scores.masked_fill(~valid[:, :, None], -1e4).transpose(2, 3)


class ProcliticHead(nn.Module):
    """Predicts how many leading letters of a word stand outside a name that begins in it."""

    def __init__(self, config: IsnadConfig) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(config.word_size, config.word_size // 2),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.word_size // 2, MAX_PROCLITICS + 1),
        )

    def forward(self, words: Tensor) -> Tensor:
        """Map word representations [..., word_size] to logits [..., MAX_PROCLITICS + 1]."""
        return self.layers(words)


class MentionHead(nn.Module):
    """Represents a candidate span by its boundary words, the mean of its words and its soft types."""

    def __init__(self, config: IsnadConfig, types: int) -> None:
        super().__init__()
        self.types = nn.Linear(types, config.pair_size // 2, bias=False)
        self.project = nn.Linear(3 * config.word_size + config.pair_size // 2, config.pair_size)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, words: Tensor, batch: Tensor, start: Tensor, end: Tensor, types: Tensor) -> Tensor:
        """Return [spans, pair_size] for spans given by window, first word, last word, and type probabilities."""
        total = torch.nn.functional.pad(torch.cumsum(words, dim=1), (0, 0, 1, 0))
        mean = (total[batch, end + 1] - total[batch, start]) / (end - start + 1)[:, None].to(words.dtype)
        parts = [words[batch, start], words[batch, end], mean, self.types(types)]
        return self.dropout(torch.nn.functional.gelu(self.project(torch.cat(parts, dim=-1))))


class RelationHead(nn.Module):
    """Scores directed pairs of candidate spans for every relation type, in the same pass as the spans.

    As in PURE (Zhong and Chen 2021, section 3.2) a pair is two spans with their types in context; instead of
    encoding the sentence again for each pair, the pair attends over the words of the window. Each word is
    told where it stands with respect to the pair (before, in the first, between, in the second, after), so
    that the head can look for the verb between and for a denial before.
    """

    PLACES = 10  # five places, for pairs with the head first and with the tail first

    def __init__(self, config: IsnadConfig, relations: int) -> None:
        super().__init__()
        size = config.pair_size
        if size % config.attention_heads:
            raise ValueError(
                f"pair_size {size} is not a multiple of attention_heads {config.attention_heads}"
            )
        self.heads = config.attention_heads
        self.head, self.tail = nn.Linear(size, size), nn.Linear(size, size)
        self.query = nn.Linear(2 * size, size)
        self.key, self.value = nn.Linear(config.word_size, size), nn.Linear(config.word_size, size)
        self.place_bias = nn.Embedding(self.PLACES, self.heads)
        self.place_value = nn.Embedding(self.PLACES, size)
        self.distance = nn.Embedding(4 * DISTANCE_BUCKETS, size)
        self.hidden = nn.Linear(4 * size, size)
        self.output = nn.Linear(size, relations)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, words: Tensor, word_mask: Tensor, mentions: Tensor, spans: Tensor, pairs: Tensor
    ) -> Tensor:
        """Return logits [pairs, relations].

        Args:
            words: [batch, words, word_size].
            word_mask: [batch, words].
            mentions: [spans, pair_size], from `MentionHead`.
            spans: [spans, 3]: window, first word, last word.
            pairs: [pairs, 2]: indices of head and tail among the spans, both of one window; sorted by window.
        """
        head, tail = spans[pairs[:, 0]], spans[pairs[:, 1]]
        # Linear in one mention each: computed once a mention, not once a pair.
        heads, tails = self.head(mentions), self.tail(mentions)
        of_head, of_tail = self.query.weight.chunk(2, dim=1)
        queries = linear(heads, of_head, self.query.bias)[pairs[:, 0]] + linear(tails, of_tail)[pairs[:, 1]]
        h, t = heads[pairs[:, 0]], tails[pairs[:, 1]]
        context = self._attend(words, word_mask, queries, head, tail)
        features = torch.cat([h + t, h * t, context, self.distance(self._distance(head, tail))], dim=-1)
        return self.output(self.dropout(torch.nn.functional.gelu(self.hidden(self.dropout(features)))))

    def _attend(self, words: Tensor, word_mask: Tensor, query: Tensor, head: Tensor, tail: Tensor) -> Tensor:
        """Return [pairs, pair_size]: the words of each pair's window, weighted by the pair's query.

        The pairs of a window share its keys and values, so they are laid out as [windows, slots] and
        multiplied in one batch; copying keys to every pair would cost a hundred times the memory.
        """
        window, count = head[:, 0], words.shape[1]
        place = self._places(head, tail, count)
        counts = torch.bincount(window, minlength=words.shape[0])
        starts = torch.cumsum(counts, dim=0) - counts
        slot = torch.arange(len(window), device=window.device) - starts[window]
        scaled = query / (query.shape[-1] // self.heads) ** 0.5
        slots = scaled.new_zeros(words.shape[0], int(counts.max()), scaled.shape[-1])
        slots = slots.index_put((window, slot), scaled)
        key = self.key(words).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        value = self.value(words).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        logits = slots.unflatten(-1, (self.heads, -1)).transpose(1, 2) @ key.transpose(-1, -2)
        logits = logits.transpose(1, 2)[window, slot] + self.place_bias(place).transpose(1, 2)
        logits = logits.float().masked_fill(~word_mask[window][:, None, :], -1e4)
        weights = logits.softmax(dim=-1).to(value.dtype)
        spread = value.new_zeros(words.shape[0], slots.shape[1], self.heads, count)
        spread = spread.index_put((window, slot), weights).transpose(1, 2)
        content = (spread @ value).transpose(1, 2)[window, slot]
        # The value of a word's place, summed over words: one share of attention for each place.
        shares = weights.new_zeros(len(window), self.heads, self.PLACES)
        shares = shares.scatter_add(2, place[:, None, :].expand_as(weights), weights)
        places = torch.einsum(
            "phc,chd->phd", shares, self.place_value.weight.unflatten(-1, (self.heads, -1)).to(shares.dtype)
        )
        return (content + places).flatten(1)

    @staticmethod
    def _places(head: Tensor, tail: Tensor, count: int) -> Tensor:
        """Return [pairs, words] of place classes; in nested pairs the inner span wins."""
        word = torch.arange(count, device=head.device)[None, :]
        swapped = (tail[:, 1] < head[:, 1]) | ((tail[:, 1] == head[:, 1]) & (tail[:, 2] > head[:, 2]))
        first = torch.where(swapped[:, None], tail, head)
        second = torch.where(swapped[:, None], head, tail)
        place = torch.full((head.shape[0], count), 2, device=head.device)
        place = torch.where(word < first[:, 1:2], 0, place)
        place = torch.where((word > first[:, 2:3]) & (word > second[:, 2:3]), 4, place)
        place = torch.where((word >= first[:, 1:2]) & (word <= first[:, 2:3]), 1, place)
        place = torch.where((word >= second[:, 1:2]) & (word <= second[:, 2:3]), 3, place)
        return place + 5 * swapped.long()[:, None]

    @staticmethod
    def _distance(head: Tensor, tail: Tensor) -> Tensor:
        """Return [pairs] classes: bucketed gap in words, direction, and whether one span holds the other."""
        gap = torch.maximum(head[:, 1], tail[:, 1]) - torch.minimum(head[:, 2], tail[:, 2])
        nested = gap <= 0
        direction = (tail[:, 1] < head[:, 1]).long()
        return bucket(gap.clamp(min=0)) + DISTANCE_BUCKETS * (direction + 2 * nested.long())


class CoreferenceHead(nn.Module):
    """Scores whether two mentions name the same thing, from string features and the mentions' vectors.

    Mention-pair scoring as in Lee et al. (2017, section 4), restricted to names: alias features
    (`coreference.FEATURES`) carry most of the decision, the vectors add type and context.
    """

    def __init__(self, config: IsnadConfig, features: int) -> None:
        super().__init__()
        self.mention = nn.Linear(config.pair_size, config.mention_size)
        self.layers = nn.Sequential(
            nn.Linear(features + config.mention_size, config.mention_size),
            nn.GELU(),
            nn.Linear(config.mention_size, 1),
        )

    def vectors(self, mentions: Tensor) -> Tensor:
        """Map [spans, pair_size] to unit vectors [spans, mention_size]."""
        return nn.functional.normalize(self.mention(mentions).float(), dim=-1)

    def forward(self, features: Tensor, first: Tensor, second: Tensor) -> Tensor:
        """Return logits [pairs] for features [pairs, features] and vectors [pairs, mention_size] of both sides."""
        scaled = first * second * first.shape[-1] ** 0.5
        return self.layers(torch.cat([features, scaled], dim=-1)).squeeze(-1)
