"""Formats keep documents to the byte: brat, inline and JSON, random and hand-made."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isnad.model.document import Document
from isnad.model.errors import DataError
from isnad.model.render.brat import LINE_BREAKS, to_brat
from isnad.model.schema import LabelSchema
from isnad.training.data import FORMATS, brat, detect_format, inline, read_documents, write_documents
from isnad.training.data.builder import DocumentBuilder
from isnad.training.data.files import Faults

SCHEMA = LabelSchema.from_yaml(Path(__file__).resolve().parents[1] / "configs" / "schemas" / "wojood.yaml")
FAST = settings(max_examples=150, deadline=None)

# What the formats must not stumble over: their own marks, Arabic with marks and kashida, joined and
# presentation forms, Arabic-Indic digits, emoji beyond the BMP, bidi controls, line ends of every kind.
PIECES = [
    *("قاآني", "فيلـق", "نصرالله", "نصر الله", "لعراق", "مُحَمَّد", "ﻻ", "٢٠٢٠", "و", "ب", "ل"),
    *("[", "]", "|", "\\", "\\[", "\\c", "#", "# ", ">", "> 1 visited 2", ";", ":", "|PERS]", "#1", '"', "،"),
    *("🇮🇶", "👨‍👩‍👧", "😀", "\u200f", "\u200d", "\u061c", "\ufeff", "\0", "é"),
    *["\n"] * 5,
    *("\r\n", "\r", " ", "  ", "\t", "\u00a0", "\u2028", "\x85", "\x0b", "\x1c"),
]
TEXTS = st.lists(st.sampled_from(PIECES) | st.characters(codec="utf-8"), max_size=25).map("".join)


@st.composite
def documents(draw, *, within_lines: bool) -> Document:
    """Draw a document; `within_lines` keeps to what the inline format holds (nested, no line crossed)."""
    text = draw(TEXTS)
    spans: list[tuple[int, int, str]] = []
    if text:
        points = st.integers(0, len(text))
        # Few labels more often, so that relations and groups are possible.
        labels = st.sampled_from(("PERS", "GPE", "ORG")) | st.sampled_from(SCHEMA.entity_labels)
        for a, b, label in draw(st.lists(st.tuples(points, points, labels), min_size=3, max_size=10)):
            span = (min(a, b), max(a, b), label)
            if accepted(text, span, spans, within_lines=within_lines):
                spans.append(span)
    spans.sort(key=lambda s: (s[0], -s[1]))
    builder = DocumentBuilder(text, SCHEMA, Faults(), "وثيقة-1")
    for n, (start, end, label) in enumerate(spans, 1):
        builder.mention(f"T{n}", start, end, label)
    links, groups = possible(text, spans, within_lines)
    if links:
        for head, label, tail in draw(st.lists(st.sampled_from(links), min_size=1, max_size=5)):
            builder.relate(head, label, tail)
    for group in groups:
        builder.group(draw(st.lists(st.sampled_from(group), unique=True, min_size=2)))
    document = builder.build()
    builder.faults.raise_any()
    return document


def accepted(text: str, span: tuple[int, int, str], spans: list, *, within_lines: bool) -> bool:
    start, end, _ = span
    piece = text[start:end]
    if not piece or span in spans:
        return False
    if within_lines:
        crosses = any(s < start < e < end or start < s < end < e for s, e, _ in spans)
        return "\n" not in piece and not crosses
    return not LINE_BREAKS.match(piece[0]) and not LINE_BREAKS.match(piece[-1])


def possible(
    text: str, spans: list, within_lines: bool
) -> tuple[list[tuple[str, str, str]], list[list[str]]]:
    """Return every relation that the signatures admit, and the mentions of every label that has two."""
    ids = {f"T{n}": span for n, span in enumerate(spans, 1)}
    line = {i: text.count("\n", 0, s) for i, (s, _, _) in ids.items()}
    links = [
        (h, r, t)
        for h, (_, _, a) in ids.items()
        for t, (_, _, b) in ids.items()
        for r in SCHEMA.relation_labels
        if h != t and SCHEMA.allows(a, r, b) and (line[h] == line[t] or not within_lines)
    ]
    by_label: dict[str, list[str]] = {}
    for i, (_, _, label) in ids.items():
        by_label.setdefault(label, []).append(i)
    return links, [group for group in by_label.values() if len(group) > 1]


@FAST
@given(documents(within_lines=False))
def test_brat_keeps_any_document(document):
    assert brat.parse_ann(document.text, to_brat(document), SCHEMA, id=document.id) == document


@FAST
@given(documents(within_lines=True))
def test_inline_keeps_any_document_without_crossing_spans(document):
    source = inline.format_inline(document, topic="سياسة", origin="تجربة")
    (section,) = inline.parse_sections(source, SCHEMA)
    assert section.document == document
    assert (section.topic, section.origin) == ("سياسة", "تجربة")


@settings(max_examples=40, deadline=None)
@given(st.lists(documents(within_lines=True), max_size=3))
def test_every_format_keeps_documents_through_files(tmp_path_factory, drawn):
    numbered = [Document(**{**fields(d), "id": f"d-{n}"}) for n, d in enumerate(drawn)]
    folder = tmp_path_factory.mktemp("formats")
    for name, file in {"inline": "a.txt", "jsonl": "a.jsonl", "brat": "pairs"}.items():
        if name == "brat" and not all(visible_ends(d) for d in drawn):
            continue
        write_documents(numbered, folder / file, format=name, schema=SCHEMA)
        if numbered:
            assert read_documents(folder / file, schema=SCHEMA) == numbered
            assert detect_format(folder / file).name == name
    for document in numbered if (folder / "pairs").exists() else []:
        assert (folder / "pairs" / f"{document.id}.txt").read_bytes() == document.text.encode("utf-8")


def fields(document: Document) -> dict:
    return {name: getattr(document, name) for name in document.__dataclass_fields__}


def visible_ends(document: Document) -> bool:
    return all(LINE_BREAKS.sub("", e.text[0]) and LINE_BREAKS.sub("", e.text[-1]) for e in document.entities)


@FAST
@given(st.text(max_size=60), st.text(max_size=120) | st.lists(st.sampled_from(PIECES)).map("".join))
def test_readers_raise_nothing_but_data_errors(text, garbage):
    for parse in (
        lambda: brat.parse_ann(text, garbage, SCHEMA),
        lambda: inline.parse_inline("# a | b | c\n" + garbage, SCHEMA),
        lambda: inline.parse_inline(garbage, SCHEMA),
    ):
        try:
            parse()
        except DataError as error:
            assert str(error)


GUIDELINE_EXAMPLE = (
    "# مثال | سياسة | دليل\n"
    "زار [قائد [فيلق القدس|ORG#2]|OCC#3] [إسماعيل قاآني|PERS#1] [بغداد|GPE#4] والتقى "
    "[رئيس الوزراء|OCC#5] [مصطفى الكاظمي|PERS#6].\n"
    "> 1 has_occupation 3; 3 occupation_in 2; 1 leader_of 2; 1 visited 4; 6 met_with 1; 6 has_occupation 5\n"
    "وأكد [لقاآني|GPE] ثم ل[قاآني|PERS#1] و[قاآني|PERS#1] أن ل[لعراق|GPE#7] حقا\n"
    "> 1.2 visited 7\n"
)


def test_the_example_of_the_guidelines():
    (document,) = inline.parse_inline(GUIDELINE_EXAMPLE, SCHEMA)
    assert document.text.endswith("حقا\n")
    assert [e.text for e in document.entities[:3]] == ["قائد فيلق القدس", "فيلق القدس", "إسماعيل قاآني"]
    names = {e.id: e.name for e in document.entities}
    triples = [(names[r.head], r.label, names[r.tail]) for r in document.relations]
    assert ("إسماعيل قاآني", "met_with", "مصطفى الكاظمي") in triples  # symmetric: the earlier comes first
    second = document.relations[-1]
    assert document.text[: document.entity(second.head).start].endswith(" و")  # 1.2 is the second of the line
    assert [[names[m] for m in c] for c in document.clusters] == [["إسماعيل قاآني", "قاآني", "قاآني"]]
    assert names[document.entities[-1].id] == "العراق"
    assert document.entities[-1].text == "لعراق"


def test_the_inline_escapes_are_what_the_module_says():
    text = "> اقتباس [1] أ|ب \\ مسار\\[\n\nفراغ  \n\r\nآخر سطر"
    source = inline.format_inline(Document(text=text, id="a"))
    assert source == "# a\n\\> اقتباس \\[1\\] أ\\|ب \\\\ مسار\\\\\\[\n\\\nفراغ  \\\n\\\nآخر سطر\\c\n".replace(
        "\\\nآخر", "\r\\\nآخر"
    )
    assert inline.parse_inline(source, SCHEMA)[0].text == text
    plain = "# a\nمسار C:\\temp\\n  \n"  # by hand: a lone backslash is itself, blanks at the end go
    assert inline.parse_inline(plain, SCHEMA)[0].text == "مسار C:\\temp\\n\n"
    assert inline.parse_inline(plain.replace("\n", "\r\n"), SCHEMA)[0].text == "مسار C:\\temp\\n\n"


@pytest.mark.parametrize(
    ("spans", "relations", "groups", "message"),
    [
        ([(0, 5, "PERS"), (3, 9, "ORG")], [], [], "'زيد و' (PERS, 0 to 5) and ' ومصر ' (ORG, 3 to 9) cross"),
        ([(4, 14, "EVENT")], [], [], "(EVENT, 4 to 14) runs over a line end"),
        (
            [(0, 3, "PERS"), (11, 15, "GPE")],
            [("T1", "visited", "T2")],
            [],
            "'زيد' (PERS, 0 to 3) visited 'بغدا'",
        ),
        ([(0, 3, "PERS"), (5, 8, "GPE")], [], [["T1", "T2"]], "mixes GPE, PERS"),
    ],
)
def test_inline_names_what_it_cannot_hold(spans, relations, groups, message):
    builder = DocumentBuilder("زيد ومصر ع\nبغداد", SCHEMA, Faults(), "د")
    for n, span in enumerate(spans, 1):
        builder.mention(f"T{n}", *span)
    for relation in relations:
        builder.relate(*relation)
    for group in groups:
        builder.group(group)
    document = builder.build()
    builder.faults.raise_any()
    with pytest.raises(DataError) as caught:
        inline.format_inline(document)
    assert message in str(caught.value)
    assert "document 'د'" in str(caught.value)
    assert caught.value.accepted
    assert brat.parse_ann(document.text, to_brat(document), SCHEMA, id="د") == document


def test_brat_text_of_a_small_document():
    text = "زار قاآني\r\nبغداد 😀 وقاآني"
    ann = (
        "T7\tPERS 4 9\tقاآني\nT9\tGPE 11 16\tبغداد\nT3\tPERS 20 25\tقاآني\n"
        "R4\tvisited Arg1:T7 Arg2:T9\n*\tEquiv T3 T7\n"
    )
    document = brat.parse_ann(text, ann, SCHEMA)
    assert [e.id for e in document.entities] == ["T7", "T9", "T3"]
    assert document.clusters == (("T7", "T3"),)
    assert to_brat(document) == ann.replace("R4", "R1").replace("T3 T7", "T7 T3")
    over_line = brat.parse_ann(text, "T1\tEVENT 4 9;11 16\tقاآني بغداد\n", SCHEMA)
    assert over_line.entities[0].text == "قاآني\r\nبغداد"
    assert to_brat(over_line) == "T1\tEVENT 4 9;11 16\tقاآني بغداد\n"


def test_brat_numbers_foreign_ids_and_refuses_what_it_cannot_quote():
    data = json.loads(Document(text="زيد\n").to_json())
    entity = {"id": "e-1", "start": 0, "end": 3, "label": "PERS", "text": "زيد", "name": "زيد"}
    assert to_brat(Document.from_dict(data | {"entities": [entity]})) == "T1\tPERS 0 3\tزيد\n"
    with pytest.raises(DataError, match="begins or ends with a line break"):
        to_brat(Document.from_dict(data | {"entities": [entity | {"end": 4, "text": "زيد\n"}]}))


def test_brat_joins_groups_repeats_and_counts_what_it_skips(caplog):
    text = "علي علي علي"
    ann = (
        "T1\tPERS 0 3\tعلي\nT2\tPERS 4 7\tعلي\nT3\tPERS 8 11\tعلي\nT4\tPERS 8 11\tعلي\n"
        "*\tEquiv T1 T2\n*\tEquiv T4 T2\nR1\trelative_of Arg1:T2 Arg2:T1\nR2\trelative_of Arg2:T2 Arg1:T1\n"
        "A1\tNegation T1\n#1\tAnnotatorNotes T1\tشك\nE1\tPERS:T1\n"
    )
    document = brat.parse_ann(text, ann, SCHEMA, path="x.ann")
    assert document.clusters == (("T1", "T2", "T3"),)
    assert [(r.head, r.tail) for r in document.relations] == [("T1", "T2")]
    for part in (
        "x.ann",
        "1 × attribute (A)",
        "1 × note (#)",
        "1 × event (E)",
        "1 × repeated relation",
        "read once",
    ):
        assert part in caplog.text


def test_brat_folder_has_a_configuration_and_keeps_the_users(tmp_path):
    document = inline.parse_inline(GUIDELINE_EXAMPLE, SCHEMA)[0]
    write_documents([document], tmp_path, format="brat", schema=SCHEMA)
    conf = (tmp_path / "annotation.conf").read_text(encoding="utf-8")
    assert "met_with\tArg1:PERS|ORG|NORP|OCC, Arg2:PERS|ORG|NORP|OCC, <REL-TYPE>:symmetric\n" in conf
    assert "Equiv\tArg1:PERS, Arg2:PERS, <REL-TYPE>:symmetric-transitive\n" in conf
    (tmp_path / "annotation.conf").write_text("mine", encoding="utf-8")
    write_documents([document], tmp_path, format="brat", schema=SCHEMA)
    assert (tmp_path / "annotation.conf").read_text(encoding="utf-8") == "mine"
    assert not list(tmp_path.glob(".*"))


def test_ids_become_names_and_subfolders(tmp_path):
    texts = [Document(text="أ", id="v1.2/خبر"), Document(text="ب"), Document(text="ج")]
    write_documents(texts, tmp_path, format="brat", schema=SCHEMA)
    assert [d.id for d in read_documents(tmp_path, schema=SCHEMA)] == ["document-2", "document-3", "v1.2/خبر"]


def test_json_holds_scores_and_a_lone_surrogate(tmp_path):
    entity = {"id": "T1", "start": 0, "end": 3, "label": "PERS", "text": "زيد", "name": "زيد", "score": 0.25}
    document = Document.from_dict(
        {"text": "زيد \ud83d", "entities": [entity], "relations": [], "clusters": []}
    )
    for name in ("a.json", "a.jsonl"):
        write_documents([document], tmp_path / name, format="jsonl", schema=SCHEMA)
        assert read_documents(tmp_path / name, schema=SCHEMA) == [document]
    (tmp_path / "one.json").write_text(document.to_json(), encoding="utf-8")
    assert read_documents(tmp_path / "one.json", schema=SCHEMA) == [document]
    with pytest.raises(DataError, match="half of a surrogate pair"):
        write_documents([document], tmp_path / "b", format="brat", schema=SCHEMA)


def test_registry_names_and_summaries():
    names = "brat inline conll wojood label-studio doccano cas prodigy docbin gliner jsonl datasets"
    assert set(FORMATS) == set(names.split())
    assert all(name == f.name and f.summary for name, f in FORMATS.items())
