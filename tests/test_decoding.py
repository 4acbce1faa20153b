"""The decoder by hand: thresholds, calibration, signatures, symmetry, crossing spans."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from isnad.model.decoding import Decisions, Decoder, _Span, resolve_crossing
from isnad.model.schema import LabelSchema
from isnad.model.scores import WindowScores
from isnad.model.text import words
from isnad.model.windows import Window, word_letters


def _span(start: int, end: int, score: float, label: int = 0) -> _Span:
    return _Span(start, end, label, score, np.zeros(1, dtype=np.float32))


def test_of_crossing_spans_the_better_stays_and_nested_ones_do() -> None:
    spans = [
        _span(0, 10, 0.6),
        _span(5, 15, 0.9),
        _span(6, 9, 0.5),
        _span(5, 15, 0.7, 1),
        _span(200, 700, 0.8),
    ]
    spans += [_span(300, 400, 0.7), _span(350, 450, 0.6), _span(650, 701, 0.5), _span(15, 20, 0.4)]
    kept = [(s.start, s.end, s.label) for s in resolve_crossing(spans)]
    assert kept == [(5, 15, 0), (6, 9, 0), (15, 20, 0), (200, 700, 0), (300, 400, 0)]


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 150), st.floats(0, 1)), max_size=40))
def test_no_two_spans_cross(spans: list[tuple[int, int, float]]) -> None:
    kept = resolve_crossing([_span(a, a + n, p) for a, n, p in spans])
    assert not [1 for a in kept for b in kept if a.start < b.start < a.end < b.end]
    # What was dropped equals or crosses something better.
    for start, length, score in spans:
        end = start + length
        assert any(
            (k.start, k.end) == (start, end)
            or ((k.start < start < k.end < end or start < k.start < end < k.end) and k.score >= score)
            for k in kept
        )


class _Silent:
    def score(self, windows: Any) -> list[WindowScores]:
        raise AssertionError

    def coreference(self, features: Any, first: Any, second: Any) -> Any:
        return np.zeros(len(features), dtype=np.float32)


def test_the_decoder_by_hand(schema: LabelSchema) -> None:
    text = "زار قاآني للعراق ومحمد"
    spans = words(text)
    window = Window(spans, (0, len(spans)), [0] * 6, [1, 2, 3, 4], [1, 2, 3, 4], word_letters(text, spans))
    entity, relation = schema.entity_index, schema.relation_index
    logits = np.full((4, len(entity)), -9.0, dtype=np.float32)
    for row, label, value in (
        (0, "PERS", 2.0),
        (1, "GPE", 1.0),
        (1, "LOC", 0.5),
        (2, "PERS", 3.0),
        (3, "ORG", -1.0),
    ):
        logits[row, entity[label]] = value
    pairs = np.asarray([[0, 1], [1, 0], [0, 2], [2, 0], [0, 3]])
    pair_logits = np.full((5, len(relation)), -9.0, dtype=np.float32)
    pair_logits[0, relation["visited"]] = 1.0
    pair_logits[1, relation["visited"]] = 5.0  # a place cannot visit
    pair_logits[2, relation["met_with"]] = 4.0
    pair_logits[3, relation["met_with"]] = -1.0
    pair_logits[4, relation["member_of"]] = 5.0  # its tail is below the threshold
    scores = WindowScores(
        spans=np.asarray([[1, 1], [2, 2], [3, 3], [0, 0]]),
        logits=logits,
        proclitics=np.asarray([0, 1, 3, 0]),
        vectors=np.zeros((4, 2), dtype=np.float32),
        pairs=pairs,
        pair_logits=pair_logits,
    )
    calibration = {"entity": {"PERS": [0.5, 0.0]}}
    decisions = Decisions.build(schema, entity_thresholds={"GPE": 0.7}, calibration=calibration)
    document = Decoder(schema, decisions).decode(text, [window], [scores], _Silent(), id="d")
    found = [(e.text, e.name, e.label, round(e.score, 3)) for e in document.entities]
    assert found == [
        ("قاآني", "قاآني", "PERS", 0.731),
        ("لعراق", "العراق", "GPE", 0.731),
        ("مد", "مد", "PERS", 0.818),  # three letters off, as the model said
    ]
    links = [(r.head, r.label, r.tail, round(r.score, 3)) for r in document.relations]
    assert links == [("T1", "visited", "T2", 0.731), ("T1", "met_with", "T3", 0.625)]


def test_an_empty_word_after_its_proclitics_is_the_whole_word(schema: LabelSchema) -> None:
    text = "في لب"
    spans = words(text)
    window = Window(spans, (0, 2), [0] * 4, [1, 2], [1, 2], word_letters(text, spans))
    logits = np.full((1, len(schema.entities)), -9.0, dtype=np.float32)
    logits[0, 0] = 5
    empty = np.zeros((0, len(schema.relations)), dtype=np.float32)
    scores = WindowScores(
        np.asarray([[1, 1]]),
        logits,
        np.asarray([3]),
        np.zeros((1, 2), np.float32),
        np.zeros((0, 2), int),
        empty,
    )
    [entity] = Decoder(schema, Decisions.build(schema)).decode(text, [window], [scores], _Silent()).entities
    assert entity.text == "لب"


def test_spans_of_one_label_from_one_start_are_kept_only_where_asked_for() -> None:
    spans = [_span(0, 10, 0.9), _span(0, 5, 0.8), _span(0, 4, 0.7, 1), _span(6, 10, 0.6)]
    assert [(s.end, s.label) for s in resolve_crossing(spans)] == [(10, 0), (5, 0), (4, 1), (10, 0)]
    assert [(s.end, s.label) for s in resolve_crossing(spans, same_start=False)] == [(10, 0), (4, 1), (10, 0)]
