"""Prodigy and GLiNER: files as those tools write them, tokens without offsets, faults with their lines, damage."""

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isnad.model.document import Document
from isnad.model.errors import DataError
from isnad.model.schema import LabelSchema
from isnad.training.data import gliner, jsonl, prodigy
from isnad.training.data.builder import DocumentBuilder
from isnad.training.data.files import Faults

SCHEMA = LabelSchema.from_yaml(Path(__file__).resolve().parents[1] / "configs" / "schemas" / "wojood.yaml")
TEXT = "😀 زار قاآني بغداد، وزار قاآني لعراق"


def document() -> Document:
    builder = DocumentBuilder(TEXT, SCHEMA, Faults(), "خبر-1")
    first, second = (m.start() for m in re.finditer("قاآني", TEXT))
    spans = [(first, first + 5, "PERS"), (12, 17, "GPE"), (second, second + 5, "PERS"), (31, 35, "GPE")]
    for n, (start, end, label) in enumerate(spans, 1):
        builder.mention(f"T{n}", start, end, label)
    builder.relate("T1", "visited", "T2")
    builder.group(["T1", "T3"])
    return builder.build()


def names(document: Document) -> list[tuple[str, int]]:
    return [(e.text, e.start) for e in document.entities]


# --- Prodigy


def test_a_task_has_the_form_that_prodigy_stores(tmp_path):
    assert prodigy.write([document()], tmp_path / "a.jsonl", SCHEMA) == Counter()
    (task,) = (json.loads(line) for line in (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines())
    words = [t["text"] for t in task["tokens"]]
    assert words == ["😀", "زار", "قاآني", "بغداد", "،", "وزار", "قاآني", "ل", "عراق"]
    assert [t["ws"] for t in task["tokens"]] == [True, True, True, False, True, True, True, False, False]
    assert [t["id"] for t in task["tokens"]] == list(range(9))
    assert task["spans"][0] == {"start": 6, "end": 11, "token_start": 2, "token_end": 2, "label": "PERS"}
    visited, same = task["relations"]
    assert (visited["head"], visited["child"], visited["label"]) == (2, 3, "visited")
    assert visited["head_span"] == task["spans"][0] and visited["child_span"] == task["spans"][1]
    assert (same["head"], same["child"], same["label"]) == (6, 2, "COREF")
    assert task["answer"] == "accept" and task["meta"] == {"id": "خبر-1"}


def test_a_schema_with_a_relation_called_coref(tmp_path):
    named = replace(SCHEMA.relation("met_with"), name="COREF")
    other = replace(SCHEMA, relations=(*SCHEMA.relations, named))
    assert prodigy.write([document()], tmp_path / "a.jsonl", other) == Counter({"coreference clusters": 1})
    (read,) = prodigy.read(tmp_path / "a.jsonl", other)
    assert [r.label for r in read.relations] == ["visited"] and read.clusters == ()


# --- GLiNER


def test_an_example_has_the_form_that_gliner_trains_on(tmp_path):
    assert gliner.write([document()], tmp_path / "a.json", SCHEMA) == Counter({"coreference clusters": 1})
    (example,) = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    words = example["tokenized_text"]
    assert words == ["😀", "زار", "قاآني", "بغداد", "،", "وزار", "قاآني", "ل", "عراق"]
    assert example["ner"] == [[2, 2, "PERS"], [3, 3, "GPE"], [6, 6, "PERS"], [8, 8, "GPE"]]
    assert example["relations"] == [[0, 1, "visited"]]
    assert example["ner_labels"] == list(SCHEMA.entity_labels)
    assert [example["text"][s:e] for s, e in example["offsets"]] == words


def test_tokens_without_a_text_are_joined_by_blanks(tmp_path, json_lines):
    example = {
        "tokenized_text": ["سفارة", "العراق", "في", "طهران"],
        "ner": [[0, 3, "FAC"], [1, 1, "GPE"], [3, 3, "GPE", "طهران"]],
        "relations": [[0, 2, "located_in"]],
    }
    for path in (json_lines(tmp_path / "a.jsonl", example), json_lines(tmp_path / "a.json", [example])):
        (read,) = gliner.read(path, SCHEMA)
        assert (read.id, read.text) == ("example-1", "سفارة العراق في طهران")
        assert names(read) == [("سفارة العراق في طهران", 0), ("العراق", 6), ("طهران", 16)]
        assert [(r.head, r.label, r.tail) for r in read.relations] == [("T1", "located_in", "T3")]
        assert gliner.detects(path)


def test_offsets_that_do_not_fit_are_found_again_in_order(tmp_path, caplog, json_lines):
    row = ["زار", "قاآني", "بغداد"]
    example = {"tokenized_text": row, "ner": [[1, 1, "PERS"]], "text": "زار\u200f  قاآني\nبغداد"}
    path = json_lines(tmp_path / "a.jsonl", example | {"offsets": [[0, 3], [4, 9], [10, 15]]}, example)
    read = gliner.read(path, SCHEMA)
    assert [names(d) for d in read] == [[("قاآني", 6)]] * 2
    assert "1 × document 'example-1': offsets of 3 tokens did not fit the text" in caplog.text
    assert "example-2" not in caplog.text


PLAIN = {"tokenized_text": ["زار", "قاآني", "بغداد"], "ner": [[1, 1, "PERS"], [2, 2, "GPE"]]}
GLINER_FAULTS = [
    (
        PLAIN | {"ner": [[1, 3, "PERS"]]},
        "the span [1, 3, 'PERS'] under 'ner'",
        "last < 3, the number of tokens",
    ),
    (PLAIN | {"ner": [[2, 1, "PERS"]]}, "the span [2, 1, 'PERS']", "0 <= first <= last"),
    (PLAIN | {"ner": [[1, 1, "PRES"]]}, "unknown entity type 'PRES'", "did you mean 'PERS'?"),
    (PLAIN | {"ner": [{"start": 1}]}, "{'start': 1}", "last inclusive"),
    (PLAIN | {"ner": [["1", 1, "PERS"]]}, "['1', 1, 'PERS']", "last inclusive"),
    (PLAIN | {"ner": "PERS"}, "'PERS' under 'ner'", "last inclusive"),
    (PLAIN | {"relations": [[0, 1, "visted"]]}, "unknown relation 'visted'", "did you mean 'visited'"),
    (PLAIN | {"relations": [[1, 0, "visited"]]}, "visited from GPE to PERS", "PERS, ORG"),
    (PLAIN | {"relations": [[0, 7, "visited"]]}, "there is no mention T8", "T1, T2"),
    (PLAIN | {"text": "زار قاآني مدينة بغداد"}, "the tokens do not stand in 'text' in this order", "blanks"),
    (PLAIN | {"text": "بغداد قاآني"}, "the tokens do not stand in 'text'", "or no 'text'"),
    (PLAIN | {"tokenized_text": ["زار", ""]}, "'tokenized_text' is no list of tokens", "an example"),
    ({"text": "زار"}, "'tokenized_text' is no list of tokens", "an example"),
    ("{,", "not JSON at column", "an example"),
    ('{"ner": ' + "9" * 5_000 + "}", "beyond reading", "an example"),
    ('{"ner": ' + "[" * 50_000, "beyond reading", "an example"),
]


@pytest.mark.parametrize(("example", "found", "accepted"), GLINER_FAULTS, ids=lambda v: str(v)[:20])
@pytest.mark.parametrize("suffix", ["jsonl", "json"])
def test_gliner_faults(tmp_path, example, found, accepted, suffix):
    rows = [
        r if isinstance(r, str) else json.dumps(r, ensure_ascii=False) for r in (PLAIN, PLAIN, example, PLAIN)
    ]
    content = "\n".join(rows) if suffix == "jsonl" else "[" + ",\n".join(rows) + "]"
    path = tmp_path / f"a.{suffix}"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        gliner.read(path, SCHEMA)
    message = str(caught.value)
    assert message.startswith(f"{path}:3: "), message
    assert found in message and accepted in message, message


def test_a_list_that_is_cut_off_is_a_fault(tmp_path):
    (tmp_path / "a.json").write_text("[" + json.dumps(PLAIN) + ",\n")
    with pytest.raises(DataError, match=r"a\.json:1: the list is never closed"):
        gliner.read(tmp_path / "a.json", SCHEMA)


def test_detection_tells_the_jsonl_formats_apart(tmp_path, json_lines):
    paths = {m: tmp_path / f"{m.__name__.rsplit('.', 1)[-1]}.jsonl" for m in (prodigy, gliner, jsonl)}
    for module, path in paths.items():
        module.write([document()], path, SCHEMA)
    doccano = json_lines(tmp_path / "doccano.jsonl", {"id": 1, "text": "spans: x", "label": [[0, 5, "PERS"]]})
    for module in (prodigy, gliner):
        assert [m for m, path in paths.items() if module.detects(path)] == [module]
        assert (
            not module.detects(doccano)
            and not module.detects(tmp_path)
            and not module.detects(tmp_path / "no.jsonl")
        )


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_records_raise_nothing_but_data_errors(tmp_path_factory, data):
    module = data.draw(st.sampled_from([prodigy, gliner]))
    path = tmp_path_factory.mktemp("damaged") / "a.jsonl"
    module.write([document()], path, SCHEMA)
    record = json.loads(path.read_text(encoding="utf-8"))
    values = st.none() | st.booleans() | st.integers(-2, 40) | st.floats() | st.text(max_size=3)
    values |= st.lists(values, max_size=3) | st.dictionaries(
        st.sampled_from(["start", "label"]), values, max_size=2
    )
    for _ in range(data.draw(st.integers(1, 3))):
        node = record
        for _ in range(data.draw(st.integers(0, 3))):
            inner = list(node.values()) if isinstance(node, dict) else node
            inner = [v for v in inner if isinstance(v, dict | list) and v]
            node = data.draw(st.sampled_from(inner)) if inner else node
        key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        node[key] = data.draw(values)
    content = json.dumps(record)
    path.write_text(
        content[: data.draw(st.integers(len(content) // 2, len(content)))]
        if data.draw(st.booleans())
        else content
    )
    try:
        module.read(path, SCHEMA)
    except DataError as error:
        assert str(error).startswith(f"{path}:1: ")
