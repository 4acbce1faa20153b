"""Perturbations of gold texts as they happen in the wild, with the annotation carried along exactly.

Each one turns a document into a list of edits; `carry` makes them and moves every offset. Whatever it does,
`text[e.start:e.end] == e.text` holds, ids, labels, relations and clusters stay, and what stands between the
beginning of a word and a mention in it (its proclitic) stays outside the mention and the same after folding.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from zlib import crc32

import numpy as np

from ..model.document import Document
from ..model.errors import ConfigError
from ..model.text import make_entity
from ..training.edits import Edit
from . import perturb_letters as letters

Edits = Callable[[Document, np.random.Generator], list[Edit]]
INVISIBLE_RATES = (1, 3, 5)  # characters injected in 100


@dataclass(frozen=True, slots=True)
class Perturbation:
    """One way to change texts.

    Attributes:
        name: short, for tables and files.
        description: what it does, one line.
        edits: proposes the changes of a document.
    """

    name: str
    description: str
    edits: Edits

    def __call__(self, document: Document, *, seed: int = 0) -> Document:
        """Return the document changed; the same seed, id and text give the same change in any collection."""
        key = crc32(f"{self.name}\0{document.id}\0{document.text}".encode("utf-8", "surrogatepass"))
        return carry(document, self.edits(document, np.random.default_rng([seed, key])))


def perturbations() -> dict[str, Perturbation]:
    """Return every perturbation by name, in the order of reports."""
    listed = [
        *(
            Perturbation(
                f"invisible_{n}",
                f"{n} invisible characters (ZWNJ, ZWSP, LRM, RLM, BOM, …) in 100",
                partial(letters.invisible, rate=n / 100),
            )
            for n in INVISIBLE_RATES
        ),
        Perturbation("hamza_alef", "أ إ آ written ا, as most of the web does", letters.drop_alef_hamza),
        Perturbation("hamza", "hamza left out: أ إ آ ؤ ئ bare, ء at a word's end gone", letters.drop_hamza),
        Perturbation("kashida", "every third word of four letters or more stretched", letters.stretch),
        Perturbation("diacritics", "every second letter vocalised at random", letters.vocalise),
        Perturbation("ocr", "dots confused (ب ت ث ن, ج ح خ, د ذ, ر ز, …), spaces lost", letters.scan),
        Perturbation(
            "joined_names", "names of persons written together: عبدالله, نصرالله", letters.join_names
        ),
        Perturbation(
            "presentation_forms", "Arabic letters as positional forms, lam-alef as one", letters.shape
        ),
        Perturbation("arabic_digits", "digits 0-9 as ٠-٩", letters.arabic_digits),
    ]
    return {p.name: p for p in listed}


def carry(document: Document, edits: Sequence[Edit]) -> Document:
    """Return the document with the edits made and its annotation moved along.

    As `training.edits.rewrite`, in time linear in text and mentions, and scores and clusters are kept: a span
    that begins at an edit's start begins at its replacement, and what is put in at an edge of a span is outside.
    Deletions that would leave nothing of a mention are not made.

    Raises:
        ConfigError: edits that overlap, or cross the edge of a mention.
    """
    ordered = sorted((e for e in edits if not _empties(document, e)), key=lambda e: (e.start, e.end))
    if not ordered:
        return document
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


def _empties(document: Document, edit: Edit) -> bool:
    """Whether a deletion lies in a mention so short that deletions might leave nothing of it."""
    return not edit.text and any(
        e.end - e.start <= 2 and e.start < edit.end and edit.start < e.end for e in document.entities
    )
