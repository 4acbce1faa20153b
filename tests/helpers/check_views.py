"""Documents for the data doctor's tests, and what it finds in them in short."""

from collections.abc import Iterable

from isnad.model.document import Document
from isnad.model.text import make_entity
from isnad.training.data.check import Finding
from isnad.training.data.check.part import View


def view(text: str, *spans: tuple[int, int, str], split: str = "train", id: str = "d") -> View:
    """Return a document with the spans (start, end, label)."""
    entities = [make_entity(text, s, e, label, id=f"T{n}") for n, (s, e, label) in enumerate(spans, 1)]
    return View(Document(text, tuple(entities), id=id), split)


def marked(text: str, split: str = "train", id: str = "d") -> View:
    """Return a document from text in which `[name|LABEL]` marks the spans; they do not nest."""
    spans, plain, rest = [], "", text
    while "[" in rest:
        before, _, rest = rest.partition("[")
        span, _, rest = rest.partition("]")
        name, _, label = span.rpartition("|")
        plain += before
        spans.append((len(plain), len(plain) + len(name), label))
        plain += name
    return view(plain + rest, *spans, split=split, id=id)


def kinds(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    """Return (severity, kind) of findings."""
    return [(f.severity.value, f.kind) for f in findings]
