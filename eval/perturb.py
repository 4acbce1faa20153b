"""Perturbations of gold texts as they happen in the wild, with the annotation carried along exactly.

Each one turns a document into a list of edits; `carry` makes them and moves every offset. Whatever it does,
`text[e.start:e.end] == e.text` holds, ids, labels, relations and clusters stay, and what stands between the
beginning of a word and a mention in it (its proclitic) stays outside the mention and the same after folding.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from zlib import crc32

import numpy as np

from ..model.document import Document
from ..training.edits import Edit, rewrite
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
    """Return the document with the edits made and its annotation moved along, as `training.edits.rewrite` does.

    Deletions that would leave nothing of a mention are not made.

    Raises:
        ConfigError: edits that overlap, or cross the edge of a mention.
    """
    return rewrite(document, [e for e in edits if not _empties(document, e)])


def _empties(document: Document, edit: Edit) -> bool:
    """Whether a deletion lies in a mention so short that deletions might leave nothing of it."""
    return not edit.text and any(
        e.end - e.start <= 2 and e.start < edit.end and edit.start < e.end for e in document.entities
    )
