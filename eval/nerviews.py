"""Other tools' views of the same predictions: seqeval's strict IOB2 and nervaluate's four strategies.

Both are computed here from documents, so that neither library is needed; tests hold them equal to the libraries on
flat documents.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from ..model.document import Document
from ..model.errors import DataError
from ..model.text import words
from .counts import harmonic, ratio
from .evaluate import pair_documents
from .flat import FlatScores, flat_tags, score_flat
from .spans import Convention, Span, _Overlaps, project

STRATEGIES = ("strict", "exact", "partial", "type")
# Share of the gold span that a prediction must cover to stand for it: nervaluate's least, one per cent.
LEAST_OVERLAP = 0.01


def iob2(document: Document, *, label_of: Mapping[str, str] | None = None) -> list[str]:
    """Return one IOB2 tag for each of `model.text.words` of a document, outermost entities on whole words.

    Args:
        document: gold or prediction.
        label_of: tag of each label, such as `flat.label_map` makes; labels that it lacks are dropped. Without
            it every label is its own tag.
    """
    if label_of is None:
        label_of = {e.label: e.label for e in document.entities}
    return flat_tags(words(document.text), document.entities, label_of)


def seqeval_view(
    gold: Sequence[Document],
    predicted: Sequence[Document],
    *,
    label_of: Mapping[str, str] | None = None,
    samples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> FlatScores:
    """Score documents as seqeval does with `mode="strict", scheme=IOB2`: flattened, on whole words.

    Args:
        gold, predicted: as for `evaluate`.
        label_of: see `iob2`.
        samples, level, seed: of the bootstrap over documents.

    Returns:
        Counts per label, `.labels.micro`, `.macro`, `.weighted`, and their intervals; `.sentences` is the
        number of documents, which are one sequence each.

    Raises:
        DataError: documents that do not pair up; see `evaluate`.
    """
    pairs = pair_documents(gold, predicted)
    sides = zip(*((iob2(g, label_of=label_of), iob2(p, label_of=label_of)) for g, p in pairs), strict=True)
    wanted, found = sides
    return score_flat(wanted, found, samples=samples, level=level, seed=seed)


@dataclass(frozen=True, slots=True)
class MucCounts:
    """Outcomes in the terms of MUC-5 (Chinchor & Sundheim, 1993); `a + b` counts both.

    Attributes:
        correct: predictions that match by the strategy's terms.
        incorrect: predictions that overlap a gold span and do not match.
        partial: predictions with other boundaries than the gold span they overlap (strategy `partial` only).
        missed: gold spans that no prediction stands for.
        spurious: predictions that stand for no gold span.
    """

    correct: int = 0
    incorrect: int = 0
    partial: int = 0
    missed: int = 0
    spurious: int = 0

    def __add__(self, other: "MucCounts") -> "MucCounts":
        return MucCounts(*(a + b for a, b in zip(self.to_list(), other.to_list(), strict=True)))

    @property
    def possible(self) -> int:
        """Number of gold spans."""
        return self.correct + self.incorrect + self.partial + self.missed

    @property
    def actual(self) -> int:
        """Number of predictions."""
        return self.correct + self.incorrect + self.partial + self.spurious

    @property
    def precision(self) -> float:
        """(Correct + partial / 2) / actual; 0.0 if nothing was predicted."""
        return ratio(self.correct + self.partial / 2, self.actual)

    @property
    def recall(self) -> float:
        """(Correct + partial / 2) / possible; 0.0 if there is nothing to find."""
        return ratio(self.correct + self.partial / 2, self.possible)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return harmonic(self.precision, self.recall)

    def to_list(self) -> list[int]:
        """Return [correct, incorrect, partial, missed, spurious]."""
        return [self.correct, self.incorrect, self.partial, self.missed, self.spurious]


@dataclass(frozen=True, slots=True)
class NervaluateView:
    """Outcomes of the four strategies.

    Attributes:
        overall: keyed by strategy.
        labels: keyed by label, then strategy; here only spans of the label are compared with each other, so
            `type` finds no wrong types, and the labels do not add up to `overall`. So it is in nervaluate.
    """

    overall: Mapping[str, MucCounts]
    labels: Mapping[str, Mapping[str, MucCounts]]

    def __add__(self, other: "NervaluateView") -> "NervaluateView":
        none = dict.fromkeys(STRATEGIES, MucCounts())
        names = sorted({*self.labels, *other.labels})
        return NervaluateView(
            _sum(self.overall, other.overall),
            {n: _sum(self.labels.get(n, none), other.labels.get(n, none)) for n in names},
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; `from_dict` reads the counts back."""
        return {
            "overall": {s: _plain(c) for s, c in self.overall.items()},
            "labels": {n: {s: _plain(c) for s, c in by.items()} for n, by in self.labels.items()},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "NervaluateView":
        """Rebuild a view from `to_dict`; anything else raises DataError."""

        def read(by: Mapping[str, Any]) -> dict[str, MucCounts]:
            return {s: MucCounts(*map(int, by[s]["counts"])) for s in STRATEGIES}

        try:
            return cls(read(data["overall"]), {n: read(by) for n, by in data["labels"].items()})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"not a view: {error!r}", accepted="the layout of NervaluateView.to_dict()"
            ) from error


def nervaluate_view(
    gold: Sequence[Document],
    predicted: Sequence[Document],
    *,
    convention: Convention = "char",
    flat: bool = False,
) -> NervaluateView:
    """Score documents as nervaluate does, following Segura-Bedmar et al., SemEval-2013 task 9, section 4.

    - `strict`: boundaries and label are right; `exact`: boundaries are right, whatever the label;
    - `partial`: boundaries are right, or half a point for any overlap, whatever the label;
    - `type`: the label is right and the spans overlap (nervaluate: `ent_type`).

    Each span stands for one other at most. Those with equal boundaries (and label, where they can) are paired
    first, then, in text order, each other prediction with the gold span of least distance for `type` and the first
    that it overlaps otherwise. nervaluate pairs in list order throughout; on flat annotation the two are the same,
    on nested annotation only this one does not depend on the order of the list.

    Args:
        gold, predicted: as for `evaluate`.
        convention, flat: how mentions are compared; see `spans.project`.

    Raises:
        DataError: documents that do not pair up; see `evaluate`.
    """
    total = NervaluateView(dict.fromkeys(STRATEGIES, MucCounts()), {})
    for g, p in pair_documents(gold, predicted):
        wanted, found = (
            sorted({s.key for s in project(d, convention=convention, flat=flat).values()}) for d in (g, p)
        )
        total += view_of_spans([Span(*k) for k in wanted], [Span(*k) for k in found])
    return total


def view_of_spans(gold: Iterable[Span], predicted: Iterable[Span]) -> NervaluateView:
    """Compare the spans of one document; see `nervaluate_view`."""
    wanted, found = _in_order(gold), _in_order(predicted)
    by_label = [
        {
            label: list(group)
            for label, group in groupby(sorted(side, key=lambda s: (s.label, s.start, s.end)), _label)
        }
        for side in (wanted, found)
    ]
    return NervaluateView(
        {s: _outcomes(s, wanted, found) for s in STRATEGIES},
        {
            label: {
                s: _outcomes(s, by_label[0].get(label, []), by_label[1].get(label, [])) for s in STRATEGIES
            }
            for label in sorted({*by_label[0], *by_label[1]})
        },
    )


def _outcomes(strategy: str, gold: Sequence[Span], predicted: Sequence[Span]) -> MucCounts:
    left, rest = dict.fromkeys(gold), list(predicted)
    correct = 0
    for with_label in (True, False) if strategy in ("exact", "partial") else (True,):
        keys: dict[tuple[object, ...], list[Span]] = {}
        for g in left:
            keys.setdefault((g.start, g.end, g.label if with_label else ""), []).append(g)
        unpaired = []
        for p in rest:
            same = keys.get((p.start, p.end, p.label if with_label else ""))
            if same:
                del left[same.pop(0)]
                correct += 1
            else:
                unpaired.append(p)
        rest = unpaired
    incorrect = partial = spurious = 0
    overlapping = _Overlaps(left)
    for p in rest:
        near = [g for g in overlapping.of(p) if g in left and _overlaps(g, p)]
        same_type = [g for g in near if g.label == p.label] if strategy == "type" else []
        if not near:
            spurious += 1
            continue
        del left[min(same_type, key=lambda g: _distance(g, p)) if same_type else near[0]]
        correct += bool(same_type)
        partial += strategy == "partial"
        incorrect += strategy != "partial" and not same_type
    return MucCounts(correct, incorrect, partial, len(left), spurious)


def _overlaps(gold: Span, predicted: Span) -> bool:
    shared = min(gold.end, predicted.end) - max(gold.start, predicted.start)
    return shared > 0 and shared >= LEAST_OVERLAP * (gold.end - gold.start)


def _distance(a: Span, b: Span) -> int:
    return abs(a.start - b.start) + abs(a.end - b.end)


def _in_order(spans: Iterable[Span]) -> list[Span]:
    return sorted(set(spans), key=lambda s: (s.start, s.end, s.label))


def _label(span: Span) -> str:
    return span.label


def _sum(a: Mapping[str, MucCounts], b: Mapping[str, MucCounts]) -> dict[str, MucCounts]:
    return {s: a[s] + b[s] for s in STRATEGIES}


def _plain(counts: MucCounts) -> dict[str, Any]:
    scores = {"precision": counts.precision, "recall": counts.recall, "f1": counts.f1}
    return {"counts": counts.to_list()} | scores
