"""Documents cut into sentences of words, and which of their mentions columns can hold."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ...model.document import Document, Entity
from ...model.render.brat import LINE_BREAKS
from ...model.text import sentence_starts, words
from . import losses
from .schemes import WordSpan


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a document that is written as columns.

    Attributes:
        words: (start, end) of each word in code points of the document.
        spans: mentions as words of the sentence.
        entities: the mention of each span.
    """

    words: tuple[tuple[int, int], ...]
    spans: tuple[WordSpan, ...]
    entities: tuple[Entity, ...]


def as_sentences(document: Document, lost: Counter[str], *, nested: bool) -> list[Sentence]:
    """Cut a document into sentences of words, with the mentions that columns can hold.

    Sentences end at line ends and after full stops, but never inside a mention.

    Args:
        document: any document.
        lost: mentions that do not fit are counted here.
        nested: whether mentions may lie in one another. If not, the outermost are kept.
    """
    text = document.text
    places = words(text)
    kept = _kept(document, places, lost, nested=nested)
    cuts = {0, len(places), *sentence_starts(text, places)}
    cuts |= {n for n in range(1, len(places)) if LINE_BREAKS.search(text, places[n - 1][1], places[n][0])}
    inside = {n for _, span in kept for n in range(span.first + 1, span.last + 1)}
    edges = sorted(cuts - inside)
    sentences = []
    at = 0
    for first, after in pairwise(edges):
        here: list[tuple[Entity, WordSpan]] = []
        while at < len(kept) and kept[at][1].first < after:
            entity, span = kept[at]
            here.append((entity, WordSpan(span.first - first, span.last - first, span.label)))
            at += 1
        sentences.append(
            Sentence(tuple(places[first:after]), tuple(s for _, s in here), tuple(e for e, _ in here))
        )
    return sentences


def _kept(
    document: Document, places: Sequence[tuple[int, int]], lost: Counter[str], *, nested: bool
) -> list[tuple[Entity, WordSpan]]:
    """Return the mentions that fit, as spans of all words, in the order of their beginnings."""
    word_of: list[int] = []  # for every code point the number of the first word that ends after it
    for n, (_, end) in enumerate(places):
        word_of += [n] * (end - len(word_of))
    spans: list[tuple[Entity, WordSpan]] = []
    for e in document.entities:
        first = word_of[e.start] if e.start < len(word_of) else len(places)
        last = word_of[e.end - 1] if e.end <= len(word_of) else len(places) - 1
        if last < len(places) and last >= 0 and places[last][0] >= e.end:
            last -= 1
        if first > last:
            losses.add(lost, losses.WORDLESS, 1)
        else:
            spans.append((e, WordSpan(first, last, e.label)))
    if nested:
        spans.sort(key=lambda pair: (pair[1].first, -pair[1].last))
    kept: list[tuple[Entity, WordSpan]] = []
    open_: list[tuple[Entity, WordSpan]] = []
    for e, span in spans:
        open_ = [pair for pair in open_ if pair[1].last >= span.first]
        clash = _clash(e, span, open_, nested=nested)
        if clash:
            losses.add(lost, clash, 1)
        else:
            kept.append((e, span))
            open_.append((e, span))
    return sorted(kept, key=lambda pair: (pair[1].first, -pair[1].last))


def _clash(e: Entity, span: WordSpan, open_: Sequence[tuple[Entity, WordSpan]], *, nested: bool) -> str:
    """Return why a mention cannot be written beside those that share a word with it, or an empty string."""
    for other, its in open_:
        if nested and span.last <= its.last and span != its:
            continue
        if (e.start, e.end, e.label) == (other.start, other.end, other.label):
            return losses.REPEATED
        if e.end <= other.start or other.end <= e.start:
            return losses.SHARED
        if (other.start <= e.start and e.end <= other.end) or (e.start <= other.start and other.end <= e.end):
            return losses.NESTED
        return losses.CROSSING
    return ""
