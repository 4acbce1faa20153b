"""Counts, tables and their averages, and the assignment problem under CEAF."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isnad.eval.assignment import best_assignment
from isnad.eval.counts import Accuracy, Counts, CountsTable


def test_scores_of_counts_by_hand():
    counts = Counts(tp=6, fp=2, fn=4)
    assert (counts.precision, counts.recall) == (0.75, 0.6)
    assert counts.f1 == pytest.approx(2 * 0.75 * 0.6 / 1.35)
    assert (counts.support, counts.predicted) == (10, 8)


def test_counts_add_up():
    assert Counts(1, 2, 3) + Counts(10, 20, 30) == Counts(11, 22, 33)
    assert Accuracy(1, 2) + Accuracy(3, 4) == Accuracy(4, 6)


def test_nothing_to_count_scores_zero():
    for counts in (Counts(), Counts(fp=3), Counts(fn=3)):
        assert (counts.precision, counts.recall, counts.f1) == (0.0, 0.0, 0.0)
    table = CountsTable()
    assert (table.micro, table.macro.f1, table.weighted.f1) == (Counts(), 0.0, 0.0)
    assert Accuracy().accuracy == 0.0


def test_items_are_counted_as_sets():
    assert Counts.of("aabc", "abbd") == Counts(tp=2, fp=1, fn=1)
    table = CountsTable.of([("PERS", 1), ("PERS", 1), ("GPE", 1)], [("PERS", 1), ("ORG", 1), ("ORG", 1)])
    assert table == {"PERS": Counts(tp=1), "GPE": Counts(fn=1), "ORG": Counts(fp=1)}


@pytest.fixture
def table() -> CountsTable:
    return CountsTable(
        {
            "PERS": Counts(tp=8, fp=2, fn=0),  # P 0.8, R 1, F 8/9, support 8
            "GPE": Counts(tp=1, fp=0, fn=1),  # P 1, R 0.5, F 2/3, support 2
            "LAW": Counts(tp=0, fp=3, fn=0),  # only predicted: 0, 0, 0, support 0
            "CURR": Counts(),  # occurs nowhere
        }
    )


def test_micro_sums_all_labels(table):
    assert table.micro == Counts(tp=9, fp=5, fn=1)
    assert table.micro.f1 == pytest.approx(18 / 24)


def test_macro_is_the_mean_over_labels_in_gold_or_predictions(table):
    assert set(table) == {"PERS", "GPE", "LAW"}
    assert table.macro.precision == pytest.approx((0.8 + 1 + 0) / 3)
    assert table.macro.recall == pytest.approx((1 + 0.5 + 0) / 3)
    assert table.macro.f1 == pytest.approx((8 / 9 + 2 / 3 + 0) / 3)


def test_weighted_is_the_mean_by_support(table):
    assert table.weighted.f1 == pytest.approx((8 * 8 / 9 + 2 * 2 / 3) / 10)


def test_tables_add_label_by_label_and_are_read_back(table):
    double = table + table
    assert double["PERS"] == Counts(16, 4, 0)
    assert double.macro.f1 == pytest.approx(table.macro.f1)
    assert CountsTable.from_dict(table.to_dict()) == table
    assert list(table.ordered(["LAW", "DATE", "PERS"])) == ["LAW", "PERS", "GPE"]


def test_assignment_by_hand():
    # Taking the largest first (0, 0) would leave nothing for row 1: 0.9 < 0.8 + 0.7.
    assert best_assignment({(0, 0): 0.9, (0, 1): 0.8, (1, 0): 0.7}) == [(0, 1), (1, 0)]
    assert best_assignment({}) == []


@settings(deadline=None)  # the first example imports scipy
@given(st.integers(1, 7), st.integers(1, 7), st.integers(0, 2**32 - 1), st.floats(0.1, 1))
def test_assignment_agrees_with_scipy(rows, columns, seed, density):
    optimize = pytest.importorskip("scipy.optimize")
    rng = np.random.default_rng(seed)
    matrix = rng.random((rows, columns)) * (rng.random((rows, columns)) < density)
    similarity = {(int(i), int(j)): float(matrix[i, j]) for i, j in zip(*matrix.nonzero(), strict=True)}
    pairs = best_assignment(similarity)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    best = matrix[optimize.linear_sum_assignment(matrix, maximize=True)].sum()
    assert sum(similarity[p] for p in pairs) == pytest.approx(best)
