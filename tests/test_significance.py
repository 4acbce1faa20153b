"""Paired tests, Holm, multi-seed summaries and learning curves against hand-computed and simulated cases."""

from dataclasses import replace
from math import comb, sqrt

import numpy as np
import pytest
from isnad.eval import Counts, CountsTable, Evaluation, evaluate
from isnad.eval.evaluation import DocumentScores
from isnad.eval.learning_curve import CurvePoint, LearningCurve, learning_curve
from isnad.eval.relations import VIEWS
from isnad.eval.scores import development_scores
from isnad.eval.significance import compare, holm, paired_test
from isnad.eval.spread import seed_summary, spread, t_cdf, t_quantile
from isnad.model.document import Document
from isnad.model.errors import ConfigError, DataError
from isnad.model.text import make_entity


def system(rows, *, labels=("PERS", "GPE"), relations=None) -> Evaluation:
    """An evaluation with the given [documents, labels, (tp, fp, fn)]; relations are `met_with` only."""
    documents = []
    for n, row in enumerate(rows):
        table = CountsTable({label: Counts(*map(int, c)) for label, c in zip(labels, row, strict=True)})
        met = CountsTable({"met_with": Counts(*relations[n])}) if relations else CountsTable()
        documents.append(
            DocumentScores(f"وثيقة {n:03}", table, {}, dict.fromkeys(VIEWS, met), {}, {}),
        )
    return Evaluation(tuple(documents), {"name": "x"}, tuple(labels), ("met_with",))


def random_rows(generator, documents, *, found, gold=6):
    tp = generator.binomial(gold, found, size=(documents, 2))
    fp = generator.poisson(1.0, size=(documents, 2))
    return np.stack([tp, fp, gold - tp], axis=-1)


def test_identical_systems_differ_by_chance_only():
    rows = random_rows(np.random.default_rng(0), 40, found=0.7)
    result = compare(system(rows), system(rows), rounds=500)
    for d in (result.spans, *result.entity_labels.values()):
        assert (d.difference, d.p_value, d.p_adjusted) == (0, 1, 1)
        assert (d.interval.low, d.interval.high) == (0, 0)
    assert result.relations.support == 0 and result.relations.interval is None
    assert result.exact and not result.regressions()


def test_a_clear_difference_is_found():
    generator = np.random.default_rng(1)
    worse, better = (random_rows(generator, 60, found=p) for p in (0.6, 0.85))
    result = compare(system(worse), system(better), rounds=2000)
    assert result.spans.difference > 0.08
    assert result.spans.p_value == pytest.approx(1 / 2001)
    assert 0 < result.spans.interval.low < result.spans.difference < result.spans.interval.high
    assert not result.exact
    back = compare(system(better), system(worse), rounds=2000)
    assert back.spans.difference == pytest.approx(-result.spans.difference)
    assert set(back.regressions()) == {"spans", "PERS", "GPE"}


def test_few_documents_are_tested_exactly():
    # One label, b finds one mention more in each of five documents: only all or none exchanged is as extreme.
    a = system([[(4, 0, 2), (0, 0, 0)]] * 5)
    b = system([[(5, 0, 1), (0, 0, 0)]] * 5)
    result = compare(a, b)
    assert result.exact and result.spans.p_value == 2 / 2**5
    assert set(result.entity_labels) == {"PERS"}
    # A document without a difference changes nothing in the exact test.
    more = [[(3, 1, 1), (0, 0, 0)]]
    assert (
        compare(
            system([[(4, 0, 2), (0, 0, 0)]] * 5 + more), system([[(5, 0, 1), (0, 0, 0)]] * 5 + more)
        ).spans.p_value
        == 1 / 16
    )


def test_the_exact_p_value_is_that_of_the_sign_test():
    # Ten documents alike but for who wins: 8 to 2. Without false positives |F1 difference| grows with |wins|.
    signs = [1] * 8 + [-1] * 2
    a = system([[(4 + (s < 0), 0, 2 - (s < 0)), (0, 0, 0)] for s in signs])
    b = system([[(4 + (s > 0), 0, 2 - (s > 0)), (0, 0, 0)] for s in signs])
    expected = 2 * sum(comb(10, k) for k in (8, 9, 10)) / 2**10
    assert compare(a, b).spans.p_value == pytest.approx(expected)
    sampled = compare(a, b, rounds=1000)
    assert not sampled.exact and sampled.spans.p_value == pytest.approx(expected, abs=0.04)
    assert sampled == compare(a, b, rounds=1000)
    assert sampled.spans.p_value != compare(a, b, rounds=1000, seed=5).spans.p_value


def test_p_values_are_uniform_under_the_null():
    generator = np.random.default_rng(7)
    p_values = []
    for n in range(300):
        a, b = (random_rows(generator, 25, found=0.7).astype(float) for _ in range(2))
        (total, *_), _ = paired_test(a, b, rounds=199, seed=n)
        p_values.append(total.p_value)
    p_values = np.sort(p_values)
    # Kolmogorov-Smirnov distance to the uniform distribution, critical value at 1%.
    n = len(p_values)
    distance = max(np.max(np.arange(1, n + 1) / n - p_values), np.max(p_values - np.arange(n) / n))
    assert distance < 1.63 / sqrt(n) + 1 / 200
    assert 0.01 < np.mean(p_values < 0.05) < 0.1


def test_the_interval_covers_the_difference():
    generator = np.random.default_rng(3)
    covered = 0
    for n in range(120):
        worse, better = (random_rows(generator, 30, found=p).astype(float) for p in (0.65, 0.75))
        (total, *_), _ = paired_test(worse, better, rounds=200, seed=n)
        # F1 with 6 gold and 1 false positive expected: 12 p / (6 p + 1 + 6).
        truth = 12 * 0.75 / (6 * 0.75 + 7) - 12 * 0.65 / (6 * 0.65 + 7)
        covered += total.interval.low <= truth <= total.interval.high
    assert covered / 120 > 0.88


def test_holm():
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}) == pytest.approx(
        {"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02}
    )
    assert holm({"a": 0.7, "b": 0.9}) == {"a": 1.0, "b": 1.0}
    assert holm({}) == {}
    rows = random_rows(np.random.default_rng(4), 20, found=0.7)
    other = random_rows(np.random.default_rng(5), 20, found=0.8)
    labels = compare(system(rows), system(other), rounds=500).entity_labels
    assert {k: d.p_adjusted for k, d in labels.items()} == holm({k: d.p_value for k, d in labels.items()})
    assert list(labels) == ["PERS", "GPE"]  # in schema order


def test_relations_are_compared_strictly():
    rows = [[(1, 0, 0), (1, 0, 0)]] * 6
    a = system(rows, relations=[(1, 1, 1)] * 6)
    b = system(rows, relations=[(2, 0, 0)] * 6)
    result = compare(a, b)
    assert (result.relations.a, result.relations.b) == (0.5, 1)
    assert result.relation_labels["met_with"].p_value == 2 / 2**6
    assert result.to_dict()["relations"]["interval"] == {"low": 0.5, "high": 0.5}


def test_only_evaluations_of_the_same_gold_are_compared():
    rows = [[(1, 0, 1), (1, 0, 0)]] * 4
    a = system(rows)
    with pytest.raises(DataError, match="'وثيقة 003' is in one of them only"):
        compare(a, system(rows[:3]))
    with pytest.raises(DataError, match="other gold"):
        compare(a, system([[(1, 0, 2), (1, 0, 0)], *rows[1:]]))
    with pytest.raises(DataError, match="convention"):
        compare(a, replace(a, convention="word"))
    with pytest.raises(DataError, match="at least one"):
        compare(system([]), system([]))
    for options in ({"rounds": 0}, {"level": 1.0}):
        with pytest.raises(ConfigError, match="accepted"):
            compare(a, a, **options)


def test_spread_of_seeds():
    found = spread([0.70, 0.72, 0.74])
    assert (found.n, found.low, found.high) == (3, 0.70, 0.74)
    assert found.mean == pytest.approx(0.72) and found.sd == pytest.approx(0.02)
    half = 4.302653 * 0.02 / sqrt(3)  # t(0.975, 2) of the tables
    assert (found.interval.low, found.interval.high) == pytest.approx((0.72 - half, 0.72 + half))
    assert str(found) == "72.0 ± 2.0 (3 runs)"
    alone = spread([0.5])
    assert (alone.sd, alone.interval) == (0, None)
    for wrong in ([], [float("nan")]):
        with pytest.raises(DataError, match="finite"):
            spread(wrong)
    with pytest.raises(ConfigError):
        spread([1, 2], level=0)


@pytest.mark.parametrize(
    "df, value",
    [(1, 12.7062), (2, 4.30265), (3, 3.18245), (4, 2.77645), (9, 2.26216), (30, 2.04227), (999, 1.96234)],
)
def test_student_t_is_that_of_the_tables(df, value):
    assert t_quantile(0.975, df) == pytest.approx(value, rel=2e-6)
    assert t_cdf(0, df) == 0.5 and t_quantile(0.5, df) == pytest.approx(0, abs=1e-9)


def test_student_t_agrees_with_scipy():
    stats = pytest.importorskip("scipy.stats")
    for df in (1, 2, 3, 4, 5, 8, 15, 40):
        for t in (0.1, 0.7, 1.5, 3.0, 9.0):
            assert t_cdf(t, df) == pytest.approx(stats.t.cdf(t, df), abs=1e-12)


TEXTS = [f"زار الوزير رقم {n} مدينة بغداد ثم كربلاء" for n in range(24)]


def document(n: int, mentions=("بغداد", "كربلاء")) -> Document:
    text = TEXTS[n]
    spans = [
        make_entity(text, text.index(m), text.index(m) + len(m), "GPE", id=f"T{k}")
        for k, m in enumerate(mentions)
    ]
    return Document(text, tuple(spans), id=f"د{n}")


def test_seed_summary(schema):
    gold = [document(n) for n in range(6)]
    runs = [
        evaluate(
            gold, [document(n, ("بغداد",) if n < missed else ("بغداد", "كربلاء")) for n in range(6)], schema
        )
        for missed in (0, 3, 6)
    ]
    found = seed_summary(runs)
    assert found["span_f1"].high == 1 and found["span_f1"].low == pytest.approx(2 * 6 / 18)
    assert found["entity:GPE"] == found["span_f1"] and found["span_f1"].n == 3
    assert found["relation_f1"].mean == 0
    with pytest.raises(DataError, match="no evaluations"):
        seed_summary([])
    with pytest.raises(DataError, match="one of them only"):
        seed_summary([runs[0], evaluate(gold[:5], gold[:5], schema)])


def memoriser(calls):
    def fit_predict(train, dev, seed):
        """Finds كربلاء only after sixteen documents; بغداد from the first."""
        calls.append((len(train), seed, [d.id for d in train]))
        known = ("بغداد", "كربلاء") if len(train) >= 16 else ("بغداد",)
        return [document(int(d.id[1:]), known) for d in dev]

    return fit_predict


def test_learning_curve(schema):
    train, dev, calls = [document(n) for n in range(20)], [document(n) for n in range(20, 24)], []
    score, kept = development_scores(schema), []
    curve = learning_curve(
        train, dev, [0.2, 16, 8], memoriser(calls), [1, 2, 3], score=score, keep=kept.append
    )
    assert curve.sizes == (4, 8, 16) and len(calls) == 9
    summary = curve.summary("span_f1")
    assert [s.mean for s in summary.values()] == pytest.approx([2 * 4 / 12, 2 * 4 / 12, 1.0])
    assert all(s.n == 3 for s in summary.values())
    assert [p.mentions for p in curve.points] == [8] * 3 + [16] * 3 + [32] * 3
    # A larger part holds the smaller ones; another seed draws others.
    small, large = (next(ids for n, s, ids in calls if (n, s) == (size, 1)) for size in (4, 16))
    assert large[:4] == small != next(ids for n, s, ids in calls if (n, s) == (4, 2))
    assert LearningCurve.from_dict(curve.to_dict()) == curve
    # A run that was cut off goes on.
    again = learning_curve(train, dev, [4, 8, 16], memoriser(calls), [1, 2, 3], score=score, done=kept[4])
    assert again == curve and len(calls) == 9 + 4


def test_learning_curve_refuses_what_makes_no_curve(schema):
    train, dev = [document(n) for n in range(5)], [document(9)]

    def run(sizes=(2,), seeds=(1,), dev=dev):
        return learning_curve(train, dev, sizes, memoriser([]), seeds, score=development_scores(schema))

    for sizes in ([], [6], [0], [2, 2], [1.5], [0.4, 2], [True]):
        with pytest.raises(ConfigError, match="accepted"):
            run(sizes=sizes)
    with pytest.raises(ConfigError, match="seeds"):
        run(seeds=[1, 1])
    for wrong in ([], train[:1]):
        with pytest.raises(DataError, match="development documents"):
            run(dev=wrong)
    curve = run()
    with pytest.raises(DataError, match="did you mean 'span_f1'"):
        curve.summary("span_f")
    with pytest.raises(DataError, match="two runs of size 2"):
        _ = curve + LearningCurve((CurvePoint(2, 1, 0, {}),))
    with pytest.raises(DataError, match="not a learning curve"):
        LearningCurve.from_dict({"points": [{}]})
