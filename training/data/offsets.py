r"""Offsets of annotation tools: code points, UTF-16 units or grapheme clusters, checked against quoted text.

Programs in Python count code points, those in JavaScript UTF-16 code units (an emoji is two), and some count
what the eye sees as one character, an Arabic letter with its marks, or an emoji with its joiners (Unicode
Standard Annex 29, extended grapheme clusters). Only for texts without emoji and marks are they the same.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ...model.errors import DataError, nearest

CODE_POINTS, UTF16, GRAPHEMES = "code-points", "utf-16", "graphemes"
UNITS = (CODE_POINTS, UTF16, GRAPHEMES)
# A file that was read with universal newlines and annotated has one character where the text has \r\n.
ONE_NEWLINE = ", \\r\\n as one"
# What quotes can vouch for; graphemes are left out, no tool that counts them quotes.
QUOTED_UNITS = (CODE_POINTS, UTF16, CODE_POINTS + ONE_NEWLINE, UTF16 + ONE_NEWLINE)


@dataclass(frozen=True, slots=True)
class Claim:
    """A span as a file has it.

    Attributes:
        start, end: offsets in the unit of the file, end exclusive.
        quote: the text that the file says is there; None if it says nothing.
    """

    start: int
    end: int
    quote: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a span is.

    Attributes:
        start, end: code points, end exclusive.
        note: how it was found, if not where the unit of the document puts it; else empty.
    """

    start: int
    end: int
    note: str = ""


@lru_cache(maxsize=8)
def starts_of(text: str, unit: str) -> tuple[int, ...]:
    r"""Return the code point that every offset stands for, and the length of the text at the end.

    Args:
        text: any text.
        unit: a name of `UNITS`, or one of `QUOTED_UNITS`.

    Returns:
        `len(text)` in the unit, plus one, numbers; -1 for the middle of a surrogate pair.
    """
    one_newline = unit.endswith(ONE_NEWLINE)
    unit = unit.removesuffix(ONE_NEWLINE)
    if unit == GRAPHEMES:
        return (*(m.start() for m in _clusters()(text)), len(text))
    table: list[int] = []
    for n, char in enumerate(text):
        if one_newline and char == "\n" and n and text[n - 1] == "\r":
            continue
        table.append(n)
        if unit == UTF16 and ord(char) > 0xFFFF:
            table.append(-1)
    return (*table, len(text))


def written_in(text: str, unit: str) -> Callable[[int], int]:
    """Return a function from code points of `text` to offsets of a unit.

    An offset inside a grapheme cluster becomes that of its beginning.
    """
    if unit == CODE_POINTS:
        return lambda at: at
    offsets = [0] * (len(text) + 1)
    filled = 0
    for n, at in enumerate(starts_of(text, unit)):
        if at < 0:
            continue
        for i in range(filled, at):
            offsets[i] = offsets[filled - 1] if filled else 0
        offsets[at] = n
        filled = at + 1
    return offsets.__getitem__


def splits_cluster(text: str, at: int) -> bool:
    """Whether a code-point offset cuts a letter off its marks, or an emoji in two."""
    if not 0 < at < len(text):
        return False
    # No cluster of running text is longer than this; a text of a million marks must not be looked through.
    low = max(0, at - 64)
    return all(m.start() != at - low for m in _clusters()(text[low : at + 64]))


def settle(
    text: str, claims: Sequence[Claim], units: Sequence[str] = QUOTED_UNITS
) -> tuple[list[Place | None], str]:
    """Find where the spans of one document are.

    The unit in which most quotes are what the text has there is that of the document, the earlier one of
    `units` among equals. A quote that is not there is taken from where another unit puts it, if that is
    one place; else where it stands in the text, if it occurs once. Claims without a quote go by the
    document's unit.

    Args:
        text: the document's text.
        claims: its spans.
        units: names of `QUOTED_UNITS`, in the order of preference.

    Returns:
        (a place for every claim, None where there is none or more than one; the document's unit).
    """
    tables = {unit: starts_of(text, unit) for unit in units}
    found = {unit: [_at(text, table, claim) for claim in claims] for unit, table in tables.items()}
    sure = {
        unit: sum(
            place is not None and claim.quote is not None for place, claim in zip(row, claims, strict=True)
        )
        for unit, row in found.items()
    }
    chosen = max(units, key=lambda unit: sure[unit])
    places: list[Place | None] = []
    for n, claim in enumerate(claims):
        place = found[chosen][n]
        if place is None and claim.quote is not None:
            fitting = {(p.start, p.end): unit for unit in reversed(units) if (p := found[unit][n])}
            place = _only(text, claim)
            if len(fitting) == 1:
                (((start, end), unit),) = fitting.items()
                place = Place(start, end, f"counted in {unit}")
        places.append(place)
    return places, chosen


def misquoted(text: str, claim: Claim) -> tuple[str, str]:
    """Return what is wrong with a claim whose quote is not where it says, and what is accepted, for a fault."""
    shown = text[max(0, claim.start) : max(0, claim.end)]
    places = ", ".join(map(str, places_of(text, claim.quote or "")))
    found = f"spans {claim.start} to {claim.end} and quotes {claim.quote!r}, but the text there is {shown!r}"
    return found, f"offsets of the quoted text, which is at {places}" if places else "a quote of the text"


def check_unit(unit: str, known: Sequence[str] = UNITS) -> None:
    """Raise DataError if offsets are said to count something that a format does not know."""
    if unit not in known:
        raise DataError(f"offsets counted in {unit!r}", accepted=nearest(unit, known))


def places_of(text: str, quote: str, *, most: int = 5) -> list[int]:
    """Return where a quote stands in the text, overlapping ones too, at most `most` of them."""
    places: list[int] = []
    at = text.find(quote) if quote else -1
    while at >= 0 and len(places) < most:
        places.append(at)
        at = text.find(quote, at + 1)
    return places


def _at(text: str, table: Sequence[int], claim: Claim) -> Place | None:
    if not 0 <= claim.start < claim.end < len(table):
        return None
    start, end = table[claim.start], table[claim.end]
    if start < 0 or end < 0:
        return None
    if claim.quote is not None and not _same(text[start:end], claim.quote):
        return None
    return Place(start, end)


def _same(found: str, quote: str) -> bool:
    """Whether a quote is what was found; browsers collapse blanks and line ends in what they quote."""
    return found == quote or (bool(found.strip()) and found.split() == quote.split())


def _only(text: str, claim: Claim) -> Place | None:
    quote = claim.quote or ""
    places = places_of(text, quote, most=2) if quote.strip() else []
    if len(places) != 1:
        return None
    start, end = places[0], places[0] + len(quote)
    return Place(start, end, f"moved from {claim.start}–{claim.end} to {start}–{end}, where alone it stands")


@lru_cache(maxsize=1)
def _clusters() -> Callable[[str], Iterator[Any]]:
    import regex  # a dependency of transformers

    find: Callable[[str], Iterator[Any]] = regex.compile(r"\X").finditer
    return find
