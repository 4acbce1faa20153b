"""The data doctor: spans, documents, windows, reading; every finding, and every case in which it must keep quiet."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from check_views import kinds, marked, view
from isnad.model.document import Relation
from isnad.model.errors import DataError, ModelError
from isnad.model.schema import LabelSchema
from isnad.training.data import write_documents
from isnad.training.data.check import Finding, Severity, check_data
from isnad.training.data.check.documents import character_findings, document_findings
from isnad.training.data.check.part import Cover, View
from isnad.training.data.check.reading import read_source, signature_findings
from isnad.training.data.check.spans import span_findings
from isnad.training.data.check.window import Measure, window_findings


class TestSpans:
    @pytest.mark.parametrize(
        "text",
        [
            "زار [قاآني|PERS] [بغداد|GPE] و[بيروت|GPE].",
            "قال ل[قاآني|PERS] إن ول[بغداد|GPE] وبـ[واشنطن|GPE] ل[لعراق|GPE] شأنا",  # للعراق, kashida after the clitic
            'اسمه "[فيلـق القـدس|ORG]" و[مُحَمَّدٌ|PERS]',
            "حساب [@user_name|WEBSITE] وموقع [https://example.org/|WEBSITE]",
            "درجة [-5 درجات|QUANTITY] و[50%|PERCENT] و[وكالة الأنباء السعودية (واس)|ORG]",
            "طائرة الـ[CIA|ORG] و[آيفون 15|PRODUCT] 😀",
            "نشر في [ﺑﻐﺪﺍﺩ|GPE] سنة [٢٠٢٠|DATE]",
        ],
    )
    def test_sound_spans_raise_nothing(self, text: str):
        assert list(span_findings(marked(text))) == []

    def check(self, text: str, severity: Severity, kind: str, suggestion: str = "") -> Finding:
        v = marked(text)
        (found,) = span_findings(v)
        assert (found.severity, found.kind) == (severity, kind), found
        assert v.document.text[found.start : found.end] == found.text
        if suggestion:
            assert found.suggestion.startswith(f"«{suggestion}»"), found.suggestion
            lo, hi = (int(n) for n in found.suggestion.rpartition("from ")[2].split(" to "))
            assert v.document.text[lo:hi] == suggestion
        return found

    def test_end_inside_a_word(self):
        found = self.check("في [العراق|GPE]يين خلاف", Severity.ERROR, "misaligned", "العراقيين")
        assert "ends inside the word «العراقيين»" in found.message

    def test_shifted_start(self):
        self.check("التقى إسماع[يل|PERS] قاآني", Severity.ERROR, "misaligned", "إسماعيل")

    def test_letters_that_are_no_proclitic(self):
        found = self.check("وصل ا[سماعيل|PERS]", Severity.WARNING, "misaligned", "اسماعيل")
        assert "«ا» is no proclitic" in found.message

    @pytest.mark.parametrize(
        ("text", "right"),
        [
            ("في ال[عراق|GPE]", "العراق"),
            ("وفي وال[عراق|GPE]", "العراق"),
            ("سلم لل[عراق|GPE]", "لعراق"),
        ],
    )
    def test_article_goes_back_into_the_span(self, text: str, right: str):
        found = self.check(text, Severity.WARNING, "misaligned", right)
        assert "article" in found.message

    def test_line_break_inside(self):
        self.check("زار [بغداد\nوبيروت|GPE]", Severity.ERROR, "misaligned")

    @pytest.mark.parametrize("edge", [" ", "\u00a0", "\u200f", "\ufeff"])
    def test_blanks_and_invisible_characters(self, edge: str):
        self.check(f"زار [{edge}بغداد|GPE] أمس", Severity.ERROR, "edge", "بغداد")
        self.check(f"زار [بغداد{edge}|GPE]أمس", Severity.ERROR, "edge", "بغداد")

    @pytest.mark.parametrize(
        "name", ['"فيلق القدس"', "فيلق القدس،", "«فيلق القدس»", "(فيلق القدس)", "فيلق القدس😀"]
    )
    def test_punctuation(self, name: str):
        found = self.check(f"قال [{name}|ORG] اليوم", Severity.WARNING, "edge")
        assert found.suggestion.strip("«").startswith(("فيلق القدس", "(فيلق القدس)"))

    def test_a_bracket_without_its_partner(self):
        self.check("قالت [وكالة واس)|ORG] اليوم", Severity.WARNING, "edge", "وكالة واس")

    def test_nothing_but_signs(self):
        (found,) = span_findings(marked("قال [«»|ORG] اليوم"))
        assert found.message == "the span holds no letter or digit" and found.suggestion == "remove it"

    def test_marks(self):
        found = self.check("قال [حَسَن|PERS]ٌ ثم", Severity.WARNING, "marks", "حَسَنٌ")
        assert "mark" in found.message
        self.check("قال ح[َسَن|PERS] ثم", Severity.ERROR, "marks")

    def test_crossing_and_doubled(self):
        text = "قال مثنى الحارث قائد الجيش"
        crossing = view(text, (4, 15, "PERS"), (9, 20, "OCC"))
        assert kinds(span_findings(crossing)) == [("warning", "crossing")]
        nested = view(text, (4, 26, "OCC"), (4, 8, "PERS"), (16, 20, "OCC"), (16, 26, "OCC"))
        assert list(span_findings(nested)) == []
        (twice,) = span_findings(view(text, (4, 15, "PERS"), (4, 15, "PERS")))
        assert "stands twice as PERS" in twice.message
        assert list(span_findings(view(text, (4, 15, "PERS"), (4, 15, "OCC")))) == []


class TestDocuments:
    def test_empty_bare_and_repeated(self):
        views = [marked("قال [قاآني|PERS]", id="a"), marked("", id="e"), marked(" \n…", id="s")]
        views += [
            marked("لا اسم هنا", id="b"),
            marked("قال [قاآني|PERS]", id="a"),
            marked("[قم|GPE]", id="g"),
        ]
        found = list(document_findings(views, "train"))
        assert [(f.kind, f.document) for f in found] == [
            ("document_id", "a"),
            ("empty_document", "e"),
            ("empty_document", "s"),
            ("unannotated_document", "b"),
        ]
        assert [f.severity.value for f in found] == ["warning", "warning", "warning", "note"]

    def test_predictions_are_no_gold(self):
        found = [View(replace(marked("زار [قاآني|PERS]", id=i).document, model="m-1"), "train") for i in "ab"]
        mixed = list(document_findings([*found, marked("[قاآني|PERS]", id="c")], "train"))
        assert [f.message for f in mixed] == ["2 of 3 documents hold what m-1 found: a, b"]
        assert [f.severity.value for f in (*mixed, *document_findings(found, ""))] == ["warning", "error"]

    def test_mostly_without_annotation(self):
        views = [marked("لا اسم هنا", id=str(n)) for n in range(9)] + [marked("قال [قاآني|PERS]")]
        (found,) = document_findings(views, "train")
        assert found.severity is Severity.WARNING and "9 of 10" in found.message
        views += [marked("قال [قاآني|PERS]", id=f"n{n}") for n in range(20)]
        (found,) = document_findings(views, "train")
        assert (
            found.severity is Severity.NOTE
            and "9 of 30 documents have no annotation: 0, 1, 2, 3, 4 …" in found.message
        )

    @pytest.mark.parametrize(
        ("text", "message", "severity"),
        [
            ("قال \u200fقاآني\u202b", "2 bidirectional controls", Severity.NOTE),
            ("می\u200cرود", "1 other invisible characters", Severity.NOTE),
            ("ﺑﻐﺪﺍﺩ", "5 presentation forms", Severity.NOTE),
            ("حـزب", "1 kashida", Severity.NOTE),
            ("حزب\ufffd", "1 replacement characters", Severity.WARNING),
            ("حزب\ud83d", "1 lone surrogates", Severity.WARNING),
            ("حزب\x00", "1 control characters", Severity.WARNING),
            ("Ø§Ù„Ø¹Ø±Ø§Ù‚", "another encoding", Severity.WARNING),
            ("ط§ظ„ط¹ط±ط§ظ‚", "another encoding", Severity.WARNING),
        ],
    )
    def test_characters(self, text: str, message: str, severity: Severity):
        (found,) = character_findings([marked(text)], "train")
        assert message in found.message and found.severity is severity

    @pytest.mark.parametrize(
        "text",
        [
            "قال إن ظَلّ طِطَ",
            "👨\u200d👩\u200d👧 ❤\ufe0f 😀",
            "عليه السلام ﷺ",
            "ÀÙ ØÙ text\r\nline",
            "café ½ 50٪",
        ],
    )
    def test_ordinary_characters(self, text: str):
        assert list(character_findings([marked(text)], "train")) == []


@pytest.fixture(scope="module")
def measure() -> Measure:
    return Measure.of(window=32)


class TestWindow:
    def test_the_models_own_window(self):
        assert Measure.of().pieces == 256

    def test_a_damaged_tokenizer(self, tiny_model: Path, tmp_path: Path):
        folder = Path(
            shutil.copytree(tiny_model, tmp_path / "model", ignore=shutil.ignore_patterns("manifest*"))
        )
        (folder / "tokenizer.json").write_text("{")
        with pytest.raises(ModelError, match="model: cannot be loaded"):
            Measure.of(folder)

    def test_long_paragraphs_and_far_relations(self, measure: Measure, schema: LabelSchema):
        v = marked("زار [قاآني|PERS] مدينة كبيرة" + " ثم مضى" * 60 + " في [بغداد|GPE].\nقصير.")
        document = replace(v.document, relations=(Relation("T1", "visited", "T2"),))
        found = list(window_findings([View(document, "train")], schema, measure))
        assert kinds(found) == [("note", "long_text"), ("warning", "unreachable")]
        assert "windows of 32 pieces" in found[0].message and "too far apart" in found[1].message

    def test_relations_across_paragraphs(self, measure: Measure, schema: LabelSchema):
        v = marked("زار [قاآني|PERS] المدينة.\nوهي [بغداد|GPE].")
        document = replace(v.document, relations=(Relation("T1", "visited", "T2"),))
        (found,) = window_findings([View(document, "train")], schema, measure)
        assert "different paragraphs" in found.message and "«قاآني» visited «بغداد»" in found.message

    def test_unreachable_entities(self, measure: Measure, schema: LabelSchema):
        cut = marked("في [العراق|GPE]يين")
        (found,) = window_findings([cut], schema, measure)
        assert "cannot be predicted: ends inside the word" in found.message
        assert list(window_findings([cut], schema, measure, known={("d", 3, 9)})) == []
        twice = view("قال الناطق", (4, 10, "OCC"), (4, 10, "PERS"))
        (found,) = window_findings([twice], schema, measure)
        assert "another label stands on the same span" in found.message

    def test_ordinary_documents(self, measure: Measure, schema: LabelSchema):
        assert list(window_findings([marked("زار [قاآني|PERS] و[بغداد|GPE] 😀")], schema, measure)) == []


class TestReading:
    def brat(self, folder: Path, name: str, text: str, ann: str) -> None:
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.txt").write_text(text, encoding="utf-8", newline="")
        (folder / f"{name}.ann").write_text(ann, encoding="utf-8", newline="")

    def test_broken_signatures_are_findings(self, tmp_path: Path, schema: LabelSchema):
        ann = "T1\tPERS 4 9\tقاآني\nT2\tGPE 10 15\tبغداد\nR1\tvisited Arg1:T2 Arg2:T1\n"
        self.brat(tmp_path, "a", "زار قاآني بغداد", ann)
        reading = read_source(str(tmp_path), schema, "train")
        assert reading.faults == ()
        (found,) = signature_findings(reading.views[0], schema)
        assert found.severity is Severity.ERROR and found.suggestion == "turn it round"
        assert "visited from GPE to PERS; accepted: PERS, ORG → GPE, LOC, FAC, ORG" in found.message
        assert found.text == "قاآني بغداد"

    def test_one_bad_file_does_not_hide_the_others(self, tmp_path: Path, schema: LabelSchema):
        self.brat(tmp_path / "in", "a", "زار قاآني بغداد", "T1\tPERS 4 9\tقاآني\n")
        self.brat(tmp_path / "in", "b", "زار قاآني", "T1\tPRES 4 9\tقاآني\nT2\tPERS 0 3\tقال\n")
        (tmp_path / "in" / "c.txt").write_text("وحيد", encoding="utf-8")
        reading = read_source(str(tmp_path / "in"), schema, "train")
        assert [v.document.id for v in reading.views] == ["a"]
        assert [(Path(f.document).name, f.message.split(":")[0]) for f in reading.faults] == [
            ("b.ann", "line 1"),
            ("b.ann", "line 2"),
            ("c.txt", "c.ann is missing beside it"),
        ]
        assert "did you mean 'PERS'?" in reading.faults[0].suggestion

    def test_other_formats(self, tmp_path: Path, schema: LabelSchema):
        path = tmp_path / "a.jsonl"
        write_documents([marked("زار [قاآني|PERS]").document], path, format="jsonl", schema=schema)
        assert len(read_source(str(path), schema, "train").views) == 1
        path.write_text(path.read_text(encoding="utf-8") + "{broken\n", encoding="utf-8")
        reading = read_source(str(path), schema, "dev")
        assert reading.views == () and [f.split for f in reading.faults] == ["dev"]
        assert reading.faults[0].message.startswith("line 2: not JSON")

    def test_documents_without_an_id_are_numbered(self, tmp_path: Path, schema: LabelSchema):
        documents = [replace(marked(f"زار [قاآني|PERS] {n}").document, id="") for n in range(2)]
        path = tmp_path / "a.jsonl"
        path.write_text("".join(d.to_json(indent=None) + "\n" for d in documents), encoding="utf-8")
        assert [v.document.id for v in read_source(str(path), schema, "train").views] == [
            "document-1",
            "document-2",
        ]

    def test_a_source_that_is_not_there(self, schema: LabelSchema):
        with pytest.raises(DataError, match="no such file or folder"):
            read_source("nowhere.jsonl", schema, "train")


def test_cover():
    cover = Cover([(5, 8), (0, 2), (6, 10)])
    assert [cover.touches(*place) for place in ((2, 5), (1, 3), (7, 8), (9, 12), (10, 12))] == [
        False,
        True,
        True,
        True,
        False,
    ]
    assert not Cover([]).touches(0, 9)


def test_the_articles_are_sound(schema: LabelSchema):
    report = check_data("seeds:articles", schema, predict=False, reference=())
    assert not [f for f in report.findings if f.severity is not Severity.NOTE and f.kind != "few_examples"]
    assert report.totals["train"]["documents"] == 5
