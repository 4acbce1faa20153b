"""One model on one data set: everything that is measured from its predictions."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ...model.document import Document
from ...model.text import make_entity
from ..bootstrap import bootstrap
from ..calibration import judge_relations, judge_spans
from ..calibration_scores import measure_calibration
from ..counts import Counts
from ..evaluate import evaluate
from ..evaluation import Evaluation
from ..given_entities import lost_relations
from ..relations import GIVEN
from ..slice_result import SliceResult
from ..slices import slice_counts
from ..spans import project
from .adapters import Candidate, short_hash
from .data import BenchmarkData
from .labels import Translation


@dataclass(frozen=True)
class Result:
    """What a model scored on data.

    Attributes:
        candidate, data, translation: what was compared, and how labels were made comparable.
        evaluation: the counts.
        predicted: in the classes of the data, in the order of gold.
        seconds: that predicting took, when it was done.
        reused: whether all predictions came from the cache.
        content: the result as plain data; see `measure`.
    """

    candidate: Candidate
    data: BenchmarkData
    translation: Translation
    evaluation: Evaluation
    predicted: tuple[Document, ...]
    seconds: float
    reused: bool
    content: Mapping[str, Any]

    @property
    def scores(self) -> dict[str, Any]:
        """The main scores, fractions in [0, 1]; relations and coreference only where gold has them."""
        return dict(self.content["scores"])


def measure(
    candidate: Candidate,
    data: BenchmarkData,
    translation: Translation,
    predicted: Sequence[Document],
    *,
    seconds: float,
    reused: bool,
    given: Sequence[Document] | None = None,
    slices: bool = False,
    seen_names: Collection[str] | None = None,
    robustness: Mapping[str, Any] | None = None,
    samples: int = 2000,
    seed: int = 0,
) -> Result:
    """Compare predictions with gold.

    Args:
        candidate, data, translation: what is compared.
        predicted: in the classes of the data, in the order of gold.
        seconds: that predicting took.
        reused: whether the predictions are from the cache.
        given: what the model finds when it is shown the gold entities, as `predicted`; None if it cannot be.
        slices: whether to score the slices of `eval.slices` too.
        seen_names: names that count as seen in training; see `slice_counts`.
        robustness: scores on perturbed texts, as plain data.
        samples, seed: of the bootstrap intervals.
    """
    gold = data.documents
    evaluation = evaluate(
        gold, predicted, data.schema, convention=data.convention, flat=data.flat, given=given
    )
    content: dict[str, Any] = {
        "model": candidate.name,
        "data": data.name,
        "convention": data.convention,
        "flat": data.flat,
        "scores": main_scores(evaluation, gold),
        "evaluation": evaluation.to_dict(),
        "intervals": bootstrap(evaluation, samples=samples, seed=seed).to_dict(),
        "slices": _slices(gold, predicted, data, seen_names, samples=samples, seed=seed) if slices else {},
        "robustness": dict(robustness or {}),
        "calibration": _calibration(gold, predicted, data, samples=samples, seed=seed),
        "not_given": lost_relations(gold, given) if given is not None else None,
        "seconds": round(seconds, 3),
        "hashes": {"model": candidate.hash, "data": data.hash, "code": candidate.code},
        "labels": {
            "source": translation.source,
            "class_of": dict(translation.class_of),
            "relation_of": dict(translation.relation_of),
        },
    }
    return Result(candidate, data, translation, evaluation, tuple(predicted), seconds, reused, content)


def main_scores(evaluation: Evaluation, gold: Sequence[Document]) -> dict[str, Any]:
    """Return the scores that stand in lists of models."""
    entities = evaluation.entities
    found: dict[str, Any] = {
        "documents": len(evaluation.documents),
        "entities": _prf(entities.micro) | {"macro_f1": entities.macro.f1},
    }
    if any(d.relations for d in gold):
        found["relations"] = _prf(evaluation.relations["strict"].micro)
        if GIVEN in evaluation.relations:
            found["relations_gold_entities"] = _prf(evaluation.relations[GIVEN].micro)
    if any(d.clusters for d in gold):
        found["coreference"] = {"conll": evaluation.conll["without_singletons"].f1}
    return found


def labels_hash(translation: Translation) -> str:
    """Return 12 hex digits of how labels were rewritten."""
    lenient = {label: sorted(names) for label, names in translation.lenient.items()}
    return short_hash([dict(translation.class_of), lenient, dict(translation.relation_of)])


def _prf(counts: Counts) -> dict[str, float]:
    return {
        "precision": counts.precision,
        "recall": counts.recall,
        "f1": counts.f1,
        "support": counts.support,
    }


def _slices(
    gold: Sequence[Document],
    predicted: Sequence[Document],
    data: BenchmarkData,
    seen_names: Collection[str] | None,
    *,
    samples: int,
    seed: int,
) -> dict[str, Any]:
    found = slice_counts(
        gold, predicted, data.schema, seen_names=seen_names, convention=data.convention, flat=data.flat
    )
    return {name: _sums(part, samples=samples, seed=seed) for name, part in found.items() if part.rows}


def _sums(part: SliceResult, *, samples: int, seed: int) -> dict[str, Any]:
    """Return the sums of a slice with intervals over documents; the counts of each would fill the file."""
    spread = asdict(part.intervals(samples=samples, seed=seed))
    sums: dict[str, Any] = {
        "support": part.support,
        "entities": part.entities.micro.to_list(),
        "labels": part.entities.to_dict(),
        "intervals": {"entities": spread["entities"]},
    }
    if part.relations:
        sums["relations"] = part.relations.micro.to_list()
        sums["intervals"]["relations"] = spread["relations"]
    if part.pairs:
        sums |= {"pairs": part.pairs, "false_positive_rate": part.false_positive_rate}
        sums["intervals"]["false_positive_rate"] = spread["false_positive_rate"]
    return sums


def _calibration(
    gold: Sequence[Document], predicted: Sequence[Document], data: BenchmarkData, *, samples: int, seed: int
) -> dict[str, Any] | None:
    """Return how well scores agree with what is right, None for a model that gives none."""
    if all(e.score == 1 for d in predicted for e in d.entities):
        return None
    wanted, found = ([_projected(d, data) for d in side] for side in (gold, predicted))
    spans = measure_calibration(judge_spans(wanted, found), samples=samples, seed=seed)
    parts = {"spans": spans.to_dict()}
    if any(d.relations for d in gold):
        judged = judge_relations(wanted, found, data.schema)
        parts["relations"] = measure_calibration(judged, samples=samples, seed=seed).to_dict()
    return parts


def _projected(document: Document, data: BenchmarkData) -> Document:
    """Return a document whose entities are the spans that are compared."""
    if data.convention == "char" and not data.flat:
        return document
    spans = project(document, convention=data.convention, flat=data.flat)
    kept = [
        replace(
            make_entity(document.text, spans[e.id].start, spans[e.id].end, e.label, id=e.id, score=e.score),
            cluster=None,
        )
        for e in document.entities
        if e.id in spans
    ]
    relations = tuple(r for r in document.relations if r.head in spans and r.tail in spans)
    return replace(document, entities=tuple(kept), relations=relations, clusters=())
