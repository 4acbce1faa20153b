"""What a format cannot hold, counted by kind under names that every writer shares."""

from collections import Counter
from collections.abc import Collection, Hashable, Mapping
from dataclasses import replace

from ...model.document import Document, Relation, number_clusters

NESTED = "nested entities"
CROSSING = "crossing entities"
SHARED = "entities that share a word with another"
WORDLESS = "entities without a word"
REPEATED = "repeated mentions"
RELATIONS = "relations"
CLUSTERS = "coreference clusters"
SCORES = "scores"
MODELS = "model names"
IDS = "document ids"
EDGES = "entity edges inside words"
SPACING = "spacing between words"
CLUSTER_EDGES = "entity edges inside grapheme clusters"
INVISIBLE = "invisible characters in words"


def count_scores(document: Document, lost: Counter[str]) -> None:
    """Count scores other than the 1.0 of gold, and the name of a model, for a format without them."""
    scores = [*(e.score for e in document.entities), *(r.score for r in document.relations)]
    add(lost, SCORES, sum(score != 1.0 for score in scores))
    add(lost, MODELS, bool(document.model))


def count_links(document: Document, lost: Counter[str]) -> None:
    """Count relations and clusters, for a format that holds mentions only."""
    add(lost, RELATIONS, len(document.relations))
    add(lost, CLUSTERS, len(document.clusters))


def add(lost: Counter[str], kind: str, number: int) -> None:
    """Add to a count; nothing is entered for zero, so that an empty Counter says that nothing is lost."""
    if number:
        lost[kind] += number


def without(document: Document, gone: Collection[str], lost: Counter[str]) -> Document:
    """Return the document without some mentions.

    Args:
        document: any document.
        gone: ids of the mentions to leave out; the caller counts them.
        lost: relations that lose an end, and clusters that lose all but one mention, are counted here.
    """
    if not gone:
        return document
    relations = tuple(r for r in document.relations if r.head not in gone and r.tail not in gone)
    groups = [[m for m in cluster if m not in gone] for cluster in document.clusters]
    entities, clusters = number_clusters((e for e in document.entities if e.id not in gone), groups)
    add(lost, RELATIONS, len(document.relations) - len(relations))
    add(lost, CLUSTERS, len(document.clusters) - len(clusters))
    return replace(document, entities=entities, relations=relations, clusters=clusters)


def merged(document: Document, lost: Counter[str], keys: Mapping[str, Hashable] | None = None) -> Document:
    """Return the document with mentions that a format cannot tell apart made one.

    Args:
        document: any document.
        lost: mentions that are made one with an earlier one are counted here as repeated, with the relations
            between them and the clusters that become one.
        keys: for every id what the format writes; span and label if None.
    """
    seen: dict[Hashable, str] = {}
    first = {
        e.id: seen.setdefault(keys[e.id] if keys else (e.start, e.end, e.label), e.id)
        for e in document.entities
    }
    kept = [e for e in document.entities if first[e.id] == e.id]
    if len(kept) == len(document.entities):
        return document
    relations: dict[tuple[str, str, str], Relation] = {}
    for r in document.relations:
        moved = replace(r, head=first[r.head], tail=first[r.tail])
        if moved.head != moved.tail:
            relations.setdefault((moved.head, moved.label, moved.tail), moved)
    groups: list[set[str]] = []
    for cluster in document.clusters:
        group = {first[m] for m in cluster}
        group = group.union(*(g for g in groups if g & group))
        groups = [g for g in groups if not g & group] + [group]
    entities, clusters = number_clusters(kept, groups)
    add(lost, REPEATED, len(document.entities) - len(kept))
    add(lost, RELATIONS, len(document.relations) - len(relations))
    add(lost, CLUSTERS, len(document.clusters) - len(clusters))
    return replace(document, entities=entities, relations=tuple(relations.values()), clusters=clusters)
