"""The data doctor on names: proclitics, labels, places left out; every finding, and when it must keep quiet."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from check_views import marked, view
from isnad.model.document import number_clusters
from isnad.training.data.check import Finding, Severity
from isnad.training.data.check.clitics import clitic_convention, clitic_findings
from isnad.training.data.check.consistency import label_conflicts, mixed_clusters
from isnad.training.data.check.evidence import Evidence
from isnad.training.data.check.part import View, without_proclitics
from isnad.training.data.check.unannotated import unannotated_names


def clitics(*texts: str, reference: Iterable[str] = ()) -> list[tuple[str, str, str]]:
    """Return (severity, text, suggested text) of what is found about proclitics."""
    views = [marked(text, id=f"d{n}") for n, text in enumerate(texts)]
    evidence = Evidence(views, [marked(text).document for text in reference])
    found = [f for v in views for f in clitic_findings(v, evidence)]
    for v in views:
        for f in clitic_findings(v, evidence):
            assert v.document.text[f.start : f.end] == f.text
    return [(f.severity.value, f.text, f.suggestion.split("»")[0].removeprefix("«")) for f in found]


class TestClitics:
    @pytest.mark.parametrize(
        ("clean", "spoiled", "found", "right"),
        [
            ("في [بغداد|GPE] وفي [بغداد|GPE] و[بغداد|GPE]", "زار [وبغداد|GPE] أمس", "وبغداد", "بغداد"),
            ("[حسن نصر الله|PERS] قال", "قال [وحسن نصر الله|PERS]", "وحسن نصر الله", "حسن نصر الله"),
            ("[الرياض|GPE] قالت", "أعلن [بالرياض|GPE]", "بالرياض", "الرياض"),
            ("[الرياض|GPE] قالت", "أعلن [وبالرياض|GPE]", "وبالرياض", "الرياض"),
            ("[العراق|GPE] قال", "قال [للعراق|GPE] شيء", "للعراق", "لعراق"),
            ("[العراق|GPE] قال", "قال [وللعراق|GPE] شيء", "وللعراق", "لعراق"),
            ("[لبنان|GPE] قال", "قال [للبنان|GPE] شيء", "للبنان", "لبنان"),
            ("[قاآني|PERS] ثم [قاآني|PERS] ثم [قاآني|PERS]", "قال [لقاآني|PERS] شيء", "لقاآني", "قاآني"),
            ("[بَغداد|GPE] ثم [بغــداد|GPE] ثم [بغداد|GPE]", "زار [وَبَغْداد|GPE] أمس", "وَبَغْداد", "بَغْداد"),
        ],
    )
    def test_a_name_that_stands_elsewhere_without_it(self, clean: str, spoiled: str, found: str, right: str):
        assert clitics(clean, spoiled) == [("warning", found, right)]

    def test_trusted_texts_are_evidence(self):
        assert clitics("قال [لقاآني|PERS] شيء") == []
        trusted = ["[قاآني|PERS] هنا", "ثم [قاآني|PERS] هناك و[قاآني|PERS]"]
        assert clitics("قال [لقاآني|PERS] شيء", reference=trusted) == [("warning", "لقاآني", "قاآني")]

    def test_names_that_begin_alike_are_evidence(self):
        known = "[رئيس الأركان|OCC] و[رئيس الجمهورية|OCC] و[رئيس اللجنة|OCC]"
        assert clitics(known, "قال [ورئيس جهاز الاستخبارات|OCC]") == [
            ("warning", "ورئيس جهاز الاستخبارات", "رئيس جهاز الاستخبارات")
        ]

    def test_hamza_after_the_letter(self):
        assert clitics("زار [وأردبيل|GPE] أمس") == [("warning", "وأردبيل", "أردبيل")]
        assert clitics("زار [فلأردبيل|GPE] أمس") == [("warning", "فلأردبيل", "أردبيل")]
        assert clitics("فاز في [كأس العالم|EVENT] و[كأس آسيا|EVENT]، ونشر [كآبة المقاومة|PRODUCT]") == []

    def test_a_word_of_the_texts_is_weak_evidence(self):
        text = "قرب المحمودية سوق، وبيوت المحمودية قديمة. زار [والمحمودية|GPE]"
        assert clitics(text) == [("note", "والمحمودية", "المحمودية")]

    @pytest.mark.parametrize(
        "text",
        [
            "[بكين|GPE] و[واشنطن|GPE] و[لبنان|GPE] و[فلسطين|GPE] و[كابول|GPE] و[وليد|PERS]",
            # The remainder is a name with another label, or a rare one.
            "لعب [كين|PERS] أمس وسجل [كين|PERS] في [بكين|GPE]",
            "قابل [بنان|PERS] ثم [بنان|PERS] في [لبنان|GPE]",
            "قال [سام|PERS] و[سام|PERS] و[سام|PERS] ورد [بسام|PERS] ثم [وسام|PERS]",
            "جاءت [ريم|PERS] و[ريم|PERS] و[ريم|PERS] مع [كريم|PERS]",
            # A preposition before it: no proclitic follows.
            "زار [جدة|GPE] ثم [جدة|GPE] ثم [جدة|GPE] وبات في [وجدة|GPE]. شارع [وجدة|GPE]",
            # After a proclitic that was left outside, what follows is the name.
            "زار [بنين|GPE] ثم [بنين|GPE] ثم [بنين|GPE] و[ببنين|GPE] ثم عاد، [ببنين|GPE]",
            # A person's later names hold no proclitics.
            "[محمد وهاج|PERS] مع [هاج|PERS] و[هاج|PERS] و[هاج|PERS]، وقال [وهاج|PERS]",
            # What looks like an article belongs to the word: واليها, والي, بالي.
            "ذهب إليها وإليها وإليهم، وعزل [واليها|OCC] و[والي عدن|OCC] في [بالي|GPE]",
            "[كان|GPE] و[كان|GPE] و[كان|GPE] ثم [كلكان|GPE]",
            "[ولي العهد|OCC] [بطل العالم|OCC] [كبير المفاوضين|OCC] [وزير الخارجية|OCC] [لقاء بيروت|EVENT]",
            "[بعد يومين|DATE] [ليلة الأحد|TIME] [واحد|CARDINAL] [وادي حضرموت|LOC]",
        ],
    )
    def test_must_not_cry_wolf(self, text: str):
        assert clitics(text) == []

    def test_data_does_not_vouch_for_itself(self):
        text = "قال [لقاآني|PERS] شيء عن [قاآني|PERS] و[قاآني|PERS]"
        assert clitics(text, reference=[text]) == [("warning", "لقاآني", "قاآني")]

    def test_a_convention_is_said_once(self):
        one = Finding(Severity.WARNING, "clitic", "begins with the proclitic «و»", split="train")
        assert list(clitic_convention([one] * 9, 100, "train")) == []
        assert list(clitic_convention([one] * 30, 1000, "train")) == []
        (said,) = clitic_convention([one] * 30, 100, "train")
        assert "30 of 100 mentions" in said.message

    def test_without_proclitics(self):
        assert without_proclitics("وببغداد") == ["ببغداد", "بغداد"]
        assert without_proclitics("للعراق") == ["لعراق", "العراق"]
        assert without_proclitics("عراق") == [] and without_proclitics("و") == []


class TestConsistency:
    def test_a_slip_against_a_strong_majority(self):
        views = [marked("وصل [قاآني|PERS] أمس", id=f"d{n}") for n in range(12)]
        views.append(marked("وصل [قاآنى|EVENT] أمس", id="odd"))  # another spelling of the last letter
        (found,) = label_conflicts(views)
        assert (found.severity, found.document, found.label) == (Severity.WARNING, "odd", "EVENT")
        assert found.message == "EVENT here, but PERS in 12 of 13 places" and "PERS" in found.suggestion

    def test_no_majority_is_a_note(self):
        views = [marked(f"حضر [مؤتمر باريس|{label}]", id=label) for label in ("EVENT", "PERS", "EVENT")]
        (found,) = label_conflicts(views)
        assert found.severity is Severity.NOTE and "EVENT 2, PERS 1; PERS in PERS at 4" in found.message

    def test_known_ambiguity_is_one_note_for_all_names(self):
        texts = [
            "[طهران|GPE] [طهران|GPE] [طهران|ORG] [طهران|ORG]",
            "[بغداد|GPE] [بغداد|GPE] [بغداد|GPE] [بغداد|ORG]",
        ]
        (found,) = label_conflicts([marked(text) for text in texts])
        assert found.severity is Severity.NOTE and found.message.startswith("2 names are both GPE and ORG: «")
        assert list(label_conflicts([marked(texts[0])])) == []

    def test_an_ambiguous_label_that_stands_alone(self):
        views = [marked("حضرت [قطر|GPE]") for _ in range(14)] + [marked("لعبت [قطر|ORG]", id="club")]
        (found,) = label_conflicts(views)
        assert (found.severity, found.document) == (Severity.NOTE, "club")

    @pytest.mark.parametrize(
        "views",
        [
            [marked("صام [رمضان|DATE]")] * 3 + [marked("قال [رمضان|PERS]")],  # two names, few mentions
            [marked("عام [2020|DATE]")] * 12 + [marked("قتل [2020|EVENT]")],  # numbers
            # Inside another entity a name means something else.
            [marked("في [لندن|GPE]")] * 12 + [view("بلدية لندن", (0, 10, "ORG"), (6, 10, "FAC"))],
            # One place with two labels.
            [view("قال الناطق", (4, 10, "OCC"), (4, 10, "EVENT"))] * 12,
        ],
    )
    def test_must_not_cry_wolf(self, views: list[View]):
        assert list(label_conflicts(views)) == []

    def test_mixed_clusters(self):
        v = marked("زار [بغداد|GPE] ثم [بغداد|GPE] ثم [بغداد|ORG]")
        entities, clusters = number_clusters(v.document.entities, [["T1", "T2", "T3"]])
        (found,) = mixed_clusters(View(replace(v.document, entities=entities, clusters=clusters), "train"))
        assert found.message == "its 3 mentions are GPE 2, ORG 1" and found.label == "ORG"


class TestUnannotated:
    def find(self, *texts: str) -> list[Finding]:
        views = [marked(text, id=f"d{n}") for n, text in enumerate(texts)]
        return list(unannotated_names(views, Evidence(views)))

    def test_a_phrase_left_out(self):
        known = "قال [الحشد الشعبي|ORG] ثم [الحشد الشعبي|ORG] ثم [الحشد الشعبي|ORG]"
        (found,) = self.find(known, "التقى [قاآني|PERS] قادة الحشــد الشَّعبي أمس")
        assert (found.text, found.label, found.document) == ("الحشــد الشَّعبي", "ORG", "d1")
        assert found.severity is Severity.NOTE and "ORG in 3 of 4 places" in found.message
        (found,) = self.find(*[known] * 4, "التقى [قاآني|PERS] قادة الحشد الشعبي أمس")
        assert found.severity is Severity.WARNING

    def test_after_a_proclitic_the_place_begins_with_the_name(self):
        known = "قال [الحشد الشعبي|ORG] ثم [الحشد الشعبي|ORG]"
        (found,) = self.find(known, "نسب [قاآني|PERS] للحشد الشعبي")
        assert found.text == "لحشد الشعبي"
        (found,) = self.find(known, "[قاآني|PERS] وبالحشد الشعبي")
        assert found.text == "الحشد الشعبي"

    def test_a_word_needs_more(self):
        word = "زار [نيويورك|GPE] أمس"
        assert self.find(*[word] * 5, "في نيويورك [قاآني|PERS]") == []
        (found,) = self.find(*[word] * 14, "في نيويورك [قاآني|PERS]")
        assert found.text == "نيويورك"

    @pytest.mark.parametrize(
        "text",
        [
            "لا شيء هنا عن السعودية ولا قاآني",  # a document that is not annotated at all
            "نال [قاآني|PERS] الجنسية السعودية",  # an adjective
            "بنك [قاآني|PERS] [البنك الأهلي السعودية|ORG]",  # inside another entity
            "قال [قاآني|PERS] إن سعودية هنا",
        ],
    )
    def test_must_not_cry_wolf(self, text: str):
        assert self.find(*["زارت [السعودية|GPE] أمس"] * 14, text) == []

    def test_roles_and_dates_depend_on_the_words_around(self):
        assert (
            self.find(*["قال [الرئيس|OCC] [اليوم|DATE]"] * 20, "المقر الرئيس و[قاآني|PERS] والرئيس اليوم")
            == []
        )

    def test_first_letters_of_known_names_are_no_proclitics(self):
        known = ["زار [ليد بولا|GPE] ثم [ليد بولا|GPE]", "قال [وليد|PERS] مع [قاآني|PERS]"]
        assert self.find(*known, "قال وليد بولا ل[قاآني|PERS]") == []
