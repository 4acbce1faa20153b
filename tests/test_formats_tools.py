"""Formats of annotation tools: documents come back whole, losses are counted, offsets in every unit."""

import json
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


EMOJI = "😀 زار 👨‍👩‍👧 إسماعيل قاآني بغداد، وقاآني"


def test_label_studio_gold_without_a_model_loses_its_scores(tmp_path):
    builder = DocumentBuilder("علي", SCHEMA, Faults(), "د")
    builder.mention("T1", 0, 3, "PERS")
    document = builder.build()
    scored = replace(document, entities=(replace(document.entities[0], score=0.5),))
    back, lost = through([scored], tmp_path / "a.json", "label-studio")
    assert back == [document]
    assert lost == {"scores": 1}


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
