"""The edits behind `perturb.perturbations`: what each of them changes in a document."""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

import numpy as np

from ..model.document import Document
from ..model.folding import INVISIBLE_RANGES, KASHIDA, MARK_RANGES, fold
from ..model.text import words
from ..training.edits import Edit

# ZWNJ, ZWJ, ZWSP, LRM, RLM, Arabic letter mark, word joiner, byte-order mark, soft hyphen.
INVISIBLES = "\u200c\u200d\u200b\u200e\u200f\u061c\u2060\ufeff\u00ad"
ALEF_HAMZA = {"أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا"}
HAMZA = ALEF_HAMZA | {"ؤ": "و", "ئ": "ي"}
HARAKAT = ("\u064e", "\u064f", "\u0650", "\u0652", "\u0651\u064e", "\u0651\u0650")
TANWIN = ("\u064b", "\u064c", "\u064d")
# Letters that differ by their dots alone.
DOT_GROUPS = ("بتثن", "جحخ", "دذ", "رز", "سش", "صض", "طظ", "عغ", "فق", "هة", "يى")
STRETCH_SHARE, MARK_SHARE, DOT_RATE, SPACE_RATE = 1 / 3, 0.5, 0.03, 0.02
# Parts of names (folded) that are often written together with what follows, and with what stands before.
JOINS_NEXT = frozenset(map(fold, "عبد أبو أبي أبا أم بو نصر سيف نور علاء صلاح آل ذو".split()))
JOINS_BEFORE = frozenset(("الله", "الدين"))
PERSON_LABELS = frozenset({"PERS", "PER", "PERSON"})

_MARK = re.compile(f"[{MARK_RANGES}]")
_RIDES = re.compile(f"[{MARK_RANGES}{INVISIBLE_RANGES}]")
_LETTER = re.compile("[\u0621-\u063a\u0641-\u064a]")
# Letters that are not joined to the one after them.
_LAST = frozenset("اأإآٱدذرزوؤةىء")
_SPACES = re.compile(r"(?<=\S)[ \u00a0]+(?=\S)")


def invisible(document: Document, random: np.random.Generator, *, rate: float) -> list[Edit]:
    """Put `rate` invisible characters a character (at least one) anywhere in the text, also inside words.

    Not within CR LF nor between a letter and its marks. What comes to stand at the edge of a mention is outside.
    """
    text = document.text
    places = [
        n
        for n in range(1, len(text))
        if not _MARK.match(text, n) and not (text[n] == "\n" and text[n - 1] == "\r")
    ]
    count = min(len(places), max(1, round(rate * len(text))))
    chosen = sorted(random.permutation(len(places))[:count].tolist())
    return [Edit(places[n], places[n], INVISIBLES[random.integers(len(INVISIBLES))]) for n in chosen]


def drop_alef_hamza(document: Document, random: np.random.Generator) -> list[Edit]:
    """Write أ إ آ ٱ as ا."""
    kept = proclitics(document)
    return [
        Edit(n, n + 1, ALEF_HAMZA[c])
        for n, c in enumerate(document.text)
        if c in ALEF_HAMZA and n not in kept
    ]


def drop_hamza(document: Document, random: np.random.Generator) -> list[Edit]:
    """Write أ إ آ ٱ as ا, ؤ as و, ئ as ي, and leave ء out at the end of a word of three letters or more."""
    text, kept = document.text, proclitics(document)
    edits = [Edit(n, n + 1, HAMZA[char]) for n, char in enumerate(text) if char in HAMZA and n not in kept]
    for start, end in words(text):
        if end - start >= 3 and text[end - 1] == "ء" and end - 1 not in kept:
            edits.append(Edit(end - 1, end, ""))
    return edits


def stretch(document: Document, random: np.random.Generator) -> list[Edit]:
    """Put one to three kashidas between two joined letters of every third word of four letters or more."""
    text, edits = document.text, []
    for start, end in words(text):
        spots = [
            n
            for n in range(start, end - 1)
            if _LETTER.match(text, n)
            and text[n] not in _LAST
            and _LETTER.match(text, n + 1)
            and text[n + 1] != "ء"
            and (text[n] != "ل" or text[n + 1] not in "اأإآٱ")  # lam-alef is one shape
        ]
        if end - start >= 4 and spots and random.random() < STRETCH_SHARE:
            at = spots[random.integers(len(spots))]
            # Rides on the letter before it, so a proclitic's stays outside: بـ[واشنطن].
            edits.append(Edit(at, at + 1, text[at] + KASHIDA * int(random.integers(1, 4))))
    return edits


def vocalise(document: Document, random: np.random.Generator) -> list[Edit]:
    """Put a random short vowel, sukun, shadda, or at a word's end tanwin, on every second letter without a mark."""
    text = document.text
    edits = []
    for n, char in enumerate(text):
        bare = _LETTER.match(text, n) and char not in "اآٱىء" and not _RIDES.match(text, n + 1)
        if bare and random.random() < MARK_SHARE:
            marks = HARAKAT if _LETTER.match(text, n + 1) else HARAKAT + TANWIN
            edits.append(Edit(n, n + 1, char + marks[random.integers(len(marks))]))
    return edits


def scan(document: Document, random: np.random.Generator) -> list[Edit]:
    """Confuse letters that differ by dots (3% of them) and lose spaces (2%), as poor OCR does.

    A proclitic before a mention keeps its letters and a space at the edge of a mention stays: without them
    nobody could say where the mention is.
    """
    text, kept = document.text, proclitics(document)
    edits = []
    for n, char in enumerate(text):
        group = _dot_group(char)
        if group and n not in kept and random.random() < DOT_RATE:
            others = group.replace(char, "")
            edits.append(Edit(n, n + 1, others[random.integers(len(others))]))
    edits += [Edit(s, e, "") for s, e in inner_spaces(document) if random.random() < SPACE_RATE]
    return edits


def join_names(document: Document, random: np.random.Generator) -> list[Edit]:
    """Take out the spaces of persons' names that are often left out: after عبد أبو نصر …, before الله الدين."""
    allowed, found = set(inner_spaces(document)), {}
    for e in document.entities:
        if e.label not in PERSON_LABELS:
            continue
        for match in _SPACES.finditer(document.text, e.start, e.end):
            start, end = match.span()
            before = fold(document.text[e.start : start]).split()[-1:]
            after = fold(document.text[end : e.end]).split()[:1]
            if (start, end) in allowed and (JOINS_NEXT & {*before} or JOINS_BEFORE & {*after}):
                found[start] = Edit(start, end, "")
    return list(found.values())


def shape(document: Document, random: np.random.Generator) -> list[Edit]:
    """Write Arabic letters as the presentation forms that their neighbours call for, lam-alef as one ligature."""
    text, forms = document.text, presentation_forms()
    edges = {n for e in document.entities for n in (e.start, e.end)}
    edits, skip = [], -1
    for n, char in enumerate(text):
        shapes = forms.get(char)
        if not shapes or n <= skip:
            continue
        before, after = _neighbour(text, n, -1), _neighbour(text, n, +1)
        joined = _joins_next(before) and "final" in shapes
        ligature = forms.get(char + text[n + 1 : n + 2]) if n + 1 not in edges else None
        if ligature:
            skip = n + 1
            edits.append(Edit(n, n + 2, ligature["final" if joined else "isolated"]))
            continue
        joins = "initial" in shapes and (after == KASHIDA or "final" in forms.get(after, ()))
        form = ("medial" if joined else "initial") if joins else "final" if joined else "isolated"
        if form in shapes:
            edits.append(Edit(n, n + 1, shapes[form]))
    return edits


def arabic_digits(document: Document, random: np.random.Generator) -> list[Edit]:
    """Write 0-9 as ٠-٩, but for digits that touch a Latin letter (addresses, model names)."""
    pattern = re.compile(r"(?<![A-Za-z\d])\d+(?![A-Za-z\d])")
    return [
        Edit(n, n + 1, chr(0x0660 + int(document.text[n])))
        for m in pattern.finditer(document.text)
        for n in range(*m.span())
        if "0" <= document.text[n] <= "9"
    ]


def proclitics(document: Document) -> frozenset[int]:
    """Return the offsets that stand between the beginning of a word and a mention that begins in it."""
    spans = [(e.word_start, e.start) for e in document.entities if 0 <= e.word_start < e.start]
    return frozenset(n for start, end in spans for n in range(start, end))


def inner_spaces(document: Document) -> Iterator[tuple[int, int]]:
    """Yield runs of spaces (start, end) between visible characters that no mention begins or ends at."""
    edges = {n for e in document.entities for n in (e.start, e.end, e.word_start, e.word_end)}
    for match in _SPACES.finditer(document.text):
        if not edges & {match.start(), match.end()}:
            yield match.span()


@cache
def presentation_forms() -> dict[str, dict[str, str]]:
    """Return {letter or lam-alef: {form: character}} of Unicode's Arabic presentation forms."""
    forms: dict[str, dict[str, str]] = {}
    for code in (*range(0xFB50, 0xFBC0), *range(0xFBD3, 0xFC00), *range(0xFE80, 0xFEFD)):
        kind, *letters = unicodedata.decomposition(chr(code)).split() or [""]
        whole = "".join(chr(int(c, 16)) for c in letters)
        if len(whole) == 1 or (code >= 0xFEF5 and len(whole) == 2):
            forms.setdefault(whole, {})[kind.strip("<>")] = chr(code)
    return forms


def _joins_next(letter: str) -> bool:
    return letter == KASHIDA or "initial" in presentation_forms().get(letter, ())


def _neighbour(text: str, at: int, step: int) -> str:
    """Return the next character to one side, marks passed over; empty at the edge of the text."""
    at += step
    while 0 <= at < len(text) and _MARK.match(text, at):
        at += step
    return text[at] if 0 <= at < len(text) else ""


@cache
def _dot_group(char: str) -> str:
    return next((g for g in DOT_GROUPS if char in g), "")
