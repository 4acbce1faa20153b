"""IOB2 tags over words: the flat view of a document, and the way back to a document.

In IOB2 the first word of every entity is tagged B and the following ones I (Tjong Kim Sang and Veenstra
1999, "Representing Text Chunks", EACL, section 2). One tag a word leaves no room for nesting, so only the
outermost entities are written; what is left out is kept in `Losses`.
"""

import logging
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...model.document import Document, Entity
from ...model.schema import LabelSchema
from ...model.text import (
    MAX_PROCLITICS,
    extend_over_marks,
    letter_offset,
    letters_before,
    make_entity,
    paragraphs,
    word_bounds,
    words,
)
from .proclitics import ProcliticLexicon

log = logging.getLogger(__name__)

OUTSIDE = "O"
Spans = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class TaggedParagraph:
    """The words of one paragraph with one tag each.

    Attributes:
        words: (start, end) in code points of the document.
        tags: `O`, `B-…` or `I-…`, as many as words.
    """

    words: tuple[tuple[int, int], ...]
    tags: tuple[str, ...]


@dataclass
class Losses:
    """Gold that word-level IOB2 tags cannot carry; every item is (document id, entity).

    Attributes:
        inner: nested in an outermost entity, or a second label on its words: left out by design.
        crossing: overlaps an outermost entity without lying inside it.
        unreachable: outermost, but not made of whole words of one paragraph.
        inexact: written as whole words, but begins or ends inside a word other than after proclitics, so
            that no prediction matches it to the character.
    """

    inner: list[tuple[str, Entity]] = field(default_factory=list)
    crossing: list[tuple[str, Entity]] = field(default_factory=list)
    unreachable: list[tuple[str, Entity]] = field(default_factory=list)
    inexact: list[tuple[str, Entity]] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return the number of entities of each kind."""
        return {
            "inner": len(self.inner),
            "crossing": len(self.crossing),
            "unreachable": len(self.unreachable),
            "inexact": len(self.inexact),
        }

    def report(self, shown: int = 20) -> None:
        """Log the counts, and a warning for each of the first entities that are not left out by design."""
        log.info("gold beyond IOB2 tags: %s", ", ".join(f"{n} {kind}" for kind, n in self.counts().items()))
        odd = [
            (kind, *item) for kind in ("crossing", "unreachable", "inexact") for item in getattr(self, kind)
        ]
        for kind, document, e in odd[:shown]:
            log.warning("gold %s [%d:%d] %r of %s is %s", e.label, e.start, e.end, e.text, document, kind)
        if len(odd) > shown:
            log.warning("and %d more such entities", len(odd) - shown)


def tag_set(schema: LabelSchema) -> tuple[str, ...]:
    """Return every tag of a schema, `O` first, then `B-…` and `I-…` of each entity type in its order."""
    return (OUTSIDE, *(f"{prefix}-{label}" for label in schema.entity_labels for prefix in "BI"))


def word_span(text: str, entity: Entity) -> tuple[int, int]:
    """Return the entity grown to whole words, worked out where it does not say."""
    if entity.word_start >= 0 and entity.word_end >= 0:
        return entity.word_start, entity.word_end
    return word_bounds(text, entity.start, entity.end)


def outermost(document: Document, losses: Losses) -> list[Entity]:
    """Return the outermost entities, compared as whole words, in text order.

    From left to right the longest entity at each point is kept; of several labels on the same words the
    likeliest, or else the first. This is the rule by which evaluations flatten documents.

    Args:
        document: gold or prediction.
        losses: what is not kept is added here.
    """
    spans = [(word_span(document.text, e), e) for e in document.entities]
    kept: list[Entity] = []
    end = -1
    for (lo, hi), entity in sorted(spans, key=lambda s: (s[0][0], -s[0][1], -s[1].score)):
        if lo >= end:
            kept.append(entity)
            end = hi
        else:
            (losses.inner if hi <= end else losses.crossing).append((document.id, entity))
    return kept


def tag(document: Document, losses: Losses | None = None) -> list[TaggedParagraph]:
    """Return the paragraphs of a document with the tags of its outermost entities.

    Args:
        document: gold or prediction.
        losses: entities that the tags do not carry, or not to the character, are added here.
    """
    losses = Losses() if losses is None else losses
    text = document.text
    rows = [tuple(words(text, lo, hi)) for lo, hi in paragraphs(text)]
    tags = [[OUTSIDE] * len(row) for row in rows]
    first_word = [row[0][0] for row in rows]
    for entity in outermost(document, losses):
        lo, hi = word_span(text, entity)
        number = bisect_left(first_word, lo + 1) - 1
        place = _cover(text, rows[number], lo, hi) if number >= 0 else None
        if place is None:
            losses.unreachable.append((document.id, entity))
            continue
        first, last = place
        tags[number][first : last + 1] = [f"B-{entity.label}"] + [f"I-{entity.label}"] * (last - first)
        if not _exact(text, entity, rows[number][first], rows[number][last]):
            losses.inexact.append((document.id, entity))
    return [TaggedParagraph(row, tuple(t)) for row, t in zip(rows, tags, strict=True)]


def read_tags(tags: Sequence[str]) -> list[tuple[int, int, str]]:
    """Return (first word, last word, label) of the entities in tags, read strictly.

    An I that continues no entity of its label is no entity, as in seqeval's strict mode.
    """
    found: list[tuple[int, int, str]] = []
    for n, current in enumerate(tags):
        prefix, _, label = current.partition("-")
        if prefix == "B":
            found.append((n, n, label))
        elif prefix == "I" and found and found[-1][1:] == (n - 1, label):
            found[-1] = (found[-1][0], n, label)
    return found


def best_path(scores: NDArray[np.float32], tags: Sequence[str]) -> NDArray[np.int64]:
    """Return the likeliest sequence of tags in which every I continues an entity of its label (Viterbi 1967).

    Args:
        scores: [words, tags], log-probabilities.
        tags: names of the columns.

    Returns:
        [words], indices of tags.
    """
    allowed = np.asarray([[t[0] != "I" or (s[0] != "O" and s[2:] == t[2:]) for t in tags] for s in tags])
    step = np.where(allowed, 0.0, -np.inf)
    begin = np.asarray([-np.inf if t[0] == "I" else 0.0 for t in tags])
    total = scores[0] + begin
    back = np.zeros(scores.shape, dtype=np.int64)
    for n in range(1, len(scores)):
        reached = total[:, None] + step
        back[n] = reached.argmax(axis=0)
        total = reached.max(axis=0) + scores[n]
    path = [int(total.argmax())]
    for n in range(len(scores) - 1, 0, -1):
        path.append(int(back[n, path[-1]]))
    return np.asarray(path[::-1])


def to_document(
    text: str,
    tagged: Iterable[tuple[Spans, Sequence[str], Sequence[float]]],
    lexicon: ProcliticLexicon,
    schema: LabelSchema,
    *,
    id: str = "",
    model: str = "",
) -> Document:
    """Return the document that tags describe, to the character.

    Args:
        text: the original text.
        tagged: words, tags and the probability of each tag, paragraph by paragraph. The score of an entity
            is the least probability of its tags; it is not calibrated.
        lexicon: says which leading letters of an entity's first word are outside.
        schema: named in the document.
        id, model: written into the document.
    """
    entities: list[Entity] = []
    for spans, tags, scores in tagged:
        for first, last, label in read_tags(tags):
            lo, hi = spans[first]
            start = letter_offset(text, lo, hi, lexicon.letters(text, lo, hi))
            end = extend_over_marks(text, spans[last][1])
            score = min(scores[first : last + 1])
            entities.append(make_entity(text, start, end, label, id=f"T{len(entities) + 1}", score=score))
    facts = {"name": schema.name, "version": schema.version, "hash": schema.hash}
    return Document(text, tuple(entities), id=id, schema=facts, model=model)


def _cover(text: str, row: Spans, lo: int, hi: int) -> tuple[int, int] | None:
    """Return the first and last word of a span of whole words, None if its ends are no word's ends."""
    first = bisect_left(row, (lo, 0))
    last = bisect_left(row, (hi, 0)) - 1
    if first > last or row[first][0] != lo or extend_over_marks(text, row[last][1]) != hi:
        return None
    return first, last


def _exact(text: str, entity: Entity, first: tuple[int, int], last: tuple[int, int]) -> bool:
    letters = letters_before(text, first[0], entity.start)
    return (
        letters <= MAX_PROCLITICS
        and letter_offset(text, *first, letters) == entity.start
        and extend_over_marks(text, last[1]) == extend_over_marks(text, entity.end)
    )
