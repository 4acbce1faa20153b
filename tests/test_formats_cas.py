"""CAS JSON as INCEpTION exports it: layers, offsets of other tools, chains, and every fault with its line."""

import json
from pathlib import Path

import pytest
from isnad.model.document import Document
from isnad.model.errors import DataError
from isnad.model.schema import LabelSchema
from isnad.training.data import cas

cassis = pytest.importorskip("cassis")

SCHEMA = LabelSchema.from_yaml(Path(__file__).resolve().parents[1] / "configs" / "schemas" / "wojood.yaml")
NER = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"
TEXT = "زار قاآني 😀 بغداد والتقى الكاظمي"
STRING = "uima.cas.String"


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
