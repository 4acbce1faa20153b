"""Documents that are empty or without annotation, repeated ids, and unusual characters."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence

from ....model.folding import INVISIBLE_RANGES, KASHIDA, MARK_FORM_RANGES
from .findings import Finding, Severity, at
from .part import View

# More documents without annotation than these are told together.
_FEW_BARE = 5
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
# Characters by kind; the first kind that fits counts. Kashida is ordinary in Arabic print and only counted.
_CHARACTERS: tuple[tuple[str, re.Pattern[str], Severity], ...] = (
    ("replacement characters (U+FFFD)", re.compile("\ufffd"), Severity.WARNING),
    (
        "lone surrogates",
        re.compile("[\ud800-\udfff]"),
        Severity.WARNING,
    ),
    (
        "bidirectional controls",
        re.compile(f"[{_BIDI}]"),
        Severity.NOTE,
    ),
    (
        "other invisible characters",
        # An emoji's own joiner and variation selector belong to it.
        re.compile(
            f"(?<![\u2190-\u2bff\U0001f000-\U0001faff])(?![{_BIDI}])[{INVISIBLE_RANGES}](?![\U0001f000-\U0001faff])"
        ),
        Severity.NOTE,
    ),
    (
        "presentation forms",
        # U+FDF0 to U+FDFF are words and phrases such as ﷺ and ﷲ, which have no other spelling in use.
        re.compile(f"[\ufb50-\ufdcf\ufe80-\ufefc{MARK_FORM_RANGES}]"),
        Severity.NOTE,
    ),
    ("kashida", re.compile(KASHIDA), Severity.NOTE),
    (
        "control characters",
        re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]"),
        Severity.WARNING,
    ),
)
# Arabic in UTF-8 that was read as Windows-1252 or Latin-1 (Ø§Ù„), or as Windows-1256 (ط§ظ„).
_SECOND_BYTE = "[\u0080-\u00bf\u0152-\u0192\u02c6\u02dc\u2013-\u203a\u20ac\u2122]"
_GARBLED = re.compile(f"(?:[ØÙÚ]{_SECOND_BYTE}){{4,}}|(?:[طظ][^\u0621-\u0652\\s]){{4,}}")


def document_findings(views: Sequence[View], split: str) -> Iterator[Finding]:
    """Yield empty documents, documents without annotation or with a model's, and repeated ids of one split."""
    ids = Counter(v.document.id for v in views)
    for id_, n in ids.items():
        if n > 1:
            message = f"{n} documents have the id {id_!r}"
            yield Finding(
                Severity.WARNING, "document_id", message, split=split, document=id_, suggestion="rename them"
            )
    bare = []
    for view in views:
        document = view.document
        if not any(line.words for line in view.lines):
            what = "no text at all" if not document.text else "no word, only blanks and signs"
            yield Finding(
                Severity.WARNING, "empty_document", what, split, document.id, suggestion="remove the document"
            )
        elif not document.entities:
            bare.append(view)
    yield from _without_annotation(bare, views, split)
    yield from _predicted(views, split)


def _predicted(views: Sequence[View], split: str) -> Iterator[Finding]:
    """Yield one finding for all documents that a model annotated: an error where there are no others."""
    made = [v.document for v in views if v.document.model]
    if not made:
        return
    shown = ", ".join(d.id for d in made[:_FEW_BARE]) + " …" * (len(made) > _FEW_BARE)
    message = f"{len(made)} of {len(views)} documents hold what {made[0].model} found: {shown}"
    severity = Severity.ERROR if len(made) == len(views) else Severity.WARNING
    advice = "correct them in an annotation tool and give its export"
    yield Finding(severity, "predicted_document", message, split, suggestion=advice)


def _without_annotation(bare: list[View], views: Sequence[View], split: str) -> Iterator[Finding]:
    """Yield a note for each of a few documents without annotation, and one finding for many.

    It is a warning where they are most of the documents.
    """
    most = len(bare) > len(views) / 2 and len(views) > 1
    if most or len(bare) > _FEW_BARE:
        shown = ", ".join(v.document.id for v in bare[:_FEW_BARE]) + " …" * (len(bare) > _FEW_BARE)
        message = f"{len(bare)} of {len(views)} documents have no annotation: {shown}"
        advice = "leave out documents that nobody has annotated yet"
        severity = Severity.WARNING if most else Severity.NOTE
        yield Finding(severity, "unannotated_document", message, split, suggestion=advice)
        return
    for view in bare:
        length = sum(len(line.words) for line in view.lines)
        message = f"{length} words and no entity"
        start, end = view.lines[0].start, min(view.lines[0].end, view.lines[0].start + 80)
        yield at(Severity.NOTE, "unannotated_document", message, view.document, start, end, split=split)


def character_findings(views: Sequence[View], split: str) -> Iterator[Finding]:
    """Yield one finding for each kind of unusual character: how many, in how many documents, the first place."""
    for what, pattern, severity in _CHARACTERS:
        found: Counter[str] = Counter()
        holders = 0
        first: tuple[View, int] | None = None
        for view in views:
            matches = list(pattern.finditer(view.document.text))
            found.update(m.group() for m in matches)
            holders += bool(matches)
            if matches and first is None:
                first = (view, matches[0].start())
        if first is None:
            continue
        shown = ", ".join(f"{_name(c)} {n:,}" for c, n in found.most_common(4))
        message = f"{found.total():,} {what} in {holders:,} of {len(views):,} documents ({shown})"
        view, start = first
        yield at(severity, "characters", message, view.document, start, start + 1, split=split)
    for view in views:
        garbled = _GARBLED.search(view.document.text)
        if garbled:
            yield at(
                Severity.WARNING,
                "characters",
                "this looks like UTF-8 that was read in another encoding",
                view.document,
                *garbled.span(),
                split=split,
                suggestion="convert the file again from its source",
            )


def _name(char: str) -> str:
    return f"U+{ord(char):04X} {unicodedata.name(char, '')}".strip().lower().replace("u+", "U+")
