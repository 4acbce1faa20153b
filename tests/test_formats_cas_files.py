"""CAS JSON as it is written: UTF-16 offsets, tokens, file names, and broken files."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isnad.model.document import Document
from isnad.model.errors import DataError
from isnad.model.schema import LabelSchema
from isnad.training.data import cas
from isnad.training.data.builder import DocumentBuilder
from isnad.training.data.files import Faults

cassis = pytest.importorskip("cassis")

SCHEMA = LabelSchema.from_yaml(Path(__file__).resolve().parents[1] / "configs" / "schemas" / "wojood.yaml")
NER = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"
TEXT = "زار قاآني 😀 بغداد والتقى الكاظمي"


def document(id: str = "خبر-1") -> Document:
    builder = DocumentBuilder(TEXT, SCHEMA, Faults(), id)
    for n, (name, label) in enumerate((("قاآني", "PERS"), ("بغداد", "GPE"), ("الكاظمي", "PERS")), 1):
        builder.mention(f"T{n}", TEXT.index(name), TEXT.index(name) + len(name), label)
    builder.relate("T1", "visited", "T2")
    builder.group(["T1", "T3"])
    return builder.build()


def test_offsets_in_the_file_are_utf16_and_cassis_reads_the_same_names(tmp_path):
    cas.write([document()], tmp_path / "a.json", SCHEMA)
    raw = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    units = TEXT.encode("utf-16-le")
    found = [fs for fs in raw["%FEATURE_STRUCTURES"] if fs["%TYPE"] == NER]
    names = ["قاآني", "بغداد", "الكاظمي"]
    assert [units[2 * fs["begin"] : 2 * fs["end"]].decode("utf-16-le") for fs in found] == names
    loaded = cassis.load_cas_from_json((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert [fs.get_covered_text() for fs in loaded.select(NER)] == names
    (relation,) = loaded.select(cas.RELATION)
    assert (relation.Governor.value, relation.label, relation.Dependent.value) == ("PERS", "visited", "GPE")
    assert loaded.typecheck() == []


def test_tokens_are_cut_at_proclitics_and_no_sentence_ends_in_a_name(tmp_path):
    text = "زار د. قاآني لعراق. وبغداد أيضا! ختام\nسطر"
    builder = DocumentBuilder(text, SCHEMA, Faults(), "a")
    for n, name in enumerate(("بغداد", "عراق. وبغداد أيضا! ختام"), 1):
        builder.mention(f"T{n}", text.index(name), text.index(name) + len(name), "GPE")
    cas.write([builder.build()], tmp_path / "a.json", SCHEMA)
    loaded = cassis.load_cas_from_json((tmp_path / "a.json").read_text(encoding="utf-8"))
    core = "de.tudarmstadt.ukp.dkpro.core.api.segmentation.type."
    words = [fs.get_covered_text() for fs in loaded.select(core + "Token")]
    assert words == ["زار", "د", ".", "قاآني", "ل", "عراق", ".", "و", "بغداد", "أيضا", "!", "ختام", "سطر"]
    rows = [fs.get_covered_text() for fs in loaded.select(core + "Sentence")]
    assert rows == ["زار د. قاآني لعراق. وبغداد أيضا! ختام", "سطر"]


BROKEN = [
    ('{"%TYPES": {}, ', "not JSON at column"),
    ("[]", "not a CAS"),
    ('{"%TYPES": {}}', "not a CAS"),
    ('{"%TYPES": {}, "%FEATURE_STRUCTURES": [7]}', "found '7' among the feature structures"),
    ('{"%TYPES": {}, "%FEATURE_STRUCTURES": [], "%VIEWS": {}}', "no text"),
    ('{"%TYPES": {}, "%FEATURE_STRUCTURES": {"1": {"%TYPE": "uima.cas.Sofa", "sofaString": 3}}}', "no text"),
    ("[" * 100_000, "beyond reading"),
    ("[" + "9" * 5_000 + "]", "beyond reading"),
]


@pytest.mark.parametrize(("content", "found"), BROKEN, ids=lambda v: v[:20])
def test_broken_files(tmp_path, content, found):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(DataError, match=found):
        cas.read(tmp_path / "a.json", SCHEMA)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 40) | st.text(max_size=4) | st.just(NER) | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None, database=None)
@given(st.data())
def test_a_damaged_file_raises_nothing_but_data_errors(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("damaged") / "a.json"
    cas.write([document()], path, SCHEMA)
    content = json.loads(path.read_text(encoding="utf-8"))
    for _ in range(data.draw(st.integers(1, 3))):
        node = content
        for _ in range(data.draw(st.integers(0, 4))):
            inner = list(node.values()) if isinstance(node, dict) else node
            inner = [v for v in inner if isinstance(v, dict | list) and v]
            node = data.draw(st.sampled_from(inner)) if inner else node
        key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        if data.draw(st.booleans()):
            node[key] = data.draw(JSON)
        else:
            del node[key]
        if not node:
            break
    path.write_text(json.dumps(content), encoding="utf-8")
    try:
        cas.read(path, SCHEMA)
    except DataError as error:
        assert str(path) in str(error) or "label" in str(error)


def test_files_of_a_project_with_one_title_are_named_by_their_paths(tmp_path):
    for annotator in ("amal", "basim"):
        cas.write([document("خبر")], tmp_path / "annotation" / "خبر.txt" / f"{annotator}.json", SCHEMA)
    (tmp_path / "exportedproject.json").write_text('{"name": "مشروع"}', encoding="utf-8")
    assert cas.detects(tmp_path)
    ids = [d.id for d in cas.read(tmp_path, SCHEMA)]
    assert ids == ["annotation/خبر.txt/amal", "annotation/خبر.txt/basim"]


def test_ids_that_are_no_file_names_are_kept_as_titles(tmp_path):
    ids = ["a/b", "../up", "/root", "con:x", "A", "a", "ط" * 150, "."]
    cas.write([document(id_) for id_ in ids], tmp_path / "out", SCHEMA)
    assert sorted(d.id for d in cas.read(tmp_path / "out", SCHEMA)) == sorted(ids)
    assert {p.name for p in tmp_path.iterdir()} == {"out"}
    assert (tmp_path / "out" / "a" / "b.json").is_file()


def test_one_file_holds_one_document(tmp_path):
    with pytest.raises(DataError, match=r"2 documents for one file; accepted: a folder"):
        cas.write([document("a"), document("b")], tmp_path / "a.json", SCHEMA)
    (tmp_path / "flat").write_text("")
    with pytest.raises(DataError, match="accepted: a folder"):
        cas.write([document("a")], tmp_path / "flat", SCHEMA)


def test_other_json_is_not_taken_for_a_cas(tmp_path):
    (tmp_path / "a.json").write_text('[{"text": "\\"%TYPES\\""}]')
    assert not cas.detects(tmp_path) and not cas.detects(tmp_path / "absent.json")
    with pytest.raises(DataError, match="no CAS in the folder"):
        cas.read(tmp_path, SCHEMA)
