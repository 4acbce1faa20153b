"""Relation matching in three views end to end: strict, boundary and entity-level; and with gold entities."""

from collections.abc import Container, Hashable, Mapping

from ..model.document import Document
from ..model.schema import LabelSchema
from .counts import CountsTable
from .spans import Span

# End to end: from the text alone.
VIEWS = ("strict", "boundary", "entity")
# Of a model that was shown the gold entities. Only a joint model can be, so an evaluation may lack this view.
GIVEN = "given"


def match_relations(
    gold: Document,
    predicted: Document,
    schema: LabelSchema,
    gold_spans: Mapping[str, Span],
    predicted_spans: Mapping[str, Span],
) -> dict[str, CountsTable]:
    """Count the relations of one document in every view.

    - `strict`: label, direction, and start, end and entity type of both ends are right. This is "Rel+" of
      Zhong & Chen, "A Frustratingly Easy Approach for Entity and Relation Extraction" (NAACL 2021), section
      4.1, and "Strict" of Bekoulis et al. (2018), see Taillé et al., "Let's Stop Incorrect Comparisons in
      End-to-end Relation Extraction!" (EMNLP 2020).
    - `boundary`: the same without the entity types, "Rel" of Zhong & Chen.
    - `entity`: relations between things rather than mentions. Both ends must strictly match a gold mention,
      but any mention of the same gold cluster will do; a relation stated several times in a document
      between mentions of the same two things counts once.

    A relation with a symmetric label matches in either direction. In each view relations are compared as
    sets: duplicates, in particular a symmetric relation given in both directions, count once.

    Args:
        gold, predicted: two annotations of one text.
        schema: says which labels are symmetric.
        gold_spans, predicted_spans: the compared entities keyed by id, from `spans.project`. A relation
            with an end that is not among them (an inner entity under a flat convention) is left out.

    Returns:
        A table per view, keyed by relation label.
    """
    symmetric = {r.name for r in schema.relations if r.symmetric}
    things = _things(gold, gold_spans)
    views: dict[str, tuple[dict[str, Hashable], dict[str, Hashable]]] = {
        "strict": (
            {id_: s.key for id_, s in gold_spans.items()},
            {id_: s.key for id_, s in predicted_spans.items()},
        ),
        "boundary": (
            {id_: (s.start, s.end) for id_, s in gold_spans.items()},
            {id_: (s.start, s.end) for id_, s in predicted_spans.items()},
        ),
        "entity": (
            {id_: things[s.key] for id_, s in gold_spans.items()},
            {id_: things.get(s.key, s.key) for id_, s in predicted_spans.items()},
        ),
    }
    return {
        view: CountsTable.of(_keys(gold, ends_g, symmetric), _keys(predicted, ends_p, symmetric))
        for view, (ends_g, ends_p) in views.items()
    }


def _things(gold: Document, spans: Mapping[str, Span]) -> dict[tuple[int, int, str], Hashable]:
    """Map every gold mention to what it names: its cluster, or itself if nothing else names it."""
    cluster_of = {id_: n for n, members in enumerate(gold.clusters) for id_ in members}
    return {span.key: cluster_of.get(id_, span.key) for id_, span in spans.items()}


def _keys(
    document: Document, ends: Mapping[str, Hashable], symmetric: Container[str]
) -> set[tuple[str, Hashable]]:
    keys: set[tuple[str, Hashable]] = set()
    for r in document.relations:
        if r.head in ends and r.tail in ends:
            pair = ends[r.head], ends[r.tail]
            keys.add((r.label, frozenset(pair) if r.label in symmetric else pair))
    return keys
