"""Word-level flat benchmarks such as ANERcorp: schema entities as one IOB2 tag a gold token, and their scores."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..model.document import Entity
from ..model.errors import ConfigError, DataError
from .bootstrap import Resamples, TableIntervals
from .counts import CountsTable

OUTSIDE = "O"


@dataclass(frozen=True)
class FlatScores:
    """Scores of IOB2 tags.

    Attributes:
        labels: counts per label; `.labels.micro.f1` is what papers report for ANERcorp.
        intervals: bootstrap intervals over sentences, laid out likewise.
        sentences, tokens: size of the gold.
        samples, level, seed: how the intervals were made.
    """

    labels: CountsTable
    intervals: TableIntervals
    sentences: int
    tokens: int
    samples: int
    level: float
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        micro, macro = self.labels.micro, self.labels.macro
        return {
            "sentences": self.sentences,
            "tokens": self.tokens,
            "convention": "whole words, outermost, IOB2 strict",
            "labels": self.labels.to_dict(),
            "micro": {"precision": micro.precision, "recall": micro.recall, "f1": micro.f1},
            "macro_f1": macro.f1,
            "intervals": asdict(self.intervals)
            | {"samples": self.samples, "level": self.level, "seed": self.seed},
        }


def label_map(labels_of_tag: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Turn `{"LOC": ["GPE", "LOC", "FAC"], …}` round: the tag of each schema label.

    Raises:
        ConfigError: a schema label is given to two tags.
    """
    tag_of: dict[str, str] = {}
    for tag, labels in labels_of_tag.items():
        for label in labels:
            if tag_of.setdefault(label, tag) != tag:
                raise ConfigError(
                    f"{label} is given to {tag_of[label]} and to {tag}; accepted: every schema label once"
                )
    return tag_of


def flat_tags(
    tokens: Sequence[tuple[int, int]],
    entities: Sequence[Entity],
    label_of: Mapping[str, str],
    *,
    whole_words: bool = True,
) -> list[str]:
    """Write entities as IOB2 tags of given tokens.

    An entity covers every token that it touches. Nested entities are flattened to the outermost one that has a
    tag: an entity without a tag is dropped before, and what lies in it may show. Of several over the same tokens
    the likelier wins; of two that cross, the longer (in tokens), then the likelier, then the one further left.

    Args:
        tokens: (start, end) of the gold tokens in code points of the text, in order, without overlap.
        entities: predicted, or gold, of the same text.
        label_of: tag of each schema label, several of which may share one; labels that it lacks, or maps to the
            empty string, are dropped.
        whole_words: take `word_start` and `word_end`, so that a token holds its proclitics whatever it is cut
            by (ANERcorp, AQMAR, Wojood); False takes the span itself, for corpora that cut proclitics off.

    Returns:
        One of `O`, `B-tag` and `I-tag` for each token.

    Raises:
        DataError: tokens that are empty, overlap or go backwards.
    """
    _check_tokens(tokens)
    starts, ends = [s for s, _ in tokens], [e for _, e in tokens]
    spans = []
    for entity in entities:
        tag = label_of.get(entity.label, "")
        start, end = entity.start, entity.end
        if whole_words and 0 <= entity.word_start < entity.word_end:
            start, end = entity.word_start, entity.word_end
        first, last = bisect_right(ends, start), bisect_left(starts, end)
        if tag and first < last:
            spans.append((first - last, -entity.score, first, tag))
    tags = [OUTSIDE] * len(tokens)
    for length, _, first, tag in sorted(spans):
        covered = range(first, first - length)
        if all(tags[n] == OUTSIDE for n in covered):
            for n in covered:
                tags[n] = f"{'B' if n == first else 'I'}-{tag}"
    return tags


def chunks(tags: Sequence[str]) -> set[tuple[str, int, int]]:
    """Return (label, first token, end token) of the entities of a sentence of IOB2 tags.

    Strict as in seqeval (`mode="strict", scheme=IOB2`): an `I-` that does not continue a `B-` of its label
    belongs to no entity.

    Raises:
        DataError: a tag that is not `O`, `B-label` or `I-label`.
    """
    found: set[tuple[str, int, int]] = set()
    begun: tuple[str, int] | None = None
    for n, tag in enumerate([*tags, OUTSIDE]):
        prefix, _, label = tag.partition("-")
        if tag != OUTSIDE and (prefix not in ("B", "I") or not label):
            raise DataError(f"token {n + 1} has the tag {tag!r}", accepted="O, B-label or I-label (IOB2)")
        if begun and not (prefix == "I" and label == begun[0]):
            found.add((*begun, n))
            begun = None
        if prefix == "B":
            begun = label, n
    return found


def score_flat(
    gold: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    *,
    samples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> FlatScores:
    """Compare IOB2 tags sentence by sentence; equal to seqeval with `mode="strict", scheme=IOB2`.

    Args:
        gold, predicted: tags of each sentence, one a token.
        samples: bootstrap resamples of sentences for the intervals.
        level: coverage of the intervals, between 0 and 1.
        seed: of the resampling.

    Raises:
        DataError: no sentences, or sides of different length.
    """
    lengths = [(len(g), len(p)) for g, p in zip(gold, predicted, strict=False)]
    if not gold or len(gold) != len(predicted):
        raise DataError(
            f"{len(gold)} gold and {len(predicted)} predicted sentences", accepted="the same sentences, some"
        )
    for n, (wanted, found) in enumerate(lengths, 1):
        if wanted != found:
            raise DataError(
                f"sentence {n} has {wanted} gold and {found} predicted tags", accepted="one tag a token"
            )
    tables = [
        CountsTable.of(
            ((label, (first, end)) for label, first, end in chunks(g)),
            ((label, (first, end)) for label, first, end in chunks(p)),
        )
        for g, p in zip(gold, predicted, strict=True)
    ]
    drawn = np.random.default_rng(seed).multinomial(
        len(tables), np.full(len(tables), 1 / len(tables)), size=samples
    )
    return FlatScores(
        labels=CountsTable.total(tables).ordered(sorted({label for t in tables for label in t})),
        intervals=Resamples(drawn.astype(np.float64), level).table(tables),
        sentences=len(tables),
        tokens=sum(n for n, _ in lengths),
        samples=samples,
        level=level,
        seed=seed,
    )


def _check_tokens(tokens: Sequence[tuple[int, int]]) -> None:
    at = 0
    for n, (start, end) in enumerate(tokens, 1):
        if not at <= start < end:
            raise DataError(
                f"token {n} is ({start}, {end}) after a token that ends at {at}",
                accepted="(start, end) in order, not empty, without overlap",
            )
        at = end
