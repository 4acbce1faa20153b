"""Compare predicted with gold documents: the one entry point of the metrics."""

from collections.abc import Sequence
from difflib import get_close_matches

from ..model.document import Document
from ..model.errors import DataError, SchemaError
from ..model.schema import LabelSchema
from .coreference import mention_clusters, score_clusters
from .evaluation import PARTITIONS, DocumentScores, Evaluation
from .proclitics import proclitic_accuracy
from .relations import GIVEN, match_relations
from .spans import Convention, check_convention, classify_errors, count_errors, match_spans, project


def evaluate(
    gold: Sequence[Document],
    predicted: Sequence[Document],
    schema: LabelSchema,
    *,
    convention: Convention = "char",
    flat: bool = False,
    given: Sequence[Document] | None = None,
) -> Evaluation:
    """Score predicted against gold documents.

    Documents are matched by id if every document has one, and by order if the gold or the predicted
    documents have none (`extract(texts)` returns them in order and without ids).

    Args:
        gold: annotated documents; at least one.
        predicted: one document for each gold document, of the same text.
        schema: says which labels exist, which relations are symmetric and which types corefer.
        convention: "char" compares character spans without proclitics, "word" whole words with them.
        flat: compare outermost entities only, for corpora and models without nesting.
        given: what the model finds when it is shown the gold entities (see `given_entities`), one document for each
            gold document; adds the view `relations.GIVEN`.

    Returns:
        Counts per document with their totals and scores.

    Raises:
        DataError: no documents, a document missing or superfluous, an id twice, or texts that differ.
        SchemaError: a document has a label that the schema lacks.
        ConfigError: an unknown convention.
    """
    check_convention(convention)
    pairs = pair_documents(gold, predicted)
    related = [d for _, d in pair_documents(gold, given)] if given is not None else [None] * len(pairs)
    for n, ((wanted, found), shown) in enumerate(zip(pairs, related, strict=True), 1):
        _check_labels(wanted, schema, f"gold document {_name(wanted, n)}")
        for document in (found, shown):
            if document is not None:
                _check_labels(document, schema, f"predicted document {_name(document, n)}")
    return Evaluation(
        documents=tuple(
            score_document(wanted, found, schema, convention=convention, flat=flat, given=shown)
            for (wanted, found), shown in zip(pairs, related, strict=True)
        ),
        schema={"name": schema.name, "version": schema.version, "hash": schema.hash},
        entity_labels=schema.entity_labels,
        relation_labels=schema.relation_labels,
        convention=convention,
        flat=flat,
    )


def score_document(
    gold: Document,
    predicted: Document,
    schema: LabelSchema,
    *,
    convention: Convention = "char",
    flat: bool = False,
    given: Document | None = None,
) -> DocumentScores:
    """Count everything in one pair of annotations of the same text; see `evaluate`."""
    gold_spans = project(gold, convention=convention, flat=flat)
    predicted_spans = project(predicted, convention=convention, flat=flat)
    relations = match_relations(gold, predicted, schema, gold_spans, predicted_spans)
    if given is not None:
        given_spans = project(given, convention=convention, flat=flat)
        relations[GIVEN] = match_relations(gold, given, schema, gold_spans, given_spans)["strict"]
    clusters = mention_clusters(gold, predicted, gold_spans, predicted_spans, schema.coreferent_labels)
    return DocumentScores(
        id=gold.id,
        entities=match_spans(gold_spans.values(), predicted_spans.values()),
        errors=count_errors(classify_errors(gold_spans.values(), predicted_spans.values())),
        relations=relations,
        coreference={p: score_clusters(*clusters, singletons=p == PARTITIONS[0]) for p in PARTITIONS},
        proclitics=proclitic_accuracy(gold.text, gold.entities, predicted.entities),
    )


def pair_documents(
    gold: Sequence[Document], predicted: Sequence[Document]
) -> list[tuple[Document, Document]]:
    """Return (gold, predicted) pairs of the same text, in the order of gold; errors as in `evaluate`."""
    for side, documents in (("gold", gold), ("predicted", predicted)):
        _check_ids(side, documents)
    if not gold:
        raise DataError("no gold documents to evaluate on", accepted="at least one annotated document")
    if predicted and gold[0].id and predicted[0].id:
        pairs = _pair_by_id(gold, predicted)
    elif len(gold) == len(predicted):
        pairs = list(zip(gold, predicted, strict=True))
    else:
        raise DataError(
            f"{len(gold)} gold and {len(predicted)} predicted documents, which have no ids to match them by",
            accepted="one predicted document for each gold document, in the same order",
        )
    for n, (wanted, found) in enumerate(pairs, 1):
        if wanted.text != found.text:
            raise DataError(
                f"document {_name(wanted, n)}: gold and predicted text differ, {_difference(wanted, found)}",
                accepted="a prediction made from the same text, character for character",
            )
    return pairs


def _check_ids(side: str, documents: Sequence[Document]) -> None:
    named = [d.id for d in documents if d.id]
    if named and len(named) < len(documents):
        raise DataError(
            f"{len(documents) - len(named)} of {len(documents)} {side} documents have no id",
            accepted="an id for every document, or for none (then they are matched by order)",
        )
    seen: set[str] = set()
    for id_ in named:
        if id_ in seen:
            raise DataError(f"two {side} documents have the id {id_!r}", accepted="unique ids")
        seen.add(id_)


def _pair_by_id(gold: Sequence[Document], predicted: Sequence[Document]) -> list[tuple[Document, Document]]:
    found = {d.id: d for d in predicted}
    wanted = {d.id for d in gold}
    for missing, side, other, known in (
        ([d.id for d in gold if d.id not in found], "gold", "prediction", found),
        ([d.id for d in predicted if d.id not in wanted], "predicted", "gold", wanted),
    ):
        if missing:
            more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
            close = get_close_matches(missing[0], known, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise DataError(
                f"{side} document {missing[0]!r}{more} has no {other}{hint}",
                accepted="gold and predicted documents with the same ids",
            )
    return [(d, found[d.id]) for d in gold]


def _check_labels(document: Document, schema: LabelSchema, where: str) -> None:
    try:
        for label in {e.label for e in document.entities}:
            schema.check_entity(label)
        for label in {r.label for r in document.relations}:
            schema.relation(label)
    except SchemaError as error:
        raise SchemaError(f"{where}, schema {schema.name!r}: {error}") from error


def _name(document: Document, number: int) -> str:
    return repr(document.id) if document.id else f"number {number}"


def _difference(a: Document, b: Document) -> str:
    at = next((i for i, (x, y) in enumerate(zip(a.text, b.text, strict=False)) if x != y), None)
    if at is None:
        return f"{len(a.text)} and {len(b.text)} characters long"
    return f"first at character {at}: {a.text[at : at + 20]!r} and {b.text[at : at + 20]!r}"
