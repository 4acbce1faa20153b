"""Words cut at the edges of mentions, for formats whose spans are runs of tokens."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ...model.text import words


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text between two cuts.

    Attributes:
        start, end: code points, end exclusive.
        solid: part of a word; else blanks, controls and invisible characters between words.
    """

    start: int
    end: int
    solid: bool


def pieces(
    text: str, spans: Iterable[tuple[int, int]], base: Sequence[tuple[int, int]] | None = None
) -> list[Piece]:
    """Cut a text at the edges of its words and of some spans.

    Args:
        text: any string.
        spans: (start, end) in code points whose edges are to be cuts; proclitics come off their names so.
        base: the words, in order and without overlap; those of `model.text.words` if None.

    Returns:
        Pieces that together are the whole text, in order.
    """
    base = words(text) if base is None else base
    cuts = {0, len(text)}.union(*base, *spans)
    edges = sorted(cuts)
    starts = [s for s, _ in base]
    made = []
    for start, end in pairwise(edges):
        word = bisect_left(starts, start + 1) - 1
        made.append(Piece(start, end, word >= 0 and start < base[word][1]))
    return made


def tokens(text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the (start, end) of tokens such that every span begins where one begins and ends where one ends.

    What is in no word is in no token, unless a span begins or ends there (a name with a blank at its edge).
    """
    starts, ends = {s for s, _ in spans}, {e for _, e in spans}
    return [(p.start, p.end) for p in pieces(text, spans) if p.solid or p.start in starts or p.end in ends]
