"""Scores of parts of the data: unseen names, nested mentions, distant relations, denied ones, …

What is in a slice is decided from the text and the annotation alone:

- recall looks at gold: of the gold items in the slice, how many were found (tp) and missed (fn);
- precision looks at predictions: an unmatched prediction (fp) is in the slice if it is there by itself, judged
  by its own span and by the predicted annotation around it; a matched one is where its gold is.

So a slice that covers everything gives the counts of `evaluate`, and complementary slices add up to them. A
relation is in a slice of mentions if either of its ends is (in `seen` and `not_nested`: if both are); matches of
relations are the `strict` ones of `relations`.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from ..model.document import Document, Entity
from ..model.folding import fold
from ..model.schema import LabelSchema
from ..training.data.datasheet import rough_orthography
from .counts import Counts, CountsTable
from .evaluate import pair_documents
from .slice_result import SliceResult, SliceRow
from .slice_text import TextView
from .spans import Convention, project

LONG_MENTION, LONG_SENTENCE = 5, 40  # words
# Slices in the order of reports; `source:…` follows, one for each source of the documents.
SLICES: dict[str, str] = {
    "all": "everything",
    "seen": "the name occurs in training",
    "unseen": "the name, folded, does not occur in training",
    "clitic_initial": "begins inside a word, after a proclitic (و ف ب ل ك)",
    "not_nested": "neither holds a mention nor lies in one",
    "nested_outer": "holds another mention",
    "nested_inner": "lies in another mention",
    "long": f"{LONG_MENTION} or more words",
    "long_sentence": f"in a sentence of {LONG_SENTENCE} or more words",
    "rough": "in a document of careless orthography (most hamzas of frequent words left out)",
    "denied": "in a sentence with a cue of denial, plan or doubt (لم، لن، نفى، يعتزم …)",
    "not_denied": "in a sentence without such a cue",
    "distance_0": "relations: no word between the ends",
    "distance_1_5": "relations: 1 to 5 words between the ends",
    "distance_6_15": "relations: 6 to 15 words between the ends",
    "distance_16": "relations: 16 or more words between the ends",
    "same_clause": "relations: no clause boundary between the ends",
    "cross_clause": "relations: a comma, other mark or clause word (أن، الذي، لكن …) between the ends",
}
_BY_BOTH_ENDS = frozenset({"seen", "not_nested"})
_SOURCE = re.compile(r"[^\W\d_]+(?:[-_. ][^\W\d_]+)*")

Key = tuple[int, int, str]
Pair = frozenset[tuple[int, int]]  # the boundaries of two mentions


def training_names(documents: Iterable[Document]) -> frozenset[str]:
    """Return the folded names of all mentions of training documents, for `seen_names` of `slice_counts`."""
    return frozenset(fold(e.name) for d in documents for e in d.entities)


def source_of(id_: str) -> str:
    """Return the source in a document id, the letters it begins with: `alam-008`: `alam`; else `other`."""
    found = _SOURCE.match(id_)
    return found.group() if found else "other"


def slice_counts(
    gold: Sequence[Document],
    predicted: Sequence[Document],
    schema: LabelSchema,
    *,
    seen_names: Collection[str] | None = None,
    convention: Convention = "char",
    flat: bool = False,
    source: Callable[[str], str] = source_of,
) -> dict[str, SliceResult]:
    """Count matches within every slice of `SLICES`.

    Denied relations: of the pairs of gold mentions of one sentence that some relation's signature admits (in
    either direction) and that gold does not relate, the share that a predicted relation joins is the false
    positive rate. It is counted for `denied` sentences, `not_denied` ones to compare with, and the slices of
    documents. Predicted ends count by their boundaries; where gold has no relations at all, they are unknown
    rather than absent and no pairs are counted.

    Args:
        gold, predicted: as for `evaluate`.
        schema: signatures, and which relations are symmetric.
        seen_names: `training_names` of what the model was trained on; without it `seen` and `unseen` are left out.
        convention, flat: how mentions are compared; see `spans.project`.
        source: the source or genre of a document id.

    Returns:
        A result for each slice, empty ones included, in the order of `SLICES`, then of the names of sources.

    Raises:
        DataError: documents that do not pair up; see `evaluate`.
    """
    pairs = pair_documents(gold, predicted)
    names = [n for n in SLICES if seen_names is not None or n not in ("seen", "unseen")]
    count_pairs = any(d.relations for d in gold)
    seen = None if seen_names is None else frozenset(seen_names)
    tallies = []
    for wanted, found in pairs:
        tally = _Tally(wanted, found, schema, seen, convention, flat, f"source:{source(wanted.id)}")
        tally.count(pairs=count_pairs)
        tallies.append(tally)
    names += sorted({t.source for t in tallies})
    return {name: SliceResult.total(len(pairs), (t.row(name) for t in tallies)) for name in names}


def add_slices(a: Mapping[str, SliceResult], b: Mapping[str, SliceResult]) -> dict[str, SliceResult]:
    """Add results of different documents slice by slice; one without a slice adds its documents only."""
    names = [*SLICES, *sorted({*a, *b} - SLICES.keys())]
    none = [SliceResult(side["all"].documents) for side in (a, b)]
    return {n: a.get(n, none[0]) + b.get(n, none[1]) for n in names if n in a or n in b}


@dataclass
class _Annotation:
    """One side of a document as it is compared: what each compared mention and relation is."""

    mentions: dict[Key, Entity] = field(default_factory=dict)
    relations: dict[tuple[str, object], tuple[Entity, Entity]] = field(default_factory=dict)
    joined: set[Pair] = field(default_factory=set)
    outer: set[str] = field(default_factory=set)
    inner: set[str] = field(default_factory=set)

    @classmethod
    def of(
        cls, document: Document, symmetric: Collection[str], convention: Convention, flat: bool
    ) -> "_Annotation":
        entity, self = document.by_id(), cls()
        spans = project(document, convention=convention, flat=flat)
        for id_, span in spans.items():
            self.mentions.setdefault(span.key, entity[id_])
        for r in document.relations:
            if r.head in spans and r.tail in spans:
                ends = spans[r.head].key, spans[r.tail].key
                key = frozenset(ends) if r.label in symmetric else ends
                self.relations.setdefault((r.label, key), (entity[r.head], entity[r.tail]))
                self.joined.add(frozenset((ends[0][:2], ends[1][:2])))
        self._nest(document.entities)
        return self

    def _nest(self, entities: Iterable[Entity]) -> None:
        ordered = sorted(entities, key=lambda e: (e.start, -e.end))
        open_: list[Entity] = []
        for e in ordered:
            open_ = [o for o in open_ if o.end > e.start]
            holding = [o for o in open_ if o.end >= e.end]
            self.outer.update(o.id for o in holding)
            if holding:
                self.inner.add(e.id)
            open_.append(e)


class _Tally:
    """Counts of one pair of documents, slice by slice."""

    def __init__(
        self,
        gold: Document,
        predicted: Document,
        schema: LabelSchema,
        seen: frozenset[str] | None,
        convention: Convention,
        flat: bool,
        source: str,
    ) -> None:
        symmetric = {r.name for r in schema.relations if r.symmetric}
        self.id, self.source, self._seen = gold.id, source, seen
        self._gold = _Annotation.of(gold, symmetric, convention, flat)
        self._found = _Annotation.of(predicted, symmetric, convention, flat)
        self._text = TextView(gold.text)
        self._admitted = {(h, t) for r in schema.relations for h in r.head for t in r.tail}
        self._of_document = {"all", source} | ({"rough"} if rough_orthography(gold.text) else set())
        self._entities: dict[str, dict[str, list[int]]] = {}
        self._relations: dict[str, dict[str, list[int]]] = {}
        self._pairs: dict[str, list[int]] = {}

    def count(self, *, pairs: bool) -> None:
        """Fill the counts."""
        for key, entity in self._gold.mentions.items():
            column = 0 if key in self._found.mentions else 2
            _add(self._entities, self._mention(entity, self._gold), key[2], column)
        for key, entity in self._found.mentions.items():
            if key not in self._gold.mentions:
                _add(self._entities, self._mention(entity, self._found), key[2], 1)
        for relation, ends in self._gold.relations.items():
            column = 0 if relation in self._found.relations else 2
            _add(self._relations, self._relation(*ends, self._gold), relation[0], column)
        for relation, ends in self._found.relations.items():
            if relation not in self._gold.relations:
                _add(self._relations, self._relation(*ends, self._found), relation[0], 1)
        if pairs:
            self._count_pairs()

    def row(self, name: str) -> SliceRow | None:
        """Return the counts of a slice, or None if it holds nothing of this document."""
        entities, relations = (_table(t.get(name, {})) for t in (self._entities, self._relations))
        false, total = self._pairs.get(name, (0, 0))
        if not (entities or relations or total):
            return None
        return SliceRow(self.id, entities, relations, false, total)

    def _mention(self, e: Entity, side: _Annotation) -> set[str]:
        slices = set(self._of_document)
        if self._seen is not None:
            slices.add("seen" if fold(e.name) in self._seen else "unseen")
        if 0 <= e.word_start < e.start:
            slices.add("clitic_initial")
        slices |= {
            name for name, ids in (("nested_outer", side.outer), ("nested_inner", side.inner)) if e.id in ids
        }
        if not slices & {"nested_outer", "nested_inner"}:
            slices.add("not_nested")
        if self._text.count_words(e.start, e.end) >= LONG_MENTION:
            slices.add("long")
        number = self._text.sentence_at(e.start)
        if number >= 0:
            sentence = self._text.sentences[number]
            slices |= {"long_sentence"} if sentence.words >= LONG_SENTENCE else set()
            slices.add("denied" if sentence.denied else "not_denied")
        return slices

    def _relation(self, head: Entity, tail: Entity, side: _Annotation) -> set[str]:
        a, b = self._mention(head, side), self._mention(tail, side)
        ends = (head.start, head.end), (tail.start, tail.end)
        distance = _bucket(self._text.words_between(*ends))
        clause = "cross_clause" if self._text.clause_between(*ends) else "same_clause"
        # Ends in two sentences, of which one is denied: the relation is in `denied` only.
        slices = ((a | b) - _BY_BOTH_ENDS) | (a & b & _BY_BOTH_ENDS)
        return (slices - {"not_denied"} if "denied" in slices else slices) | {distance, clause}

    def _count_pairs(self) -> None:
        of_sentence: dict[int, list[Key]] = {}
        for key in self._gold.mentions:
            of_sentence.setdefault(self._text.sentence_at(key[0]), []).append(key)
        for number, keys in of_sentence.items():
            if number < 0:
                continue
            pairs = {
                frozenset((a[:2], b[:2]))
                for a, b in combinations(keys, 2)
                if a[:2] != b[:2] and ((a[2], b[2]) in self._admitted or (b[2], a[2]) in self._admitted)
            } - self._gold.joined
            denial = "denied" if self._text.sentences[number].denied else "not_denied"
            for name in (*self._of_document, denial):
                counts = self._pairs.setdefault(name, [0, 0])
                counts[0] += len(pairs & self._found.joined)
                counts[1] += len(pairs)


def _bucket(distance: int) -> str:
    if distance == 0:
        return "distance_0"
    return "distance_1_5" if distance <= 5 else "distance_6_15" if distance <= 15 else "distance_16"


def _add(counts: dict[str, dict[str, list[int]]], slices: Iterable[str], label: str, column: int) -> None:
    for name in slices:
        counts.setdefault(name, {}).setdefault(label, [0, 0, 0])[column] += 1


def _table(counts: Mapping[str, Sequence[int]]) -> CountsTable:
    return CountsTable({label: Counts.from_list(counts[label]) for label in sorted(counts)})
