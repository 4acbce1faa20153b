"""From the labels of one schema to those of another: renamed, merged, split, removed and new ones."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..model.document import Document, Entity, Relation, number_clusters
from ..model.errors import SchemaError, nearest
from ..model.schema import EntityType, LabelSchema, RelationType

Heirs = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class LabelChanges:
    """What becomes of every label of an old schema in a new one.

    Attributes:
        entities, relations: old label -> the new labels that take its place: one if it is kept, renamed or
            merged, several if it is split, none if it is removed.
        sources: new label -> the old ones whose place it takes; none if it is new.
    """

    entities: Heirs
    relations: Heirs
    sources: Mapping[str, tuple[str, ...]]

    @property
    def heirs(self) -> dict[str, tuple[str, ...]]:
        """Both kinds together; no name is of both."""
        return {**self.entities, **self.relations}

    @property
    def added(self) -> tuple[str, ...]:
        """New labels that come from no old one."""
        return tuple(new for new, olds in self.sources.items() if not olds)

    @property
    def removed(self) -> tuple[str, ...]:
        """Old labels without a successor."""
        return tuple(old for old, news in self.heirs.items() if not news)

    @property
    def split(self) -> dict[str, tuple[str, ...]]:
        """Old labels that become several."""
        return {old: news for old, news in self.heirs.items() if len(news) > 1}

    @property
    def merged(self) -> dict[str, tuple[str, ...]]:
        """New labels that come from several."""
        return {new: olds for new, olds in self.sources.items() if len(olds) > 1}

    @property
    def exact(self) -> dict[str, str]:
        """Old labels with one successor that has no other source: old name -> new name."""
        return {
            old: news[0]
            for old, news in self.heirs.items()
            if len(news) == 1 and self.sources[news[0]] == (old,)
        }

    def lines(self) -> list[str]:
        """Return the changes in words, one a line; none if the schemas name the same labels."""
        renamed = {old: new for old, new in self.exact.items() if old != new}
        parts = [
            ("new", ", ".join(self.added)),
            ("renamed", ", ".join(f"{old} → {new}" for old, new in renamed.items())),
            ("merged", ", ".join(f"{' + '.join(olds)} → {new}" for new, olds in self.merged.items())),
            ("split", ", ".join(f"{old} → {' + '.join(news)}" for old, news in self.split.items())),
            ("removed", ", ".join(self.removed)),
        ]
        return [f"{what}: {text}" for what, text in parts if text]

    def groups(self) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
        """Return (old labels, new labels) that mean the same thing taken together, the finest such division."""
        found: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
        seen: set[str] = set()
        for first in self.heirs:
            if first in seen or not self.heirs[first]:
                continue
            olds, news = [first], list(self.heirs[first])
            for new in news:
                olds += [old for old in self.sources[new] if old not in olds]
                news += [n for old in olds for n in self.heirs[old] if n not in news]
            seen.update(olds)
            found.append((tuple(olds), tuple(news)))
        return found


def label_changes(old: LabelSchema, new: LabelSchema, *, strict: bool = True) -> LabelChanges:
    """Return what becomes of the labels of `old` in `new`, which says so by `from` and `removed`.

    A label of `new` takes the place of those in its `from`, without it of the old label of its name. If `old` has a
    label of its name all the same, the change was made before, as in a second training from one schema file: then
    it takes the place of this one, and of those in its `from` that `new` has given up.

    Args:
        old, new: the schemas.
        strict: whether an old label that is neither kept nor listed as removed is an error.

    Raises:
        SchemaError: `from` names an unknown label, or an old label is lost unsaid.
    """
    sources: dict[str, tuple[str, ...]] = {}
    for ours, theirs in (
        (new.entity_labels, old.entity_labels),
        (new.relation_labels, old.relation_labels),
    ):
        sources |= {label: _sources(label, new, theirs) for label in ours}
    entities, relations = (
        {label: tuple(n for n, olds in sources.items() if label in olds) for label in labels}
        for labels in (old.entity_labels, old.relation_labels)
    )
    changes = LabelChanges(entities, relations, sources)
    lost = [label for label in changes.removed if label not in new.removed]
    if lost and strict:
        raise SchemaError(
            f"the schema {new.name!r} has no {', '.join(lost)}, which the base model knows; accepted: these labels "
            "too, 'from: LABEL' at the ones that take their place, their names under 'removed:', or "
            f"'extends: {old.name}' and only the changes"
        )
    return changes


def _sources(label: str, new: LabelSchema, known: Sequence[str]) -> tuple[str, ...]:
    given = new.origins.get(label)
    if given is None:
        return (label,) if label in known else ()
    unknown = [name for name in given if name not in known]
    if label in known and label not in given:
        ours = (*new.entity_labels, *new.relation_labels)
        return (label, *(name for name in given if name in known and name not in ours))
    if unknown:
        raise SchemaError(
            f"{label!r} comes 'from' {unknown[0]!r}, which the base model does not know; {nearest(unknown[0], known)}"
        )
    return given


def relabel(
    documents: Iterable[Document],
    heirs: Heirs,
    schema: LabelSchema,
    *,
    lost: Counter[str] | None = None,
) -> tuple[list[Document], dict[str, tuple[str, ...]]]:
    """Write documents of an old schema in the labels of a new one.

    Entities of removed labels go, and with them their relations; a relation goes too whose new signature forbids
    it. Of a split relation the signature may tell which one it is.

    Args:
        documents: in the old labels.
        heirs: old label -> new labels, entities and relations; a label that is not listed is removed.
        schema: the new labels.
        lost: counts of what could not be kept are added here, by label.

    Returns:
        The documents, and what is open in them: a split entity has the tag `A|B`, which is listed with the labels
        A and B that it may stand for; of a split relation that the signature does not decide only this is listed.
    """
    lost = Counter() if lost is None else lost
    open_: dict[str, tuple[str, ...]] = {}
    changed = []
    for document in documents:
        entities, alias = _entities(document, heirs, open_, lost)
        by_id = {e.id: e for e in entities}
        relations: dict[Relation, None] = {}
        for r in document.relations:
            ends = by_id.get(alias.get(r.head, r.head)), by_id.get(alias.get(r.tail, r.tail))
            fitting = _fitting(heirs.get(r.label, ()), ends, schema)
            if len(fitting) == 1 and ends[0] and ends[1]:
                relations[Relation(ends[0].id, fitting[0], ends[1].id)] = None
                continue
            if len(fitting) > 1:
                open_["|".join(heirs[r.label])] = heirs[r.label]
            lost[r.label] += 1
        groups = [[alias.get(m, m) for m in group if alias.get(m, m) in by_id] for group in document.clusters]
        numbered, clusters = number_clusters(
            [replace(e, cluster=None) for e in entities], [list(dict.fromkeys(g)) for g in groups if g]
        )
        changed.append(replace(document, entities=numbered, relations=tuple(relations), clusters=clusters))
    return changed, open_


def _entities(
    document: Document, heirs: Heirs, open_: dict[str, tuple[str, ...]], lost: Counter[str]
) -> tuple[list[Entity], dict[str, str]]:
    """Return the entities in new labels, one a span and label, and which id stands for which other."""
    kept: dict[tuple[int, int, str], Entity] = {}
    alias: dict[str, str] = {}
    for e in document.entities:
        news = heirs.get(e.label, ())
        if not news:
            lost[e.label] += 1
            continue
        label = "|".join(news)
        if len(news) > 1:
            open_[label] = news
        first = kept.setdefault((e.start, e.end, label), replace(e, label=label))
        if first.id != e.id:
            alias[e.id] = first.id
    return list(kept.values()), alias


def _fitting(
    labels: Sequence[str], ends: tuple[Entity | None, Entity | None], schema: LabelSchema
) -> list[str]:
    """Return those of some relations whose signature admits the types at both ends, of which some may be open."""
    head, tail = ends
    if head is None or tail is None or head.id == tail.id:
        return []
    return [
        new
        for new in labels
        if any(schema.allows(h, new, t) for h in head.label.split("|") for t in tail.label.split("|"))
    ]


@dataclass(frozen=True)
class CommonLabels:
    """Labels in which two schemas can be compared, and how their own are written in them.

    Attributes:
        schema: the common labels, relations with the signatures of the new schema.
        old, new: labels of either schema -> the common one; what the other schema lacks is left out.
    """

    schema: LabelSchema
    old: Heirs
    new: Heirs


def common_labels(old: LabelSchema, new: LabelSchema, changes: LabelChanges) -> CommonLabels:
    """Return the finest labels that both schemas have: `A+B` where labels were merged or split, `A→B` renamed."""
    entities: list[EntityType] = []
    relations: list[RelationType] = []
    theirs: dict[str, tuple[str, ...]] = {}
    ours: dict[str, tuple[str, ...]] = {}
    for olds, news in changes.groups():  # entities first
        names = "+".join(olds), "+".join(news)
        name = names[0] if names[0] == names[1] else "→".join(names)
        if olds[0] in old.entity_index:
            corefers = set(news) <= new.coreferent_labels and set(olds) <= old.coreferent_labels
            entities.append(EntityType(name, corefers=corefers))
        else:
            relation = _common_relation(name, [new.relation(r) for r in news], ours)
            if not relation.head or not relation.tail:
                continue  # it joins new labels only by now
            same = relation.symmetric and all(old.relation(r).symmetric for r in olds)
            relations.append(replace(relation, symmetric=same))
        theirs |= dict.fromkeys(olds, (name,))
        ours |= dict.fromkeys(news, (name,))
    return CommonLabels(LabelSchema("common", tuple(entities), tuple(relations)), theirs, ours)


def _common_relation(name: str, news: Sequence[RelationType], ours: Heirs) -> RelationType:
    head, tail = (
        tuple(
            dict.fromkeys(
                common for r in news for label in getattr(r, side) for common in ours.get(label, ())
            )
        )
        for side in ("head", "tail")
    )
    return RelationType(name, head, tail, all(r.symmetric for r in news) and set(head) == set(tail))
