"""doccano JSONL: its layouts, the units of its offsets, and what is wrong with a file."""

import json
from pathlib import Path

import pytest
from isnad.model.errors import DataError
from isnad.model.schema import LabelSchema
from isnad.training.data import detect_format, doccano, offsets, read_documents, write_documents
from isnad.training.data.sources import load_source

SCHEMA = LabelSchema.from_yaml(Path(__file__).resolve().parents[1] / "configs" / "schemas" / "wojood.yaml")


def lines(tmp_path: Path, *records: dict) -> Path:
    path = tmp_path / "all.jsonl"
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records), encoding="utf-8")
    assert detect_format(path).name == "doccano"
    return path


def test_doccano_layouts(tmp_path):
    text = "قاآني زار بغداد"
    entities = [
        {"id": 31, "label": "GPE", "start_offset": 10, "end_offset": 15},
        {"id": 30, "label": "PERS", "start_offset": 0, "end_offset": 5},
    ]
    relations = [{"id": 4, "from_id": 30, "to_id": 31, "type": "visited"}]
    path = lines(
        tmp_path,
        {"id": 1, "text": text, "entities": entities, "relations": relations, "Comments": []},
        {"id": 2, "text": text, "label": [[0, 5, "PERS"], [10, 15, "GPE"]]},
        {"id": 3, "data": text, "labels": [[0, 5, "PERS"]], "document_id": "ثالث"},
        {"id": 4, "text": text, "label": []},
    )
    read = doccano.read(path, SCHEMA)
    assert [d.id for d in read] == ["document-1", "document-2", "ثالث", "document-4"]
    assert [[(e.id, e.text) for e in d.entities] for d in read[:3]] == [
        [("T1", "قاآني"), ("T2", "بغداد")],
        [("T1", "قاآني"), ("T2", "بغداد")],
        [("T1", "قاآني")],
    ]
    assert [(r.head, r.label, r.tail) for r in read[0].relations] == [("T1", "visited", "T2")]


def test_doccano_written_layouts(tmp_path, schema):
    gold = load_source("seeds:articles", schema)
    path = tmp_path / "all.jsonl"
    lost = write_documents(gold, path, format="doccano", schema=schema, options={"layout": "labels"})
    assert lost == {
        "relations": sum(len(d.relations) for d in gold),
        "coreference clusters": sum(len(d.clusters) for d in gold),
    }
    back = read_documents(path, schema=schema)
    assert [[(e.start, e.end, e.label) for e in d.entities] for d in back] == [
        [(e.start, e.end, e.label) for e in d.entities] for d in gold
    ]
    write_documents(gold, path, format="doccano", schema=schema)
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    ids = [e["id"] for record in records for e in record["entities"]]
    assert len(set(ids)) == len(ids)  # doccano looks them up in the whole file
    with pytest.raises(DataError, match="did you mean 'labels'"):
        write_documents(gold, path, format="doccano", schema=schema, options={"layout": "label"})
    with pytest.raises(DataError, match="unknown option 'unit' of writing doccano"):
        write_documents(gold, path, format="doccano", schema=schema, options={"unit": "x"})


def test_doccano_offsets_are_doubted_aloud(tmp_path, caplog):
    text = "مُحَمَّد في بَغْدَاد 👍🏽 هنا"
    marks = {"text": text, "label": [[0, 4, "PERS"]]}  # graphemes of the first word
    (document,) = doccano.read(lines(tmp_path, marks), SCHEMA)
    assert document.entities[0].text == text[:4]
    assert "PERS at 0–4 " not in caplog.text  # that is between two letters, as it happens
    caplog.clear()
    at = offsets.written_in(text, offsets.GRAPHEMES)
    start = text.index("بَغْدَاد")
    span = [at(start), at(start + len("بَغْدَاد")), "GPE"]
    (document,) = doccano.read(lines(tmp_path, {"text": text, "label": [span, [0, 5, "PERS"]]}), SCHEMA)
    assert "PERS at 0–5 cuts a letter off its marks (if there are more of these" in caplog.text
    (document,) = doccano.read(lines(tmp_path, {"text": text, "label": [span]}), SCHEMA, offsets="graphemes")
    assert document.entities[0].text == "بَغْدَاد"
    beyond = {"text": text, "label": [[len(text) - 3, len(text) + 1, "GPE"]]}
    with pytest.raises(DataError, match=r"in code-points; offsets=utf-16, in which it fits"):
        doccano.read(lines(tmp_path, beyond), SCHEMA)


@pytest.mark.parametrize(
    ("record", "found"),
    [
        ({"text": "علي", "label": [[0, 3]]}, "the span [None, None, [0, 3]]"),
        ({"text": "علي", "label": [[0, True, "PERS"]]}, "the span [0, True, 'PERS']"),
        ({"text": "علي", "label": [[0, 3, "PRES"]]}, "unknown entity type 'PRES'"),
        ({"text": "علي", "label": [[2, 2, "PERS"]]}, "PERS spans 2 to 2"),
        ({"id": 3}, "no text"),
        (
            {"text": "علي", "annotations": [{"label": 3, "start_offset": 0, "end_offset": 3}]},
            "name labels by number",
        ),
        (
            {"text": "علي", "entities": [], "relations": [{"from_id": 1, "to_id": 2, "type": "visited"}]},
            "no mention id 1",
        ),
        ({"text": "علي", "entities": {}, "relations": [1]}, "'relations' is no list of objects"),
    ],
)
def test_doccano_faults(tmp_path, record, found):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "", "label": []}\n' + json.dumps(record, ensure_ascii=False), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        doccano.read(path, SCHEMA)
    assert found in str(caught.value)
    assert caught.value.line == 2
