"""Pre-annotation: what a model finds, cut into the units that an annotation tool shows one by one."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ...model.document import Document, Relation, number_clusters
from ...model.schema import LabelSchema
from ..data import losses
from ..data.builder import schema_stamp
from .select import Reader
from .units import Kind, Unit, passages


def annotate(
    texts: Iterable[tuple[str, str]],
    extractor: Reader,
    *,
    unit: Kind = "document",
    lost: Counter[str] | None = None,
    batch_size: int = 8,
) -> Iterator[Document]:
    """Yield the predictions of a model, unit by unit.

    The model reads whole texts, so a sentence gets the labels that it has in its context.

    Args:
        texts: (id, text) pairs.
        extractor: finds entities, relations and clusters.
        unit: what becomes a document of its own.
        lost: gets counts of what no unit can hold; see `cut`.
        batch_size: texts in memory at a time.
    """
    for document in extractor.pipe(texts, batch_size=batch_size):
        if unit == "document":
            yield document
            continue
        units = (u for p in passages(document.id, [(0, document.text)]) for u, _ in p.units(unit))
        yield from cut(document, units, lost=lost)


def cut(document: Document, units: Iterable[Unit], *, lost: Counter[str] | None = None) -> Iterator[Document]:
    """Yield the parts of a document, with offsets, scores and clusters of their own.

    Args:
        document: gold or predicted; units are parts of its text.
        units: their places; they do not overlap.
        lost: gets the number of entities, relations and coreference links that lie in no single unit.
    """
    starts = [e.start for e in document.entities]
    outgoing: dict[str, list[Relation]] = {}
    for relation in document.relations:
        outgoing.setdefault(relation.head, []).append(relation)
    kept: Counter[str] = Counter()
    for unit in units:
        inside = document.entities[bisect_left(starts, unit.start) : bisect_left(starts, unit.end)]
        names = {e.id: f"T{n}" for n, e in enumerate((e for e in inside if e.end <= unit.end), 1)}
        length = unit.end - unit.start
        entities = [
            replace(
                e,
                id=names[e.id],
                start=e.start - unit.start,
                end=e.end - unit.start,
                word_start=max(0, e.word_start - unit.start),
                word_end=min(length, e.word_end - unit.start),
            )
            for e in inside
            if e.id in names
        ]
        relations = tuple(
            replace(r, head=names[r.head], tail=names[r.tail])
            for e in names
            for r in outgoing.get(e, ())
            if r.tail in names
        )
        groups: dict[int, list[str]] = {}
        for e in entities:
            if e.cluster is not None:
                groups.setdefault(e.cluster, []).append(e.id)
        numbered, clusters = number_clusters(entities, groups.values())
        kept += Counter(
            entities=len(numbered), relations=len(relations), links=sum(len(c) - 1 for c in clusters)
        )
        yield Document(
            document.text[unit.start : unit.end],
            numbered,
            relations,
            clusters,
            id=unit.id,
            schema=document.schema,
            model=document.model,
        )
    if lost is not None:
        links = sum(len(c) - 1 for c in document.clusters)
        losses.add(lost, "entities across units", len(document.entities) - kept["entities"])
        losses.add(lost, "relations across units", len(document.relations) - kept["relations"])
        losses.add(lost, "coreference links across units", links - kept["links"])


def fit(document: Document, schema: LabelSchema, lost: Counter[str]) -> Document:
    """Return a document without the labels that a schema lacks and the relations that it forbids.

    A label that one other has taken the place of in the schema (`from` in its file) is written as this one; of a
    label that was split nobody knows which part it is.

    Args:
        document: predictions of a model whose labels may differ from those that are to be annotated.
        schema: the labels that are to be annotated.
        lost: gets what was left out, by label; mentions that are one by their new label as repeated.
    """
    document = losses.merged(_renamed(document, schema), lost)
    strange = [e for e in document.entities if e.label not in schema.entity_index]
    for e in strange:
        losses.add(lost, f"entities of the label {e.label}", 1)
    kept = losses.without(document, {e.id for e in strange}, lost)
    labels = {e.id: e.label for e in kept.entities}
    relations = []
    for r in kept.relations:
        if r.label in schema.relation_index and schema.allows(labels[r.head], r.label, labels[r.tail]):
            relations.append(r)
        else:
            losses.add(lost, f"relations of the label {r.label}", 1)
    return replace(kept, relations=tuple(relations), schema=schema_stamp(schema))


def _renamed(document: Document, schema: LabelSchema) -> Document:
    """Return a document with the new names of labels that the schema lacks under their old ones."""
    heirs: dict[str, list[str]] = {}
    for new, olds in schema.origins.items():
        for old in olds:
            heirs.setdefault(old, []).append(new)
    known = {*schema.entity_labels, *schema.relation_labels}
    names = {old: news[0] for old, news in heirs.items() if len(news) == 1 and old not in known}
    return replace(
        document,
        entities=tuple(replace(e, label=names.get(e.label, e.label)) for e in document.entities),
        relations=tuple(replace(r, label=names.get(r.label, r.label)) for r in document.relations),
    )
