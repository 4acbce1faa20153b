"""Label Studio: offsets checked against quotes, relations and chains, annotations to choose from, its configuration."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from isnad.model.document import Document
from isnad.model.errors import DataError
from isnad.model.schema import LabelSchema
from isnad.training.data import detect_format, label_studio, offsets, read_documents, write_documents

SCHEMA = LabelSchema.from_yaml(Path(__file__).resolve().parents[1] / "configs" / "schemas" / "wojood.yaml")


def export(text: str, result: list[dict], **task) -> dict:
    return {"id": 5, "data": {"text": text}, "annotations": [{"id": 1, "result": result}]} | task


def region(id_: str, start: int, end: int, label: str, quote: str | None = None) -> dict:
    value = {"start": start, "end": end, "labels": [label]} | ({"text": quote} if quote is not None else {})
    return {"id": id_, "from_name": "label", "to_name": "text", "type": "labels", "value": value}


def read_tasks(tmp_path: Path, *tasks: dict, **options) -> list[Document]:
    path = tmp_path / "export.json"
    path.write_text(json.dumps(list(tasks), ensure_ascii=False, indent=1), encoding="utf-8")
    assert detect_format(path).name == "label-studio"
    return read_documents(path, schema=SCHEMA, options=options)


EMOJI = "😀 زار 👨‍👩‍👧 إسماعيل قاآني بغداد، وقاآني"


def test_label_studio_tells_utf16_from_code_points_by_the_quotes(tmp_path, caplog):
    for unit in (offsets.UTF16, offsets.CODE_POINTS):
        at = offsets.written_in(EMOJI, unit)
        spans = [(EMOJI.index(w), EMOJI.index(w) + len(w), w) for w in ("إسماعيل قاآني", "بغداد")]
        regions = [
            region(f"r{n}", at(a), at(b), la, w)
            for n, ((a, b, w), la) in enumerate(zip(spans, ("PERS", "GPE"), strict=True))
        ]
        (document,) = read_tasks(tmp_path, export(EMOJI, regions))
        assert [(e.start, e.end, e.text) for e in document.entities] == spans
        assert ("offsets are utf-16" in caplog.text) == (unit == offsets.UTF16)
        caplog.clear()


def test_label_studio_offsets_that_miss_the_quote_are_moved_only_where_one_place_is_possible(
    tmp_path, caplog
):
    (document,) = read_tasks(tmp_path, export(EMOJI, [region("r1", 0, 5, "GPE", "بغداد")]))
    assert [e.text for e in document.entities] == ["بغداد"]
    at = EMOJI.index("بغداد")
    assert f"document 'task-5': region r1, 'بغداد', moved from 0–5 to {at}–{at + 5}" in caplog.text
    with pytest.raises(DataError) as caught:  # قاآني is there twice
        read_tasks(tmp_path, export(EMOJI, [region("r1", 0, 5, "PERS", "قاآني")]))
    places = [EMOJI.index("قاآني"), EMOJI.rindex("قاآني")]
    assert (
        "region r1 spans 0 to 5 and quotes 'قاآني', but the text there is '😀 زار'"[:50] in caught.value.found
    )
    assert caught.value.accepted == f"offsets of the quoted text, which is at {places[0]}, {places[1]}"
    with pytest.raises(DataError, match="accepted: a quote of the text"):
        read_tasks(tmp_path, export(EMOJI, [region("r1", 0, 5, "PERS", "صنعاء")]))
    with pytest.raises(DataError, match=r"region r1 spans 0 to 99; accepted: offsets inside the text"):
        read_tasks(tmp_path, export(EMOJI, [region("r1", 0, 99, "PERS")]))


def test_label_studio_without_quotes_goes_by_the_option(tmp_path):
    at = EMOJI.index("بغداد")
    units = offsets.written_in(EMOJI, offsets.UTF16)
    plain = region("r1", at, at + 5, "GPE")
    assert read_tasks(tmp_path, export(EMOJI, [plain]))[0].entities[0].text == "بغداد"
    old = region("r1", units(at), units(at + 5), "GPE")
    assert read_tasks(tmp_path, export(EMOJI, [old]), offsets="utf-16")[0].entities[0].text == "بغداد"
    with pytest.raises(DataError, match="did you mean 'utf-16'"):
        read_tasks(tmp_path, export(EMOJI, [old]), offsets="utf16")


def test_label_studio_line_ends(tmp_path):
    text = "أول\r\nثان\r\nبغداد هنا\r\nطهران وبغداد"
    # Counted after a program made \r\n one character, and quoted by a browser that collapses line ends.
    (document,) = read_tasks(
        tmp_path, export(text, [region("a", 8, 13, "GPE", "بغداد"), region("b", 4, 13, "EVENT", "ثان بغداد")])
    )
    assert [(e.start, e.text) for e in document.entities] == [(5, "ثان\r\nبغداد"), (10, "بغداد")]


def test_label_studio_relations_directions_and_clusters(tmp_path, caplog):
    text = "قاآني زار بغداد وقاآني"
    regions = [
        region("x1", 0, 5, "PERS", "قاآني"),
        region("x2", 10, 15, "GPE", "بغداد"),
        region("x3", 17, 22, "PERS", "قاآني"),
    ]

    def link(a: str, b: str, *labels: str, direction: str = "right") -> dict:
        return {"type": "relation", "from_id": a, "to_id": b, "direction": direction, "labels": list(labels)}

    links = [
        link("x2", "x1", "visited", direction="left"),
        link("x3", "x1", "met_with", direction="bi"),
        link("x1", "x3", "coreference"),
        link("x1", "x2"),
    ]
    choices = {"type": "choices", "id": "x1", "value": {"choices": ["sure"]}}
    (document,) = read_tasks(tmp_path, export(text, [*regions, *links, choices]))
    assert [e.id for e in document.entities] == ["T1", "T2", "T3"]
    assert [(r.head, r.label, r.tail) for r in document.relations] == [
        ("T1", "visited", "T2"),
        ("T1", "met_with", "T3"),
    ]
    assert document.clusters == (("T1", "T3"),)
    for part in ("relation without a label skipped", "result of the type 'choices' skipped"):
        assert part in caplog.text
    with pytest.raises(DataError, match="there is no mention x9"):
        read_tasks(tmp_path, export(text, [*regions, link("x1", "x9", "visited")]))
    with pytest.raises(DataError, match=r"unknown entity type 'PRES'.*did you mean 'PERS'") as caught:
        read_tasks(
            tmp_path, export(text, [region("x1", 0, 5, "PRES"), regions[1], link("x1", "x2", "visited")])
        )
    assert "faults" not in str(caught.value)  # the relation of the faulty region is no second fault


def test_label_studio_chooses_among_annotations(tmp_path, caplog):
    person, place = region("a", 0, 5, "PERS", "قاآني"), region("b", 10, 15, "GPE", "بغداد")
    text = "قاآني زار بغداد"
    prediction = {"model_version": "m-1", "score": 0.4, "result": [person | {"score": 0.9}, place]}
    tasks = [
        export(text, [], annotations=[{"result": [person], "was_cancelled": True}, {"result": [place]}]),
        export(text, [], annotations=[{"result": [person]}, {"result": [place], "ground_truth": True}]),
        export(text, [], annotations=[], predictions=[prediction]),
        export(text, [], annotations=[{"result": [person | {"score": 0.3}]}], predictions=[prediction]),
        export(text, [], annotations=[{"result": [], "was_cancelled": True}], predictions=[prediction]),
        {"id": 9, "data": {"text": text}},
        {"id": 10, "data": {"document_id": "mine", "headline": text}, "annotations": [{"result": []}]},
    ]
    read = read_tasks(tmp_path, *tasks)
    assert [[e.label for e in d.entities] for d in read] == [["GPE"], ["GPE"], ["PERS", "GPE"], ["PERS"], []]
    assert [d.id for d in read] == ["task-5", "task-5-2", "task-5-3", "task-5-4", "mine"]
    assert [d.model for d in read] == ["", "", "m-1", "", ""]
    assert [e.score for e in read[2].entities] == [0.9, 0.4]
    assert [e.score for e in read[3].entities] == [1.0]  # a person has looked at it
    assert "2 × task that nobody annotated, left out" in caplog.text
    assert "1 × task with several annotations, the ground truth read" in caplog.text


def test_label_studio_json_min_and_global_offsets(tmp_path):
    text = "قاآني زار بغداد"
    flat = {
        "id": 1,
        "text": text,
        "label": [{"start": 10, "end": 15, "text": "بغداد", "labels": ["GPE"]}],
        "annotator": 1,
    }
    (document,) = read_tasks(tmp_path, flat)
    assert [(e.start, e.label) for e in document.entities] == [(10, "GPE")]
    value = {
        "start": "/p[1]/text()[1]",
        "end": "/p[1]/text()[1]",
        "startOffset": 0,
        "endOffset": 5,
        "text": "قاآني",
    }
    value |= {"globalOffsets": {"start": 0, "end": 5}, "hypertextlabels": ["PERS"]}
    (document,) = read_tasks(tmp_path, export(text, [{"id": "h", "type": "hypertextlabels", "value": value}]))
    assert [(e.start, e.label) for e in document.entities] == [(0, "PERS")]


def test_label_studio_faults_name_the_line_of_the_task(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(
        '[\n{"data": {"text": "أ"}, "annotations": [{"result": []}]},\n{"data": {"a": "x", "b": "y"}}]',
        encoding="utf-8",
    )
    with pytest.raises(DataError) as caught:
        label_studio.read(path, SCHEMA)
    assert caught.value.line == 3
    assert "text_key, one of: a, b" in caught.value.accepted
    (tmp_path / "b.json").write_text(
        '[{"data": {"a": "x", "b": "y"}, "annotations": [{"result": []}]}]', encoding="utf-8"
    )
    assert [d.text for d in label_studio.read(tmp_path / "b.json", SCHEMA, text_key="b")] == ["y"]
    path.write_text('[\n{"data": {"text": "أ"}', encoding="utf-8")
    with pytest.raises(DataError, match="not JSON at column"):
        label_studio.read(path, SCHEMA)


def test_labeling_config_is_what_the_schema_says_and_is_kept(tmp_path, caplog):
    hostile = LabelSchema.from_dict(
        {"name": "x", "entities": [{"name": 'A"&<b>', "ar": "<script>", "en": '"'}, {"name": "B"}]}
    )
    root = ET.fromstring(label_studio.labeling_config(hostile))
    assert [label.get("value") for label in root.iter("Label")] == ['A"&<b>', "B"]
    assert next(root.iter("Label")).get("hint") == '<script> · "'
    root = ET.fromstring(label_studio.labeling_config(SCHEMA))
    assert [label.get("value") for label in root.iter("Label")] == list(SCHEMA.entity_labels)
    assert [r.get("value") for r in root.iter("Relation")] == [*SCHEMA.relation_labels, "coreference"]
    (control,), (text,) = root.iter("Labels"), root.iter("Text")
    assert (control.get("toName"), text.get("name"), text.get("value")) == ("text", "text", "$text")
    write_documents([], tmp_path / "tasks.json", format="label-studio", schema=SCHEMA)
    config = tmp_path / "tasks.config.xml"
    assert config.read_text(encoding="utf-8") == label_studio.labeling_config(SCHEMA)
    config.write_text("<View/>", encoding="utf-8")
    write_documents([], tmp_path / "tasks.json", format="label-studio", schema=SCHEMA)
    assert config.read_text(encoding="utf-8") == "<View/>"
    assert "tasks.config.xml: 1 × configuration that is not the schema's, left as it is" in caplog.text
