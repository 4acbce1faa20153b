"""The data doctor on whole corpora: repeats, counts, drift, the model's suspicions; and when it must keep quiet."""

from collections.abc import Iterable, Iterator

import numpy as np
import pytest
from check_views import kinds, marked, view
from isnad.model.document import Document
from isnad.model.schema import LabelSchema
from isnad.model.text import make_entity
from isnad.training.data.check import Finding, Severity
from isnad.training.data.check.counts import few_examples, label_rows, totals
from isnad.training.data.check.duplicates import duplicate_findings
from isnad.training.data.check.part import View
from isnad.training.data.check.shingles import shared_shingles
from isnad.training.data.check.splits import divergence, drift_findings, label_drift
from isnad.training.data.check.suspects import suspects

LONG = "قضت المحكمة الجنائية في العاصمة أمس بسجن رجل الأعمال المعروف عشر سنوات بعد محاكمة طويلة شهدها عشرات"


class TestDuplicates:
    def find(self, *units: tuple[str, str]) -> list[Finding]:
        views = [marked(text, split=split, id=f"{split}{n}") for n, (split, text) in enumerate(units)]
        return list(duplicate_findings(views))

    def test_whole_documents_leak(self):
        spelled = LONG.replace("ا", "ا\u064b").replace("أ", "ا")  # diacritics and hamza make no difference
        found = self.find(("train", LONG), ("dev", spelled))
        assert kinds(found) == [("error", "leakage")]
        assert found[0].document == "dev1" and "train0" in found[0].message

    def test_paragraphs_leak(self):
        found = self.find(("train", f"مقدمة قصيرة.\n{LONG}"), ("dev", f"{LONG}\nخاتمة أخرى هنا الآن."))
        assert kinds(found) == [("error", "leakage")] and found[0].text == LONG
        short = " ".join(LONG.split()[:8])
        found = self.find(("train", f"مقدمة.\n{short}"), ("dev", f"{short}\nخاتمة."))
        assert kinds(found) == [("warning", "leakage")]

    def test_near_leakage(self):
        changed = LONG.replace("أمس", "اليوم")
        found = self.find(("train", LONG), ("dev", changed))
        assert kinds(found) == [("warning", "near_leakage")] and found[0].document == "dev1"
        contained = " ".join(LONG.split()[2:14])
        more = " ثم قال الشاهد الأول إن كل شيء مختلف تماما عما رواه الدفاع في تلك الجلسة الطويلة من النهار"
        assert kinds(self.find(("train", LONG + more), ("dev", contained))) == [("warning", "near_leakage")]
        (run,) = self.find(
            ("train", LONG + more), ("dev", f"يذكر القراء كيف {contained} {LONG.split()[14]}" + " جديد" * 20)
        )
        assert "13 words in a row" in run.message

    def test_repeats_within_a_part(self):
        found = self.find(("train", LONG), ("train", LONG), ("train", LONG.replace("أمس", "اليوم")))
        assert kinds(found) == [("warning", "duplicate"), ("note", "near_duplicate")]

    def test_copies_annotated_otherwise(self):
        one = LONG.replace("المحكمة", "[المحكمة|ORG]")
        (leak, differs) = self.find(("train", one), ("dev", LONG))
        assert leak.kind == "leakage" and differs.kind == "annotated_twice"
        assert "only there «المحكمة» ORG" in differs.message
        assert kinds(self.find(("train", one), ("dev", one))) == [("error", "leakage")]

    @pytest.mark.parametrize(
        ("train", "dev"),
        [
            ("الرياض - واس", "الرياض - واس"),
            (LONG, "قضت المحكمة الجنائية في العاصمة أمس ببراءة سيدة من كل التهم لعدم كفاية الأدلة ضدها"),
            (LONG, "لم يحضر أحد من الشهود إلى قاعة الجلسة الأولى وأجلت القضية إلى الشهر المقبل كما قيل"),
        ],
    )
    def test_must_not_cry_wolf(self, train: str, dev: str):
        assert self.find(("train", train), ("dev", dev)) == []

    def test_an_article_may_repeat_itself(self):
        assert self.find(("train", f"{LONG}\n{LONG}")) == []
        assert self.find(("train", f"{LONG}\n{LONG.replace('أمس', 'اليوم')}")) == []

    def test_common_runs_are_formulas(self):
        texts = [["قال", "في", "بيان", "له", f"كلمة{n}"] for n in range(30)]
        assert not shared_shingles(texts)
        assert shared_shingles(texts[:2]) == {(0, 1): 1}
        assert not shared_shingles([])


class TestCounts:
    def test_totals_and_rows(self, schema: LabelSchema):
        nested = view("زار قائد فيلق القدس بغداد.\nثم عاد.", (4, 19, "OCC"), (9, 19, "ORG"), (20, 25, "GPE"))
        assert totals([nested]) == {
            "documents": 1,
            "paragraphs": 2,
            "words": 7,
            "entities": 3,
            "entities inside another": 1,
            "relations": 0,
            "coreference clusters": 0,
        }
        rows = {r.label: r for r in label_rows({"train": [nested, nested], "dev": []}, schema)}
        assert rows["GPE"].counts == {"train": 2, "dev": 0} and rows["GPE"].names["train"] == 1
        assert set(rows) == {*schema.entity_labels, *schema.relation_labels}

    def few(self, train: list[View], dev: list[View], schema: LabelSchema) -> dict[tuple[str, str], Severity]:
        found = few_examples(label_rows({"train": train, "dev": dev} if dev else {"train": train}, schema))
        return {(f.label, f.split): f.severity for f in found}

    def test_thresholds(self, schema: LabelSchema):
        names = [marked(f"قال [اسم{'ا' * n}|PERS]") for n in range(100)]
        assert ("PERS", "train") not in self.few(names, [], schema)
        assert self.few(names[:99], [], schema)["PERS", "train"] is Severity.NOTE
        assert self.few(names[:20], [], schema)["PERS", "train"] is Severity.NOTE
        assert self.few(names[:19], [], schema)["PERS", "train"] is Severity.WARNING

    def test_labels_that_are_not_annotated_are_one_note(self, schema: LabelSchema):
        found = self.few([marked("قال [قاآني|PERS]")], [], schema)
        assert found.pop(("", "")) is Severity.NOTE and set(found) == {("PERS", "train")}

    def test_development_data(self, schema: LabelSchema):
        train = [marked("قال [قاآني|PERS] في [بغداد|GPE]")] * 100
        found = self.few(train, [marked("قال [قاآني|PERS]")] * 29, schema)
        assert found["PERS", "dev"] is Severity.NOTE and found["GPE", "dev"] is Severity.NOTE
        assert found["PERS", "train"] is Severity.NOTE  # one name only
        assert ("PERS", "dev") not in self.few(train, [marked("قال [قاآني|PERS]")] * 30, schema)
        only = self.few([marked("قال [قاآني|PERS]")] * 100, train[:40], schema)
        assert only["GPE", "train"] is Severity.WARNING


class TestDrift:
    def test_divergence(self):
        a, b = np.array([4.0, 0.0]), np.array([0.0, 2.0])
        assert divergence(a, b) == pytest.approx(1.0) and divergence(a, 3 * a) == pytest.approx(0.0)
        # Half of one and all of the other: 1/2·(1·log2(1/0.75) + 0.5·log2(0.5/0.75) + 0.5·log2(0.5/0.25)).
        expected = 0.5 * (np.log2(4 / 3) + 0.5 * np.log2(2 / 3) + 0.5)
        assert divergence(np.array([2.0, 0.0]), np.array([3.0, 3.0])) == pytest.approx(expected)

    def test_different_parts(self):
        train = [marked("قال [قاآني|PERS] في [بغداد|GPE]")] * 60
        dev = [marked("فازت [مصر|GPE] في [كأس العالم|EVENT]")] * 20
        (drift,) = label_drift(train, dev)
        assert drift.p_value == pytest.approx(1 / 1000) and drift.shares["PERS"] == (0.5, 0.0)
        assert "PERS is 50.0% of train and 0.0% of dev" in drift.meaning
        assert kinds(drift_findings([drift])) == [("warning", "label_drift")]

    def test_alike_parts(self):
        train = [marked("قال [قاآني|PERS] في [بغداد|GPE]"), marked("قال [قاآني|PERS]")] * 30
        (drift,) = label_drift(train, train[:20])
        assert (
            drift.p_value > 0.5
            and not list(drift_findings([drift]))
            and "no more than chance" in drift.meaning
        )

    def test_one_odd_document_is_an_accident(self):
        # A hundred mentions that all stand in one document are one observation, not a hundred.
        odd = marked("[كأس العالم|EVENT] " * 100)
        train = [marked("قال [قاآني|PERS]")] * 10
        (drift,) = label_drift(train, [marked("قال [قاآني|PERS]"), odd])
        assert drift.divergence > 0.5 and drift.p_value > 0.05

    def test_nothing_to_compare(self):
        assert label_drift([marked("لا شيء")], [marked("قال [قاآني|PERS]")]) == []
        assert label_drift([], []) == []


class _Oracle:
    """Stands for an Extractor that predicts the marked spans with the scores it is given."""

    def __init__(self, schema: LabelSchema, predicted: dict[str, float]) -> None:
        self.schema, self._predicted = schema, predicted

    def pipe(self, texts: Iterable[str], *, batch_size: int) -> Iterator[Document]:
        for text in texts:
            spans = []
            for n, (marking, score) in enumerate(self._predicted.items(), 1):
                name, _, label = marking.rpartition("|")
                start = text.index(name)
                spans.append(make_entity(text, start, start + len(name), label, id=f"T{n}", score=score))
            yield Document(text, tuple(sorted(spans, key=lambda e: (e.start, -e.end))))


class TestSuspects:
    def find(
        self, text: str, predicted: dict[str, float], schema: LabelSchema, labels: str = "PERS GPE ORG OCC"
    ):
        oracle = _Oracle(schema, predicted)
        return [f for _, found in suspects([marked(text)], oracle, labels.split()) for f in found]  # type: ignore[arg-type]

    def test_missing(self, schema: LabelSchema):
        text = "زار [قاآني|PERS] بغداد وبيروت"
        found = self.find(text, {"قاآني|PERS": 0.99, "بغداد|GPE": 0.98, "بيروت|GPE": 0.92}, schema)
        assert [(f.severity.value, f.kind, f.text) for f in found] == [
            ("warning", "suspected_missing", "بغداد"),
            ("note", "suspected_missing", "بيروت"),
        ]

    @pytest.mark.parametrize(
        ("predicted", "labels"),
        [
            ({"بغداد|GPE": 0.89}, "PERS GPE"),  # not sure enough
            ({"بغداد|GPE": 0.99}, "PERS"),  # a label that the data does not annotate
            ({"قاآني بغداد|PERS": 0.99}, "PERS GPE"),  # a dispute over boundaries
        ],
    )
    def test_must_not_cry_wolf(self, predicted: dict[str, float], labels: str, schema: LabelSchema):
        assert self.find("زار [قاآني|PERS] بغداد", predicted, schema, labels) == []

    def test_the_inner_of_two_is_not_read_twice(self, schema: LabelSchema):
        predicted = {"قائد فيلق القدس|OCC": 0.98, "فيلق القدس|ORG": 0.98}
        found = self.find("زار [قاآني|PERS] قائد فيلق القدس", predicted, schema)
        assert [f.text for f in found] == ["قائد فيلق القدس"]

    def test_another_label(self, schema: LabelSchema):
        (found,) = self.find("زار [مالي|PERS] أمس", {"مالي|GPE": 0.98}, schema)
        assert (found.kind, found.severity) == ("suspected_label", Severity.NOTE)
        assert self.find("زار [مالي|PERS] أمس", {"مالي|GPE": 0.96}, schema) == []

    def test_documents_without_annotation_are_passed_over(self, schema: LabelSchema):
        assert self.find("زار قاآني بغداد", {"بغداد|GPE": 0.99}, schema) == []
