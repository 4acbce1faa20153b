"""Part: the documents of one side of a check, with the words and names that several checks need."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from ....model.document import Document, Entity
from ....model.folding import fold
from ....model.text import MAX_PROCLITICS, paragraphs, words

TRAIN, DEV = "train", "dev"
_NAME_WORD = re.compile(r"\w+")
# What may stand before a name in its word: a conjunction, a preposition or both. The second lam of لل is the
# name's article, whose alef is elided.
PROCLITIC_STACK = re.compile("[وف]?[بلك]?")


@lru_cache(maxsize=200_000)
def folded(word: str) -> str:
    """Return one word as it is compared: no marks, kashida or invisible characters, letters folded."""
    return fold(word)


def name_key(entity: Entity) -> str:
    """Return the name of a mention as it is compared: folded words, one blank between them, no signs."""
    return " ".join(_NAME_WORD.findall(fold(entity.name or entity.text)))


def has_letters(key: str) -> bool:
    """Whether a name holds a letter; numbers alone mean different things in different places."""
    return any(c.isalpha() for c in key)


@dataclass(frozen=True)
class Line:
    """A paragraph of a document.

    Attributes:
        start, end: code points of the document's text.
        words: (start, end) of the words that hold a letter or a digit.
        keys: the same words folded.
    """

    start: int
    end: int
    words: Sequence[tuple[int, int]] = field(repr=False)
    keys: Sequence[str] = field(repr=False)


@dataclass(frozen=True)
class View:
    """A document with what is looked at again and again.

    Attributes:
        document: the document.
        split: `train` or `dev`.
    """

    document: Document
    split: str

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """The paragraphs with their words."""
        text = self.document.text
        found = []
        for lo, hi in paragraphs(text):
            spans = [(s, e) for s, e in words(text, lo, hi) if text[s].isalnum()]
            found.append(Line(lo, hi, spans, [folded(text[s:e]) for s, e in spans]))
        return tuple(found)

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The names of the entities, folded, in their order."""
        return tuple(name_key(e) for e in self.document.entities)

    @cached_property
    def nested(self) -> tuple[bool, ...]:
        """Whether each entity lies inside another one."""
        found, reach = [], -1
        for e in sorted(self.document.entities, key=lambda e: (e.start, -e.end)):
            found.append((e.id, e.end <= reach))
            reach = max(reach, e.end)
        inside = dict(found)
        return tuple(inside[e.id] for e in self.document.entities)

    @cached_property
    def covered(self) -> "Cover":
        """The places that any entity covers."""
        return Cover([(e.start, e.end) for e in self.document.entities])


class Cover:
    """The union of spans, for asking whether a place touches any of them.

    Args:
        spans: (start, end), end exclusive, in any order.
    """

    def __init__(self, spans: Sequence[tuple[int, int]]) -> None:
        merged: list[list[int]] = []
        for start, end in sorted(spans):
            if merged and start <= merged[-1][1]:
                merged[-1][1] = max(merged[-1][1], end)
            else:
                merged.append([start, end])
        self._starts, self._ends = [s for s, _ in merged], [e for _, e in merged]

    def touches(self, start: int, end: int) -> bool:
        """Whether the code points [start, end) overlap any of the spans."""
        n = bisect_left(self._starts, end) - 1
        return n >= 0 and self._ends[n] > start


def without_proclitics(key: str) -> list[str]:
    """Return what a folded word may be without its proclitics, the word itself left out.

    وببغداد: ببغداد, بغداد. للعراق: لعراق, العراق (the article's alef is elided after ل) and, as in للبنان, لبنان.
    """
    found: list[str] = []
    for length in range(1, min(MAX_PROCLITICS, len(key) - 1) + 1):
        if not PROCLITIC_STACK.fullmatch(key, 0, length):
            continue
        rest = key[length:]
        found.append(rest)
        # After a lam only: لل + عراق is ل + العراق.
        if key[length - 1] == "ل" and rest.startswith("ل"):
            found.append("ا" + rest)
    return list(dict.fromkeys(found))
