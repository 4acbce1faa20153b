"""Misspellings of web Arabic, put into gold text so that a model learns to read through them.

Hamza on alef and the dots of final yaa need no noise: the tokenizer's normalizer folds them already.
"""

import re

import numpy as np

from ..model.document import Document
from ..model.text import words
from .edits import Edit, rewrite

_LETTERS = re.compile("[\u0621-\u064a]+")
# What is written for what: hamza dropped or carried otherwise, taa marbuta without its dots, and back.
_SWAPS = {"ؤ": "و", "ئ": "ي", "ء": "", "ة": "ه"}
_JOINED = frozenset({"عبد", "أبو", "ابو", "أبي", "ابي", "نصر", "بو", "ذو", "سيف", "نور", "عز"})


def misspell(document: Document, random: np.random.Generator, *, rate: float) -> Document:
    """Return the document with some of its words misspelt.

    A letter is written as its look-alike, dropped, doubled or stretched, or the space after the first part of
    a joined name goes (عبد الله, عبدالله). First letters stay: they may be proclitics, and spans begin there.

    Args:
        document: gold; spans move along.
        random: source of chance.
        rate: probability that a word is misspelt.
    """
    edits: list[Edit] = []
    spans = words(document.text)
    hit = random.random(len(spans)) < rate
    starts = {e.start for e in document.entities}
    for number in np.flatnonzero(hit):
        start, end = spans[number]
        following = spans[number + 1][0] if number + 1 < len(spans) else end
        edit = _edit(document.text, start, end, following, starts, random)
        if edit is not None:
            edits.append(edit)
    return rewrite(document, edits)


def _edit(
    text: str, start: int, end: int, following: int, starts: set[int], random: np.random.Generator
) -> Edit | None:
    word = text[start:end]
    if not _LETTERS.fullmatch(word) or len(word) < 3:
        return None
    if word in _JOINED and text[end:following] == " " and following not in starts:
        return Edit(end, following, "")
    places = [n for n in range(2, len(word)) if word[n] in _SWAPS]
    if places and random.random() < 0.6:
        at = start + int(random.choice(places))
        return Edit(at, at + 1, _SWAPS[text[at]])
    if len(word) < 5 or any(start < s < end for s in starts):
        return None
    return _slip(text, start + int(random.integers(2, len(word) - 1)), random.random())


def _slip(text: str, at: int, chance: float) -> Edit:
    """Drop, double or stretch the letter at an offset."""
    if chance < 0.35:
        return Edit(at, at + 1, "")
    return Edit(at, at + 1, text[at] * 2) if chance < 0.7 else Edit(at, at, "\u0640")
