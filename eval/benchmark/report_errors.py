"""What the error browser shows: sentences with gold spans, and each model's errors in them."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal, cast

from ...model.document import Document
from ...model.render.characters import has_rtl, one_line, printable
from ...model.render.html import colour
from ...model.text import paragraphs, sentence_starts, words
from ..evaluate import pair_documents
from ..spans import ErrorClass, Span, SpanError, classify_errors, project
from .report_data import Benchmark, Result

KINDS = tuple(ErrorClass)


def browser_data(benchmark: Benchmark) -> list[dict[str, Any]]:
    """Return one entry for each corpus and convention whose documents were kept.

    Returns:
        Mappings with `data`, `models`, `labels` ([name, hue, tone]), `documents` (ids) and `sentences`. A
        sentence is [document, text, right to left (1 or 0), gold, errors]; gold holds [start, end, label] in
        code points of the sentence; errors holds, for each model that has some, [model, [[class, gold or -1,
        start, end, label, score], …]] where gold is an index into the gold spans, and an error without a
        prediction stops after it.
        Gold spans in no error of a model were found by it, so correct predictions are not repeated.

    Raises:
        DataError: predictions that do not belong to the gold documents.
    """
    groups: dict[tuple[str, str], list[Result]] = {}
    for r in benchmark.results:
        if r.gold and r.predicted:
            groups.setdefault((r.data, r.convention), []).append(r)
    several = len({convention for _, convention in groups}) > 1
    return [
        _Corpus(f"{data} ({convention})" if several else data, results).to_dict()
        for (data, convention), results in groups.items()
    ]


def sentences(text: str, spans: Iterable[Span]) -> list[tuple[int, int]]:
    """Cut a text into sentences, [start, end) in code points, so that no span is cut and no word is lost."""
    cuts: set[int] = {0}
    for start, end in paragraphs(text):
        tokens = words(text, start, end)
        for index in sentence_starts(text, tokens)[1:]:
            cuts.add(tokens[index][0])
        cuts.add(start)
    ranked = sorted(cuts)
    held = sorted(spans)
    for span in held:
        inside = ranked[bisect_right(ranked, span.start) : bisect_right(ranked, span.end - 1)]
        cuts.difference_update(inside)
    firsts = [span.start for span in held]
    pieces = []
    for start, end in pairwise([*sorted(cuts), len(text)]):
        inner = held[bisect_left(firsts, start) : bisect_left(firsts, end)]
        shown = text[start:end]
        # Blanks at the edges go, unless a faulty annotation holds them.
        left = min([end - len(shown.lstrip()), *(s.start for s in inner)])
        right = max([start + len(shown.rstrip()), *(s.end for s in inner)])
        if left < right:
            pieces.append((left, right))
    return pieces


class _Corpus:
    """Collects the sentences of one corpus for all its models."""

    def __init__(self, name: str, results: Sequence[Result]) -> None:
        self._name, self._results = name, results
        self._convention = cast(Literal["char", "word"], results[0].evaluation.convention)
        self._flat = results[0].evaluation.flat
        self._labels: dict[str, int] = {}

    def to_dict(self) -> dict[str, Any]:
        gold = self._results[0].gold
        pairs = [pair_documents(r.gold, r.predicted) for r in self._results]
        rows = [
            row
            for n, document in enumerate(gold)
            for row in self._document(n, document, [p[n][1] for p in pairs])
        ]
        return {
            "data": one_line(self._name),
            "models": [one_line(r.model) for r in self._results],
            "labels": [[one_line(label), *colour(label)] for label in self._labels],
            "documents": [one_line(d.id) or f"{n}" for n, d in enumerate(gold, 1)],
            "sentences": rows,
        }

    def _document(self, number: int, gold: Document, predicted: Sequence[Document]) -> list[list[Any]]:
        wanted = sorted(set(self._project(gold).values()))
        found = [_errors(wanted, document, self._project(document)) for document in predicted]
        extra = [e.predicted for errors in found for e, _ in errors if e.predicted]
        pieces = sentences(gold.text, [*wanted, *extra])
        starts = [start for start, _ in pieces]
        rows: list[list[Any]] = []
        for start, end in pieces:
            text = printable(gold.text[start:end])
            rows.append([number, text, int(has_rtl(text) or not text), [], []])
        index: dict[Span, int] = {}
        for span in wanted:
            at = bisect_right(starts, span.start) - 1
            index[span] = len(rows[at][3])
            rows[at][3].append([span.start - starts[at], span.end - starts[at], self._label(span.label)])
        for model, errors in enumerate(found):
            by_row: dict[int, list[list[Any]]] = {}
            for error, sure in errors:
                place = error.gold or error.predicted
                assert place is not None
                at = bisect_right(starts, place.start) - 1
                item: list[Any] = [KINDS.index(error.kind), index[error.gold] if error.gold else -1]
                if error.predicted:
                    p = error.predicted
                    item += [p.start - starts[at], p.end - starts[at], self._label(p.label), round(sure, 3)]
                by_row.setdefault(at, []).append(item)
            for at, items in by_row.items():
                rows[at][4].append([model, items])
        return rows

    def _project(self, document: Document) -> dict[str, Span]:
        return project(document, convention=self._convention, flat=self._flat)

    def _label(self, label: str) -> int:
        return self._labels.setdefault(label, len(self._labels))


def _errors(
    wanted: Sequence[Span], document: Document, found: Mapping[str, Span]
) -> list[tuple[SpanError, float]]:
    """Return the errors of a prediction, each with the score of what was predicted."""
    scores: dict[tuple[int, int, str], float] = {}
    for entity in document.entities:
        if entity.id in found:
            key = found[entity.id].key
            scores[key] = max(entity.score, scores.get(key, 0.0))
    errors = classify_errors(wanted, found.values())
    return [(e, scores[e.predicted.key] if e.predicted else 1.0) for e in errors]
