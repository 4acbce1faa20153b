"""Documents as knowledge graphs: networkx, GraphML, JSON-LD and plain triples."""

import json
from collections.abc import Collection
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..document import Document, Entity
from ..errors import ModelError
from .characters import printable
from .things import Statement, Thing, things_and_statements

if TYPE_CHECKING:
    import networkx


def to_graph(document: Document, *, symmetric: Collection[str] | None = None) -> "networkx.MultiDiGraph":
    """Return the knowledge graph of a document.

    Nodes are the clusters and the mentions outside any cluster; the key of a node is the document's id, `#`
    and the id of its first mention, so it is the same in every run and the graphs of a collection can be
    united with `networkx.compose_all` without confusing two documents. Edges are the distinct relations
    between nodes, keyed by their label. Every attribute is a string, a number or a truth value, as GraphML
    demands:

    - node: `name` (the longest), `names` (JSON list), `label`, `score` (the best), `count` and `mentions`
      (JSON list of id, start, end, text, score);
    - edge: `label`, `score` (the best), `count`, `evidence` (JSON list of head and tail mention ids with
      their offsets and score) and, if `symmetric` is given, the truth value `symmetric`.

    Args:
        document: any document.
        symmetric: names of the symmetric relations of its schema. Two statements of one of them, A to B and
            B to A, become one edge, from the node that is mentioned first.

    Raises:
        ModelError: networkx is not installed.
    """
    try:
        import networkx
    except ImportError as error:
        raise ModelError("graphs need networkx, which is not installed; pip install isnad[graph]") from error
    nodes, edges = things_and_statements(document, symmetric)
    graph = networkx.MultiDiGraph(
        id=printable(document.id),
        model=printable(document.model),
        schema=json.dumps(
            {printable(k): printable(v) for k, v in document.schema.items()}, ensure_ascii=False
        ),
    )
    for node in nodes:
        graph.add_node(
            node.id,
            name=node.name,
            names=json.dumps(node.names, ensure_ascii=False),
            label=node.label,
            score=node.score,
            count=len(node.mentions),
            mentions=json.dumps([_mention(m) for m in node.mentions], ensure_ascii=False),
        )
    for edge in edges:
        attributes: dict[str, Any] = {
            "label": edge.label,
            "score": edge.score,
            "count": len(edge.evidence),
            "evidence": json.dumps(_evidence(edge), ensure_ascii=False),
        }
        if edge.symmetric is not None:
            attributes["symmetric"] = edge.symmetric
        graph.add_edge(edge.head.id, edge.tail.id, key=edge.label, **attributes)
    return graph


def to_graphml(document: Document, *, symmetric: Collection[str] | None = None) -> str:
    """Return `to_graph` as GraphML text, for Gephi, Cytoscape, yEd and the like; write it as UTF-8.

    Raises:
        ModelError: networkx is not installed.
    """
    graph = to_graph(document, symmetric=symmetric)
    import networkx

    buffer = BytesIO()
    networkx.write_graphml_xml(graph, buffer, encoding="utf-8")
    return buffer.getvalue().decode("utf-8") + "\n"


def to_triples(document: Document, *, symmetric: Collection[str] | None = None) -> list[dict[str, Any]]:
    """Return the distinct relations between things as plain rows, in text order; needs no networkx.

    Each row has `head`, `head_id`, `head_label`, `relation`, `tail`, `tail_id`, `tail_label`, `score` (the
    best), `count` and `evidence` (as in `to_graph`, but a list), and `symmetric` if it was given.
    """
    rows = []
    for edge in things_and_statements(document, symmetric)[1]:
        row: dict[str, Any] = {
            "head": edge.head.name,
            "head_id": edge.head.id,
            "head_label": edge.head.label,
            "relation": edge.label,
            "tail": edge.tail.name,
            "tail_id": edge.tail.id,
            "tail_label": edge.tail.label,
            "score": edge.score,
            "count": len(edge.evidence),
            "evidence": _evidence(edge),
        }
        if edge.symmetric is not None:
            row["symmetric"] = edge.symmetric
        rows.append(row)
    return rows


def to_jsonld(
    document: Document, *, base: str = "urn:isnad:", symmetric: Collection[str] | None = None
) -> dict[str, Any]:
    """Return the knowledge graph as JSON-LD 1.1; needs no networkx.

    Things are typed by their entity label and carry the relations as properties; each relation is stated a
    second time as an `rdf:Statement` (RDF Schema 1.1, section 5.3) with its score, count and evidence,
    because a plain triple has no room for them. A symmetric relation is a property of both its ends.

    Args:
        document: any document.
        base: where the identifiers live: things at `{base}{document id}#{mention id}`, entity types at
            `{base}type/{label}`, relations at `{base}relation/{label}`, our own terms at `{base}term/`.
            Set it to an address of yours to publish linked data.
        symmetric: as for `to_graph`.
    """
    nodes, edges = things_and_statements(document, symmetric)
    things: dict[str, dict[str, Any]] = {}
    for node in nodes:
        things[node.id] = {
            "@id": _iri(base, document, node),
            "@type": "type:" + quote(node.label, safe=""),
            "name": node.name,
            "alternateName": [n for n in node.names if n != node.name],
            "score": node.score,
            "mention": [{"@type": "Mention", **_mention(m)} for m in node.mentions],
        }
    statements = []
    for edge in edges:
        predicate = "relation:" + quote(edge.label, safe="")
        head, tail = things[edge.head.id], things[edge.tail.id]
        directions = [(head, tail), (tail, head)] if edge.symmetric and head is not tail else [(head, tail)]
        for subject, other in directions:
            subject.setdefault(predicate, []).append({"@id": other["@id"]})
        statements.append(
            {
                "@type": "rdf:Statement",
                "rdf:subject": {"@id": head["@id"]},
                "rdf:predicate": {"@id": predicate},
                "rdf:object": {"@id": tail["@id"]},
                "score": edge.score,
                "count": len(edge.evidence),
                "evidence": [{"@type": "Evidence", **e} for e in _evidence(edge)],
            }
        )
    return {
        "@context": {
            "@version": 1.1,
            "@vocab": f"{base}term/",
            "type": {"@id": f"{base}type/", "@prefix": True},
            "relation": {"@id": f"{base}relation/", "@prefix": True},
            "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
            "name": "http://schema.org/name",
            "alternateName": "http://schema.org/alternateName",
        },
        "@graph": [*things.values(), *statements],
    }


def _iri(base: str, document: Document, thing: Thing) -> str:
    name = printable(document.id)
    mention = thing.id.removeprefix(f"{name}#") if name else thing.id
    return f"{base}{quote(name, safe='') or 'document'}#{quote(mention, safe='')}"


def _mention(entity: Entity) -> dict[str, Any]:
    return {
        "id": printable(entity.id),
        "start": entity.start,
        "end": entity.end,
        "text": printable(entity.text),
        "score": round(float(entity.score), 4),
    }


def _evidence(edge: Statement) -> list[dict[str, Any]]:
    return [
        {
            "head": printable(head.id),
            "head_start": head.start,
            "head_end": head.end,
            "tail": printable(tail.id),
            "tail_start": tail.start,
            "tail_end": tail.end,
            "score": round(score, 4),
        }
        for head, tail, score in edge.evidence
    ]
