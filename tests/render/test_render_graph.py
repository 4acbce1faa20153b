"""Rendering as a knowledge graph: networkx, GraphML, JSON-LD, triples."""

import io
import json
import sys
from xml.etree import ElementTree

import networkx
import pytest
from isnad.model.document import Document, Entity, Relation, number_clusters
from isnad.model.errors import ModelError
from isnad.model.render.graph import to_graph, to_graphml, to_jsonld, to_triples
from isnad.model.text import make_entity

SYMMETRIC = ["met_with", "conflict_with", "relative_of"]
TEXT = "التقى قاآني حسن نصرالله في بيروت. ثم التقى حسن نصر الله إسماعيل قاآني في بيروت."


def spans(text: str, *parts: tuple[str, str]) -> list[Entity]:
    found, at = [], 0
    for number, (part, label) in enumerate(parts, 1):
        at = text.index(part, at)
        found.append(make_entity(text, at, at + len(part), label, id=f"T{number}", score=1 - number / 100))
        at += len(part)
    return found


@pytest.fixture
def document() -> Document:
    entities = spans(
        TEXT, ("قاآني", "PERS"), ("حسن نصرالله", "PERS"), ("بيروت", "GPE"),
        ("حسن نصر الله", "PERS"), ("إسماعيل قاآني", "PERS"), ("بيروت", "GPE"),
    )  # fmt: skip
    numbered, clusters = number_clusters(entities, [["T1", "T5"], ["T2", "T4"]])
    relations = [
        Relation("T1", "met_with", "T2", 0.7),
        Relation("T1", "visited", "T3", 0.8),
        Relation("T4", "met_with", "T5", 0.9),
    ]
    return Document(TEXT, numbered, relations, clusters, "خبر 1", {"name": "wojood"}, "isnad-test")


def test_nodes_are_clusters_and_lone_mentions(document):
    graph = to_graph(document)
    # The two mentions of بيروت are no cluster here, so they stay apart.
    assert list(graph) == ["خبر 1#T1", "خبر 1#T2", "خبر 1#T3", "خبر 1#T6"]
    node = graph.nodes["خبر 1#T1"]
    assert node["name"] == "إسماعيل قاآني" and node["label"] == "PERS" and node["count"] == 2
    assert json.loads(node["names"]) == ["قاآني", "إسماعيل قاآني"]
    assert node["score"] == 0.99
    for mention in json.loads(node["mentions"]):
        assert TEXT[mention["start"] : mention["end"]] == mention["text"]
    assert graph.graph["id"] == "خبر 1" and json.loads(graph.graph["schema"]) == {"name": "wojood"}


def test_edges_keep_best_score_and_evidence(document):
    graph = to_graph(document)
    assert isinstance(graph, networkx.MultiDiGraph)
    assert set(graph.edges(keys=True)) == {
        ("خبر 1#T1", "خبر 1#T2", "met_with"),
        ("خبر 1#T1", "خبر 1#T3", "visited"),
        ("خبر 1#T2", "خبر 1#T1", "met_with"),
    }
    assert "symmetric" not in graph.edges["خبر 1#T1", "خبر 1#T2", "met_with"]


def test_symmetric_statements_become_one_edge(document):
    graph = to_graph(document, symmetric=SYMMETRIC)
    edge = graph.edges["خبر 1#T1", "خبر 1#T2", "met_with"]
    assert graph.number_of_edges() == 2
    assert edge["count"] == 2 and edge["score"] == 0.9 and edge["symmetric"] is True
    assert graph.edges["خبر 1#T1", "خبر 1#T3", "visited"]["symmetric"] is False
    evidence = json.loads(edge["evidence"])
    assert [(e["head"], e["tail"], e["score"]) for e in evidence] == [("T1", "T2", 0.7), ("T5", "T4", 0.9)]
    assert TEXT[evidence[1]["head_start"] : evidence[1]["head_end"]] == "إسماعيل قاآني"
    assert TEXT[evidence[1]["tail_start"] : evidence[1]["tail_end"]] == "حسن نصر الله"


def test_articles_lose_nothing(articles):
    for doc in articles:
        graph = to_graph(doc, symmetric=SYMMETRIC)
        mentions = [m["id"] for _, data in graph.nodes(data=True) for m in json.loads(data["mentions"])]
        assert sorted(mentions) == sorted(e.id for e in doc.entities)
        clustered = sum(len(c) for c in doc.clusters)
        assert len(graph) == len(doc.clusters) + len(doc.entities) - clustered
        stated = sum(data["count"] for _, _, data in graph.edges(data=True))
        assert stated == len(doc.relations) and graph.number_of_edges() <= stated
    union = networkx.compose_all([to_graph(d) for d in articles])
    assert len(union) == sum(len(to_graph(d)) for d in articles)


def same(one: networkx.MultiDiGraph, other: networkx.MultiDiGraph) -> bool:
    return dict(one.nodes(data=True)) == dict(other.nodes(data=True)) and list(
        one.edges(keys=True, data=True)
    ) == list(other.edges(keys=True, data=True))


def test_graphml_is_read_back_equal(articles, tmp_path):
    for doc in articles:
        graph = to_graph(doc, symmetric=SYMMETRIC)
        path = tmp_path / "graph.graphml"
        path.write_text(to_graphml(doc, symmetric=SYMMETRIC), encoding="utf-8")
        assert "قاآني" in path.read_text(encoding="utf-8")  # Arabic as it is, not as character references
        assert same(networkx.read_graphml(path, force_multigraph=True), graph)
        networkx.write_graphml(graph, tmp_path / "own.graphml")
        assert same(networkx.read_graphml(tmp_path / "own.graphml", force_multigraph=True), graph)
        keys = [k.get("id") for k in ElementTree.parse(path).getroot().iter() if k.tag.endswith("}key")]
        assert len(keys) == len(set(keys))  # XML ids are unique


def test_hostile_and_unprintable_fields(tmp_path):
    bad = "<a&\"'>\x00\x1b\ud800\ufffe@id"
    text = f"قال {bad} ثم {bad}"
    ids = ["\ud800", "\ud801"]
    starts = (4, text.rindex(bad))
    entities = [Entity(i, s, s + len(bad), bad, bad, bad) for i, s in zip(ids, starts, strict=True)]
    doc = Document(text, entities, [Relation(ids[0], bad, ids[1])], (), bad, {bad: bad}, bad)
    graph = to_graph(doc, symmetric=[bad])
    assert len(graph) == 2 and graph.number_of_edges() == 1
    path = tmp_path / "bad.graphml"
    path.write_text(to_graphml(doc), encoding="utf-8")
    assert set(networkx.read_graphml(path)) == set(graph)
    json.dumps(to_jsonld(doc), ensure_ascii=False).encode("utf-8")
    json.dumps(to_triples(doc), ensure_ascii=False).encode("utf-8")


def test_triples(document):
    rows = to_triples(document, symmetric=SYMMETRIC)
    assert [(r["head"], r["relation"], r["tail"], r["count"]) for r in rows] == [
        ("إسماعيل قاآني", "met_with", "حسن نصر الله", 2),
        ("إسماعيل قاآني", "visited", "بيروت", 1),
    ]
    assert rows[0]["head_id"] == "خبر 1#T1" and rows[0]["tail_label"] == "PERS"
    assert rows[0]["symmetric"] is True and len(rows[0]["evidence"]) == 2
    assert "symmetric" not in to_triples(document)[0]
    assert to_triples(Document("لا شيء")) == []


def test_jsonld(document):
    data = to_jsonld(document, base="https://example.org/kg/", symmetric=SYMMETRIC)
    assert json.loads(json.dumps(data)) == data
    things = {t["@id"]: t for t in data["@graph"] if t["@type"].startswith("type:")}
    base = "https://example.org/kg/%D8%AE%D8%A8%D8%B1%201#"
    assert list(things) == [base + i for i in ("T1", "T2", "T3", "T6")]
    first = things[base + "T1"]
    assert first["name"] == "إسماعيل قاآني" and first["alternateName"] == ["قاآني"]
    assert first["@type"] == "type:PERS"
    assert first["relation:met_with"] == [{"@id": base + "T2"}]
    assert things[base + "T2"]["relation:met_with"] == [{"@id": base + "T1"}]  # symmetric: both ways
    assert "relation:visited" not in things[base + "T3"]
    statements = [s for s in data["@graph"] if s["@type"] == "rdf:Statement"]
    assert [s["count"] for s in statements] == [2, 1]
    assert statements[0]["rdf:predicate"] == {"@id": "relation:met_with"}
    for subject in statements:
        assert {subject["rdf:subject"]["@id"], subject["rdf:object"]["@id"]} <= set(things)


def test_jsonld_of_a_nameless_document():
    doc = Document("بغداد", spans("بغداد", ("بغداد", "GPE")))
    (thing,) = to_jsonld(doc)["@graph"]
    assert thing["@id"] == "urn:isnad:document#T1"


def test_without_networkx(document, monkeypatch):
    monkeypatch.setitem(sys.modules, "networkx", None)
    for make in (to_graph, to_graphml):
        with pytest.raises(ModelError, match=r"pip install isnad\[graph\]"):
            make(document)
    assert len(to_triples(document)) == 3 and to_jsonld(document)["@graph"]


def test_document_method(document):
    assert same(document.to_graph(), to_graph(document))
    assert networkx.read_graphml(io.BytesIO(to_graphml(Document("")).encode())).number_of_nodes() == 0
