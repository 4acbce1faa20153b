"""Texts and mentions in HTML: nothing changed, nothing lost, every direction and odd character kept."""

import re
from pathlib import Path

import pytest
from isnad.model.document import Document, Entity, Relation
from isnad.model.render.characters import printable
from isnad.model.render.html import to_html
from isnad.model.text import make_entity

ROOT = Path(__file__).parents[2]


# text and mentions


def test_page_shows_text_unchanged_and_nests_mentions(document, text_block):
    block = text_block(to_html([document]))
    assert block.text == document.text
    marks = block.all("mark")
    assert [m.text for m in marks] == [e.text for e in document.entities]
    assert [m.attributes["data-label"] for m in marks] == [e.label for e in document.entities]
    assert marks[1].parent is marks[0]  # فيلق القدس inside the role
    assert all(m.parent is block for m in (marks[0], *marks[2:]))
    assert "--height:1" in marks[0].attributes["style"]
    assert block.attributes["dir"] == "rtl"


def test_articles_are_shown_whole(articles, parse, schema):
    root = parse(to_html(articles, schema=schema))
    blocks = root.all("div", class_="isnad-text")
    assert [b.text for b in blocks] == [d.text for d in articles]
    for block, doc in zip(blocks, articles, strict=True):
        marks = block.all("mark")
        assert [m.text for m in marks] == [e.text for e in doc.entities]
        for mark, entity in zip(marks, doc.entities, strict=True):
            assert mark.attributes.get("data-group") == (
                None if entity.cluster is None else str(entity.cluster)
            )
    assert len(root.all("tr", tabindex="0")) == sum(len(d.relations) for d in articles)
    assert len(root.all("li", tabindex="0")) == sum(len(d.clusters) for d in articles)


def test_tooltip_gives_name_score_and_cluster(document, text_block):
    title = text_block(to_html([document])).all("mark")[2].attributes["title"]
    assert title.split("\n") == [
        "\u2068إسماعيل قاآني\u2069 · PERS",
        "score 0.99",
        "cluster 0, 2 mentions",
        f"T3 [{document.text.index('إسماعيل')}:{document.text.index(' بغداد')}]",
    ]


def test_crossing_spans_are_cut_not_lost(text_block, mention):
    text = "مطار بغداد الدولي الجديد"
    entities = [
        mention(text, "مطار بغداد الدولي", "FAC", "T1"),
        mention(text, "بغداد الدولي الجديد", "ORG", "T2"),
    ]
    block = text_block(to_html([Document(text, entities)]))
    assert block.text == text
    pieces = {i: [m for m in block.all("mark") if m.attributes["data-index"] == i] for i in "01"}
    assert ["".join(m.text for m in pieces[i]) for i in "01"] == [e.text for e in entities]
    # The label is drawn once, after the last piece.
    for marks in pieces.values():
        assert [("isnad-cut" in m.attributes.get("class", "")) for m in marks] == [
            *[True] * (len(marks) - 1),
            False,
        ]
    assert len(pieces["1"]) == 2


def test_same_span_with_two_labels_is_drawn_twice(text_block, mention):
    text = "السفارة الأمريكية"
    marks = text_block(
        to_html([Document(text, [mention(text, text, "FAC", "T1"), mention(text, text, "ORG", "T2")])])
    ).all("mark")
    assert [m.attributes["data-label"] for m in marks] == ["FAC", "ORG"]
    assert marks[1].parent is marks[0]


def test_elided_clitic_stays_joined_to_its_word(text_block, mention):
    text = "سافر للعراق ولبنان"
    entities = [mention(text, "لعراق", "GPE", "T1"), mention(text, "لبنان", "GPE", "T2")]
    block = text_block(to_html([Document(text, entities)]))
    assert block.text == text
    # lam + lam join: a joiner on both sides of the edge; waw + lam do not.
    assert len(block.all("i", class_="isnad-join")) == 2
    (first, second) = block.all("mark")
    assert len(first.all("i")) == 1 and not second.all("i")


@pytest.mark.parametrize(
    ("text", "part", "label"),
    [
        ("قال الشَّيْخُ مُحَمَّدٌ إنه", "مُحَمَّدٌ", "PERS"),
        ("زعيم فيلـــق القـــدس هنا", "فيلـــق القـــدس", "ORG"),
        ("🇮🇶 زار 👨‍👩‍👧 بغداد 😀 أمس", "بغداد", "GPE"),
        ("ﻗﺎل ﺑﻐﺪاد ﷺ اليوم", "ﺑﻐﺪاد", "GPE"),
        ("في عام ٢٠٢٠ و 2021", "٢٠٢٠", "DATE"),
        ("التقى نصرالله و نصر الله", "نصر الله", "PERS"),
        ("سطر\n\n  بغداد\tهنا\n", "بغداد", "GPE"),
    ],
)
def test_unusual_arabic_keeps_its_offsets(text, part, label, text_block, mention):
    block = text_block(to_html([Document(text, [mention(text, part, label, "T1")])]))
    assert block.text == text
    assert [m.text for m in block.all("mark")] == [part]


def test_line_breaks_of_every_system_survive_once(text_block, mention):
    text = "بغداد\r\nطهران\rبيروت\n"
    entities = [mention(text, "بغداد\r", "GPE", "T1"), mention(text, "بيروت", "GPE", "T2")]
    block = text_block(to_html([Document(text, entities)]))
    assert block.text == "بغداد\nطهران\nبيروت\n"


def test_unencodable_and_control_characters_are_replaced(text_block, mention):
    text = "قبل \ud800 بعد \x00\x1b[31m بغداد"
    doc = Document(text, [mention(text, "بغداد", "GPE\udfff", "T\ud83d")], id="\udc00", model="م\x07")
    page = to_html([doc])
    page.encode("utf-8")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f]", page)
    assert text_block(page).text == printable(text) == "قبل \ufffd بعد \ufffd\ufffd[31m بغداد"


def test_bidi_controls_stay_in_their_block(parse):
    text = "قال \u202eبغداد\u2066 ثم"
    entity = Entity("T1\u202e", 4, 11, "GP\u202eE", text[4:11], "\u202eبغداد\u2066")
    doc = Document(text, [entity], [Relation("T1\u202e", "r\u202e", "T1\u202e")], (), "\u202eid")
    root = parse(to_html([doc], title="\u202et"))
    assert root.all("div", class_="isnad-text")[0].text == text
    outside = [e for e in root.all() if e.tag in {"h1", "h2", "title", "tr", "button", "p"}]
    assert outside
    for element in outside:
        assert "\u202e" not in element.text + element.attributes.get("title", "")
    css = (ROOT / "model/render/viewer.css").read_text(encoding="utf-8")
    for name in (".isnad-text", "mark"):
        (rule,) = re.findall(rf"\n\.isnad\.isnad {re.escape(name)} {{([^}}]*)}}", css)
        assert "unicode-bidi: isolate" in rule


def test_latin_document_runs_from_left_to_right(text_block):
    assert text_block(to_html([Document("Visit to Baghdad")])).attributes["dir"] == "ltr"


def test_document_without_entities_or_text(parse):
    for text in ("لا أسماء هنا.", ""):
        root = parse(to_html([Document(text)]))
        assert root.all("div", class_="isnad-text")[0].text == text
        assert "no entities" in root.text
        assert not root.all("table") and not root.all("mark") and not root.all("div", class_="isnad-side")
    assert "no documents" in parse(to_html([])).text


def test_long_document():
    line = "زار إسماعيل قاآني بغداد وعاد إلى طهران.\n"
    text = line * 8_000
    entities = []
    for number in range(8_000):
        for part, label in (("إسماعيل قاآني", "PERS"), ("بغداد", "GPE")):
            start = number * len(line) + line.index(part)
            entities.append(make_entity(text, start, start + len(part), label, id=f"T{len(entities)}"))
    page = to_html([Document(text, entities)], full_page=False)
    assert page.count("<mark") == page.count("</mark>") == 16_000
