"""evaluate(), sums and JSON of evaluations, bootstrap intervals and reports."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from isnad.eval import Counts, Evaluation, evaluate
from isnad.eval.bootstrap import Interval, bootstrap
from isnad.eval.report import percent, to_json, to_markdown, to_text
from isnad.model.document import Document, Relation, number_clusters
from isnad.model.errors import ConfigError, DataError, SchemaError
from isnad.model.schema import LabelSchema
from isnad.model.text import make_entity

SCHEMA = LabelSchema.from_yaml(Path(__file__).parents[1] / "configs/schemas/wojood.yaml")

ARTICLES = {
    "قاآني": "وصل قائد فيلق القدس إسماعيل قاآني إلى بغداد، والتقى قاآني مصطفى الكاظمي.",
    "قمة": "استضافت بغداد قمة شارك فيها إيمانويل ماكرون وعبد الفتاح السيسي 🇮🇶.",
    "عملة": "تراجعت الليرة اللبنانية إلى ٩٠ ألفا مقابل الدولار في بيروت.",
}
GOLD = {
    "قاآني": [
        "قائد فيلق القدس|OCC",
        "فيلق القدس|ORG",
        "إسماعيل قاآني|PERS",
        "بغداد|GPE",
        "مصطفى الكاظمي|PERS",
    ],
    "قمة": ["بغداد|GPE", "إيمانويل ماكرون|PERS", "عبد الفتاح السيسي|PERS"],
    "عملة": ["الليرة اللبنانية|CURR", "الدولار|CURR", "بيروت|GPE"],
}
PREDICTED = {
    "قاآني": ["فيلق القدس|ORG", "إسماعيل قاآني|PERS", "بغداد|ORG", "الكاظمي|PERS"],
    "قمة": ["بغداد|GPE", "إيمانويل ماكرون|PERS", "وعبد الفتاح السيسي|PERS"],
    "عملة": ["الليرة اللبنانية|CURR", "بيروت|GPE"],
}
RELATIONS = {"قاآني": [("T3", "leader_of", "T2"), ("T3", "visited", "T4"), ("T3", "met_with", "T5")]}


def annotate(id_: str, mentions: list[str], relations=(), text: str = "") -> Document:
    text = text or ARTICLES[id_]
    entities = []
    for n, mention in enumerate(mentions, 1):
        fragment, label = mention.split("|")
        start = text.index(fragment)
        entities.append(make_entity(text, start, start + len(fragment), label, id=f"T{n}"))
    return Document(
        text, sorted(entities, key=lambda e: (e.start, -e.end)), [Relation(*r) for r in relations], id=id_
    )


@pytest.fixture
def gold() -> list[Document]:
    return [annotate(id_, mentions, RELATIONS.get(id_, ())) for id_, mentions in GOLD.items()]


@pytest.fixture
def predicted() -> list[Document]:
    relations = {"قاآني": [("T2", "leader_of", "T1"), ("T2", "visited", "T3")]}
    return [annotate(id_, mentions, relations.get(id_, ())) for id_, mentions in PREDICTED.items()]


@pytest.fixture
def evaluation(gold, predicted) -> Evaluation:
    return evaluate(gold, predicted, SCHEMA)


def test_scores_by_hand(evaluation):
    assert evaluation.entities == {
        "PERS": Counts(tp=2, fp=2, fn=2),
        "OCC": Counts(fn=1),
        "ORG": Counts(tp=1, fp=1),
        "GPE": Counts(tp=2, fn=1),
        "CURR": Counts(tp=1, fn=1),
    }
    assert list(evaluation.entities) == ["PERS", "OCC", "ORG", "GPE", "CURR"]  # schema order
    assert evaluation.entities.micro == Counts(tp=6, fp=3, fn=5)
    expected = {"type": 1, "boundary": 1, "clitic": 1, "nesting": 1, "missed": 1}
    assert {k.value: n for k, n in evaluation.error_classes.items() if n} == expected
    assert evaluation.relations["strict"].micro == Counts(tp=1, fp=1, fn=2)
    assert evaluation.relations["boundary"].micro == Counts(tp=2, fn=1)
    assert evaluation.coreference["with_singletons"]["b_cubed"].recall == 6 / 8  # not الكاظمي, not وعبد
    attached, whole = (evaluation.proclitics[k] for k in ("attached", "whole"))
    assert (attached.correct, attached.total) == (0, 1)  # وعبد الفتاح السيسي
    assert (whole.correct, whole.total) == (3, 3)  # فيلق القدس, بغداد, بيروت


def test_perfect_predictions_score_one(gold):
    perfect = evaluate(gold, gold, SCHEMA)
    assert (
        perfect.entities.macro.f1
        == perfect.relations["entity"].macro.f1
        == perfect.conll["with_singletons"].f1
        == 1
    )
    assert not perfect.errors


def test_documents_without_ids_are_matched_by_order(gold, predicted, evaluation):
    nameless = [replace(d, id="") for d in predicted]
    assert evaluate(gold, nameless, SCHEMA) == evaluation
    with pytest.raises(
        DataError, match="document 'قاآني': gold and predicted text differ, first at character 0"
    ):
        evaluate(gold, nameless[::-1], SCHEMA)
    with pytest.raises(DataError, match="3 gold and 2 predicted documents, which have no ids"):
        evaluate(gold, nameless[:2], SCHEMA)


def test_order_and_shuffling_change_nothing(gold, predicted, evaluation):
    assert evaluate(gold[::-1], [predicted[1], predicted[0], predicted[2]], SCHEMA) == evaluation


def test_faulty_pairs_of_documents(gold, predicted):
    with pytest.raises(DataError, match="no gold documents"):
        evaluate([], [], SCHEMA)
    with pytest.raises(DataError, match="gold document 'قمة' \\(and 1 more\\) has no prediction"):
        evaluate(gold, predicted[:1], SCHEMA)
    with pytest.raises(DataError, match="gold document 'عملة' has no prediction; did you mean 'عملات'"):
        evaluate(gold, [*predicted[:2], replace(predicted[2], id="عملات")], SCHEMA)
    with pytest.raises(DataError, match=r"predicted document 'قمة' .* has no gold"):
        evaluate(gold[:1], predicted, SCHEMA)
    with pytest.raises(DataError, match="two gold documents have the id 'قاآني'"):
        evaluate([*gold, gold[0]], predicted, SCHEMA)
    with pytest.raises(DataError, match="1 of 3 predicted documents have no id"):
        evaluate(gold, [replace(predicted[0], id=""), *predicted[1:]], SCHEMA)
    longer = annotate("عملة", PREDICTED["عملة"], text=ARTICLES["عملة"] + " ")
    with pytest.raises(DataError, match="'عملة': gold and predicted text differ, 59 and 60 characters long"):
        evaluate(gold, [*predicted[:2], longer], SCHEMA)


def test_labels_and_conventions_that_do_not_exist(gold, predicted):
    foreign = annotate("قمة", ["بغداد|CITY"])
    with pytest.raises(
        SchemaError, match="predicted document 'قمة', schema 'wojood': unknown entity type 'CITY'"
    ):
        evaluate(gold, [predicted[0], foreign, predicted[2]], SCHEMA)
    with pytest.raises(SchemaError, match=r"gold document 'قمة'.*did you mean 'visited'"):
        evaluate([annotate("قمة", GOLD["قمة"], [("T2", "visits", "T1")])], [predicted[1]], SCHEMA)
    with pytest.raises(ConfigError, match="'char'"):
        evaluate(gold, predicted, SCHEMA, convention="chars")  # type: ignore[arg-type]


def test_word_and_flat_conventions(gold, predicted):
    # The word convention forgives وعبد الفتاح السيسي.
    assert evaluate(gold, predicted, SCHEMA, convention="word").entities["PERS"] == Counts(tp=3, fp=1, fn=1)
    # The flat one drops فيلق القدس from gold, where it is an inner entity.
    assert evaluate(gold, predicted, SCHEMA, flat=True).entities["ORG"] == Counts(fp=2)


def test_evaluations_add_up(gold, predicted, evaluation):
    folds = [evaluate([g], [p], SCHEMA) for g, p in zip(gold, predicted, strict=True)]
    assert folds[2] + folds[0] + folds[1] == evaluation
    with pytest.raises(DataError, match="document 'قمة' was evaluated twice"):
        folds[0] + folds[1] + folds[1]
    with pytest.raises(DataError, match="differ in flat"):
        folds[0] + evaluate(gold[1:], predicted[1:], SCHEMA, flat=True)
    other = replace(SCHEMA, version="2")
    with pytest.raises(DataError, match="differ in the schema"):
        folds[0] + evaluate(gold[1:], predicted[1:], other)


def test_json_round_trip(evaluation):
    text = to_json(evaluation, "isnad على المقالات")
    data = json.loads(text)
    assert Evaluation.from_dict(data) == evaluation
    assert data["summary"]["entities"]["labels"]["GPE"]["recall"] == pytest.approx(2 / 3)
    assert data["intervals"]["entities"]["micro"]["f1"]["low"] <= data["summary"]["entities"]["micro"]["f1"]
    assert "isnad على المقالات" in text and text.count("\n") < 1000
    assert json.loads(to_json(evaluation, samples=0))["intervals"] is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.pop("documents"),
        lambda d: d.update(format_version=99),
        lambda d: d["documents"][0].pop("relations"),
        lambda d: d["documents"][0]["errors"].append(["odd", "", "PERS", 1]),
        lambda d: d["documents"][0]["entities"].update(PERS=[1, 2]),
        lambda d: d["documents"][0]["entities"].update(PERS=[1, 2, "x"]),
        lambda d: d.update(documents=7),
    ],
)
def test_damaged_json_is_refused(evaluation, damage):
    data = evaluation.to_dict()
    damage(data)
    with pytest.raises(DataError, match="not an evaluation"):
        Evaluation.from_dict(data)


def test_bootstrap_agrees_with_resampling_by_hand(evaluation):
    intervals = bootstrap(evaluation, samples=500, seed=7)
    drawn = np.random.default_rng(7).multinomial(3, [1 / 3] * 3, size=500)
    micro, macro, weighted, b_cubed, conll = [], [], [], [], []
    for times in drawn:
        documents = [d for d, n in zip(evaluation.documents, times, strict=True) for _ in range(n)]
        resample = replace(evaluation, documents=tuple(replace(d, id="") for d in documents))
        micro.append(resample.entities.micro.f1)
        macro.append(resample.entities.macro.recall)
        weighted.append(resample.entities.weighted.precision)
        b_cubed.append(resample.coreference["with_singletons"]["b_cubed"].f1)
        conll.append(resample.conll["with_singletons"].recall)
    for scores, interval in (
        (micro, intervals.entities.micro.f1),
        (macro, intervals.entities.macro.recall),
        (weighted, intervals.entities.weighted.precision),
        (b_cubed, intervals.coreference["with_singletons"]["b_cubed"].f1),
        (conll, intervals.coreference["with_singletons"]["conll"].recall),
    ):
        assert interval is not None
        assert (interval.low, interval.high) == pytest.approx(tuple(np.percentile(scores, [2.5, 97.5])))


def test_bootstrap_is_seeded_and_says_nothing_from_one_document(evaluation, gold, predicted):
    assert bootstrap(evaluation, seed=3) == bootstrap(evaluation, seed=3)
    intervals = bootstrap(evaluation)
    assert intervals.entities.labels["OCC"].f1 is None  # in one document only
    assert intervals.entities.labels["PERS"].f1 is not None
    alone = bootstrap(evaluate(gold[:1], predicted[:1], SCHEMA))
    assert alone.entities.micro.f1 is None and alone.proclitics["all"] is None
    with pytest.raises(ConfigError, match="level 95"):
        bootstrap(evaluation, level=95)


def test_bootstrap_covers_the_truth_about_as_often_as_it_says():
    # Documents with 10 entities each, found with probability 0.7: recall is 0.7 in truth.
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(150):
        evaluation = evaluate([annotate("قمة", ["بغداد|GPE"])], [annotate("قمة", ["بغداد|GPE"])], SCHEMA)
        found = rng.binomial(10, 0.7, size=40)
        tables = [type(evaluation.entities)({"GPE": Counts(tp=int(n), fn=10 - int(n))}) for n in found]
        documents = [replace(evaluation.documents[0], id="", entities=t) for t in tables]
        interval = bootstrap(
            replace(evaluation, documents=tuple(documents)), samples=300
        ).entities.micro.recall
        assert interval is not None
        covered += interval.low <= 0.7 <= interval.high
    assert 0.88 <= covered / 150 <= 0.99


def test_percent_shows_score_and_interval():
    assert percent(0.8734, Interval(0.841, 0.9)) == "87.3 [84.1, 90.0]"
    assert percent(1.0) == "100.0"


def test_reports_show_the_scores(evaluation):
    markdown = to_markdown(evaluation, "نموذج | 1 <b>")
    assert "## نموذج \\| 1 &lt;b>" in markdown
    interval = bootstrap(evaluation).entities.micro.f1
    assert f"| **micro** | **66.7** | **54.5** | **{percent(0.6, interval)}** | **11** | **9** |" in markdown
    assert "| leader_of | 100.0 | 100.0 | 100.0 | 1 | 1 |" in markdown
    assert "| clitic | 1 | 20.0 | only the proclitic" in markdown
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    assert all(a.count("|") == b.count("|") for a, b in pairwise(rows) if "--" in b)
    assert "[" not in to_markdown(evaluation, samples=0)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_terminal_tables_lose_no_digit_in_a_narrow_terminal(evaluation, width):
    text = to_text(evaluation, "isnad [bold] قاآني", width=width)
    assert "isnad [bold] قاآني" in text and "…" not in text
    assert max(map(len, text.splitlines())) <= width
    assert "B-cubed" in text and "has_occupation" not in text


def test_a_report_without_relations_leaves_their_tables_out(predicted):
    bare = [replace(d, relations=()) for d in predicted]
    assert "Relations" not in to_markdown(evaluate(bare, bare, SCHEMA))


def test_coreference_clusters_reach_the_scores():
    text = "عاد إسماعيل قاآني، وقال قاآني إنه باق، ثم غادر قاآني."
    starts = [text.index("إسماعيل"), text.index("وقال قاآني") + 5, text.rindex("قاآني")]
    ends = [text.index("قاآني") + 5, starts[1] + 5, starts[2] + 5]
    names = [
        make_entity(text, s, e, "PERS", id=f"T{n}") for n, (s, e) in enumerate(zip(starts, ends, strict=True))
    ]
    wanted, found = (Document(text, *_ordered(names, g)) for g in ([["T0", "T1", "T2"]], [["T0", "T1"]]))
    scores = evaluate([wanted], [found], SCHEMA).coreference
    assert scores["with_singletons"]["b_cubed"].recall == pytest.approx((2 / 3 + 2 / 3 + 1 / 3) / 3)
    assert scores["without_singletons"]["b_cubed"].recall == pytest.approx((2 / 3 + 2 / 3) / 3)
    assert scores["without_singletons"]["muc"].recall == pytest.approx(1 / 2)


def _ordered(names, groups):
    entities, clusters = number_clusters(names, groups)
    return entities, (), clusters
