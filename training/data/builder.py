"""DocumentBuilder: turns what a reader found into a document that is checked against the schema."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ...model.document import Document, Entity, Relation, number_clusters
from ...model.errors import nearest
from ...model.schema import LabelSchema
from ...model.text import make_entity
from .files import Faults


@dataclass
class DocumentBuilder:
    """Gathers the mentions, relations and groups of one document and checks them against a schema.

    Readers only translate their syntax into calls of `mention`, `relate` and `group`, in any order; what is
    allowed is decided here, once for every format.

    Attributes:
        text: the document's text.
        schema: the labels and signatures to check against.
        faults: where faults go; the caller raises them.
        id: name of the document.
        notices: counts of what was read but changed or left out, for one log line a file or folder.
    """

    text: str
    schema: LabelSchema
    faults: Faults
    id: str = ""
    notices: Counter[str] = field(default_factory=Counter)
    _mentions: dict[str, Entity] = field(default_factory=dict)
    _refused: set[str] = field(default_factory=set)
    _first: dict[tuple[int, int, str], str] = field(default_factory=dict)
    _alias: dict[str, str] = field(default_factory=dict)
    _links: list[tuple[str, str, str, int, str]] = field(default_factory=list)
    _groups: list[tuple[tuple[str, ...], int]] = field(default_factory=list)

    def mention(self, id: str, start: int, end: int, label: str, *, line: int = 0) -> None:
        """Add a mention; an unknown label, a used id or offsets outside the text are faults.

        A mention with span and label of an earlier one is the same mention: what names it means the earlier.
        """
        if id in self._mentions or id in self._refused or id in self._alias:
            self.faults.add(f"the id {id} is used twice", line=line, accepted="a new id for every annotation")
            return
        if not 0 <= start < end <= len(self.text):
            self.refuse(
                id,
                f"{id} spans {start} to {end}",
                line=line,
                accepted=f"0 <= start < end <= {len(self.text)}, the length of the text in code points",
            )
        elif fault := entity_fault(self.schema, label):
            place = f"«{self.text[start:end]}» in {self.id!r}"
            self.refuse(id, fault[0], line=line, accepted=fault[1], place=place)
        elif (first := self._first.setdefault((start, end, label), id)) != id:
            self._alias[id] = first
            self.notices["mention with span and label of another, read once"] += 1
        else:
            self._mentions[id] = make_entity(self.text, start, end, label, id=id)

    def refuse(self, id: str, found: str, *, line: int = 0, accepted: str = "", place: str = "") -> None:
        """Note a fault of the mention `id`, so that what refers to it is not reported as a second fault."""
        self._refused.add(id)
        self.faults.add(found, line=line, accepted=accepted, place=place)

    def relate(self, head: str, label: str, tail: str, *, line: int = 0, shown: str = "") -> None:
        """Add a relation between two mention ids; `shown` is how the file writes it, for messages.

        A symmetric relation is turned, where needed, so that the earlier mention is the head.
        """
        self._links.append((head, label, tail, line, shown or f"{head} {label} {tail}"))

    def group(self, members: Iterable[str], *, line: int = 0) -> None:
        """Add ids of mentions of one thing; groups that share a mention become one."""
        self._groups.append((tuple(members), line))

    def build(self) -> Document:
        """Return the document; whatever is faulty is left out and stands in `faults`."""
        entities = sorted(self._mentions.values(), key=lambda e: (e.start, -e.end))
        order = {e.id: n for n, e in enumerate(entities)}
        relations = self._relations(order)
        groups = self._united_groups()
        numbered, clusters = number_clusters(entities, groups)
        return Document(
            text=self.text,
            entities=numbered,
            relations=relations,
            clusters=clusters,
            id=self.id,
            schema=schema_stamp(self.schema),
        )

    def _relations(self, order: dict[str, int]) -> tuple[Relation, ...]:
        kept: dict[Relation, None] = {}
        for named_head, label, named_tail, line, shown in self._links:
            head, tail = self._alias.get(named_head, named_head), self._alias.get(named_tail, named_tail)
            if not self._admits(head, label, tail, line, shown):
                continue
            turned = self.schema.relation(label).symmetric and order[tail] < order[head]
            relation = Relation(tail, label, head) if turned else Relation(head, label, tail)
            if relation in kept:
                self.notices["repeated relation read once"] += 1
            kept[relation] = None
        rows = self.schema.relation_index
        return tuple(sorted(kept, key=lambda r: (order[r.head], order[r.tail], rows[r.label])))

    def _admits(self, head: str, label: str, tail: str, line: int, shown: str) -> bool:
        fault = relation_fault(self.schema, label)
        if fault:
            self._refuse_link(shown, fault, line)
            return False
        known_ends = [self._known(end, line, f"«{shown}»") for end in (head, tail)]
        if not all(known_ends):
            return False
        if head == tail:
            self.faults.add(f"«{shown}»: a mention related to itself", line=line, accepted="two mentions")
            return False
        fault = signature_fault(self.schema, self._mentions[head].label, label, self._mentions[tail].label)
        if fault:
            self._refuse_link(shown, fault, line)
        return fault is None

    def _refuse_link(self, shown: str, fault: tuple[str, str], line: int) -> None:
        found, accepted = fault
        place = f"«{shown}» in {self.id!r}"
        self.faults.add(f"«{shown}»: {found}", line=line, accepted=accepted, kind=found, place=place)

    def _known(self, id: str, line: int, shown: str) -> bool:
        if id in self._mentions:
            return True
        if id not in self._refused:
            known = nearest(id, self._mentions) if len(self._mentions) <= 10 else "an id of this document"
            self.faults.add(f"{shown}: there is no mention {id}", line=line, accepted=known)
        return False

    def _united_groups(self) -> list[list[str]]:
        """Unite groups that share a mention: naming the same thing is an equivalence."""
        group_of: dict[str, list[str]] = {}
        for members, line in self._groups:
            united: list[str] = []
            for member in (self._alias.get(m, m) for m in members):
                if self._known(member, line, "the group"):
                    united += [m for m in group_of.get(member, [member]) if m not in united]
            for member in united:
                group_of[member] = united
        return list({id(group): group for group in group_of.values()}.values())


def entity_fault(schema: LabelSchema, label: str) -> tuple[str, str] | None:
    """Return (found, accepted) if the schema lacks the entity type, else None."""
    if label in schema.entity_index:
        return None
    return f"unknown entity type {label!r}", _instead(label, schema, schema.entity_labels)


def relation_fault(schema: LabelSchema, label: str) -> tuple[str, str] | None:
    """Return (found, accepted) if the schema lacks the relation type, else None."""
    if label in schema.relation_index:
        return None
    return f"unknown relation {label!r}", _instead(label, schema, schema.relation_labels)


def _instead(label: str, schema: LabelSchema, known: Sequence[str]) -> str:
    """Return what to write for a label that the schema lacks: what took its place, the nearest, or a new schema."""
    heirs = [new for new in known if label in schema.origins.get(new, ())]
    if heirs:
        return f"{' or '.join(heirs)}, which the schema {schema.name!r} has in its place"
    if label in schema.removed:
        return f"no {label}: the schema {schema.name!r} lists it under 'removed'"
    advice = nearest(label, known)
    return advice if advice.startswith("did you mean") else f"{advice}; for a new label, a schema that has it"


def signature_fault(schema: LabelSchema, head: str, label: str, tail: str) -> tuple[str, str] | None:
    """Return (found, accepted) if a known relation does not admit these known entity types, else None."""
    if schema.allows(head, label, tail):
        return None
    type_ = schema.relation(label)
    return f"{label} from {head} to {tail}", f"{', '.join(type_.head)} → {', '.join(type_.tail)}"


def schema_stamp(schema: LabelSchema) -> dict[str, str]:
    """Return name, version and hash of a schema, as `Document.schema` holds them."""
    return {"name": schema.name, "version": schema.version, "hash": schema.hash}
