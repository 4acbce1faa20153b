"""Perturbations carry gold along exactly; robustness measures what they cost."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isnad.eval.perturb import carry, perturbations
from isnad.eval.robustness import robustness
from isnad.model.document import Document, Relation, number_clusters
from isnad.model.errors import ConfigError, DataError
from isnad.model.folding import INVISIBLE_RANGES, fold
from isnad.model.schema import LabelSchema
from isnad.model.text import make_entity, words
from isnad.training.edits import Edit

SCHEMA = LabelSchema.from_yaml(Path(__file__).parents[1] / "configs/schemas/wojood.yaml")
ALL = perturbations()
FOLDED_AWAY = [n for n in ALL if n.startswith("invisible")] + [
    "hamza_alef",
    "kashida",
    "diacritics",
    "presentation_forms",
    "arabic_digits",
]
TEXT = (
    "وقال قائد فيلق القدس إسماعيل قاآني لـحزب الله وبكين إن العراق ولبنان\r\n"
    "سيبقيان، فيما زار مُصطفى الكاظمي وعبد الله نصر الله للعراق ٢٠ مدينة و15 قرية 🇮🇶 بالأنبار وكربلاءَ،"
    " ثم لاتحاد الأدباء مساءً. ﻻ شيء في http://a1.example عن الأنباء"
)


@st.composite
def annotations(draw) -> Document:
    """Nested, crossing and doubled spans of whole words, some after a proclitic."""
    spots, entities = words(TEXT), []
    for n in range(draw(st.integers(1, 9))):
        first = draw(st.integers(0, len(spots) - 1))
        last = min(first + draw(st.integers(0, 3)), len(spots) - 1)
        start, end = spots[first][0], spots[last][1]
        if draw(st.booleans()) and TEXT[start] in "وبل" and end - start > 3:
            start += 1
        label = draw(st.sampled_from(("PERS", "ORG", "GPE")))
        entities.append(make_entity(TEXT, start, end, label, id=f"T{n}"))
    entities.sort(key=lambda e: (e.start, -e.end))
    ids = [e.id for e in entities]
    numbered, clusters = number_clusters(entities, [ids[: draw(st.integers(0, len(ids)))]])
    return Document(TEXT, numbered, (Relation(ids[0], "met_with", ids[-1]),), clusters, id="وثيقة")


def check_carried(before: Document, after: Document) -> None:
    assert (after.relations, after.clusters, after.id) == (before.relations, before.clusters, before.id)
    for old, new in zip(before.entities, after.entities, strict=True):
        assert after.text[new.start : new.end] == new.text
        assert (new.id, new.label, new.cluster, new.score) == (old.id, old.label, old.cluster, old.score)
        proclitic = after.text[new.word_start : new.start]
        assert fold(proclitic) == fold(before.text[old.word_start : old.start]), (old, new)


@settings(deadline=None, max_examples=60)
@given(annotations(), st.integers(0, 99), st.sampled_from(sorted(ALL)))
def test_gold_moves_along_exactly(document, seed, name):
    after = ALL[name](document, seed=seed)
    check_carried(document, after)
    if name in FOLDED_AWAY:
        assert fold(after.text) == fold(document.text)
        assert [fold(e.text) for e in after.entities] == [fold(e.text) for e in document.entities]
    assert ALL[name](document, seed=seed) == after


@pytest.mark.parametrize("name", sorted(ALL))
def test_real_articles_are_carried(articles, name):
    changed = [ALL[name](d) for d in articles]
    for before, after in zip(articles, changed, strict=True):
        check_carried(before, after)
    assert any(a.text != b.text for a, b in zip(articles, changed, strict=True))
    alone = ALL[name](articles[3])
    assert alone == changed[3]  # whatever other documents there are
    if name not in (
        "hamza",
        "hamza_alef",
        "presentation_forms",
        "joined_names",
        "arabic_digits",
    ):  # nothing left to chance there
        assert ALL[name](articles[3], seed=1).text != alone.text


def text_of(name: str, text: str, *mentions: tuple[str, str]) -> Document:
    entities = [
        make_entity(text, text.index(m), text.index(m) + len(m), label, id=f"T{n}")
        for n, (m, label) in enumerate(mentions)
    ]
    return ALL[name](Document(text, tuple(sorted(entities, key=lambda e: (e.start, -e.end)))))


def test_invisible_characters_come_at_the_rate_that_the_name_says(articles):
    pattern = re.compile(f"[{INVISIBLE_RANGES}]")
    document = max(articles, key=lambda d: len(d.text))
    there = len(pattern.findall(document.text))
    for rate in (1, 3, 5):
        changed = ALL[f"invisible_{rate}"](document).text
        assert len(pattern.findall(changed)) - there == round(rate * len(document.text) / 100)
        assert len(set(pattern.findall(changed))) >= 5
        assert pattern.sub("", changed) == pattern.sub("", document.text)
    assert "\r\n" in ALL["invisible_5"](Document("أ\r\nب" * 40)).text


def test_hamza_is_dropped():
    after = text_of(
        "hamza", "أكد مؤيد رئيس الأنبار أن سماءه وسماء آمنة", ("رئيس الأنبار", "OCC"), ("سماء آمنة", "LOC")
    )
    assert after.text == "اكد مويد رييس الانبار ان سماءه وسما امنة"
    assert [e.text for e in after.entities] == ["رييس الانبار", "سما امنة"]
    alone = text_of("hamza_alef", "أكد مؤيد رئيس الأنبار", ("رئيس الأنبار", "OCC"))
    assert alone.text == "اكد مؤيد رئيس الانبار"


def test_names_are_joined_where_people_join_them():
    after = text_of(
        "joined_names",
        "التقى عبد الله نصر الله وحسن نصر الله أبو علي من حزب الله بنور الدين بن عبد السلام",
        ("عبد الله نصر الله", "PERS"),
        ("حسن نصر الله", "PERS"),
        ("أبو علي", "PERS"),
        ("حزب الله", "ORG"),
        ("نور الدين بن عبد السلام", "PERS"),
    )
    assert [e.text for e in after.entities] == [
        "عبدالله نصرالله",
        "حسن نصرالله",
        "أبوعلي",
        "حزب الله",
        "نورالدين بن عبدالسلام",
    ]


def test_letters_take_the_shape_that_their_neighbours_call_for():
    after = text_of(
        "presentation_forms", "لا بأس، السلام لاتحاد الأدباء بـغزة مُحمد", ("اتحاد الأدباء", "ORG")
    )
    # A ligature never swallows the edge of a mention: ل|اتحاد keeps two characters.
    assert after.text.startswith("ﻻ ﺑﺄﺱ، ﺍﻟﺴﻼﻡ ﻟﺎﺗﺤﺎﺩ ﺍﻷﺩﺑﺎﺀ ﺑـﻐﺰﺓ ﻣُﺤﻤﺪ")
    assert after.entities[0].name == "اتحاد الأدباء"


def test_digits_become_arabic_indic_but_not_in_addresses():
    after = text_of("arabic_digits", "في 15 مايو 2020، a1b و5G: 3.5% ٢٠", ("15 مايو 2020", "DATE"))
    assert after.text == "في ١٥ مايو ٢٠٢٠، a1b و5G: ٣.٥% ٢٠"
    assert after.entities[0].text == "١٥ مايو ٢٠٢٠"


def test_kashida_and_marks_ride_on_the_letter_before_them():
    document = text_of("kashida", "ببغداد " * 60, ("بغداد", "GPE"))
    assert "ـ" in document.text and fold(document.text) == "ببغداد " * 60
    marked = text_of("diacritics", "زار العراق", ("العراق", "GPE"))
    assert marked.text[marked.entities[0].end :] == ""  # a mark on the last letter belongs to the mention


def test_scanning_confuses_dots_and_loses_spaces_away_from_mentions():
    text = "زار الوزير بغداد بعد أن شكر الناس جميعا على صبرهم " * 100
    entities = [
        make_entity(text, m.start(), m.end(), "GPE", id=f"T{n}")
        for n, m in enumerate(re.finditer("بغداد", text))
    ]
    after = ALL["ocr"](Document(text, tuple(entities)))
    # 800 spaces touch no mention.
    assert 5 < text.count(" ") - after.text.count(" ") < 30
    letters = re.sub(r"\s", "", text)
    wrong = sum(a != b for a, b in zip(letters, re.sub(r"\s", "", after.text), strict=True))
    assert 0.005 < wrong / len(letters) < 0.04
    assert all((e.word_start, e.word_end) == (e.start, e.end) for e in after.entities)


@settings(deadline=None, max_examples=40)
@given(annotations(), st.data())
def test_offsets_move_with_the_letters_they_stand_at(document, data):
    edges = {n for e in document.entities for n in (e.start, e.end)}
    places = data.draw(st.lists(st.integers(0, len(TEXT) - 1), unique=True, max_size=12))
    edits = []
    for n in sorted(places):
        wide = n + 1 not in edges and n + 1 not in places and n + 2 <= len(TEXT)
        end = data.draw(st.sampled_from([n, n + 1, n + 2] if wide else [n, n + 1]))
        edits.append(Edit(n, end, data.draw(st.sampled_from(("ب", "تث", "ع ع")))))
    # Letter by letter: every piece of the new text with the place in the old one that it takes.
    taken = {n for e in edits for n in range(e.start, e.end)}
    pieces = [(n, n + 1, TEXT[n]) for n in range(len(TEXT)) if n not in taken]
    pieces = sorted([*pieces, *((e.start, e.end, e.text) for e in edits)])
    found = carry(document, edits)
    assert found.text == "".join(text for *_, text in pieces)
    for before, after in zip(document.entities, found.entities, strict=True):
        # A piece stands before a mention if it ends there, what is put in at its beginning too.
        left = sum(len(text) for _, end, text in pieces if end <= before.start)
        inside = "".join(text for start, end, text in pieces if before.start < end and start < before.end)
        assert (after.start, after.text) == (left, inside)
        assert (after.id, after.label, after.cluster) == (before.id, before.label, before.cluster)


def test_carry_refuses_what_it_cannot_carry():
    document = Document("زار بغداد", (make_entity("زار بغداد", 4, 9, "GPE", id="T1"),))
    with pytest.raises(ConfigError, match="crosses"):
        carry(document, [Edit(3, 5, "")])
    with pytest.raises(ConfigError, match="overlap"):
        carry(document, [Edit(0, 2, ""), Edit(1, 3, "")])
    lone = Document("ء ب", (make_entity("ء ب", 0, 1, "GPE", id="T1"),))
    assert carry(lone, [Edit(0, 1, "")]) == lone


class Gazetteer:
    """Finds the names it knows, letter for letter."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names, self.calls = names, []

    def __call__(self, texts: list[str]) -> list[Document]:
        self.calls.append(len(texts))
        found = []
        for text in texts:
            spans = [
                (m.start(), m.end(), label) for n, label in self.names.items() for m in re.finditer(n, text)
            ]
            entities = [make_entity(text, s, e, label, id=f"T{k}") for k, (s, e, label) in enumerate(spans)]
            found.append(Document(text, tuple(entities)))
        return found


NAMES = {"العراق": "GPE", "عبد الله نصر الله": "PERS", "الأنبار": "GPE", "فيلق القدس": "ORG", "بكين": "GPE"}
GOLD = [
    replace(Gazetteer(NAMES)([line])[0], id=f"د{n}")
    for n, line in enumerate(
        [
            "زار عبد الله نصر الله العراق والتقى وفدا من الأنبار.",
            "قال فيلق القدس إن بكين لا تعارض ما جرى في العراق.",
            "عاد عبد الله نصر الله إلى الأنبار في 15 مايو.",
            "لا خبر عن بكين ولا عن العراق.",
        ]
        * 5
    )
]


def test_robustness_measures_the_drop():
    model = Gazetteer(NAMES)
    results = robustness(model, GOLD, SCHEMA, rounds=400)
    assert list(results) == list(ALL)
    for result in results.values():
        assert result.entities.a == 1 and result.documents == 20
        assert result.drop == pytest.approx(1 - result.f1)
    hamza = results["hamza"]
    assert hamza.labels["ORG"].b == 1 and hamza.labels["GPE"].b < 1  # only الأنبار has a hamza
    # 10 of 50 mentions are lost, none is wrong.
    assert hamza.f1 == pytest.approx(2 * 40 / (40 + 50))
    low, high = (hamza.to_dict()["interval"][k] for k in ("low", "high"))
    assert 0 < low < hamza.drop < high and hamza.entities.p_value < 0.01
    digits = results["arabic_digits"]
    assert (digits.changed, digits.drop, digits.entities.p_value) == (5, 0, 1)
    assert results["joined_names"].labels["PERS"].b == 0 and results["joined_names"].relations is None
    assert results["presentation_forms"].f1 == 0
    assert (
        model.calls[0] == 20 and model.calls[list(ALL).index("arabic_digits") + 1] == 5
    )  # unchanged texts once


def test_robustness_takes_known_predictions_and_names_in_order():
    clean = Gazetteer(NAMES)([d.text for d in GOLD])
    model = Gazetteer(NAMES)
    results = robustness(model, GOLD, SCHEMA, names=["ocr", "hamza"], clean=clean, rounds=50)
    assert list(results) == ["ocr", "hamza"] and len(model.calls) == 2
    again = robustness(model, GOLD, SCHEMA, names=["hamza"], clean=clean, rounds=50)
    assert again["hamza"].to_dict() == results["hamza"].to_dict()
    with pytest.raises(ConfigError, match="did you mean 'hamza'"):
        robustness(model, GOLD, SCHEMA, names=["hamzah"])
    with pytest.raises(DataError, match="19 predictions of 20 texts"):
        robustness(lambda texts: model(texts)[:-1], GOLD, SCHEMA)
    with pytest.raises(DataError, match="no gold documents"):
        robustness(model, [], SCHEMA)


def test_seeds_give_other_perturbations():
    document = Document("زار الوزير بغداد أمس " * 20, id="د")
    texts = {ALL["ocr"](document, seed=n).text for n in range(5)}
    assert len(texts) == 5
    assert np.unique([len(ALL["kashida"](document, seed=n).text) for n in range(8)]).size > 1
