"""CAS JSON as INCEpTION writes and reads it: layers, UTF-16 offsets, chains, and every fault with its line."""

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
STRING = "uima.cas.String"


def document(id: str = "خبر-1") -> Document:
    builder = DocumentBuilder(TEXT, SCHEMA, Faults(), id)
    for n, (name, label) in enumerate((("قاآني", "PERS"), ("بغداد", "GPE"), ("الكاظمي", "PERS")), 1):
        builder.mention(f"T{n}", TEXT.index(name), TEXT.index(name) + len(name), label)
    builder.relate("T1", "visited", "T2")
    builder.group(["T1", "T3"])
    return builder.build()


def layer(name: str, *features: str, parent: str = "uima.tcas.Annotation") -> dict:
    ranges = {f.removeprefix("@"): "uima.tcas.Annotation" if f[0] == "@" else STRING for f in features}
    return {"%NAME": name, "%SUPER_TYPE": parent} | {f: {"%NAME": f, "%RANGE": r} for f, r in ranges.items()}


def exported(
    path: Path, *annotations: dict, text: str = TEXT, whole: int | None = None, indent: int = 2
) -> Path:
    """Write a file as INCEpTION exports it: the text after the annotations, one feature a line."""
    types = [
        layer(NER, "value", "identifier"),
        layer("webanno.custom.Weapon", "kind", "note"),
        layer("webanno.custom.Feeling", "value"),
        layer("webanno.custom.ORG"),
        layer("webanno.custom.Link", "@Governor", "@Dependent", "role"),
        layer("webanno.custom.SameLink", "@next", "referenceType"),
        layer("de.tudarmstadt.ukp.dkpro.core.api.segmentation.type.Token"),
        layer("de.tudarmstadt.ukp.dkpro.core.api.lexmorph.type.pos.POS", "PosValue"),
    ]
    sofa = {"%ID": 1, "%TYPE": "uima.cas.Sofa", "sofaNum": 1, "sofaID": "_InitialView", "sofaString": text}
    structures = [{"%ID": n, "@sofa": 1} | fs for n, fs in enumerate(annotations, 2)]
    if whole is not None:
        meta = {"%ID": 99, "%TYPE": "uima.tcas.DocumentAnnotation", "@sofa": 1, "begin": 0, "end": whole}
        structures.append(meta)
    members = [fs["%ID"] for fs in structures]
    data = {
        "%TYPES": {t["%NAME"]: t for t in types},
        "%FEATURE_STRUCTURES": [*structures, sofa],
        "%VIEWS": {"_InitialView": {"%SOFA": 1, "%MEMBERS": members}},
    }
    path.write_text(json.dumps(data, ensure_ascii=False, indent=indent), encoding="utf-8")
    return path


def entity(name: str, label: str | None, *, type_: str = NER, feature: str = "value", **more) -> dict:
    start = TEXT.index(name)
    units = [len(TEXT[:at].encode("utf-16-le")) // 2 for at in (start, start + len(name))]
    return {"%TYPE": type_, "begin": units[0], "end": units[1]} | ({feature: label} if label else {}) | more


def spans(document: Document) -> list[tuple[str, str]]:
    return [(e.text, e.label) for e in document.entities]


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


def test_an_export_with_custom_layers_is_read(tmp_path, caplog):
    weapon = {"type_": "webanno.custom.Weapon", "feature": "kind"}
    path = exported(
        tmp_path / "a.json",
        entity("قاآني", "PERS", identifier="http://example.org/1"),
        entity("بغداد", "GPE", **weapon, note="x"),
        entity("الكاظمي", None, type_="webanno.custom.ORG"),
        {
            "%TYPE": "webanno.custom.Link",
            "begin": 0,
            "end": 3,
            "@Governor": 2,
            "@Dependent": 3,
            "role": "visited",
        },
        {
            "%TYPE": "webanno.custom.Link",
            "begin": 0,
            "end": 3,
            "@Governor": 2,
            "@Dependent": 9,
            "role": "visited",
        },
        {"%TYPE": "webanno.custom.Link", "begin": 0, "end": 3, "@Governor": 2, "@Dependent": 3},
        entity("زار", None),
        entity("زار", "happy", type_="webanno.custom.Feeling"),
        entity(
            "زار", "VERB", type_="de.tudarmstadt.ukp.dkpro.core.api.lexmorph.type.pos.POS", feature="PosValue"
        ),
    )
    (read,) = cas.read(path, SCHEMA)
    assert spans(read) == [("قاآني", "PERS"), ("بغداد", "GPE"), ("الكاظمي", "ORG")]
    assert [(r.head, r.label, r.tail) for r in read.relations] == [("T1", "visited", "T2")]
    for remark in (
        "1 × annotation of the layer NamedEntity without a label, skipped",
        "1 × annotation of the layer webanno.custom.Feeling, which is not read, skipped",
        "1 × annotation of the layer de.tudarmstadt.ukp.dkpro.core.api.lexmorph.type.pos.POS, which is not read",
        "1 × relation 'visited' at annotations that are no entities, skipped",
        "1 × relation without a label, skipped",
    ):
        assert remark in caplog.text, remark
    assert "Token" not in caplog.text


def test_the_labels_of_a_custom_layer_are_looked_for_in_all_files(tmp_path):
    weapon = {"type_": "webanno.custom.Weapon", "feature": "kind"}
    exported(
        tmp_path / "a.json", entity("قاآني", "PERS", **weapon, note="GPE"), entity("بغداد", "GPE", **weapon)
    )
    exported(tmp_path / "b.json", entity("قاآني", "PRES", **weapon))
    with pytest.raises(DataError, match=r"b\.json:\d+: unknown entity type 'PRES'.*did you mean 'PERS'"):
        cas.read(tmp_path, SCHEMA)
    (tmp_path / "b.json").unlink()
    assert spans(cas.read(tmp_path, SCHEMA)[0]) == [("قاآني", "PERS"), ("بغداد", "GPE")]


def test_custom_layers_without_any_label_are_refused(tmp_path):
    path = exported(tmp_path / "a.json", entity("قاآني", "PRES", type_="webanno.custom.Feeling"))
    with pytest.raises(
        DataError, match=r"no value .* webanno\.custom\.Feeling \('PRES'\).*did you mean 'PERS'"
    ):
        cas.read(path, SCHEMA)


def test_chains_of_a_project_and_links_without_a_mention(tmp_path, caplog):
    link = {"type_": "webanno.custom.SameLink", "feature": "referenceType"}
    path = exported(
        tmp_path / "a.json",
        entity("قاآني", "PERS"),
        entity("الكاظمي", "PERS"),
        entity("الكاظمي", "OCC"),  # cannot corefer, so the link means the other
        entity("قاآني", None, **link, **{"@next": 6}),
        entity("الكاظمي", "nam", **link, **{"@next": 7}),
        entity("بغداد", None, **link, **{"@next": 5}),  # round in a circle
    )
    (read,) = cas.read(path, SCHEMA)
    assert [[read.entity(m).label for m in c] for c in read.clusters] == [["PERS", "PERS"]]
    assert "1 × link of a chain that is no entity" in caplog.text


@pytest.mark.parametrize("whole", [len(TEXT), None])
def test_offsets_of_other_tools_that_count_code_points(tmp_path, caplog, whole):
    """Code points are believed if the document annotation counts so, or if only they give clean spans."""
    names = ("قاآني", "بغداد", "الكاظمي")
    points = [{"begin": TEXT.index(n), "end": TEXT.index(n) + len(n)} for n in names]
    entities = [{"%TYPE": NER, "value": "PERS"} | p for p in points]
    (read,) = cas.read(exported(tmp_path / "a.json", *entities, whole=whole), SCHEMA)
    assert [e.text for e in read.entities] == list(names)
    assert "document 'a': offsets are code-points" in caplog.text


def test_utf16_offsets_are_kept_whatever_the_spans_look_like(tmp_path, caplog):
    units = len(TEXT.encode("utf-16-le")) // 2
    blank = {"%TYPE": NER, "value": "PERS", "begin": 12, "end": 18}  # " بغداد" in UTF-16
    (read,) = cas.read(exported(tmp_path / "a.json", blank, whole=units), SCHEMA)
    assert [e.text for e in read.entities] == [" بغداد"] and "code-points" not in caplog.text


def test_an_offset_of_zero_may_be_left_out(tmp_path):
    (read,) = cas.read(exported(tmp_path / "a.json", {"%TYPE": NER, "value": "OCC", "end": 3}), SCHEMA)
    assert spans(read) == [("زار", "OCC")]


FAULTS = [
    ({"begin": 11, "end": 18}, "spans 11 to 18, the middle of a character", "the text in UTF-16 units"),
    ({"begin": 30, "end": 99}, "spans 30 to 99", "0 <= begin < end <= 33"),
    ({"begin": 9, "end": 9}, "spans 9 to 9", "0 <= begin < end"),
    ({"begin": -3, "end": 3}, "spans -3 to 3", "0 <= begin < end"),
    ({"begin": "4", "end": 9}, "spans '4' to 9", "whole numbers"),
    ({"begin": 4, "end": 9, "value": "PRES"}, "unknown entity type 'PRES'", "did you mean 'PERS'?"),
]


@pytest.mark.parametrize(("fs", "found", "accepted"), FAULTS, ids=lambda v: str(v)[:24])
def test_faults_name_the_line(tmp_path, fs, found, accepted):
    units = len(TEXT.encode("utf-16-le")) // 2
    bad = {"%TYPE": NER, "value": "PERS"} | fs
    path = exported(tmp_path / "a.json", entity("قاآني", "PERS"), bad, whole=units)
    with pytest.raises(DataError) as caught:
        cas.read(path, SCHEMA)
    source = path.read_text(encoding="utf-8").splitlines()
    assert found in str(caught.value) and accepted in str(caught.value), str(caught.value)
    assert '"%ID": 3,' in source[caught.value.line - 1]


def test_faults_of_relations(tmp_path):
    link = {"%TYPE": "webanno.custom.Link", "begin": 0, "end": 3}
    path = exported(
        tmp_path / "a.json",
        entity("قاآني", "PERS"),
        entity("بغداد", "GPE"),
        link | {"@Governor": 3, "@Dependent": 2, "role": "visited"},
        link | {"@Governor": 2, "@Dependent": 3, "role": "visted"},
    )
    with pytest.raises(DataError) as caught:
        cas.read(path, SCHEMA)
    assert "visited from GPE to PERS" in str(caught.value)
    assert "unknown relation 'visted'; accepted: did you mean 'visited'?" in str(caught.value)


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
