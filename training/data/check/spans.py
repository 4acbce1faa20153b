"""Spans that cut words or letters, carry blanks and signs at their edges, or cross one another."""

import re
from collections.abc import Iterator

from ....model.document import Entity
from ....model.folding import INVISIBLE_RANGES, fold
from ....model.text import (
    MAX_PROCLITICS,
    extend_over_marks,
    letter_offset,
    letters_before,
    readable,
    trim_edges,
    word_bounds,
)
from .findings import Finding, Severity, at
from .part import PROCLITIC_STACK, View

_UNSEEN = re.compile(f"[\\s{INVISIBLE_RANGES}]")
_BREAK = re.compile("[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
# Signs at the edge of an address or handle belong to it, as does the minus of a number.
_ADDRESS = re.compile(r"\w+://|www\.|[@#]", re.IGNORECASE)
_IN_BRACKETS = re.compile(r"\([^()]*\)")
_NEGATIVE = re.compile(r"[-\u2212]\d")
_ARABIC = re.compile("[\u0620-\u064a\u0671-\u06d3\ufb50-\ufdff\ufe70-\ufefc]")


def span_findings(view: View) -> Iterator[Finding]:
    """Yield what is wrong with the spans of one document; at most one finding about either edge of a span."""
    for entity in view.document.entities:
        yield from _edges(view, entity) or _inside(view, entity)
    yield from _overlaps(view)


def _edges(view: View, entity: Entity) -> list[Finding]:
    """Return what stands at the edges of a span and does not belong to it: blanks, signs, halves of letters."""
    text, start, end = view.document.text, entity.start, entity.end
    lo, hi = start, end
    while lo < hi and _UNSEEN.match(text, lo):
        lo += 1
    while hi > lo and _UNSEEN.match(text, hi - 1):
        hi -= 1
    if (lo, hi) != (start, end):
        # Words hold no blanks, so that such a span has no first or no last word.
        return [_finding(view, entity, Severity.ERROR, "edge", "a blank or an invisible character", lo, hi)]
    if extend_over_marks(text, start) != start:
        message = "the span begins with a mark of the letter before it"
        lo = extend_over_marks(text, start)
        return [_place(view, entity, Severity.ERROR, "marks", message, lo, end)]
    if not _ADDRESS.match(text, start) and not _NEGATIVE.match(text, start):
        lo, hi = trim_edges(text, start, end)
        if _IN_BRACKETS.fullmatch(text, start, end):
            lo, hi = start + 1, end - 1  # a bracket within a name has its partner there: (واس)
        if (lo, hi) != (start, end):
            return [_finding(view, entity, Severity.WARNING, "edge", "punctuation or a symbol", lo, hi)]
    return []


def _inside(view: View, entity: Entity) -> Iterator[Finding]:
    """Yield words, letters and lines that a span cuts."""
    text, start, end = view.document.text, entity.start, entity.end
    if _BREAK.search(text, start, end):
        message = "the span crosses a line break; paragraphs are read one by one"
        yield _place(view, entity, Severity.ERROR, "misaligned", message)
        return
    whole = extend_over_marks(text, end)
    if whole != end:
        message = "the last letter's mark is left outside"
        yield _place(view, entity, Severity.WARNING, "marks", message, start, whole)
    word_start, word_end = word_bounds(text, start, end)
    if extend_over_marks(text, word_end) != whole:
        last = text[word_bounds(text, end - 1, end)[0] : word_end]
        message = f"the span ends inside the word «{readable(last)}»"
        yield _place(view, entity, Severity.ERROR, "misaligned", message, start, word_end)
    if word_start < start:
        yield from _beginning(view, entity, word_start, word_end)


def _beginning(view: View, entity: Entity, word_start: int, word_end: int) -> Iterator[Finding]:
    text, start = view.document.text, entity.start
    if not (_ARABIC.match(text, start) and _ARABIC.match(text, word_start)):
        return  # a name in another script after Arabic letters (الـCIA) begins where the script changes
    letters = letters_before(text, word_start, start)
    prefix = fold(readable(text[word_start:start]))
    word = readable(text[word_start : word_bounds(text, word_start, word_start + 1)[1]])
    if letter_offset(text, word_start, word_end, letters) != start:
        message = f"the span begins between a letter of «{word}» and its kashida or mark"
        proper = letter_offset(text, word_start, word_end, letters)
        yield _place(view, entity, Severity.WARNING, "marks", message, proper, entity.end)
    elif letters > MAX_PROCLITICS:
        message = f"the span begins inside the word «{word}»"
        yield _place(view, entity, Severity.ERROR, "misaligned", message, word_start, entity.end)
    elif not PROCLITIC_STACK.fullmatch(prefix):
        article = prefix.endswith(("ال", "لل"))
        cut = f"cuts off the article of «{word}»" if article else f"begins inside the word «{word}»"
        message = f"the span {cut}: «{prefix}» is no proclitic"
        # The article goes back into the span, the proclitics before it stay outside.
        outside = len(prefix) - (2 if prefix.endswith("ال") else 1)
        lo = letter_offset(text, word_start, word_end, outside) if article else word_start
        yield _place(view, entity, Severity.WARNING, "misaligned", message, lo, entity.end)


def _overlaps(view: View) -> Iterator[Finding]:
    """Yield spans that cross an earlier one, and mentions that stand twice."""
    around: list[Entity] = []
    seen: set[tuple[int, int, str]] = set()
    for entity in sorted(view.document.entities, key=lambda e: (e.start, -e.end)):
        place = (entity.start, entity.end, entity.label)
        if place in seen:
            message = f"the same mention stands twice as {entity.label}"
            yield _place(view, entity, Severity.WARNING, "crossing", message)
        seen.add(place)
        around = [other for other in around if other.end > entity.start]
        for other in around:
            if other.start < entity.start and other.end < entity.end:
                message = f"crosses the {other.label} «{other.name or other.text}»"
                yield _place(view, entity, Severity.WARNING, "crossing", message)
                break
        around.append(entity)


def _finding(
    view: View, entity: Entity, severity: Severity, kind: str, what: str, lo: int, hi: int
) -> Finding:
    if lo >= hi:
        message = "the span holds no letter or digit"
        return _place(view, entity, severity, kind, message, suggestion="remove it")
    sides = " and ".join(
        side for side, cut in (("begins", lo > entity.start), ("ends", hi < entity.end)) if cut
    )
    return _place(view, entity, severity, kind, f"the span {sides} with {what}", lo, hi)


def _place(
    view: View,
    entity: Entity,
    severity: Severity,
    kind: str,
    message: str,
    lo: int = -1,
    hi: int = -1,
    *,
    suggestion: str = "",
) -> Finding:
    if lo >= 0:
        suggestion = f"«{view.document.text[lo:hi]}», from {lo} to {hi}"
    return at(
        severity,
        kind,
        message,
        view.document,
        entity.start,
        entity.end,
        split=view.split,
        label=entity.label,
        suggestion=suggestion,
    )
