"""The things a document speaks of and what it states about them: mentions merged by cluster."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from ..document import Document, Entity
from .characters import printable


@dataclass(slots=True)
class Thing:
    """All mentions of a cluster, or one mention that is in none.

    Attributes:
        id: the document's id, `#`, the id of the first mention.
        mentions: in text order.
    """

    id: str
    mentions: list[Entity]

    @property
    def name(self) -> str:
        """The longest name of a mention; of two equally long ones the first."""
        return max(self.names, key=len)

    @property
    def names(self) -> list[str]:
        """The distinct names in text order."""
        return list(dict.fromkeys(printable(m.name or m.text) for m in self.mentions))

    @property
    def label(self) -> str:
        """The commonest entity type of the mentions."""
        return printable(Counter(m.label for m in self.mentions).most_common(1)[0][0])

    @property
    def score(self) -> float:
        """The best score of a mention."""
        return round(max(float(m.score) for m in self.mentions), 4)


@dataclass(slots=True)
class Statement:
    """All relations with one label between two things.

    Attributes:
        head, label, tail: what is stated.
        symmetric: whether it holds in both directions; None if that is not known.
        evidence: head mention, tail mention and score of every relation that states it.
    """

    head: Thing
    label: str
    tail: Thing
    symmetric: bool | None
    evidence: list[tuple[Entity, Entity, float]] = field(default_factory=list)

    @property
    def score(self) -> float:
        """The best score of a relation."""
        return round(max(score for _, _, score in self.evidence), 4)


def things_and_statements(
    document: Document, symmetric: Collection[str] | None = None
) -> tuple[list[Thing], list[Statement]]:
    """Return the things in the order of their first mention and the distinct statements about them.

    Args:
        document: any document.
        symmetric: labels of symmetric relations: A to B and B to A become one statement whose head is the
            thing mentioned first. None if it is not known which ones are.
    """
    things = list(_things(document))
    order = {m.id: number for number, thing in enumerate(things) for m in thing.mentions}
    entities = document.by_id()
    statements: dict[tuple[int, str, int], Statement] = {}
    for relation in document.relations:
        both_ways = None if symmetric is None else relation.label in symmetric
        head, tail = relation.head, relation.tail
        if both_ways and order[head] > order[tail]:
            head, tail = tail, head
        first, second = order[head], order[tail]
        label = printable(relation.label)
        statement = statements.setdefault(
            (first, label, second), Statement(things[first], label, things[second], both_ways)
        )
        statement.evidence.append((entities[head], entities[tail], float(relation.score)))
    return things, list(statements.values())


def _things(document: Document) -> Iterator[Thing]:
    cluster_of = {member: cluster for cluster in document.clusters for member in cluster}
    entities = document.by_id()
    place = {id_: number for number, id_ in enumerate(entities)}
    prefix = f"{document.id}#" if document.id else ""
    done: set[str] = set()
    taken: set[str] = set()
    for entity in document.entities:
        if entity.id in done:
            continue
        members = {entity.id, *cluster_of.get(entity.id, ())} - done
        done |= members
        key = printable(prefix + entity.id)
        while key in taken:  # ids that differ only in unprintable characters
            key += "_"
        taken.add(key)
        yield Thing(key, [entities[m] for m in sorted(members, key=place.__getitem__)])
