"""Rendering for terminals and spreadsheets: summary, rich tables, CSV."""

import csv
import io
import re

import pytest
from isnad.model.document import Document, Entity, Relation, number_clusters
from isnad.model.render.summary import summary
from isnad.model.render.table import (
    Cell,
    cluster_table,
    entity_table,
    relation_table,
    relations_to_csv,
    to_csv,
)
from isnad.model.text import make_entity
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

RTL = re.compile("[\u0590-\u08ff\ufb50-\ufdff\ufe70-\ufefc]")
BORDER = re.compile("[│┃]")


def build(text: str, *parts: tuple[str, str], groups=(), relations=(), **fields) -> Document:
    entities = []
    for number, (part, label) in enumerate(parts, 1):
        start = text.index(part)
        entities.append(make_entity(text, start, start + len(part), label, id=f"T{number}"))
    numbered, clusters = number_clusters(entities, groups)
    return Document(text, numbered, relations, clusters, **fields)


def lines(table: Table, width: int = 100) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    console.print(table)
    return re.sub(r"\x1b\[[0-9;]*m", "", console.file.getvalue()).splitlines()


def rows(table: Table, width: int = 100) -> list[list[str]]:
    """Cells of the body, marks taken away."""
    return [
        [re.sub("[\u200e\u2068\u2069]", "", c).strip() for c in line.split("│")[1:-1]]
        for line in lines(table, width)
        if "│" in line
    ]


# summary


def test_summary_counts_and_names():
    text = "زار قاآني العراق، ثم عاد قاآني إلى طهران"
    doc = build(text, ("قاآني", "PERS"), ("العراق", "GPE"), ("طهران", "GPE"), id="خبر")
    expected = f"Document(خبر: {len(text)} characters, 3 entities, 0 relations, 0 clusters: "
    assert summary(doc) == repr(doc) == expected + "قاآني|PERS, العراق|GPE, طهران|GPE)"


def test_summary_is_short_distinct_and_one_line():
    text = "بغداد\n" * 7 + "الشرق\nالأوسط 1 2 3 4 5 6 7 \ud800 \u202e"
    repeated = [make_entity(text, 6 * i, 6 * i + 5, "GPE", id=f"T{i}") for i in range(7)]
    place = make_entity(text, 42, 42 + len("الشرق\nالأوسط"), "LOC", id="L")
    digits = [make_entity(text, i, i + 1, "CARDINAL", id=f"C{i}") for i in range(55, 69, 2)]
    shown = summary(Document(text, [*repeated, place, *digits]))
    assert shown.count("بغداد|GPE") == 1 and shown.endswith(", …)")
    assert "الشرق الأوسط|LOC" in shown
    shown.encode("utf-8")
    assert len(shown.splitlines()) == 1 and len(shown) < 250


def test_summary_without_entities():
    assert summary(Document("")) == "Document(0 characters, 0 entities, 0 relations, 0 clusters)"
    one = build("بغداد", ("بغداد", "GPE"))
    assert summary(one) == "Document(5 characters, 1 entity, 0 relations, 0 clusters: بغداد|GPE)"


# tables


@pytest.mark.parametrize("width", [60, 80, 140])
def test_borders_stay_in_line(articles, width):
    for doc in articles:
        for make in (entity_table, relation_table, cluster_table):
            body = [line for line in lines(make(doc), width) if BORDER.search(line)]
            columns = {tuple(cell_len(line[: m.start()]) for m in BORDER.finditer(line)) for line in body}
            assert len(columns) == 1, (doc.id, make.__name__)
            assert max(cell_len(line) for line in body) <= width


@pytest.mark.parametrize("width", [60, 140])
def test_every_arabic_cell_keeps_its_direction_to_itself(articles, width):
    seen = 0
    for doc in articles:
        for line in [
            x for make in (entity_table, relation_table, cluster_table) for x in lines(make(doc), width)
        ]:
            for cell in BORDER.split(line):
                if RTL.search(cell):
                    seen += 1
                    inner = cell.strip()
                    assert inner.startswith("\u200e") and inner.endswith("\u200e"), line
                    assert inner.count("\u2068") == inner.count("\u2069") <= 1
                    if re.search("[A-Za-z0-9]", inner):
                        assert inner[1] == "\u2068" and inner[-2] == "\u2069"
                else:
                    assert not re.search("[\u200e\u2066-\u2069]", cell)
    assert seen > 500


def test_combining_marks_and_emoji_take_the_right_columns():
    table = Table()
    table.add_column("name")
    table.add_column("n")
    names = [
        "مُحَمَّدٌ",
        "فيلـــق",
        "قاآني",
        "👨‍👩‍👧 عائلة",
        "ﻗﺎل",
        "نيويورك تايمز (NYT)",
        "\u202eبغداد",
        "ب\u200d",
    ]
    for name in names:
        table.add_row(Cell(name), "٢٠٢٠")
    body = [line for line in lines(table) if "│" in line]
    assert len({tuple(cell_len(x[: m.start()]) for m in BORDER.finditer(x)) for x in body}) == 1
    assert "\u202e" not in "".join(body)


def test_control_characters_and_markup_are_harmless():
    text = "قال \x1b[31mبغداد\x07[bold]\nطهران\ud800"
    doc = Document(text, [Entity("T1", 4, len(text), "G\x1bPE", text[4:], text[4:])], id="\x1b")
    out = "\n".join(lines(entity_table(doc), 120))
    out.encode("utf-8")
    assert "\x1b" not in out and "\x07" not in out
    assert "[bold] طهران" in out


def test_entity_table_rows():
    text = "قائد فيلق القدس في العراق"
    doc = build(
        text, ("قائد فيلق القدس", "OCC"), ("فيلق القدس", "ORG"), ("القدس", "GPE"), ("العراق", "GPE"),
        groups=[["T3", "T4"]],
    )  # fmt: skip
    assert rows(entity_table(doc)) == [
        ["T1", "قائد فيلق القدس", "OCC", "0", "15", "1.00", "", ""],
        ["T2", "فيلق القدس", "ORG", "5", "15", "1.00", "", "T1"],
        ["T3", "القدس", "GPE", "10", "15", "1.00", "0", "T2"],
        ["T4", "العراق", "GPE", "19", "25", "1.00", "0", ""],
    ]


def test_relation_and_cluster_rows():
    text = "زار إسماعيل قاآني بغداد وقال قاآني"
    doc = build(
        text, ("إسماعيل قاآني", "PERS"), ("بغداد", "GPE"), relations=[Relation("T1", "visited", "T2", 0.875)]
    )
    last = make_entity(text, text.rindex("قاآني"), len(text), "PERS", id="T3")
    entities, clusters = number_clusters([*doc.entities, last], [["T1", "T3"]])
    doc = Document(text, entities, doc.relations, clusters)
    assert rows(relation_table(doc)) == [["إسماعيل قاآني", "PERS", "visited", "بغداد", "GPE", "0.88"]]
    assert rows(cluster_table(doc)) == [["0", "إسماعيل قاآني", "PERS", "2", "إسماعيل قاآني ×1، قاآني ×1"]]
    for table in (entity_table(Document("")), relation_table(Document("")), cluster_table(Document(""))):
        assert rows(table) == [] and "(0)" in lines(table)[0]


def test_crossing_and_equal_spans_have_an_enclosing_mention():
    text = "مطار بغداد الدولي"
    doc = build(text, (text, "FAC"), (text, "ORG"), ("مطار بغداد", "LOC"), ("بغداد الدولي", "GPE"))
    assert [r[-1] for r in rows(entity_table(doc))] == ["", "T1", "T2", "T2"]


# csv


def test_csv_can_be_read_back(articles):
    found = list(csv.DictReader(io.StringIO(to_csv(articles), newline="")))
    expected = [(d, e) for d in articles for e in d.entities]
    assert len(found) == len(expected)
    for row, (doc, entity) in zip(found, expected, strict=True):
        assert row["doc"] == doc.id and row["id"] == entity.id and row["label"] == entity.label
        assert doc.text[int(row["start"]) : int(row["end"])] == row["text"] == entity.text
        assert row["name"] == entity.name and float(row["score"]) == entity.score
        assert row["cluster"] == ("" if entity.cluster is None else str(entity.cluster))
        assert (int(row["word_start"]), int(row["word_end"])) == (entity.word_start, entity.word_end)


def test_relations_csv_can_be_read_back(articles):
    found = list(csv.DictReader(io.StringIO(relations_to_csv(articles), newline="")))
    expected = [(d, r) for d in articles for r in d.relations]
    assert len(found) == len(expected)
    for row, (doc, relation) in zip(found, expected, strict=True):
        assert (row["doc"], row["head"], row["relation"], row["tail"]) == (
            *(doc.id, relation.head, relation.label, relation.tail),
        )
        for side in ("head", "tail"):
            entity = doc.entity(row[side])
            assert (row[f"{side}_name"], row[f"{side}_label"]) == (entity.name, entity.label)
            assert doc.text[int(row[f"{side}_start"]) : int(row[f"{side}_end"])] == entity.text


def test_csv_quotes_what_needs_it():
    text = 'قال "نعم"، ثم\r\nلا, انتهى \ud800'
    doc = Document(text, [make_entity(text, 0, len(text), "EVENT", id="T1")])
    out = to_csv([doc])
    out.encode("utf-8")
    (row,) = csv.DictReader(io.StringIO(out, newline=""))
    assert row["text"] == text.replace("\ud800", "\ufffd")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
def test_formulas_are_guarded_for_spreadsheets_only(start):
    text = f"{start}HYPERLINK(1)"
    doc = Document(text, [Entity("T1", 0, len(text), "WEBSITE", text, text, word_start=-1)])
    for exact, guarded in ((to_csv([doc]), to_csv([doc], spreadsheet=True)),):
        (row,) = csv.DictReader(io.StringIO(exact, newline=""))
        assert row["text"] == text
        assert guarded.startswith("\ufeffdoc,")
        (row,) = csv.DictReader(io.StringIO(guarded, newline=""))
        assert row["text"] == row["name"] == "'" + text
        assert row["word_start"] == "-1"  # numbers are not text


def test_csv_of_nothing_has_a_header():
    assert to_csv([]) == "doc,id,start,end,label,text,name,score,cluster,word_start,word_end\n"
    assert relations_to_csv([Document("")]).count("\n") == 1
