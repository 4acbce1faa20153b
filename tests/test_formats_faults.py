"""Every fault of an annotation file is reported with file, line, what was found and what is accepted."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from isnad.model.document import Document, Relation
from isnad.model.errors import DataError
from isnad.model.schema import LabelSchema
from isnad.model.text import make_entity
from isnad.training.data import brat, detect_format, inline, read_documents, write_documents
from isnad.training.data.files import Faults

SCHEMA = LabelSchema.from_yaml(Path(__file__).resolve().parents[1] / "configs" / "schemas" / "wojood.yaml")

TEXT = "زار قاآني بغداد 😀 والتقى الكاظمي"
SOUND = "T1\tPERS 4 9\tقاآني\nT2\tGPE 10 15\tبغداد\nT3\tPERS 25 32\tالكاظمي\n"

BRAT_FAULTS = [
    ("T4\tPRES 4 9\tقاآني", "unknown entity type 'PRES'", "did you mean 'PERS'?"),
    ("T4\tPERS 4 9\tبغداد", "quotes 'بغداد', but the text from 4 to 9 is 'قاآني'", "nearest is at 10 15"),
    ("T4\tPERS 26 33\tالكاظمي", "from 26 to 33 is 'لكاظمي'", "code points, not in UTF-16"),
    ("T4\tPERS 4 9\tقااني", "T4 quotes 'قااني'", "the text between the offsets, quoted exactly"),
    ("T4\tPERS 4 90\tقاآني", "T4 quotes 'قاآني', but the text from 4 to 90", "the nearest is at 4 9"),
    ("T4\tPERS 40 45\tصنعاء", "from 40 to 45 is ''", "the text has 32 code points"),
    ("T4\tPERS 25 99\tالكاظمي", "T4 spans 25 to 99", "0 <= start < end <= 32"),
    ("*", "* holds ''", "*⇥Equiv T1 T2 …"),
    ("T4\tPERS 9 4\tقاآني", "T4 spans 9 to 4", "0 <= start < end"),
    ("T4\tPERS 4 9", "T4 holds 'PERS 4 9'", "T1⇥LABEL start end⇥text"),
    ("T4 PERS 4 9 قاآني", "holds ''", "T1⇥LABEL start end⇥text"),
    ("T4\tPERS 4 9;16 17\tقاآني 😀", "T4 is discontinuous (4 9;16 17)", "write '4 17' for the whole stretch"),
    ("T3\tPERS 25 32\tالكاظمي", "the id T3 is used twice", "a new id"),
    ("R1\tvisted Arg1:T1 Arg2:T2", "unknown relation 'visted'", "did you mean 'visited'?"),
    ("R1\tvisited Arg1:T2 Arg2:T1", "visited from GPE to PERS", "PERS, ORG → GPE, LOC, FAC, ORG"),
    ("R1\tvisited Arg1:T1 Arg2:T9", "there is no mention T9", "T1, T2, T3"),
    ("R1\tmet_with Arg1:T1 Arg2:T1", "a mention related to itself", "two mentions"),
    ("R1\tvisited Subj:T1 Obj:T2", "R1 has the roles Subj and Obj", "Arg1 and Arg2"),
    ("R1\tvisited T1 T2", "R1 holds 'visited T1 T2'", "R1⇥label Arg1:T1 Arg2:T2"),
    ("*\tEquiv T1", "* holds 'Equiv T1'", "*⇥Equiv T1 T2 …"),
    ("*\tSame T1 T3", "* holds 'Same T1 T3'", "*⇥Equiv T1 T2 …"),
    ("*\tEquiv T1 T8", "there is no mention T8", "T1, T2, T3"),
    ("PERS 4 9", "a line that begins with 'PERS 4 9'", "T (mention), R (relation), * Equiv (cluster)"),
]


@pytest.mark.parametrize(("line", "found", "accepted"), BRAT_FAULTS, ids=lambda value: str(value)[:24])
def test_brat_faults(tmp_path, line, found, accepted):
    (tmp_path / "خبر.txt").write_text(TEXT, encoding="utf-8")
    path = tmp_path / "خبر.ann"
    path.write_text(f"{SOUND}{line}\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        brat.read(tmp_path, SCHEMA)
    assert found in caught.value.found
    assert accepted in caught.value.accepted
    assert caught.value.line == 4
    assert str(caught.value).startswith(f"{path}:4: ")


def test_brat_offsets_that_miss_carriage_returns():
    with pytest.raises(DataError, match=r"offsets that count \\r\\n as two code points"):
        brat.parse_ann("أ\r\nزيد", "T1\tPERS 2 5\tزيد\n", SCHEMA)


def test_brat_pairs_must_be_complete(tmp_path):
    (tmp_path / "a.txt").write_text("نص", encoding="utf-8")
    with pytest.raises(DataError, match=r"a\.txt: a\.ann is missing beside it; accepted: .* an empty \.ann"):
        brat.read(tmp_path, SCHEMA)
    (tmp_path / "a.ann").touch()
    (tmp_path / "b.ann").touch()
    with pytest.raises(DataError, match=r"b\.ann: b\.txt is missing"):
        brat.read(tmp_path, SCHEMA)
    (tmp_path / "b.txt").write_bytes("سطر\n".encode() + b"\xff\n")
    with pytest.raises(DataError, match=r"b\.txt:2: byte 0xff is not UTF-8; accepted: UTF-8 text"):
        brat.read(tmp_path, SCHEMA)


HEAD = "# خبر | سياسة | تجربة\n"
INLINE_FAULTS = [
    ("زار [قاآني|PRES]", 2, "unknown entity type 'PRES'", "did you mean 'PERS'?"),
    ("زار [قاآني|PERS", 2, "holds a stray '|'", "[text|LABEL] or [text|LABEL#n]"),
    ("زار [قاآني بغداد", 2, "the span '[قاآني بغداد…' is never closed", "[text|LABEL]"),
    ("زار قاآني|PERS]", 2, "holds a stray '|'", r"\[ \] \|"),
    ("زار قاآني] بغداد", 2, "holds a stray ']'", r"\[ \] \|"),
    ("زار [|PERS]", 2, "the empty span '[|PERS]'", "one character"),
    ("[[قاآني|PERS]|PERS]", 2, "one span carries the same label twice", "a label once"),
    ("[قاآني|PERS#1] [بغداد|GPE#1]", 2, "#1 is PERS before and GPE here", "one label a number"),
    ("نص\n# آخر | ب | ج\nنص", 3, "holds a stray '|'", "an empty line before the header"),
    ("نص\\c\nنص", 3, "text after \\c", "last text line only"),
    ("[قاآني|PERS#1]\n> 1 visited", 3, "the relation «1 visited»", "'1 visited 2'"),
    ("[قاآني|PERS#1]\n> 1 visited 2", 3, "the text line above has 0 mentions numbered 2", "its numbers: 1"),
    ("[قاآني|PERS#1] [بغداد|GPE#2]\n> 1.2 visited 2", 3, "has 1 mentions numbered 1", "1 to 1.1"),
    ("[قاآني|PERS#1] [بغداد|GPE#2]\n> 1 visted 2", 3, "unknown relation 'visted'", "did you mean 'visited'"),
    ("[قاآني|PERS#1] [بغداد|GPE#2]\n> 2 visited 1", 3, "visited from GPE to PERS", "PERS, ORG → GPE"),
    ("[قاآني|PERS#1]\n> 1 met_with 1", 3, "a mention related to itself", "two mentions"),
    ("> 1 visited 2\nنص", 2, "relations before any text", "below its text line"),
    ("نص\n\nنص بلا رأس", 4, "stands before any header", "# slug | topic | origin"),
    ("نص\n\n# ب | ج | د | ه\nنص", 4, "the header '# ب | ج | د | ه'", "# slug | topic | origin"),
    ("نص\n\n# خبر\nنص", 4, "the slug 'خبر' is used 2 times", "a slug for each document"),
    ("", 1, "document 'خبر' has no text", "text lines"),
]


@pytest.mark.parametrize(("body", "line", "found", "accepted"), INLINE_FAULTS, ids=lambda v: str(v)[:24])
def test_inline_faults(tmp_path, body, line, found, accepted):
    path = tmp_path / "نص.txt"
    path.write_text(HEAD + body + "\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_documents(path, schema=SCHEMA)
    assert found in caught.value.found
    assert accepted in caught.value.accepted
    assert caught.value.line == line
    assert str(caught.value).startswith(f"{path}:{line}: ")


def test_one_error_reports_many_faults_in_the_order_of_their_lines(tmp_path):
    path = tmp_path / "many.txt"
    lines = ["[قاآني|PRES#1] [بغداد|GPE#2]", "> 1 visited 2; 1 visted 2", "سليم", *["[بغداد|GPA]"] * 24]
    path.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        inline.read(path, SCHEMA)
    rows = str(caught.value).split("\n")
    assert rows[0] == f"{path}:2: 26 faults"
    assert rows[1].startswith("  line 2: unknown entity type 'PRES'; accepted: did you mean 'PERS'?")
    assert rows[2].startswith("  line 3: «1 visted 2»: unknown relation")
    # What is alike is one row, with the number and the first places.
    places = ", ".join(f"line {n} «بغداد» in 'خبر'" for n in (5, 6, 7))
    assert rows[3].startswith(
        f"  unknown entity type 'GPA', 24 times ({places}, …); accepted: did you mean 'GPE'?"
    )
    assert len(rows) == 4


def test_an_error_lists_twenty_kinds_of_faults():
    faults = Faults("a.txt")
    for n in range(24):
        faults.add(f"unknown entity type 'X{n}'", line=n // 2 + 1)
        faults.add(f"unknown entity type 'X{n}'", line=30)
    with pytest.raises(DataError) as caught:
        faults.raise_any()
    rows = str(caught.value).split("\n")
    assert (
        rows[0] == "a.txt:1: 48 faults" and rows[1] == "  unknown entity type 'X0', 2 times (line 1, line 30)"
    )
    assert len(rows) == 22 and rows[-1] == "  … and 8 more"


def test_one_kind_of_fault_is_one_sentence(tmp_path):
    """A label that the schema lacks, and a signature that it forbids, in every line of a JSON file."""
    text = "زار قاآني بغداد"
    entities = (make_entity(text, 4, 9, "PERS", id="T1"), make_entity(text, 10, 15, "GPE", id="T2"))
    names = tuple(replace(e, label="ARM") if e.label == "GPE" else e for e in entities)
    path = tmp_path / "many.jsonl"
    lines = [Document(text, names, id=f"d{n}").to_json(indent=None) for n in range(1, 6)]
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_documents(path, schema=SCHEMA)
    assert caught.value.line == 1 and "\n" not in str(caught.value)
    places = ", ".join(f"line {n} «بغداد» in 'd{n}'" for n in (1, 2, 3))
    assert caught.value.found == f"unknown entity type 'ARM', 5 times ({places}, …)"
    link = (Relation("T2", "visited", "T1"),)
    lines = [Document(text, entities, link, id=f"d{n}").to_json(indent=None) for n in (1, 2)]
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_documents(path, schema=SCHEMA)
    assert caught.value.found == (
        "visited from GPE to PERS, 2 times (line 1 «T2 visited T1» in 'd1', line 2 «T2 visited T1» in 'd2')"
    )


def test_a_faulty_mention_is_one_fault_and_not_also_that_of_its_relations():
    ann = SOUND.replace("PERS 4 9", "PRES 4 9") + "R1\tvisited Arg1:T1 Arg2:T2\n*\tEquiv T1 T3\n"
    with pytest.raises(DataError) as caught:
        brat.parse_ann(TEXT, ann, SCHEMA)
    assert caught.value.found == "unknown entity type 'PRES'"


def test_json_faults(tmp_path):
    document = brat.parse_ann(TEXT, SOUND + "R1\tvisited Arg1:T1 Arg2:T2\n", SCHEMA, id="d")
    good = document.to_json(indent=None)

    def message(lines: list[str], name: str = "a.jsonl") -> str:
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        with pytest.raises(DataError) as caught:
            read_documents(tmp_path / name, schema=SCHEMA)
        return str(caught.value)

    assert "a.jsonl:2: not JSON at column" in message([good, good[:-1]])
    assert "a.json:3: not JSON at column" in message(["[", good + ",", "]"], "a.json")
    assert "a.jsonl:1: found list; accepted: an object" in message(["[]"])
    assert "a.jsonl:1: not a document: 'text'" in message(["{}"])
    assert "did you mean 'PERS'" in message([good.replace('"PERS"', '"PRES"')])
    assert "«T1 visted T2»: unknown relation 'visted'" in message([good.replace('"visited"', '"visted"')])
    turned = json.loads(good)
    turned["relations"][0] |= {"head": "T2", "tail": "T1"}
    assert "visited from GPE to PERS; accepted: PERS, ORG →" in message([json.dumps(turned)])
    moved = json.loads(good)
    moved["entities"][0]["start"] = 3
    assert "not 'قاآني'; accepted: code-point offsets" in message([json.dumps(moved)])
    newer = good.replace('"format_version": 1', '"format_version": 9')
    assert "format_version 9; accepted: 1" in message([newer])


def test_unknown_formats_and_paths_list_what_is_known(tmp_path):
    (tmp_path / "a.txt").write_text("نص بلا رأس", encoding="utf-8")
    with pytest.raises(
        DataError, match=r"a\.txt: the format is not recognised; accepted: brat: .*; inline: "
    ):
        detect_format(tmp_path / "a.txt")
    with pytest.raises(DataError, match="unknown format 'bart'; accepted: did you mean 'brat'"):
        read_documents(tmp_path / "a.txt", format="bart", schema=SCHEMA)
    with pytest.raises(DataError, match="no such file or folder"):
        read_documents(tmp_path / "b.txt", schema=SCHEMA)
    with pytest.raises(DataError, match=r"cannot write pairs to the file a\.txt; accepted: a folder"):
        write_documents([], tmp_path / "a.txt", format="brat", schema=SCHEMA)
    with pytest.raises(DataError, match=r"cannot write: .*; accepted: a writable folder"):
        write_documents([], tmp_path / "a.txt" / "b.jsonl", format="jsonl", schema=SCHEMA)


@pytest.mark.parametrize("id_", ["../x", "/x", "a/../../x", "a\\b", "a/"])
def test_ids_cannot_leave_the_folder(tmp_path, id_):
    folder = tmp_path / "in"
    with pytest.raises(DataError, match="no safe file name"):
        write_documents([Document(text="أ", id=id_)], folder, format="brat", schema=SCHEMA)
    assert not folder.exists()


def test_two_documents_cannot_share_an_id(tmp_path):
    pair = [Document(text="أ", id="x"), Document(text="ب", id="x")]
    for name in ("brat", "inline"):
        with pytest.raises(DataError, match="1 document ids are used more than once: 'x'"):
            write_documents(pair, tmp_path / "out", format=name, schema=SCHEMA)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    write_documents([Document(text="قديم", id="a")], path, format="inline", schema=SCHEMA)
    before = path.read_bytes()
    for text in ("نص \ud800", "x"):
        bad = [Document(text=text, id="a|b" if text == "x" else "a")]
        with pytest.raises(DataError):
            write_documents(bad, path, format="inline", schema=SCHEMA)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize(
    ("label", "accepted"),
    [
        ("ORG", "COMPANY, which the schema 's' has in its place"),
        ("GPE", "TOWN or LAND, which the schema 's' has in its place"),
        ("LAW", "no LAW: the schema 's' lists it under 'removed'"),
        ("سلاح", "for a new label, a schema that has it"),
    ],
)
def test_a_label_of_another_schema(label: str, accepted: str, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(
        "name: s\nextends: wojood\nremoved: [LAW]\nentities: [{name: COMPANY, from: ORG}, {name: TOWN, from: GPE}, "
        "{name: LAND, from: GPE}]\n",
        encoding="utf-8",
    )
    (tmp_path / "a.txt").write_text(f"# a | خبر | x\nزار [قاآني|{label}] بغداد\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_documents(tmp_path / "a.txt", schema=LabelSchema.from_yaml(tmp_path / "s.yaml"), format="inline")
    assert caught.value.accepted.endswith(accepted) and caught.value.found == f"unknown entity type {label!r}"
