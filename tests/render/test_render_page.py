"""Tables, clusters, legend and contents of an HTML page, and hostile fields that stay text."""

import base64
import hashlib
import re

import pytest
from isnad.model.document import Document, Entity, Relation
from isnad.model.render.html import to_html
from isnad.model.text import make_entity

# relations, clusters, legend, contents


def test_relations_are_a_table_with_both_ends(document, parse):
    root = parse(to_html([document]))
    rows = root.all("tr", tabindex="0")
    cells = [[c.text.split("\xa0")[0] for c in row.all("td")] for row in rows]
    assert cells[2] == ["إسماعيل قاآني", "←visited", "بغداد", "0.87"]
    assert rows[2].attributes["data-ends"] == "2 3"
    assert "GPE" in rows[2].text and "PERS" in rows[2].text


def test_gold_has_no_score_column(articles, parse):
    root = parse(to_html(articles[:1]))
    assert {len(row.all("td")) for row in root.all("tr", tabindex="0")} == {3}
    assert "score" not in root.all("thead")[0].text


def test_schema_adds_descriptions_and_symmetry(document, parse, schema):
    root = parse(to_html([document], schema=schema))
    arrows = {r.all("span", class_="isnad-rel")[0].text: r.all("span", class_="isnad-arrow")[0].text
              for r in root.all("tr", tabindex="0")}  # fmt: skip
    assert arrows["met_with"] == "↔" and arrows["visited"] == "←"
    (key,) = [b for b in root.all("button") if b.attributes["data-label"] == "PERS"]
    assert schema.entities[schema.entity_index["PERS"]].ar in key.attributes["title"]


def test_clusters_list_all_names(document, parse):
    (item,) = parse(to_html([document])).all("li", tabindex="0")
    assert item.attributes["data-group"] == "0"
    assert item.text.startswith("إسماعيل قاآني") and "×2" in item.text
    assert "قاآني ×1" in item.text.replace("إسماعيل قاآني ×1", "")


def test_legend_counts_labels(document, parse):
    buttons = parse(to_html([document])).all("button")
    assert [b.text for b in buttons] == ["PERS 3", "GPE 2", "OCC 1", "ORG 1"]


def test_several_documents_have_a_table_of_contents(document, parse):
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
        make_entity(text, text.index("بغداد"), text.index("بغداد") + 5, HOSTILE + "2", id="T2"),
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
def test_hostile_fields_are_only_text(full_page, parse):
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


def test_page_needs_no_network_and_allows_only_its_own_script(document, parse):
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
def test_fragments_can_share_a_page(document, count, parse):
    fragment = to_html([document] * count, full_page=False)
    root = parse(fragment)
    assert not [e for e in root.all() if "id" in e.attributes]
    assert not {"html", "head", "body", "h1", "meta"} & {e.tag for e in root.all()}
    assert [c.tag for c in root.children if not isinstance(c, str)] == ["div"]
    assert len(root.all("details")) == (0 if count == 1 else count)
    assert document._repr_html_() == to_html([document], full_page=False)


def test_style_is_scoped(document):
    fragment = to_html([document], full_page=False)
    (css,) = re.findall(r"<style>(.*)</style>", fragment, re.S)
    assert "isnad-page" not in fragment.replace(css, "")  # the class of whole pages, which a fragment has not
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.S)
    css = re.sub(r"@(container|media)[^{]*\{", "", css)
    selectors = [s.strip() for s in re.findall(r"([^{}]+)\{", css)]
    assert len(selectors) > 30
    for selector in selectors:
        for one in re.split(r",(?![^(]*\))", selector):
            assert ".isnad.isnad" in one or one.strip() == ".isnad-page", one
