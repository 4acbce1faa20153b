"""From gold documents to training windows: every gold span finds its words or is listed as unreachable."""

import logging
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..model.document import Document, Entity, Relation
from ..model.schema import LabelSchema
from ..model.text import (
    MAX_PROCLITICS,
    extend_over_marks,
    letter_offset,
    letters_before,
    make_entity,
    paragraphs,
)
from ..model.windows import Window, WindowMaker
from .data.annotation import Annotation

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Example:
    """One window with its targets.

    Attributes:
        window: words and pieces.
        spans: [spans, 2], first and last word, unique.
        types: [spans, entity types], multi-hot; in a coarse span, the types of which one is the right one.
        coarse: [spans], True where one of `types` holds and which one is not known; no type: nothing is known.
        owner: [words], number of the flat gold span that the word stands in: spans inside it are not annotated,
            nothing is known about them. -1 elsewhere, and everywhere in a corpus that annotates nesting.
        proclitics: [words], leading letters outside the name at entity-initial words, -100 elsewhere.
        relations: [relations, 3], head row, label, tail row; symmetric ones in both directions.
        annotated: [entity types], False where the corpus is silent about the type.
        relation_annotated: [relation types], False where the corpus is silent about the type.
    """

    window: Window
    spans: NDArray[np.int64]
    types: NDArray[np.bool_]
    coarse: NDArray[np.bool_]
    owner: NDArray[np.int64]
    proclitics: NDArray[np.int64]
    relations: NDArray[np.int64]
    annotated: NDArray[np.bool_]
    relation_annotated: NDArray[np.bool_]


@dataclass
class Unreachable:
    """Gold that no prediction can match, kept for the report.

    Attributes:
        entities: (document, start, end, label, why).
        relations: (document, head, label, tail, why).
    """

    entities: list[tuple[str, int, int, str, str]] = field(default_factory=list)
    relations: list[tuple[str, str, str, str, str]] = field(default_factory=list)


def split_paragraphs(document: Document) -> list[Document]:
    """Return one document a paragraph, with its entities and the relations among them; clusters are dropped."""
    parts: list[Document] = []
    for number, (lo, hi) in enumerate(paragraphs(document.text), 1):
        text = document.text[lo:hi]
        inside = [e for e in document.entities if lo <= e.start and e.end <= hi]
        ids = {e.id for e in inside}
        entities = [make_entity(text, e.start - lo, e.end - lo, e.label, id=e.id) for e in inside]
        relations = [r for r in document.relations if r.head in ids and r.tail in ids]
        parts.append(Document(text, tuple(entities), tuple(relations), id=f"{document.id}#{number}"))
    return parts


def build_paragraphs(
    document: Document,
    maker: WindowMaker,
    schema: LabelSchema,
    *,
    unreachable: Unreachable,
    annotation: Annotation | None = None,
) -> list[tuple[Document, list[Example]]]:
    """Return the paragraphs of a document, see `split_paragraphs`, each with its examples.

    Args:
        document: gold.
        maker, schema, annotation: as in `build_examples`.
        unreachable: gold that none of the examples can express is appended here, in offsets of the document.
    """
    made: list[tuple[Document, list[Example]]] = []
    kept_entities: set[str] = set()
    kept_relations: set[Relation] = set()
    for (at, _), part in zip(paragraphs(document.text), split_paragraphs(document), strict=True):
        lost = Unreachable()
        made.append(
            (part, list(build_examples(part, maker, schema, unreachable=lost, annotation=annotation)))
        )
        unreachable.entities += [
            (document.id, at + s, at + e, label, why) for _, s, e, label, why in lost.entities
        ]
        unreachable.relations += [(document.id, h, label, t, why) for _, h, label, t, why in lost.relations]
        kept_entities |= {e.id for e in part.entities}
        kept_relations |= set(part.relations)
    unreachable.entities += [
        (document.id, e.start, e.end, e.label, "in no paragraph")
        for e in document.entities
        if e.id not in kept_entities
    ]
    unreachable.relations += [
        (document.id, r.head, r.label, r.tail, "ends in different paragraphs")
        for r in document.relations
        if r not in kept_relations
    ]
    return made


def locate(text: str, window: Window, entity: Entity, *, whole: bool = False) -> tuple[int, int, int] | str:
    """Return (first word, last word, proclitic letters) of an entity in a window, or why there is none.

    Args:
        text: of the document.
        window: of the text.
        entity: gold.
        whole: take the words that the entity touches, whatever part of them it covers.
    """
    starts = [s for s, _ in window.words]
    first = bisect_right(starts, entity.start) - 1
    last = bisect_right(starts, entity.end - 1) - 1
    if first < 0 or last < first:
        return "outside the window"
    if whole:
        return first, last, 0
    word_start, word_end = window.words[first]
    letters = letters_before(text, word_start, entity.start)
    if letters > MAX_PROCLITICS or letter_offset(text, word_start, word_end, letters) != entity.start:
        return f"starts inside the word {text[word_start:word_end]!r}, not after a proclitic"
    if extend_over_marks(text, window.words[last][1]) != extend_over_marks(text, entity.end):
        return f"ends inside the word {text[slice(*window.words[last])]!r}"
    return first, last, letters


def build_examples(
    document: Document,
    maker: WindowMaker,
    schema: LabelSchema,
    *,
    unreachable: Unreachable | None = None,
    annotation: Annotation | None = None,
) -> Iterator[Example]:
    """Yield the windows of a document with their targets.

    Args:
        document: gold.
        maker: cuts windows for the model's tokenizer.
        schema: gives rows to labels; an unknown label raises SchemaError.
        unreachable: gold that no window can express is appended here.
        annotation: how the labels are to be read; None if they are those of `schema`.
    """
    reading = _Reading(schema, annotation)
    missing = {e.id: "in no paragraph" for e in document.entities}
    linked: set[Relation] = set()
    for window in maker.windows(document.text):
        targets = _Targets(len(window.words))
        lo, hi = window.words[0][0], window.words[-1][1]
        for entity in document.entities:
            if entity.end <= lo or entity.start >= hi:
                continue
            place = locate(document.text, window, entity, whole=not reading.proclitics)
            if not isinstance(place, str) and targets.begins_otherwise(place):
                place = "another span begins in its first word after other proclitics"
            if isinstance(place, str):
                missing[entity.id] = missing[entity.id] and place
                continue
            repeated = targets.add(entity, place, reading)
            # Learned all the same, as no type excludes another; but the decoder gives a span one label.
            why = "another label stands on the same span" if repeated else ""
            missing[entity.id] = missing[entity.id] and why
        relations = list(_relations(document, targets.row_of, schema, linked))
        yield Example(
            window,
            np.asarray(list(targets.rows), dtype=np.int64).reshape(-1, 2),
            np.asarray(targets.types, dtype=bool).reshape(-1, len(schema.entities)),
            np.asarray(targets.coarse, dtype=bool),
            targets.owner,
            targets.proclitics,
            np.asarray(relations, dtype=np.int64).reshape(-1, 3),
            reading.annotated,
            reading.relations,
        )
    if unreachable is not None:
        for e in document.entities:
            if missing[e.id]:
                unreachable.entities.append((document.id, e.start, e.end, e.label, missing[e.id]))
        for r in document.relations:
            if r not in linked:
                lost = missing[r.head] or missing[r.tail]
                why = f"an end cannot be reached: {lost}" if lost else "ends in different windows"
                unreachable.relations.append((document.id, r.head, r.label, r.tail, why))


class _Reading:
    """Rows of a schema for the tags of a corpus."""

    def __init__(self, schema: LabelSchema, annotation: Annotation | None) -> None:
        self._schema, self._annotation = schema, annotation
        labels = schema.entity_labels
        self.annotated = np.asarray([annotation is None or label in annotation.annotates for label in labels])
        self.relations = np.asarray(
            [annotation is None or annotation.annotates_relation(label) for label in schema.relation_labels],
            dtype=bool,
        )
        self.proclitics = annotation is None or annotation.proclitics
        self.nested = annotation is None or annotation.nested

    def types(self, tag: str) -> NDArray[np.bool_]:
        """Return [types], True for the schema labels that a tag may stand for."""
        if self._annotation is None:
            names: Sequence[str] = (self._schema.check_entity(tag),)
        else:
            names = self._annotation.labels[tag]
        return np.asarray([label in names for label in self._schema.entity_labels])


class _Targets:
    """The targets of one window while its entities are added."""

    def __init__(self, words: int) -> None:
        self.rows: dict[tuple[int, int], int] = {}
        self.types: list[NDArray[np.bool_]] = []
        self.coarse: list[bool] = []
        self.owner = np.full(words, -1, dtype=np.int64)
        self.proclitics = np.full(words, -100, dtype=np.int64)
        self.row_of: dict[str, int] = {}

    def begins_otherwise(self, place: tuple[int, int, int]) -> bool:
        """Whether another span begins in the same word after other proclitics."""
        return int(self.proclitics[place[0]]) not in (-100, place[2])

    def add(self, entity: Entity, place: tuple[int, int, int], reading: _Reading) -> bool:
        """Add an entity; return whether its span was there before."""
        first, last, letters = place
        types = reading.types(entity.label)
        if not reading.nested:
            self.owner[first : last + 1] = len(self.rows) + 1
        if reading.proclitics:
            self.proclitics[first] = letters
        row = self.row_of[entity.id] = self.rows.setdefault((first, last), len(self.rows))
        if row < len(self.types):
            self.types[row] |= types
            return True
        self.types.append(types)
        self.coarse.append(int(types.sum()) != 1)
        return False


def _relations(
    document: Document, row_of: dict[str, int], schema: LabelSchema, linked: set[Relation]
) -> Iterator[tuple[int, int, int]]:
    for relation in document.relations:
        if relation.head not in row_of or relation.tail not in row_of:
            continue
        type_ = schema.relation(relation.label)
        head, tail = row_of[relation.head], row_of[relation.tail]
        label = schema.relation_index[relation.label]
        linked.add(relation)
        yield head, label, tail
        if type_.symmetric:
            yield tail, label, head
