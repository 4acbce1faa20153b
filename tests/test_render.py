"""Rendering to HTML: pages and fragments."""

import base64
import hashlib
import html.parser
import re
from pathlib import Path

import pytest
from isnad.model.document import Document, Entity, Relation, number_clusters
from isnad.model.render.characters import printable
from isnad.model.render.html import to_html
from isnad.model.schema import LabelSchema
from isnad.model.text import make_entity

ROOT = Path(__file__).parents[1]
SCHEMA = LabelSchema.from_yaml(ROOT / "configs/schemas/wojood.yaml")
VOID = {"meta", "img", "br", "link", "input"}
SENTENCE = "زار قائد فيلق القدس إسماعيل قاآني بغداد، والتقى مصطفى الكاظمي.\nوعاد قاآني إلى طهران."


class Element:
    def __init__(self, tag: str, attributes: dict[str, str], parent: "Element | None"):
        self.tag, self.attributes, self.parent = tag, attributes, parent
        self.children: list[Element | str] = []

    @property
    def text(self) -> str:
        return "".join(c if isinstance(c, str) else c.text for c in self.children)

    def all(self, tag: str = "", **attributes: str) -> "list[Element]":
        found = []
        todo = [self]
        while todo:
            element = todo.pop()
            todo += [c for c in reversed(element.children) if isinstance(c, Element)]
            if (not tag or element.tag == tag) and all(
                value in element.attributes.get(key.rstrip("_"), "").split()
                for key, value in attributes.items()
            ):
                found.append(element)
        return found


class Tree(html.parser.HTMLParser):
    """Parses strictly: every element is closed where it should be."""

    def __init__(self, source: str):
        super().__init__(convert_charrefs=True)
        self.root = self.here = Element("root", {}, None)
        self.feed(source)
        self.close()
        assert self.here is self.root, f"<{self.here.tag}> is never closed"

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), f"<{tag}> repeats an attribute"
        element = Element(tag, {k: v or "" for k, v in attrs}, self.here)
        self.here.children.append(element)
        if tag not in VOID:
            self.here = element

    def handle_endtag(self, tag):
        assert self.here.tag == tag, f"</{tag}> inside <{self.here.tag}>"
        self.here = self.here.parent

    def handle_data(self, data):
        self.here.children.append(data)


def parse(source: str) -> Element:
    return Tree(source).root


def text_block(source: str) -> Element:
    (block,) = parse(source).all("div", class_="isnad-text")
    return block


def mention(text: str, part: str, label: str, id: str, nth: int = 0, **fields) -> Entity:
    start = -1
    for _ in range(nth + 1):
        start = text.index(part, start + 1)
    return make_entity(text, start, start + len(part), label, id=id, **fields)


@pytest.fixture
def document() -> Document:
    entities = [
        mention(SENTENCE, "قائد فيلق القدس", "OCC", "T1", score=0.91),
        mention(SENTENCE, "فيلق القدس", "ORG", "T2", score=0.97),
        mention(SENTENCE, "إسماعيل قاآني", "PERS", "T3", score=0.99),
        mention(SENTENCE, "بغداد", "GPE", "T4", score=0.98),
        mention(SENTENCE, "مصطفى الكاظمي", "PERS", "T5", score=0.95),
        mention(SENTENCE, "قاآني", "PERS", "T6", nth=1, score=0.9),
        mention(SENTENCE, "طهران", "GPE", "T7", score=0.88),
    ]
    numbered, clusters = number_clusters(entities, [["T3", "T6"]])
    relations = [
        Relation("T3", "has_occupation", "T1", 0.93),
        Relation("T1", "occupation_in", "T2", 0.9),
        Relation("T3", "visited", "T4", 0.87),
        Relation("T3", "met_with", "T5", 0.85),
        Relation("T6", "visited", "T7", 0.61),
    ]
    stamp = {"name": SCHEMA.name, "version": SCHEMA.version, "hash": SCHEMA.hash}
    return Document(SENTENCE, numbered, relations, clusters, "خبر-1", stamp, "isnad-test")


# text and mentions


def test_page_shows_text_unchanged_and_nests_mentions(document):
    block = text_block(to_html([document]))
    assert block.text == SENTENCE
    marks = block.all("mark")
    assert [m.text for m in marks] == [e.text for e in document.entities]
    assert [m.attributes["data-label"] for m in marks] == [e.label for e in document.entities]
    assert marks[1].parent is marks[0]  # فيلق القدس inside the role
    assert all(m.parent is block for m in (marks[0], *marks[2:]))
    assert "--height:1" in marks[0].attributes["style"]
    assert block.attributes["dir"] == "rtl"


def test_articles_are_shown_whole(articles):
    root = parse(to_html(articles, schema=SCHEMA))
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


def test_tooltip_gives_name_score_and_cluster(document):
    title = text_block(to_html([document])).all("mark")[2].attributes["title"]
    assert title.split("\n") == [
        "\u2068إسماعيل قاآني\u2069 · PERS",
        "score 0.99",
        "cluster 0, 2 mentions",
        f"T3 [{SENTENCE.index('إسماعيل')}:{SENTENCE.index(' بغداد')}]",
    ]


def test_crossing_spans_are_cut_not_lost():
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


def test_same_span_with_two_labels_is_drawn_twice():
    text = "السفارة الأمريكية"
    marks = text_block(
        to_html([Document(text, [mention(text, text, "FAC", "T1"), mention(text, text, "ORG", "T2")])])
    ).all("mark")
    assert [m.attributes["data-label"] for m in marks] == ["FAC", "ORG"]
    assert marks[1].parent is marks[0]


def test_elided_clitic_stays_joined_to_its_word():
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
def test_unusual_arabic_keeps_its_offsets(text, part, label):
    block = text_block(to_html([Document(text, [mention(text, part, label, "T1")])]))
    assert block.text == text
    assert [m.text for m in block.all("mark")] == [part]


def test_line_breaks_of_every_system_survive_once():
    text = "بغداد\r\nطهران\rبيروت\n"
    entities = [mention(text, "بغداد\r", "GPE", "T1"), mention(text, "بيروت", "GPE", "T2")]
    block = text_block(to_html([Document(text, entities)]))
    assert block.text == "بغداد\nطهران\nبيروت\n"


def test_unencodable_and_control_characters_are_replaced():
    text = "قبل \ud800 بعد \x00\x1b[31m بغداد"
    doc = Document(text, [mention(text, "بغداد", "GPE\udfff", "T\ud83d")], id="\udc00", model="م\x07")
    page = to_html([doc])
    page.encode("utf-8")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f]", page)
    assert text_block(page).text == printable(text) == "قبل \ufffd بعد \ufffd\ufffd[31m بغداد"


def test_bidi_controls_stay_in_their_block():
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


def test_latin_document_runs_from_left_to_right():
    assert text_block(to_html([Document("Visit to Baghdad")])).attributes["dir"] == "ltr"


def test_document_without_entities_or_text():
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


# relations, clusters, legend, contents


def test_relations_are_a_table_with_both_ends(document):
    root = parse(to_html([document]))
    rows = root.all("tr", tabindex="0")
    cells = [[c.text.split("\xa0")[0] for c in row.all("td")] for row in rows]
    assert cells[2] == ["إسماعيل قاآني", "←visited", "بغداد", "0.87"]
    assert rows[2].attributes["data-ends"] == "2 3"
    assert "GPE" in rows[2].text and "PERS" in rows[2].text


def test_gold_has_no_score_column(articles):
    root = parse(to_html(articles[:1]))
    assert {len(row.all("td")) for row in root.all("tr", tabindex="0")} == {3}
    assert "score" not in root.all("thead")[0].text


def test_schema_adds_descriptions_and_symmetry(document):
    root = parse(to_html([document], schema=SCHEMA))
    arrows = {r.all("span", class_="isnad-rel")[0].text: r.all("span", class_="isnad-arrow")[0].text
              for r in root.all("tr", tabindex="0")}  # fmt: skip
    assert arrows["met_with"] == "↔" and arrows["visited"] == "←"
    (key,) = [b for b in root.all("button") if b.attributes["data-label"] == "PERS"]
    assert SCHEMA.entities[SCHEMA.entity_index["PERS"]].ar in key.attributes["title"]


def test_clusters_list_all_names(document):
    (item,) = parse(to_html([document])).all("li", tabindex="0")
    assert item.attributes["data-group"] == "0"
    assert item.text.startswith("إسماعيل قاآني") and "×2" in item.text
    assert "قاآني ×1" in item.text.replace("إسماعيل قاآني ×1", "")


def test_legend_counts_labels(document):
    buttons = parse(to_html([document])).all("button")
    assert [b.text for b in buttons] == ["PERS 3", "GPE 2", "OCC 1", "ORG 1"]


def test_several_documents_have_a_table_of_contents(document):
    other = Document("طهران والعواصم.\nسطر ثان")
    root = parse(to_html([document, other], title="خبران"))
    targets = [a.attributes["href"].removeprefix("#") for a in root.all("a")]
    assert targets == [e.attributes["id"] for e in root.all("article")] == ["doc-1", "doc-2"]
    (contents,) = root.all("nav")
    assert "خبر-1" in contents.text and "وثيقة 2" in contents.text
    assert "طهران والعواصم." in contents.text and "سطر ثان" not in contents.text
    assert root.all("title")[0].text == "خبران"
    assert not parse(to_html([document])).all("nav")


# safety

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&lt;$title"


def hostile_document() -> Document:
    text = f"قال {HOSTILE} بغداد </div></style>"
    entities = [
        Entity(HOSTILE, 4, 4 + len(HOSTILE), HOSTILE, HOSTILE, HOSTILE, 0.5, 0),
        mention(text, "بغداد", HOSTILE + "2", "T2"),
    ]
    return Document(
        text,
        entities,
        [Relation(HOSTILE, HOSTILE, "T2", 0.4)],
        [(HOSTILE, "T2")],
        HOSTILE,
        {"name": HOSTILE, "version": HOSTILE, "hash": HOSTILE},
        HOSTILE,
    )


@pytest.mark.parametrize("full_page", [True, False])
def test_hostile_fields_are_only_text(full_page):
    document = hostile_document()
    root = parse(to_html([document, document], full_page=full_page, title=HOSTILE))
    assert [b.text for b in root.all("div", class_="isnad-text")] == [document.text] * 2
    assert len(root.all("script")) == 1 and not root.all("img")
    for element in root.all():
        assert not [a for a in element.attributes if a.startswith("on") or a in {"src", "srcset"}]
        assert re.fullmatch(r"#doc-\d+|", element.attributes.get("href", ""))
    assert {m.attributes["data-label"] for m in root.all("mark")} == {HOSTILE, HOSTILE + "2"}
    for part in ("h2" if full_page else "summary", "tr", "button"):
        assert HOSTILE in root.all(part)[-1].text


def test_page_needs_no_network_and_allows_only_its_own_script(document):
    page = to_html([document])
    assert not re.search(r"https?:|//\w+\.|@import|url\(|<link|<iframe|<object", page)
    root = parse(page)
    (policy,) = [m.attributes["content"] for m in root.all("meta") if "http-equiv" in m.attributes]
    (script,) = root.all("script")
    digest = base64.b64encode(hashlib.sha256(script.text.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy and "default-src 'none'" in policy
    html_tag = root.all("html")[0].attributes
    assert html_tag["dir"] == "rtl" and html_tag["lang"] == "ar"


@pytest.mark.parametrize("count", [1, 2])
def test_fragments_can_share_a_page(document, count):
    fragment = to_html([document] * count, full_page=False)
    root = parse(fragment)
    assert not [e for e in root.all() if "id" in e.attributes]
    assert not {"html", "head", "body", "h1", "meta"} & {e.tag for e in root.all()}
    assert [c.tag for c in root.children if isinstance(c, Element)] == ["div"]
    assert len(root.all("details")) == (0 if count == 1 else count)
    assert document._repr_html_() == to_html([document], full_page=False)


def test_style_is_scoped():
    css = re.sub(r"/\*.*?\*/", "", (ROOT / "model/render/viewer.css").read_text(encoding="utf-8"), flags=re.S)
    css = re.sub(r"@(container|media)[^{]*\{", "", css)
    selectors = [s.strip() for s in re.findall(r"([^{}]+)\{", css)]
    assert len(selectors) > 30
    for selector in selectors:
        for one in re.split(r",(?![^(]*\))", selector):
            assert ".isnad.isnad" in one, one
