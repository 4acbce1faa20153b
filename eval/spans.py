"""Strict nested span matching, and one error class for everything that does not match.

Spans are compared as sets of (start, end, label) per document: an entity is found when both offsets and
the label are right, whatever it is nested in. The same holds for word-level and flat conventions, which
only change the spans that are compared.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple, get_args

from ..model.document import Document, Entity
from ..model.errors import ConfigError, DataError, nearest
from .counts import CountsTable

Convention = Literal["char", "word"]


class Span(NamedTuple):
    """An entity as it is compared.

    Attributes:
        start, end: code points of the text, end exclusive.
        label: the entity type.
        word_start: where its first word starts, proclitics included; -1 if unknown.
    """

    start: int
    end: int
    label: str
    word_start: int = -1

    @property
    def key(self) -> tuple[int, int, str]:
        """What strict matching compares."""
        return self.start, self.end, self.label


def check_convention(convention: str) -> None:
    """Raise ConfigError unless `convention` is one that `project` knows."""
    if convention not in get_args(Convention):
        raise ConfigError(
            f"unknown span convention {convention!r}; {nearest(convention, get_args(Convention))}"
        )


def project(document: Document, *, convention: Convention = "char", flat: bool = False) -> dict[str, Span]:
    """Return the spans of a document under a convention, keyed by entity id.

    Args:
        document: gold or prediction.
        convention: "char" compares character spans without proclitics (isnad's own); "word" compares the
            spans grown to whole words, which is what corpora annotate that keep proclitics in the word
            (ANERcorp, Wojood).
        flat: keep the outermost entities only (see `outermost`).

    Raises:
        DataError: an entity has no word span and `convention` is "word".
    """
    check_convention(convention)
    # Likelier entities first, so that they win where a flat sequence has room for one label only.
    entities = sorted(document.entities, key=lambda e: -e.score)
    spans = {e.id: _span(e, document, convention) for e in entities}
    if not flat:
        return spans
    kept = set(outermost(spans.values()))
    return {id_: span for id_, span in spans.items() if span in kept}


def _span(entity: Entity, document: Document, convention: Convention) -> Span:
    if convention == "char":
        return Span(entity.start, entity.end, entity.label, entity.word_start)
    if entity.word_start < 0 or entity.word_end < 0:
        raise DataError(
            f"document {document.id!r}: entity {entity.id} has no word_start and word_end",
            accepted="entities made by isnad.model.text.make_entity, or convention='char'",
        )
    return Span(entity.word_start, entity.word_end, entity.label, entity.word_start)


def outermost(spans: Iterable[Span]) -> list[Span]:
    """Reduce nested spans to a flat sequence, as IOB2 tags can write it.

    From left to right, the longest span at each point is kept and everything that overlaps it is dropped:
    inner entities, and later ones that cross it. Of several labels on one span the first given is kept.
    """
    kept: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.start, -s.end)):
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return kept


def match_spans(gold: Iterable[Span], predicted: Iterable[Span]) -> CountsTable:
    """Count strict matches of one document per entity type; duplicates count once."""
    return CountsTable.of(((s.label, s.key) for s in gold), ((s.label, s.key) for s in predicted))


class ErrorClass(StrEnum):
    """What is wrong with an unmatched gold or predicted span; see `classify_errors`."""

    CLITIC = "clitic"
    TYPE = "type"
    BOUNDARY = "boundary"
    NESTING = "nesting"
    BOTH = "both"
    MISSED = "missed"
    SPURIOUS = "spurious"


@dataclass(frozen=True, slots=True)
class SpanError:
    """One error: a gold span and the prediction that stands for it, or only one of the two."""

    kind: ErrorClass
    gold: Span | None
    predicted: Span | None


def classify_errors(gold: Iterable[Span], predicted: Iterable[Span]) -> list[SpanError]:
    """Give every unmatched gold and every unmatched predicted span of a document exactly one error.

    Strict matches are taken out first. What is left goes through these rules in this order; a span that a
    rule takes is not seen by the later ones.

    1. `clitic`: a gold and a predicted span with the same label, the same end and the same first word, but
       another start in that word: only the leading proclitic was cut wrongly.
    2. `type`: a gold and a predicted span with the same start and end and another label.
    3. `boundary`: a gold and a predicted span with the same label that overlap.
    4. `nesting`: a gold span without counterpart that contains, or lies in, a matched one: the inner or
       outer entity of a pair was not found. Likewise a predicted span without counterpart that contains, or
       lies in, a matched one: a layer was invented. Two labels on one span count as nested.
    5. `both`: a gold and a predicted span that overlap and differ in label and boundaries.
    6. `missed`: any other gold span; `spurious`: any other predicted span.

    Rules 1, 2, 3 and 5 pair spans one to one; where a span could go with several, the pair with the larger
    overlap (intersection over union) goes first, then the one further left.

    Returns:
        Errors in text order; `nesting`, `missed` and `spurious` have one side only.
    """
    wanted = {s.key: s for s in gold}
    found = {s.key: s for s in predicted}
    matched = [wanted[key] for key in wanted.keys() & found.keys()]
    missing = sorted(s for key, s in wanted.items() if key not in found)
    extra = sorted(s for key, s in found.items() if key not in wanted)
    errors: list[SpanError] = []
    for kind in (ErrorClass.CLITIC, ErrorClass.TYPE, ErrorClass.BOUNDARY):
        errors += _pair(kind, missing, extra)
    layers = _Overlaps(matched)
    errors += [SpanError(ErrorClass.NESTING, s, None) for s in _take_nested(missing, layers)]
    errors += [SpanError(ErrorClass.NESTING, None, s) for s in _take_nested(extra, layers)]
    errors += _pair(ErrorClass.BOTH, missing, extra)
    errors += [SpanError(ErrorClass.MISSED, s, None) for s in missing]
    errors += [SpanError(ErrorClass.SPURIOUS, None, s) for s in extra]
    return sorted(errors, key=_text_order)


def count_errors(errors: Iterable[SpanError]) -> dict[tuple[ErrorClass, str, str], int]:
    """Count errors by (class, gold label, predicted label); the label of a missing side is empty."""
    counts: dict[tuple[ErrorClass, str, str], int] = {}
    for error in errors:
        key = (
            error.kind,
            error.gold.label if error.gold else "",
            error.predicted.label if error.predicted else "",
        )
        counts[key] = counts.get(key, 0) + 1
    return dict(sorted(counts.items()))


def errors_per_class(
    counts: Mapping[tuple[ErrorClass, str, str], int], label: str = ""
) -> dict[ErrorClass, int]:
    """Sum `count_errors` by class, in the order of `ErrorClass`; with `label`, only those that show it."""
    totals = dict.fromkeys(ErrorClass, 0)
    for (kind, *labels), n in counts.items():
        if not label or label in labels:
            totals[kind] += n
    return totals


def _pair(kind: ErrorClass, missing: list[Span], extra: list[Span]) -> list[SpanError]:
    """Take pairs of the class out of both lists, closest first."""
    near = _Overlaps(extra)
    pairs = sorted((-_overlap(g, p), g, p) for g in missing for p in near.of(g) if _fits(kind, g, p))
    left, right = set(missing), set(extra)
    errors = []
    for _, g, p in pairs:
        if g in left and p in right:
            left.remove(g)
            right.remove(p)
            errors.append(SpanError(kind, g, p))
    missing[:] = [s for s in missing if s in left]
    extra[:] = [s for s in extra if s in right]
    return errors


def _take_nested(spans: list[Span], matched: "_Overlaps") -> list[Span]:
    """Take the spans out of the list that contain a matched span or lie in one."""
    nested = [
        s
        for s in spans
        if any((m.start - s.start) * (m.end - s.end) <= 0 for m in matched.of(s))  # one holds the other
    ]
    gone = set(nested)
    spans[:] = [s for s in spans if s not in gone]
    return nested


def _fits(kind: ErrorClass, g: Span, p: Span) -> bool:
    """Whether overlapping, unequal spans make a pair of this class."""
    if kind is ErrorClass.CLITIC:
        return g.label == p.label and g.end == p.end and 0 <= g.word_start == p.word_start
    if kind is ErrorClass.TYPE:
        return (g.start, g.end) == (p.start, p.end)
    return kind is ErrorClass.BOTH or g.label == p.label


class _Overlaps:
    """Spans that can be asked which of them overlap another one, without looking at all of them."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self._spans = sorted(spans)
        self._starts = [s.start for s in self._spans]
        self._longest = max((s.end - s.start for s in self._spans), default=0)

    def of(self, span: Span) -> list[Span]:
        first = bisect_right(self._starts, span.start - self._longest)
        last = bisect_left(self._starts, span.end)
        return [s for s in self._spans[first:last] if s.end > span.start]


def _overlap(a: Span, b: Span) -> float:
    shared = min(a.end, b.end) - max(a.start, b.start)
    return shared / (max(a.end, b.end) - min(a.start, b.start))


def _text_order(error: SpanError) -> tuple[Span, str, bool]:
    span = error.gold or error.predicted
    assert span is not None
    return span, error.kind.value, error.gold is None
