"""Document, Entity, Relation: plain typed values with code-point offsets into the original text."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .errors import DataError

if TYPE_CHECKING:
    import networkx

# Version of the JSON layout of `Document.to_dict`; described by render/document.schema.json.
FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Entity:
    """One mention.

    Attributes:
        id: unique in its document, `T1`, `T2`, …
        start, end: code points of the original text, end exclusive, proclitics left out.
        label: an entity type of the schema.
        text: `document.text[start:end]`.
        name: the readable form: kashida, diacritics and invisible characters removed, and the alef that
            a proclitic lam elides restored (للعراق: text `لعراق`, name `العراق`).
        score: calibrated probability in [0, 1]; 1.0 for gold.
        cluster: index into `document.clusters`, or None if nothing else names the same thing.
        word_start, word_end: the same span grown to whole words, proclitics included.
    """

    id: str
    start: int
    end: int
    label: str
    text: str
    name: str
    score: float = 1.0
    cluster: int | None = None
    word_start: int = -1
    word_end: int = -1

    def __str__(self) -> str:
        return f"{self.name}|{self.label}"


@dataclass(frozen=True, slots=True)
class Relation:
    """A directed relation between two mentions.

    Attributes:
        head, tail: ids of entities of the same document.
        label: a relation type of the schema; in a symmetric one the earlier mention is the head.
        score: calibrated probability in [0, 1]; 1.0 for gold.
    """

    head: str
    label: str
    tail: str
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class Document:
    """A text with its entities, relations and coreference clusters.

    Attributes:
        text: the original text, untouched.
        entities: sorted by start, longer first.
        relations: in the order of their heads.
        clusters: ids of mentions of the same thing, only where there are two or more.
        id: name of the document in its collection.
        schema: name, version and hash of the label schema.
        model: name of the model that made it; empty for gold.
    """

    text: str
    entities: tuple[Entity, ...] = ()
    relations: tuple[Relation, ...] = ()
    clusters: tuple[tuple[str, ...], ...] = ()
    id: str = ""
    schema: Mapping[str, str] = field(default_factory=dict)
    model: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "entities", tuple(self.entities))
        object.__setattr__(self, "relations", tuple(self.relations))
        object.__setattr__(self, "clusters", tuple(tuple(c) for c in self.clusters))
        self._check()

    def entity(self, id_: str) -> Entity:
        """Return the mention with this id; KeyError if there is none."""
        for entity in self.entities:
            if entity.id == id_:
                return entity
        raise KeyError(id_)

    def by_id(self) -> dict[str, Entity]:
        """Return the mentions keyed by id."""
        return {e.id: e for e in self.entities}

    def to_dict(self) -> dict[str, Any]:
        """Return the document as plain data, laid out as in `render/document.schema.json`."""
        return {
            "format_version": FORMAT_VERSION,
            "id": self.id,
            "text": self.text,
            "entities": [
                {
                    "id": e.id,
                    "start": e.start,
                    "end": e.end,
                    "label": e.label,
                    "text": e.text,
                    "name": e.name,
                    "score": round(float(e.score), 4),
                    "cluster": e.cluster,
                    "word_start": e.word_start,
                    "word_end": e.word_end,
                }
                for e in self.entities
            ],
            "relations": [
                {"head": r.head, "label": r.label, "tail": r.tail, "score": round(float(r.score), 4)}
                for r in self.relations
            ],
            "clusters": [list(c) for c in self.clusters],
            "schema": dict(self.schema),
            "model": self.model,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Document":
        """Rebuild a document from `to_dict`; another format version or a missing key raises DataError."""
        if not isinstance(data, Mapping):
            raise DataError(
                f"not a document: found {type(data).__name__}", accepted="the layout of Document.to_dict()"
            )
        version = data.get("format_version", FORMAT_VERSION)
        if version != FORMAT_VERSION:
            raise DataError(f"format_version {version!r}", accepted=str(FORMAT_VERSION))
        try:
            if not isinstance(data["text"], str):
                raise TypeError(f"'text' holds {type(data['text']).__name__}")
            return cls(
                text=data["text"],
                entities=tuple(Entity(**e) for e in data["entities"]),
                relations=tuple(Relation(**r) for r in data["relations"]),
                clusters=tuple(tuple(c) for c in data["clusters"]),
                id=data.get("id", ""),
                schema=data.get("schema", {}),
                model=data.get("model", ""),
            )
        except (KeyError, TypeError) as error:
            raise DataError(
                f"not a document: {error}", accepted="the layout of Document.to_dict()"
            ) from error

    def to_json(self, *, indent: int | None = 2) -> str:
        """Return `to_dict` as JSON text; Arabic is written as it is, a lone surrogate as an escape."""
        text = json.dumps(self.to_dict(), ensure_ascii=False, indent=indent)
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            text = json.dumps(self.to_dict(), ensure_ascii=True, indent=indent)
        return text

    def to_brat(self) -> str:
        """Return the annotation in brat standoff (the `.ann` file that belongs to `text`)."""
        from .render.brat import to_brat

        return to_brat(self)

    def to_html(self, *, full_page: bool = True) -> str:
        """Return a self-contained HTML view of text, relations and clusters."""
        from .render.html import to_html

        return to_html([self], full_page=full_page)

    def to_graph(self) -> "networkx.MultiDiGraph":
        """Return the knowledge graph: a node a cluster (or lone mention), an edge a relation."""
        from .render.graph import to_graph

        return to_graph(self)

    def __repr__(self) -> str:
        from .render.summary import summary

        return summary(self)

    def _repr_html_(self) -> str:
        return self.to_html(full_page=False)

    def _check(self) -> None:
        ids = self.by_id()
        if len(ids) < len(self.entities):
            raise DataError(f"document {self.id!r}: two entities share one id", accepted="unique ids")
        for e in self.entities:
            if self.text[e.start : e.end] != e.text or not 0 <= e.start < e.end <= len(self.text):
                found = self.text[max(e.start, 0) : max(e.end, 0)]
                raise DataError(
                    f"document {self.id!r}: entity {e.id} [{e.start}:{e.end}] is {found!r} in the text, not {e.text!r}",
                    accepted="code-point offsets with text[start:end] == entity.text",
                )
        for r in self.relations:
            for end in (r.head, r.tail):
                if end not in ids:
                    raise DataError(
                        f"document {self.id!r}: relation {r.label} names the unknown entity {end!r}"
                    )
        for cluster in self.clusters:
            for member in cluster:
                if member not in ids:
                    raise DataError(f"document {self.id!r}: a cluster names the unknown entity {member!r}")


def number_clusters(
    entities: Iterable[Entity], groups: Iterable[Iterable[str]]
) -> tuple[tuple[Entity, ...], tuple[tuple[str, ...], ...]]:
    """Return entities with their `cluster` set, and the groups of two or more in text order.

    Args:
        entities: mentions in text order.
        groups: ids of mentions of the same thing; groups of one are dropped.
    """
    entities = tuple(entities)
    order = {e.id: i for i, e in enumerate(entities)}
    kept = [tuple(sorted(set(g), key=order.__getitem__)) for g in groups]
    clusters = tuple(sorted((g for g in kept if len(g) > 1), key=lambda g: order[g[0]]))
    index = {member: n for n, group in enumerate(clusters) for member in group}
    return tuple(replace(e, cluster=index.get(e.id)) for e in entities), clusters
