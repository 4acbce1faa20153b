"""Making any string safe to show: what no output format, screen or XML file can carry is replaced."""

import re
import unicodedata

# Lone surrogates cannot be encoded as UTF-8; control characters (ESC among them, which drives terminals) and
# the two noncharacters are forbidden in XML and HTML. Tab and line breaks stay.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
# Characters that only steer the bidirectional algorithm (Unicode Standard Annex 9, section 2).
_BIDI_CONTROLS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# Letters that do not join the one after them, and the one that does not join the one before either
# (Unicode Character Database, ArabicShaping.txt, joining types R and U, the basic Arabic block).
_HAMZA = "ء"
_NOT_JOINING_NEXT = re.compile("[ءآأؤإاةد-زوٱ-ٷڈ-ڙۀۃ-ۋۍۏےۓەۮۯ]")
_ARABIC_LETTER = re.compile("[\u0620-\u064a\u066e\u066f\u0671-\u06d3\u06d5\u06ee\u06ef\u06fa-\u06fc\u06ff]")
_RTL = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]")


def printable(text: str) -> str:
    """Return `text` with every character that cannot be shown or stored replaced by U+FFFD.

    Characters are replaced one for one, so code-point offsets stay valid.
    """
    return _UNPRINTABLE.sub("\ufffd", text)


def one_line(text: str) -> str:
    """Return `text` for a place of one line: printable, white space folded, bidi controls left out."""
    return printable(" ".join(_BIDI_CONTROLS.sub("", text).split()))


def has_rtl(text: str) -> bool:
    """Whether `text` holds a character of a right-to-left script."""
    return _RTL.search(text) is not None


def joins(text: str, position: int) -> bool:
    """Whether the letters before and after `position` are written joined (marks between them are skipped)."""
    before = position - 1
    while before >= 0 and unicodedata.category(text[before]) == "Mn":
        before -= 1
    if before < 0 or position >= len(text):
        return False
    left, right = text[before], text[position]
    return (
        _ARABIC_LETTER.match(left) is not None
        and _ARABIC_LETTER.match(right) is not None
        and _NOT_JOINING_NEXT.match(left) is None
        and right != _HAMZA
    )
