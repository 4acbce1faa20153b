"""Brat standoff: the `.ann` text that belongs to a document's `.txt` (https://brat.nlplab.org/standoff.html)."""

import re

from ..document import Document
from ..errors import DataError

# Readers of `.ann` files cut lines at any of these, so none may stand in the quoted text of a mention.
LINE_BREAKS = re.compile(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")
_BRAT_ID = re.compile(r"T\d+")


def to_brat(document: Document) -> str:
    r"""Return the annotation in brat standoff: `T` mentions, `R` relations, `* Equiv` clusters.

    Offsets are code points of `document.text`, so the `.txt` beside it must hold that text unchanged. A
    mention that runs over a line end is written in fragments (`0 5;6 10`), as brat itself does. Mention ids
    are kept when all are of brat's form (`T1`), else the mentions are numbered anew. Scores have no place
    in the format.

    Args:
        document: any document.

    Returns:
        One annotation a line, each line ended by `\n`; empty if there is nothing to write.

    Raises:
        DataError: a mention begins or ends with a line break, or a label holds a blank or a colon.
    """
    keep = all(_BRAT_ID.fullmatch(e.id) for e in document.entities)
    ids = {e.id: e.id if keep else f"T{n}" for n, e in enumerate(document.entities, 1)}
    lines = [f"{ids[e.id]}\t{_label(e.label)} {_spans(document, e.start, e.end)}" for e in document.entities]
    lines += [
        f"R{n}\t{_label(r.label)} Arg1:{ids[r.head]} Arg2:{ids[r.tail]}"
        for n, r in enumerate(document.relations, 1)
    ]
    lines += ["*\tEquiv " + " ".join(ids[m] for m in cluster) for cluster in document.clusters]
    return "".join(line + "\n" for line in lines)


def fragments(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Return the parts of a span between line breaks, as (start, end) in code points of `text`."""
    parts = []
    for match in LINE_BREAKS.finditer(text, start, end):
        parts.append((start, match.start()))
        start = match.end()
    return [*parts, (start, end)]


def _spans(document: Document, start: int, end: int) -> str:
    parts = fragments(document.text, start, end)
    if any(s >= e for s, e in parts):
        raise DataError(
            f"document {document.id!r}: the mention [{start}:{end}] begins or ends with a line break",
            accepted="mentions that begin and end with a visible character",
        )
    return ";".join(f"{s} {e}" for s, e in parts) + "\t" + " ".join(document.text[s:e] for s, e in parts)


def _label(label: str) -> str:
    if not label or re.search(r"[\s:;]", label):
        raise DataError(
            f"the label {label!r}", accepted="labels without blanks, colons and semicolons in brat"
        )
    return label
