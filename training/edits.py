"""Edits of a gold text that carry its annotation along."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..model.document import Document
from ..model.text import make_entity


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the code points [start, end) by `text`; edits never overlap."""

    start: int
    end: int
    text: str


def rewrite(document: Document, edits: Sequence[Edit]) -> Document:
    """Return the document with the edits made and every offset moved along.

    A span that begins at an edit's start begins at its replacement; a span that begins at an edit's end
    begins after it.
    """
    ordered = sorted(edits, key=lambda e: (e.start, e.end))
    parts: list[str] = []
    at = 0
    for edit in ordered:
        if edit.start < at:
            raise ValueError(f"edits overlap at {edit.start}")
        parts += [document.text[at : edit.start], edit.text]
        at = edit.end
    text = "".join([*parts, document.text[at:]])

    def moved(offset: int, *, is_end: bool) -> int:
        shift = 0
        for edit in ordered:
            before = edit.end <= offset and (edit.end > edit.start or edit.start < offset or not is_end)
            if not before:
                break
            shift += len(edit.text) - (edit.end - edit.start)
        return offset + shift

    entities = [
        make_entity(text, moved(e.start, is_end=False), moved(e.end, is_end=True), e.label, id=e.id)
        for e in document.entities
    ]
    return replace(document, text=text, entities=tuple(entities))
