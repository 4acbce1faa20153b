"""Prodigy and GLiNER: files as those tools write them, repairs that are listed, faults with their lines."""

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


def lines(path: Path, *records: object) -> Path:
    rows = [r if isinstance(r, str) else json.dumps(r, ensure_ascii=False) for r in records]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def span(start: int, end: int, label: str | None = "PERS", **more) -> dict:
    return {"start": start, "end": end, "label": label} | more


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


def test_only_accepted_tasks_are_read(tmp_path, caplog):
    spans = [span(4, 9)]
    task = {"text": "زار قاآني", "spans": spans, "_task_hash": 1}
    answers = ("accept", "reject", "ignore", "reject")
    path = lines(tmp_path / "a.jsonl", task, *(task | {"answer": answer} for answer in answers))
    read = prodigy.read(path, SCHEMA)
    assert [d.id for d in read] == ["document-1", "document-2"]
    assert "2 × task answered 'reject', skipped" in caplog.text
    assert "1 × task answered 'ignore', skipped" in caplog.text


def test_relations_by_span_and_by_token(tmp_path, caplog):
    words = [{"text": "زار", "start": 0, "end": 3}, {"text": "قاآني", "start": 4, "end": 9}]
    words.append({"text": "بغداد", "start": 10, "end": 15})
    spans = [
        span(4, 9, token_start=1, token_end=1),
        span(10, 15, "GPE", token_start=2, token_end=2),
        span(0, 3, None),
    ]
    by_span = {"head_span": span(4, 9, None), "child_span": span(10, 15, None), "label": "visited"}
    by_token = {"head": 1, "child": 2, "label": "supports"}
    task = {"text": "زار قاآني بغداد", "tokens": words, "spans": spans}
    path = lines(tmp_path / "a.jsonl", task | {"relations": [by_span, by_token, {"head": 1, "child": 2}]})
    (read,) = prodigy.read(path, SCHEMA)
    assert [(r.head, r.label, r.tail) for r in read.relations] == [
        ("T1", "supports", "T2"),
        ("T1", "visited", "T2"),
    ]
    assert "1 × relation without a label, skipped" in caplog.text
    assert "1 × span without a label, skipped" in caplog.text


UTF16 = [span(7, 12, text="قاآني"), span(13, 18, "GPE", text="بغداد"), span(25, 30, text="قاآني")]
REPAIRS = [
    (UTF16, ["قاآني", "بغداد", "قاآني"], [6, 12, 24], "document 'x': offsets are utf-16"),
    (
        [span(11, 16, "GPE", text="بغداد")],
        ["بغداد"],
        [12],
        "moved from 11–16 to 12–17, where alone it stands",
    ),
    ([span(5, 10, token_start=1, token_end=1)], ["قاآني"], [24], "'قاآني', moved from 5–10 to its tokens"),
    (
        [span(5, 10, text="قاآني", token_start=1, token_end=1)],
        ["قاآني"],
        [24],
        "moved from 5–10 to its tokens",
    ),
    ([span(6, 11, text="قاآني", token_start=1, token_end=1)], ["قاآني"], [6], ""),
]


@pytest.mark.parametrize(("spans", "found", "places", "remark"), REPAIRS, ids=range(len(REPAIRS)))
def test_unambiguous_offsets_are_repaired_and_listed(tmp_path, caplog, spans, found, places, remark):
    words = [{"text": "زار", "start": 20, "end": 23}, {"text": "قاآني", "start": 24, "end": 29}]
    task = {"text": TEXT, "tokens": words, "spans": spans, "meta": {"id": "x"}}
    (read,) = prodigy.read(lines(tmp_path / "a.jsonl", task), SCHEMA)
    assert names(read) == list(zip(found, places, strict=True))
    assert remark in caplog.text if remark else not caplog.text


SOUND = {"text": "زار قاآني بغداد", "spans": [span(4, 9), span(10, 15, "GPE")]}
TWICE = {"text": "قاآني ثم قاآني", "spans": [span(3, 8, text="قاآني")]}
RELATED = {"head_span": span(4, 9), "child_span": span(10, 15, "GPE")}
PRODIGY_FAULTS = [
    (TWICE, "T1 spans 3 to 8 and quotes 'قاآني', but the text there is", "which is at 0, 9"),
    (SOUND | {"spans": [span(4, 9, text="صنعاء")]}, "quotes 'صنعاء'", "a quote of the text"),
    (SOUND | {"spans": [span(4, 99)]}, "T1 spans 4 to 99", "0 <= start < end <= 15"),
    (SOUND | {"spans": [span(9, 4)]}, "T1 spans 9 to 4", "0 <= start < end"),
    (SOUND | {"spans": [{"label": "PERS"}]}, "has start None and end None", "code points of the text"),
    (SOUND | {"spans": [span(True, 4)]}, "has start True and end 4", "code points of the text"),
    (SOUND | {"spans": [span(4, 9, "PRES")]}, "unknown entity type 'PRES'", "did you mean 'PERS'?"),
    (SOUND | {"spans": {"start": 1}}, "'spans' is no list", "a Prodigy task"),
    (
        SOUND | {"relations": [RELATED | {"label": "visted"}]},
        "unknown relation 'visted'",
        "did you mean 'visited'",
    ),
    (
        SOUND | {"relations": [{"head": 1, "child": 2, "label": "visited"}]},
        "('last token', 1)) is no span",
        "head_span",
    ),
    (
        SOUND | {"relations": [RELATED | {"label": "visited", "head_span": span(0, 3)}]},
        "the head of 'visited' (start 0, end 3) is no span with a label",
        "start, end and label of one of the spans under 'head_span'",
    ),
    (
        {
            "text": "زار قاآني",
            "spans": [span(4, 9), span(4, 9, "ORG")],
            "relations": [
                {"head_span": span(4, 9, None), "child_span": span(4, 9, "ORG"), "label": "visited"}
            ],
        },
        "the head of 'visited' (start 4, end 9) is more than one span",
        "start, end and label",
    ),
    (SOUND | {"answer": "yes"}, "the answer 'yes'", "accept, reject, ignore"),
    ({"image": "x.png"}, "no 'text'", "a Prodigy task"),
    ('{"text": "زار', "not JSON at column", "a Prodigy task"),
    ("[1, 2]", "found int", "a Prodigy task"),
]


@pytest.mark.parametrize(("task", "found", "accepted"), PRODIGY_FAULTS, ids=lambda v: str(v)[:20])
def test_prodigy_faults(tmp_path, task, found, accepted):
    path = lines(tmp_path / "a.jsonl", SOUND, SOUND, task, SOUND)
    with pytest.raises(DataError) as caught:
        prodigy.read(path, SCHEMA)
    message = str(caught.value)
    assert message.startswith(f"{path}:3: "), message
    assert found in message and accepted in message, message


def test_all_faults_of_a_file_come_at_once(tmp_path):
    bad = SOUND | {"spans": [span(4, 9, "PRES"), span(4, 99)]}
    with pytest.raises(
        DataError, match=r"3 faults\n  line 1: .*PRES.*\n  line 1: .*4 to 99.*\n  line 3: not JSON"
    ):
        prodigy.read(lines(tmp_path / "a.jsonl", bad, SOUND, "{", SOUND), SCHEMA)


def test_one_id_twice_is_made_unique(tmp_path, caplog):
    task = SOUND | {"meta": {"id": 7}}
    read = prodigy.read(lines(tmp_path / "a.jsonl", task, task), SCHEMA)
    assert [d.id for d in read] == ["7", "7#2"] and "document id used before" in caplog.text


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


def test_tokens_without_a_text_are_joined_by_blanks(tmp_path):
    example = {
        "tokenized_text": ["سفارة", "العراق", "في", "طهران"],
        "ner": [[0, 3, "FAC"], [1, 1, "GPE"], [3, 3, "GPE", "طهران"]],
        "relations": [[0, 2, "located_in"]],
    }
    for path in (lines(tmp_path / "a.jsonl", example), lines(tmp_path / "a.json", [example])):
        (read,) = gliner.read(path, SCHEMA)
        assert (read.id, read.text) == ("example-1", "سفارة العراق في طهران")
        assert names(read) == [("سفارة العراق في طهران", 0), ("العراق", 6), ("طهران", 16)]
        assert [(r.head, r.label, r.tail) for r in read.relations] == [("T1", "located_in", "T3")]
        assert gliner.detects(path)


def test_offsets_that_do_not_fit_are_found_again_in_order(tmp_path, caplog):
    row = ["زار", "قاآني", "بغداد"]
    example = {"tokenized_text": row, "ner": [[1, 1, "PERS"]], "text": "زار\u200f  قاآني\nبغداد"}
    path = lines(tmp_path / "a.jsonl", example | {"offsets": [[0, 3], [4, 9], [10, 15]]}, example)
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


def test_detection_tells_the_jsonl_formats_apart(tmp_path):
    paths = {m: tmp_path / f"{m.__name__.rsplit('.', 1)[-1]}.jsonl" for m in (prodigy, gliner, jsonl)}
    for module, path in paths.items():
        module.write([document()], path, SCHEMA)
    doccano = lines(tmp_path / "doccano.jsonl", {"id": 1, "text": "spans: x", "label": [[0, 5, "PERS"]]})
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
