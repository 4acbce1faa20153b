"""The one decoder: scores of windows in, a Document out. Needs numpy only."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .coreference import Mention, cluster, pair_features
from .document import Document, Entity, Relation, number_clusters
from .relations import Triple, distinct, merge_directions, sentences
from .schema import LabelSchema
from .scores import Backend, Floats, WindowScores
from .text import extend_over_marks, letter_offset, make_entity, paragraphs, trim_edges
from .windows import Window

# Mention pairs scored in one call, so that a book's millions of pairs are never in memory as vectors at once.
_PAIRS_A_CALL = 32_768


@dataclass(frozen=True)
class Decisions:
    """How scores become decisions.

    Attributes:
        entity_thresholds, relation_thresholds: [labels], probabilities.
        entity_calibration, relation_calibration: [labels, 3], see `probabilities`.
        coreference_threshold: probability.
        same_start: whether spans of one label may begin at the same place and nest. In the corpora at hand one
            entity in 20,000 does, while a scorer with smoothed boundaries proposes such pairs often.
        cross_sentence: whether a relation may join mentions of different sentences.
    """

    entity_thresholds: Floats
    relation_thresholds: Floats
    entity_calibration: Floats
    relation_calibration: Floats
    coreference_threshold: float = 0.5
    same_start: bool = False
    cross_sentence: bool = False

    @classmethod
    def build(
        cls,
        schema: LabelSchema,
        *,
        entity_thresholds: Mapping[str, float] | None = None,
        relation_thresholds: Mapping[str, float] | None = None,
        calibration: Mapping[str, Mapping[str, Sequence[float]]] | None = None,
        coreference_threshold: float = 0.5,
        same_start: bool = False,
        cross_sentence: bool = False,
    ) -> "Decisions":
        """Fill in 0.5 and the identity for every label that is not given."""
        calibration = calibration or {}

        def column(labels: Sequence[str], values: Mapping[str, float] | None) -> Floats:
            return np.asarray([(values or {}).get(label, 0.5) for label in labels], dtype=np.float32)

        def beta(labels: Sequence[str], values: Mapping[str, Sequence[float]] | None) -> Floats:
            rows = [(values or {}).get(label, IDENTITY) for label in labels]
            # A straight line over the logits, [scale, bias], as models of version 0.1 hold it.
            rows = [(row[0], *row) if len(row) == 2 else row for row in rows]
            return np.asarray(rows, dtype=np.float32).reshape(-1, len(IDENTITY))

        return cls(
            column(schema.entity_labels, entity_thresholds),
            column(schema.relation_labels, relation_thresholds),
            beta(schema.entity_labels, calibration.get("entity")),
            beta(schema.relation_labels, calibration.get("relation")),
            coreference_threshold,
            same_start,
            cross_sentence,
        )


# The calibration that changes nothing.
IDENTITY = (1.0, 1.0, 0.0)


def probabilities(logits: Floats, calibration: Floats) -> Floats:
    """Return calibrated probabilities (beta calibration, Kull et al. 2017, section 3).

    With s = sigmoid(logit) a probability is sigmoid(a ln s - b ln(1 - s) + c). Scores of one model are often too
    low near 1 and too high in the middle, which no straight line over the logits (a = b) can mend.

    Args:
        logits: [..., labels].
        calibration: [labels, 3]: a, b, c; a and b above 0.
    """
    high = np.logaddexp(0, logits)
    low = high - logits
    z = high * calibration[:, 1] - low * calibration[:, 0] + calibration[:, 2]
    return (1.0 / (1.0 + np.exp(-np.clip(z, -60, 60)))).astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Span:
    start: int
    end: int
    label: int
    score: float
    vector: Floats


class Decoder:
    """Turns the scores of a document's windows into entities, relations and clusters.

    Args:
        schema: the labels, in the order of the model's rows.
        decisions: thresholds and calibration.
    """

    def __init__(self, schema: LabelSchema, decisions: Decisions) -> None:
        self._schema, self._decisions = schema, decisions
        self._signature = np.asarray(schema.signature_mask(), dtype=bool).reshape(
            len(schema.relations), len(schema.entities), len(schema.entities)
        )

    def decode(
        self,
        text: str,
        windows: Sequence[Window],
        scores: Sequence[WindowScores],
        backend: Backend,
        *,
        id: str = "",
        model: str = "",
    ) -> Document:
        """Return the document of a text.

        Args:
            text: the original text.
            windows, scores: its windows and what the backend made of them.
            backend: asked once more, for coreference.
            id, model: written into the document.
        """
        chosen: list[_Span] = []
        offsets = [
            [span_offsets(text, window, score, row) for row in range(len(score.spans))]
            for window, score in zip(windows, scores, strict=True)
        ]
        for window, score, places in zip(windows, scores, offsets, strict=True):
            chosen.extend(self._spans(window, score, places))
        chosen = resolve_crossing(chosen, same_start=self._decisions.same_start)
        entities = [
            make_entity(text, s.start, s.end, self._schema.entity_labels[s.label], id=f"T{n}", score=s.score)
            for n, s in enumerate(chosen, 1)
        ]
        groups = self._clusters(text, entities, [s.vector for s in chosen], backend)
        numbered, clusters = number_clusters(entities, groups)
        scored = self._relations(text, windows, scores, offsets, chosen)
        relations = self._accept(text, scored, numbered)
        schema = {"name": self._schema.name, "version": self._schema.version, "hash": self._schema.hash}
        return Document(text, numbered, tuple(relations), clusters, id=id, schema=schema, model=model)

    def _spans(self, window: Window, scores: WindowScores, offsets: Sequence[tuple[int, int]]) -> list[_Span]:
        if not len(scores.spans):
            return []
        probability = probabilities(scores.logits, self._decisions.entity_calibration)
        above = np.where(probability >= self._decisions.entity_thresholds, probability, -1.0)
        label = above.argmax(axis=1)
        found = []
        for row in np.flatnonzero(above.max(axis=1) >= 0).tolist():
            first = int(scores.spans[row, 0])
            if not window.core[0] <= first < window.core[1]:
                continue
            start, end = offsets[row]
            if start == end:
                continue
            score = float(probability[row, label[row]])
            found.append(_Span(start, end, int(label[row]), score, scores.vectors[row]))
        return found

    def _relations(
        self,
        text: str,
        windows: Sequence[Window],
        scores: Sequence[WindowScores],
        offsets: Sequence[Sequence[tuple[int, int]]],
        chosen: list[_Span],
    ) -> dict[Triple, float]:
        best: dict[Triple, float] = {}
        rows = {(s.start, s.end): n for n, s in enumerate(chosen)}
        labels = np.asarray([s.label for s in chosen], dtype=np.int64)
        # One direction of a symmetric relation may lie below the threshold that the mean of both reaches.
        floor = np.minimum(self._decisions.relation_thresholds, 0.05)
        for window, score, places in zip(windows, scores, offsets, strict=True):
            if not len(score.pairs):
                continue
            entity = np.asarray([rows.get(place, -1) for place in places])
            head, tail = entity[score.pairs[:, 0]], entity[score.pairs[:, 1]]
            # Two candidates may stand for one span: where trailing marks form words of their own.
            real = (head >= 0) & (tail >= 0) & (head != tail)
            if not self._decisions.cross_sentence:
                sentence = sentences(text, window, score.spans)
                real &= sentence[score.pairs[:, 0]] == sentence[score.pairs[:, 1]]
            if not real.any():
                continue
            head, tail = head[real], tail[real]
            probability = probabilities(score.pair_logits[real], self._decisions.relation_calibration)
            # Below 0, so that not even a threshold of 0 lets through what the signature forbids.
            probability = np.where(self._signature[:, labels[head], labels[tail]].T, probability, -1.0)
            for pair, relation in np.argwhere(probability >= floor):
                key = (int(head[pair]), int(relation), int(tail[pair]))
                best[key] = max(best.get(key, 0.0), float(probability[pair, relation]))
        return merge_directions(best, [r.symmetric for r in self._schema.relations])

    def _accept(self, text: str, scored: dict[Triple, float], entities: Sequence[Entity]) -> list[Relation]:
        limit = self._decisions.relation_thresholds
        above = {triple: p for triple, p in scored.items() if p >= limit[triple[1]]}
        starts = [start for start, _ in paragraphs(text)] if above else []
        paragraph = np.searchsorted(starts, [e.start for e in entities], side="right").tolist()
        thing = [-1 - n if e.cluster is None else e.cluster for n, e in enumerate(entities)]
        return [
            Relation(entities[head].id, self._schema.relation_labels[relation], entities[tail].id, p)
            for (head, relation, tail), p in distinct(above, thing, paragraph).items()
        ]

    def _clusters(
        self, text: str, entities: Sequence[Entity], vectors: Sequence[Floats], backend: Backend
    ) -> list[list[str]]:
        mentions, index = coreference_mentions(text, entities, self._schema)

        def score(pairs: list[tuple[int, int]]) -> Floats:
            found = [part(pairs[at : at + _PAIRS_A_CALL]) for at in range(0, len(pairs), _PAIRS_A_CALL)]
            return np.concatenate(found)

        def part(pairs: list[tuple[int, int]]) -> Floats:
            features = np.asarray(
                [pair_features(mentions[i], mentions[j]) for i, j in pairs], dtype=np.float32
            )
            first = np.stack([vectors[index[i]] for i, _ in pairs])
            second = np.stack([vectors[index[j]] for _, j in pairs])
            return backend.coreference(features, first, second)

        groups = cluster(mentions, score, threshold=self._decisions.coreference_threshold)
        return [[entities[index[i]].id for i in group] for group in groups]


def coreference_mentions(
    text: str, entities: Sequence[Entity], schema: LabelSchema
) -> tuple[list[Mention], list[int]]:
    """Return the mentions that may corefer, in text order, and the index of each among `entities`."""
    starts = [start for start, _ in paragraphs(text)]
    index = [n for n, e in enumerate(entities) if e.label in schema.coreferent_labels]
    index.sort(key=lambda n: (entities[n].start, -entities[n].end))
    mentions = []
    for order, n in enumerate(index):
        e = entities[n]
        paragraph = bisect_right(starts, e.start)
        mentions.append(Mention(e.name, e.label, e.start, e.end, paragraph, order))
    return mentions, index


def span_offsets(text: str, window: Window, scores: WindowScores, row: int) -> tuple[int, int]:
    """Return (start, end) of a candidate in code points: proclitics and outer punctuation off, marks on.

    Empty if the candidate is nothing but punctuation.
    """
    first, last = scores.spans[row]
    word_start, word_end = window.words[first]
    start = letter_offset(text, word_start, word_end, int(scores.proclitics[row]))
    # A proclitic cannot be the whole word.
    start = word_start if start >= word_end else start
    return trim_edges(text, start, extend_over_marks(text, window.words[last][1]))


def resolve_crossing(spans: Sequence[_Span], *, same_start: bool = True) -> list[_Span]:
    """Keep the best label of each span and, of spans that cross, the best; nested spans stay.

    Args:
        spans: in any order.
        same_start: see `Decisions`; if False, only the best of one label's spans from one start stays.

    Returns:
        Spans sorted by start, longer first.
    """
    accepted: dict[tuple[int, int], _Span] = {}
    begun: set[tuple[int, int]] = set()
    # Spans that could cross a new one are found by looking at the words they cover, not at all others.
    cover: dict[int, list[tuple[int, int]]] = {}
    for span in sorted(spans, key=lambda s: (-s.score, s.start, -s.end)):
        key = (span.start, span.end)
        if key in accepted or (not same_start and (span.label, span.start) in begun):
            continue
        block = range(span.start // 64, (span.end - 1) // 64 + 1)
        near = {other for b in block for other in cover.get(b, ())}
        if any(a < span.start < b < span.end or span.start < a < span.end < b for a, b in near):
            continue
        accepted[key] = span
        begun.add((span.label, span.start))
        for b in block:
            cover.setdefault(b, []).append(key)
    return sorted(accepted.values(), key=lambda s: (s.start, -s.end))
