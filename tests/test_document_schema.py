"""The JSON Schema of `Document.to_dict()`: what it admits, what it refuses, and that both readers agree."""

import copy
import json
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from isnad.model.document import FORMAT_VERSION, Document, Relation, number_clusters
from isnad.model.errors import DataError
from isnad.model.text import make_entity
from isnad.training.data import read_documents

LAYOUT = json.loads(files("isnad.model.render").joinpath("document.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(LAYOUT)


@pytest.fixture
def data() -> dict[str, Any]:
    text = "زار إسماعيل قاآني بغداد للقاء قاآني"
    entities = [
        make_entity(text, 4, 17, "PERS", id="T1", score=0.98765),
        make_entity(text, 18, 23, "GPE", id="T2", score=0.5),
        make_entity(text, 30, 35, "PERS", id="T3"),
    ]
    numbered, clusters = number_clusters(entities, [["T1", "T3"]])
    relations = [Relation("T1", "visited", "T2", 0.75)]
    return Document(text, numbered, relations, clusters, "d", {"name": "wojood"}, "m").to_dict()


def test_layout_is_a_schema_and_describes_every_field(data):
    jsonschema.Draft202012Validator.check_schema(LAYOUT)
    assert LAYOUT["properties"]["format_version"]["const"] == FORMAT_VERSION
    assert set(LAYOUT["properties"]) == set(data)
    assert set(LAYOUT["$defs"]["entity"]["properties"]) == set(data["entities"][0])
    assert set(LAYOUT["$defs"]["relation"]["properties"]) == set(data["relations"][0])

    def described(node: dict[str, Any]) -> bool:
        return "description" in node or "description" in LAYOUT["$defs"][node["$ref"].rsplit("/", 1)[1]]

    for part in (LAYOUT, LAYOUT["$defs"]["entity"], LAYOUT["$defs"]["relation"]):
        assert all(described(p) for p in part["properties"].values())


def test_gold_documents_are_valid_and_come_back_equal(articles, schema, root):
    gold = [*articles, *read_documents(root / "seeds/authored", schema=schema)[::5]]
    assert len(gold) > 30
    for doc in gold:
        VALIDATOR.validate(doc.to_dict())
        assert Document.from_dict(json.loads(doc.to_json())) == doc


@pytest.mark.parametrize("text", ["", "لا أسماء", "😀 \ud800 \x00 ﷺ", "سطر\r\nسطر"])
def test_any_text_comes_back_equal(text):
    doc = Document(text)
    VALIDATOR.validate(doc.to_dict())
    encoded = doc.to_json().encode("utf-8")
    assert Document.from_dict(json.loads(encoded)) == doc


REQUIRED = [
    *((("text",), ("entities",), ("relations",), ("clusters",))),
    *(("entities", 0, key) for key in ("id", "start", "end", "label", "text", "name")),
    *(("relations", 0, key) for key in ("head", "label", "tail")),
]


@pytest.mark.parametrize("path", REQUIRED, ids=str)
def test_a_missing_key_is_refused_by_schema_and_reader(data, path):
    parent: Any = data
    for step in path[:-1]:
        parent = parent[step]
    del parent[path[-1]]
    assert not VALIDATOR.is_valid(data)
    with pytest.raises(DataError):
        Document.from_dict(data)


def change(path: tuple[Any, ...], value: Any) -> Callable[[dict[str, Any]], None]:
    def apply(data: dict[str, Any]) -> None:
        parent: Any = data
        for step in path[:-1]:
            parent = parent[step]
        parent[path[-1]] = value

    return apply


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("format_version",), 2),
        (("text",), 5),
        (("entities",), {}),
        (("entities", 0, "start"), -1),
        (("entities", 0, "start"), 1.5),
        (("entities", 0, "start"), "4"),
        (("entities", 0, "end"), 0),
        (("entities", 0, "score"), 1.2),
        (("entities", 0, "score"), "high"),
        (("entities", 0, "cluster"), -1),
        (("entities", 0, "cluster"), "0"),
        (("entities", 0, "label"), ""),
        (("entities", 0, "colour"), "red"),
        (("relations", 0, "score"), -0.1),
        (("relations", 0, "direction"), "left"),
        (("clusters",), [["T1"]]),
        (("clusters",), [["T1", "T1"]]),
        (("clusters",), [[1, 2]]),
        (("schema",), {"name": 1}),
        (("model",), None),
        (("extra",), True),
    ],
)
def test_wrong_values_are_refused(data, path, value):
    VALIDATOR.validate(data)
    wrong = copy.deepcopy(data)
    change(path, value)(wrong)
    assert not VALIDATOR.is_valid(wrong)


def test_optional_keys_have_the_defaults_of_the_reader(data):
    for key in ("id", "schema", "model"):
        data[key] = LAYOUT["properties"][key]["default"]
    for entity in data["entities"]:
        for key in ("score", "cluster", "word_start", "word_end"):
            node = LAYOUT["$defs"]["entity"]["properties"][key]
            entity[key] = (LAYOUT["$defs"]["score"] if "$ref" in node else node)["default"]
    bare = copy.deepcopy(data)
    for key in ("id", "schema", "model"):
        del bare[key]
    for entity in bare["entities"]:
        for key in ("score", "cluster", "word_start", "word_end"):
            del entity[key]
    VALIDATOR.validate(bare)
    assert Document.from_dict(bare) == Document.from_dict(data)
