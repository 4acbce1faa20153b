"""Label Studio and doccano: documents come back whole, offsets are checked against quotes, losses are counted."""

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isnad.model.document import Document
from isnad.model.errors import DataError
from isnad.model.schema import LabelSchema
from isnad.training.data import detect_format, doccano, label_studio, offsets, read_documents, write_documents
from isnad.training.data.builder import DocumentBuilder
from isnad.training.data.files import Faults
from isnad.training.data.sources import load_source

SCHEMA = LabelSchema.from_yaml(Path(__file__).resolve().parents[1] / "configs" / "schemas" / "wojood.yaml")

PIECES = [
    *("قاآني", "فيلـق", "مُحَمَّد", "لعراق", "ﻻ", "ﷲ", "و", "ل", "٢٠٢٠", '"', "\\", "<b>", "&amp;", "{", "]"),
    *("🇮🇶", "👨‍👩‍👧", "😀", "👍🏽", "\u200f", "\u0651", "\ufeff", "\0", "é", "e\u0301", ".", "،"),
    *(" ", " ", "  ", "\n", "\r\n", "\r", "\t", "\u00a0", "\u2028", "\x85"),
]


@st.composite
def documents(draw) -> Document:
    """Draw a document with mentions that nest and cross, every relation kind, and clusters."""
    text = "".join(draw(st.lists(st.sampled_from(PIECES) | st.characters(codec="utf-8"), max_size=20)))
    builder = DocumentBuilder(text, SCHEMA, Faults(), draw(st.sampled_from(["خبر/١", "7", "a b"])))
    points = st.integers(0, len(text))
    drawn = draw(st.lists(st.tuples(points, points, st.sampled_from(("PERS", "GPE"))), max_size=8))
    spans = sorted({(min(a, b), max(a, b), la) for a, b, la in drawn if a != b}, key=lambda s: (s[0], -s[1]))
    for n, span in enumerate(spans, 1):
        builder.mention(f"T{n}", *span)
    for label in ("PERS", "GPE"):
        ids = [f"T{n}" for n, span in enumerate(spans, 1) if span[2] == label]
        if len(ids) > 1:
            builder.group(draw(st.lists(st.sampled_from(ids), unique=True, min_size=2)))
    links = [
        (f"T{a}", relation, f"T{b}")
        for a, one in enumerate(spans, 1)
        for b, other in enumerate(spans, 1)
        for relation in ("visited", "met_with", "located_in", "part_of")
        if a != b and SCHEMA.allows(one[2], relation, other[2])
    ]
    for link in draw(st.lists(st.sampled_from(links), max_size=5)) if links else []:
        builder.relate(*link)
    document = builder.build()
    builder.faults.raise_any()
    return document


def numbered(drawn: list[Document]) -> list[Document]:
    return [replace(d, id=f"{d.id}-{n}") for n, d in enumerate(drawn)]


def through(drawn: list[Document], path: Path, format: str, **options) -> tuple[list[Document], dict]:
    lost = write_documents(drawn, path, format=format, schema=SCHEMA, options=options)
    kept = {key: value for key, value in options.items() if key == "offsets"}
    return read_documents(path, format=format, schema=SCHEMA, options=kept), lost


KEYS = (
    "id text data label labels entities relations annotations predictions result value start end type from_id "
    "to_id start_offset end_offset direction document_id"
).split()
FAST = settings(max_examples=50, deadline=None)
MANY = st.lists(documents(), max_size=3).map(numbered)


@FAST
@given(MANY, st.sampled_from(["code-points", "utf-16"]))
def test_label_studio_keeps_any_gold(tmp_path_factory, drawn, unit):
    path = tmp_path_factory.mktemp("ls") / "tasks.json"
    back, lost = through(drawn, path, "label-studio", offsets=unit)
    assert back == drawn
    assert lost == {}
    if drawn:
        assert detect_format(path).name == "label-studio"


@FAST
@given(MANY, st.lists(st.floats(0, 1), min_size=13, max_size=13))
def test_label_studio_keeps_scores_and_model(tmp_path_factory, drawn, scores):
    made = [
        replace(
            d,
            model="isnad-small",
            entities=tuple(replace(e, score=s) for e, s in zip(d.entities, scores, strict=False)),
            relations=tuple(replace(r, score=s) for r, s in zip(d.relations, scores[::-1], strict=False)),
        )
        for d in drawn
    ]
    back, lost = through(made, tmp_path_factory.mktemp("ls") / "tasks.json", "label-studio")
    assert back == made
    assert lost == {}


@FAST
@given(MANY, st.sampled_from(["code-points", "utf-16"]))
def test_doccano_keeps_any_gold(tmp_path_factory, drawn, unit):
    path = tmp_path_factory.mktemp("d") / "all.jsonl"
    back, lost = through(drawn, path, "doccano", offsets=unit)
    assert back == drawn
    assert lost == {}
    if drawn:
        assert detect_format(path).name == "doccano"


@FAST
@given(MANY, st.sampled_from(["brat", "inline"]))
def test_brat_and_inline_lose_only_what_they_count(tmp_path_factory, drawn, name):
    if not drawn:
        return
    back, lost = through(drawn, tmp_path_factory.mktemp("f") / "out", name)
    assert [d.text for d in sorted(back, key=lambda d: d.id)] == [
        d.text for d in sorted(drawn, key=lambda d: d.id)
    ]
    by_name = {d.id: d for d in back}
    for before in drawn:
        after = by_name[before.id]
        spans = {(e.start, e.end, e.label): e.id for e in before.entities}
        assert {(e.start, e.end, e.label) for e in after.entities} <= set(spans)
        same = {e.id: spans[e.start, e.end, e.label] for e in after.entities}
        links = {(r.head, r.label, r.tail) for r in before.relations}
        assert {(same[r.head], r.label, same[r.tail]) for r in after.relations} <= links
    for kind, count in (
        ("entit", lambda d: len(d.entities)),
        ("relations", lambda d: len(d.relations)),
        ("cluster", lambda d: len(d.clusters)),
    ):
        gone = sum(n for what, n in lost.items() if kind in what)
        assert sum(map(count, back)) == sum(map(count, drawn)) - gone


def test_brat_repairs_only_if_asked(tmp_path, caplog):
    (tmp_path / "a.txt").write_text(EMOJI, encoding="utf-8")
    at, late = EMOJI.index("بغداد"), offsets.written_in(EMOJI, offsets.UTF16)(EMOJI.rindex("قاآني"))
    ann = (
        f"T1\tGPE {at + 1} {at + 6}\tبغداد\nT2\tPERS {late} {late + 5}\tقاآني\nR1\tvisited Arg1:T2 Arg2:T1\n"
    )
    (tmp_path / "a.ann").write_text(ann, encoding="utf-8")
    with pytest.raises(DataError, match="2 faults"):
        read_documents(tmp_path, schema=SCHEMA)
    (document,) = read_documents(tmp_path, schema=SCHEMA, options={"repair": "true"})
    assert [(e.id, e.start, e.text) for e in document.entities] == [
        ("T1", at, "بغداد"),
        ("T2", EMOJI.rindex("قاآني"), "قاآني"),
    ]
    assert len(document.relations) == 1
    assert f"document 'a': T1 'بغداد' moved from {at + 1}–{at + 6} to {at}–{at + 5}" in caplog.text
    assert f"document 'a': T2 'قاآني' at {late}–{late + 5} counted in utf-16" in caplog.text
    (tmp_path / "a.ann").write_text("T1\tPERS 0 5\tقاآني\n", encoding="utf-8")  # which of the two?
    with pytest.raises(DataError, match="quotes 'قاآني'"):
        read_documents(tmp_path, schema=SCHEMA, options={"repair": True})


@FAST
@given(documents())
def test_doccano_graphemes_widen_what_cuts_them_and_count_it(tmp_path_factory, document):
    (back,), lost = through(
        [document], tmp_path_factory.mktemp("d") / "all.jsonl", "doccano", offsets="graphemes"
    )
    assert back.text == document.text
    before, after = ({(e.start, e.end, e.label) for e in d.entities} for d in (document, back))
    cut = [
        s
        for s in before
        if offsets.splits_cluster(document.text, s[0]) or offsets.splits_cluster(document.text, s[1])
    ]
    assert lost.get("entity edges inside grapheme clusters", 0) == len(cut)
    assert before - set(cut) <= after
    assert all(any(a <= s and e <= b and la == x for a, b, x in after) for s, e, la in cut)
    assert len(after) == len(before) - lost.get("repeated mentions", 0)


@FAST
@given(st.lists(st.sampled_from(PIECES) | st.characters(codec="utf-8"), max_size=20).map("".join))
def test_units_of_offsets(text):
    utf16 = offsets.starts_of(text, offsets.UTF16)
    assert len(utf16) - 1 == len(text.encode("utf-16-le")) // 2
    for unit in offsets.UNITS:
        starts, written = offsets.starts_of(text, unit), offsets.written_in(text, unit)
        assert starts[-1] == len(text) and starts[0] == 0
        assert all(written(start) == n for n, start in enumerate(starts) if start >= 0)
    clusters = set(offsets.starts_of(text, offsets.GRAPHEMES))
    if len(text) <= 64:
        assert all(offsets.splits_cluster(text, n) == (n not in clusters) for n in range(len(text) + 1))


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


def test_label_studio_gold_without_a_model_loses_its_scores(tmp_path):
    builder = DocumentBuilder("علي", SCHEMA, Faults(), "د")
    builder.mention("T1", 0, 3, "PERS")
    document = builder.build()
    scored = replace(document, entities=(replace(document.entities[0], score=0.5),))
    back, lost = through([scored], tmp_path / "a.json", "label-studio")
    assert back == [document]
    assert lost == {"scores": 1}


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


def test_a_schema_with_a_relation_named_coreference_loses_clusters(tmp_path):
    schema = LabelSchema.from_dict(
        {
            "name": "x",
            "entities": [{"name": "PERS", "corefers": True}],
            "relations": [{"name": "coreference", "head": ["PERS"], "tail": ["PERS"]}],
        }
    )
    builder = DocumentBuilder("علي علي", schema, Faults(), "د")
    builder.mention("T1", 0, 3, "PERS")
    builder.mention("T2", 4, 7, "PERS")
    builder.relate("T2", "coreference", "T1")
    builder.group(("T1", "T2"))
    for name in ("label-studio", "doccano"):
        lost = write_documents([builder.build()], tmp_path / "a.json", format=name, schema=schema)
        assert lost == {"coreference clusters": 1}
        (back,) = read_documents(tmp_path / "a.json", format=name, schema=schema)
        assert back.clusters == () and [r.head for r in back.relations] == ["T2"]


@FAST
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-3, 9) | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(KEYS),
                inner,
                max_size=5,
            )
        ),
        max_leaves=15,
    )
)
def test_readers_raise_nothing_but_data_errors(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps([value], ensure_ascii=False), encoding="utf-8")
    for module in (label_studio, doccano):
        module.detects(path)
        try:
            module.read(path, SCHEMA)
        except DataError as error:
            assert str(error)


@pytest.mark.parametrize("name", ["label-studio", "doccano"])
@pytest.mark.parametrize("source", ["seeds:articles", "seeds:authored/dev"])
def test_gold_texts(tmp_path, schema, name, source):
    gold = load_source(source, schema)
    for unit in ("code-points", "utf-16"):
        back, lost = through(gold, tmp_path / "a.jsonl", name, offsets=unit)
        assert lost == {}
        assert [d.to_dict() for d in back] == [_renumbered(d) for d in gold]


def _renumbered(document: Document) -> dict:
    """Return the document as data, mentions numbered in text order as readers do where ids are not `T1`."""
    builder = DocumentBuilder(document.text, SCHEMA, Faults(), document.id)
    keep = all(e.id[1:].isdigit() for e in document.entities)
    names = {e.id: e.id if keep else f"T{n}" for n, e in enumerate(document.entities, 1)}
    for e in document.entities:
        builder.mention(names[e.id], e.start, e.end, e.label)
    for r in document.relations:
        builder.relate(names[r.head], r.label, names[r.tail])
    for cluster in document.clusters:
        builder.group([names[m] for m in cluster])
    return builder.build().to_dict()
