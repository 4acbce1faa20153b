"""The few numbers that training watches."""

from collections.abc import Callable, Sequence

from ..model.document import Document
from ..model.schema import LabelSchema
from .evaluate import evaluate


def development_scores(
    schema: LabelSchema,
) -> Callable[[Sequence[Document], Sequence[Document]], dict[str, float]]:
    """Return a function of gold and predicted documents that gives the development scores, each in [0, 1]."""

    def score(gold: Sequence[Document], predicted: Sequence[Document]) -> dict[str, float]:
        evaluation = evaluate(gold, predicted, schema)
        spans, relations = evaluation.entities, evaluation.relations["strict"]
        with_singletons = next(iter(evaluation.coreference.values()))
        return {
            "span_precision": spans.micro.precision,
            "span_recall": spans.micro.recall,
            "span_f1": spans.micro.f1,
            "span_macro_f1": spans.macro.f1,
            "relation_precision": relations.micro.precision,
            "relation_recall": relations.micro.recall,
            "relation_f1": relations.micro.f1,
            "coreference_b_cubed_f1": with_singletons["b_cubed"].f1,
        }

    return score
