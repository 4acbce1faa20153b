"""Calibration error: counted by hand, against a slow second way, and cross-fitted without a leak."""

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from isnad.eval.calibration import (
    Bin,
    Judged,
    Reliability,
    equal_mass_edges,
    equal_width_edges,
    judge_relations,
    judge_spans,
)
from isnad.eval.calibration_scores import HEADLINE, SCHEMES, _resampled_ece, measure_calibration
from isnad.model.document import Document, Relation
from isnad.model.errors import ConfigError, DataError
from isnad.model.schema import LabelSchema
from isnad.model.text import make_entity

TEXT = "التقى عبد اللهيان نصرالله في بيروت ولبنان."
HAND = [Judged(0.9, True), Judged(0.8, False), Judged(0.3, False), Judged(0.2, True)]


def document(
    *mentions: tuple[str, str, float], relations: Sequence[Relation] = (), text: str = TEXT
) -> Document:
    entities = [
        replace(
            make_entity(text, text.index(part), text.index(part) + len(part), label, score=score), id=f"T{n}"
        )
        for n, (part, label, score) in enumerate(mentions, 1)
    ]
    return Document(text, tuple(entities), tuple(relations), id="a")


class TestReliability:
    def test_counted_by_hand(self) -> None:
        found = Reliability.of(HAND, equal_width_edges(2))
        low, high = found.bins
        assert (low.n, low.correct, high.n, high.correct) == (2, 1, 2, 1)
        assert low.confidence == pytest.approx(0.25) and high.confidence == pytest.approx(0.85)
        assert low.gap == pytest.approx(0.25) and high.gap == pytest.approx(-0.35)
        assert found.ece == pytest.approx(0.5 * 0.25 + 0.5 * 0.35)
        assert found.largest_gap == pytest.approx(0.35)
        assert found.brier == pytest.approx((0.01 + 0.64 + 0.09 + 0.64) / 4)
        assert (found.accuracy, found.n) == (0.5, 4) and found.confidence == pytest.approx(0.55)

    def test_perfect_calibration_is_0_and_the_surest_error_is_1(self) -> None:
        right = [Judged(0.75, n < 3) for n in range(4)] + [Judged(0.2, n < 1) for n in range(5)]
        assert Reliability.of(right, equal_width_edges(10)).ece == pytest.approx(0)
        assert Reliability.of([Judged(1.0, False)] * 3, equal_width_edges(15)).ece == 1
        nothing = Reliability.of([], equal_width_edges(15))
        assert (nothing.ece, nothing.brier, nothing.accuracy, nothing.largest_gap, nothing.n) == (
            0,
            0,
            0,
            0,
            0,
        )

    def test_a_score_on_an_edge_lies_below_it(self) -> None:
        found = Reliability.of([Judged(s, True) for s in (0.0, 0.5, 0.5000001, 1.0)], equal_width_edges(2))
        assert [b.n for b in found.bins] == [2, 2]

    def test_parts_add_up_to_the_whole(self) -> None:
        random = np.random.default_rng(1)
        items = [Judged(float(p), bool(random.random() < p)) for p in random.random(300)]
        edges = equal_mass_edges([j.score for j in items], 15)
        whole = Reliability.of(items, edges)
        parts = sum((Reliability.of(items[n::3], edges) for n in (1, 2)), Reliability.of(items[::3], edges))
        assert [(b.n, b.correct) for b in parts.bins] == [(b.n, b.correct) for b in whole.bins]
        assert parts.ece == pytest.approx(whole.ece) and parts.brier == pytest.approx(whole.brier)
        assert Reliability.from_dict(json.loads(json.dumps(whole.to_dict()))) == whole
        with pytest.raises(DataError, match="do not add up"):
            whole + Reliability.of(items, equal_width_edges(15))
        with pytest.raises(DataError, match="15 and 10 bins"):
            whole + Reliability.of(items, equal_width_edges(10))

    def test_bins_of_equal_mass(self) -> None:
        assert equal_mass_edges([0.1, 0.2, 0.3, 0.9], 2) == (0.0, 0.2, 1.0)
        # Equal scores stay together, whatever their order.
        assert equal_mass_edges([0.5] * 9, 3) == (0.0, 1.0)
        assert equal_mass_edges([1.0, 0.4, 0.4, 0.4], 2) == (0.0, 0.4, 1.0)
        assert equal_mass_edges([], 15) == (0.0, 1.0)
        scores = np.random.default_rng(0).random(300)
        found = Reliability.of([Judged(float(s), True) for s in scores], equal_mass_edges(scores, 15))
        assert [b.n for b in found.bins] == [20] * 15

    def test_faults(self) -> None:
        for score in (1.2, -0.1, float("nan")):
            with pytest.raises(DataError, match="outside"):
                Reliability.of([Judged(score, True)], equal_width_edges(10))
        with pytest.raises(ConfigError, match="0 bins"):
            equal_width_edges(0)
        for bins in ([], [Bin(0, 0.5)], [Bin(0, 0.4), Bin(0.5, 1)]):
            with pytest.raises(DataError, match="do not cover"):
                Reliability(tuple(bins))
        for data in ({}, {"bins": [{"low": 0}]}, {"bins": 3}):
            with pytest.raises(DataError, match="not a reliability diagram"):
                Reliability.from_dict(data)


class TestJudged:
    def test_spans_must_match_in_start_end_and_label(self) -> None:
        gold = document(("عبد اللهيان", "PERS", 1), ("بيروت", "GPE", 1), ("لبنان", "GPE", 1))
        found = document(
            ("عبد اللهيان", "PERS", 0.9),
            ("بيروت", "LOC", 0.4),
            ("ولبنان", "GPE", 0.7),
            ("نصرالله", "PERS", 0.6),
        )
        assert judge_spans([gold], [found]) == [
            (Judged(0.9, True), Judged(0.4, False), Judged(0.7, False), Judged(0.6, False))
        ]

    def test_relations_are_judged_end_to_end_and_once(self, schema: LabelSchema) -> None:
        people = ("عبد اللهيان", "PERS", 1.0), ("نصرالله", "PERS", 1.0), ("بيروت", "GPE", 1.0)
        gold = document(
            *people, relations=[Relation("T1", "met_with", "T2"), Relation("T1", "visited", "T3")]
        )
        found = document(
            *people,
            relations=[
                Relation("T2", "met_with", "T1", 0.5),  # symmetric: the direction says nothing,
                Relation("T1", "met_with", "T2", 0.8),  # and both directions are one relation
                Relation("T2", "visited", "T3", 0.3),
            ],
        )
        assert judge_relations([gold], [found], schema) == [(Judged(0.8, True), Judged(0.3, False))]
        # A wrong type at one end makes the relation wrong.
        other = document(
            people[0], people[1], ("بيروت", "LOC", 1.0), relations=[Relation("T1", "visited", "T3", 0.6)]
        )
        assert judge_relations([gold], [other], schema) == [(Judged(0.6, False),)]

    def test_documents_must_belong_together(self, schema: LabelSchema) -> None:
        with pytest.raises(DataError, match="gold and predicted text differ"):
            judge_spans([document()], [replace(document(), text=TEXT + " ")])


class TestScores:
    def test_resampling_equals_the_slow_way(self) -> None:
        random = np.random.default_rng(7)
        documents = [
            tuple(Judged(round(float(s), 2), bool(random.random() < s**2)) for s in random.random(n))
            for n in (40, 1, 0, 25, 60)
        ]
        items = [j for d in documents for j in d]
        owner = np.repeat(np.arange(5), [len(d) for d in documents])
        score, correct = np.asarray([j.score for j in items]), np.asarray([float(j.correct) for j in items])
        order = np.argsort(score, kind="stable")
        drawn = np.asarray([[1, 1, 1, 1, 1], [0, 3, 1, 0, 1], [5, 0, 0, 0, 0], [0, 0, 5, 0, 0]])
        for kind, bins in SCHEMES.values():
            fast = _resampled_ece(score[order], correct[order], owner[order], drawn, kind, bins)
            assert np.isnan(fast[3])
            for often, value in zip(drawn[:3], fast[:3], strict=True):
                again = [
                    j for times, d in zip(often, documents, strict=True) for _ in range(times) for j in d
                ]
                edges = (
                    equal_width_edges(bins)
                    if kind == "width"
                    else equal_mass_edges([j.score for j in again], bins)
                )
                assert value == pytest.approx(Reliability.of(again, edges).ece)

    def test_two_opposite_documents(self) -> None:
        found = measure_calibration([[Judged(1.0, True)] * 3, [Judged(1.0, False)] * 3])
        assert found.ece == 0.5 and found.brier == 0.5 and found.n == 6
        for name in SCHEMES:
            spread = found.ece_intervals[name]
            assert spread is not None and (spread.low, spread.high) == (0, 1)
        assert found.ece_by_chance[HEADLINE] == 0  # a score of 1 leaves nothing to chance
        assert measure_calibration([[Judged(0.5, True)], [Judged(0.5, False)]], seed=1).ece == 0

    def test_what_chance_makes_of_few_items(self) -> None:
        assert measure_calibration([[Judged(0.5, True)], []]).ece_by_chance == dict.fromkeys(SCHEMES, 0.5)
        random = np.random.default_rng(3)
        scores = random.random(1500)
        documents = [[Judged(float(s), bool(random.random() < s)) for s in scores[n::30]] for n in range(30)]
        found = measure_calibration(documents, samples=300)
        for name in SCHEMES:
            assert found.reliability[name].ece < 2 * found.ece_by_chance[name] < 0.08
            spread = found.ece_intervals[name]
            assert spread is not None and spread.low < spread.high
        assert found.to_dict() == measure_calibration(documents, samples=300).to_dict()
        assert json.loads(json.dumps(found.to_dict()))["n"] == 1500
        assert Reliability.from_dict(found.to_dict()).ece == pytest.approx(found.ece)

    def test_one_document_or_none_has_no_interval(self) -> None:
        for documents in ([], [[]], [HAND], [HAND, []]):
            found = measure_calibration(documents)
            assert found.brier_interval is None and set(found.ece_intervals.values()) == {None}
        assert measure_calibration([]).to_dict()["brier_interval"] is None
