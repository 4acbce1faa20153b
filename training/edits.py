"""Edits of a gold text that carry its annotation along."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from ..model.document import Document
from ..model.errors import ConfigError
from ..model.text import make_entity


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the code points [start, end) by `text`; edits never overlap."""

    start: int
    end: int
    text: str


def rewrite(document: Document, edits: Sequence[Edit]) -> Document:
    """Return the document with the edits made and every offset moved along; itself if there are none.

    A span that begins at an edit's start begins at its replacement, one that begins at an edit's end begins after
    it, and what is put in at an edge of a span is outside. Linear in text, edits and mentions but for the sorting.

    Raises:
        ConfigError: edits that overlap, or cross the edge of a mention.
    """
    if not edits:
        return document
    ordered = sorted(edits, key=lambda e: (e.start, e.end))
    parts: list[str] = []
    at = 0
    for edit in ordered:
        if edit.start < at:
            raise ConfigError(f"two edits overlap at {edit.start}; accepted: edits apart from each other")
        parts += [document.text[at : edit.start], edit.text]
        at = edit.end
    text = "".join([*parts, document.text[at:]])
    ends = [e.end for e in ordered]
    shifts = [0, *accumulate(len(e.text) - (e.end - e.start) for e in ordered)]

    def moved(offset: int, *, is_end: bool) -> int:
        done = bisect_right(ends, offset)
        while is_end and done and ordered[done - 1].start == offset:  # put in at the end: outside
            done -= 1
        if done < len(ordered) and ordered[done].start < offset:
            raise ConfigError(
                f"an edit crosses the edge of a mention at {offset}; accepted: edits on one side"
            )
        return offset + shifts[done]

    entities = []
    for e in document.entities:
        start, end = moved(e.start, is_end=False), moved(e.end, is_end=True)
        made = make_entity(text, start, end, e.label, id=e.id, score=e.score)
        entities.append(replace(made, cluster=e.cluster))
    return replace(document, text=text, entities=tuple(entities))
