"""Labels that are added, renamed, merged, split and removed: schema files, documents, rows of the heads."""

from collections import Counter
from pathlib import Path

import pytest
import torch
from isnad.model.document import Document, Relation
from isnad.model.errors import SchemaError
from isnad.model.modeling import IsnadModel
from isnad.model.schema import LabelSchema
from isnad.model.text import make_entity
from isnad.training.config import EncoderConfig, FinetuneConfig
from isnad.training.loading import load_model
from isnad.training.relabel import common_labels, label_changes, relabel

CHANGED = """
name: arms
extends: wojood
removed: [LANGUAGE]
entities:
  - {name: WEAPON, en: Weapon or ammunition, ar: سلاح أو ذخيرة}
  - {name: COMPANY, from: ORG}
  - {name: PLACE, from: [LOC, FAC]}
  - {name: LAND, from: GPE}
  - {name: TOWN, from: GPE}
  - {name: PRODUCT}
  - {name: VEHICLE, from: PRODUCT}
relations:
  - {name: armed_with, head: [PERS, COMPANY], tail: [WEAPON]}
  - {name: chief_of, from: leader_of}
  - {name: visited, tail: [LAND, TOWN]}
"""


@pytest.fixture
def changed(tmp_path: Path) -> LabelSchema:
    return _read(tmp_path, CHANGED)


def _read(folder: Path, text: str, name: str = "my.yaml") -> LabelSchema:
    (folder / name).write_text(text, encoding="utf-8")
    return LabelSchema.from_yaml(folder / name)


def _document(
    text: str, *names: tuple[str, str], relations: tuple[tuple[int, str, int], ...] = ()
) -> Document:
    entities, at = [], 0
    for n, (name, label) in enumerate(names, 1):
        at = text.index(name, at)
        entities.append(make_entity(text, at, at + len(name), label, id=f"T{n}"))
        at += len(name)
    links = tuple(Relation(f"T{a}", label, f"T{b}") for a, label, b in relations)
    return Document(text, tuple(entities), links, id="d")


class TestSchemaFile:
    def test_what_an_extension_inherits(self, changed: LabelSchema, schema: LabelSchema):
        # One each more by WEAPON, VEHICLE and the parts of GPE, one each less by PLACE and LANGUAGE.
        assert len(changed.entities) == len(schema.entities) + 3 - 2
        company = changed.entities[changed.entity_index["COMPANY"]]
        organisation = schema.entities[schema.entity_index["ORG"]]
        assert (company.ar, company.corefers) == (organisation.ar, True)
        assert changed.entities[changed.entity_index["LAND"]].ar == ""  # half of a label is described anew
        assert changed.entities[changed.entity_index["PRODUCT"]].ar
        # A renamed label stands where the old one stood, a new one at the end.
        assert changed.entity_index["COMPANY"] == schema.entity_index["ORG"]
        assert changed.entity_labels[-1] == "WEAPON"
        assert changed.relation("part_of").head == ("COMPANY", "LAND", "TOWN", "PLACE")
        assert changed.relation("chief_of").head == ("PERS",) and "leader_of" not in changed.relation_labels
        assert changed.relation("visited").tail == ("LAND", "TOWN")
        assert changed.relation("visited").head == ("PERS", "COMPANY")

    def test_the_past_is_no_part_of_the_content(self, changed: LabelSchema, tmp_path: Path):
        saved = LabelSchema.from_dict(changed.to_dict())
        assert changed.origins["PLACE"] == ("LOC", "FAC") and changed.removed == ("LANGUAGE",)
        assert saved == changed and saved.hash == changed.hash and not saved.origins and not saved.removed
        assert "from" not in str(saved.to_dict()).replace("from the", "")
        # Extending what was extended: by path, relative to the file.
        again = _read(tmp_path, "name: more\nextends: my.yaml\nentities: [{name: CALIBRE}]\n", "more.yaml")
        assert again.entity_labels == (*changed.entity_labels, "CALIBRE") and not again.origins

    def test_a_model_can_be_extended(self, tiny_model: Path, schema: LabelSchema, tmp_path: Path):
        found = _read(tmp_path, f"name: more\nextends: {tiny_model}\nentities: [{{name: WEAPON}}]\n")
        assert found.entity_labels == (*schema.entity_labels, "WEAPON")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("extends: wojod", "'extends' names 'wojod', which is not there; .*did you mean 'wojood'"),
            ("extends: my.yaml", "extend each other: my.yaml → my.yaml"),
            ("extends: wojood\nremoved: [LANGUGE]", "unknown label 'LANGUGE'; did you mean 'LANGUAGE'"),
            (
                "extends: wojood\nentities: [{name: X, from: OGR}]",
                "'from' the unknown label 'OGR'; did you mean 'ORG'",
            ),
            ("extends: wojood\nentities: [{name: X, from: visited}]", "'from' the unknown label 'visited'"),
            ("extends: wojood\nremoved: [X]\nentities: [{name: X}]", "unknown label 'X'"),
            ("extends: wojood\nremoved: [ORG]\nentities: [{name: ORG}]", "'ORG' is defined and 'removed'"),
            ("extends: wojood\nentities: [{name: X}, {name: X}]", "'X' is listed twice"),
            ("extends: wojood\nentities: [X]", "accepted: a list of mappings"),
            (
                "extends: wojood\nentities: [{name: X, from: 3}]",
                "'from' holds 3; accepted: a label or a list",
            ),
            ("extends: wojood\nentities: [{name: X, form: ORG}]", "unknown key 'form'"),
            ("extends: wojood\nremoved: [EVENT]", "relation 'participated_in' has no tail types"),
        ],
    )
    def test_faults(self, tmp_path: Path, text: str, message: str):
        with pytest.raises(SchemaError, match=message):
            _read(tmp_path, f"name: my\n{text}\n")


class TestChanges:
    def test_every_label_has_its_fate(self, changed: LabelSchema, schema: LabelSchema):
        changes = label_changes(schema, changed)
        assert changes.added == ("WEAPON", "armed_with") and changes.removed == ("LANGUAGE",)
        assert changes.merged == {"PLACE": ("LOC", "FAC")}
        assert changes.split == {"GPE": ("LAND", "TOWN"), "PRODUCT": ("PRODUCT", "VEHICLE")}
        assert changes.exact["ORG"] == "COMPANY" and changes.exact["PERS"] == "PERS"
        assert "PRODUCT" not in changes.exact and "LOC" not in changes.exact
        common = common_labels(schema, changed, changes)
        assert common.old["LOC"] == common.old["FAC"] == common.new["PLACE"] == ("LOC+FAC→PLACE",)
        assert common.new["VEHICLE"] == common.new["PRODUCT"] == ("PRODUCT→PRODUCT+VEHICLE",)
        assert "WEAPON" not in common.new and "LANGUAGE" not in common.old

    def test_nothing_is_lost_unsaid(self, schema: LabelSchema, tmp_path: Path):
        two = _read(tmp_path, "name: my\nentities: [{name: PERS}, {name: WEAPON}]\n")
        with pytest.raises(SchemaError, match=r"has no NORP, OCC.*'extends: wojood' and only the changes"):
            label_changes(schema, two)
        assert "NORP" in label_changes(schema, two, strict=False).removed
        strange = _read(tmp_path, CHANGED)
        # The second training from the same file: the base model has the new names already.
        again = label_changes(LabelSchema.from_dict(strange.to_dict()), strange)
        assert not again.added and not again.removed and again.exact["COMPANY"] == "COMPANY"
        with pytest.raises(SchemaError, match="comes 'from' 'ORG', which the base model does not know"):
            label_changes(two, strange)

    def test_documents_in_new_labels(self, changed: LabelSchema, schema: LabelSchema):
        text = "زارَ قاآني مقرّ نصر الله في بغداد وتحدّث العربيّة ٣ مرات"
        document = _document(
            text, ("قاآني", "PERS"), ("مقرّ نصر الله", "FAC"), ("بغداد", "GPE"), ("العربيّة", "LANGUAGE"),
            relations=((1, "visited", 3), (1, "leader_of", 3), (1, "visited", 2)),
        )  # fmt: skip
        lost: Counter[str] = Counter()
        [found], open_ = relabel([document], label_changes(schema, changed).heirs, changed, lost=lost)
        assert [(e.text, e.label) for e in found.entities] == [
            ("قاآني", "PERS"), ("مقرّ نصر الله", "PLACE"), ("بغداد", "LAND|TOWN"),
        ]  # fmt: skip
        assert all(found.text[e.start : e.end] == e.text for e in found.entities)
        assert open_ == {"LAND|TOWN": ("LAND", "TOWN")}
        # visited no longer leads to what was a FAC; chief_of has its new name.
        assert [(r.head, r.label, r.tail) for r in found.relations] == [
            ("T1", "visited", "T3"), ("T1", "chief_of", "T3"),
        ]  # fmt: skip
        assert lost == {"LANGUAGE": 1, "visited": 1}

    def test_a_split_relation_is_decided_by_its_signature(self, schema: LabelSchema, tmp_path: Path):
        new = _read(
            tmp_path,
            "name: my\nextends: wojood\nrelations:\n"
            "  - {name: runs, from: leader_of, tail: [ORG]}\n"
            "  - {name: rules, from: leader_of, tail: [GPE, NORP]}\n"
            "  - {name: slew, from: killed}\n  - {name: executed, from: killed}\n",
        )
        heirs = label_changes(schema, new).heirs
        document = _document(
            "قاد حسن نصرالله حزب الله وحكم صدام العراق وقتل صدام قاسم", ("حسن نصرالله", "PERS"), ("حزب الله", "ORG"),
            ("صدام", "PERS"), ("العراق", "GPE"), ("قاسم", "PERS"),
            relations=((1, "leader_of", 2), (3, "leader_of", 4), (3, "killed", 5)),
        )  # fmt: skip
        [found], open_ = relabel([document], heirs, new)
        assert [r.label for r in found.relations] == ["runs", "rules"]
        assert open_ == {"slew|executed": ("slew", "executed")}

    def test_merged_mentions_are_one(self, schema: LabelSchema, tmp_path: Path):
        new = _read(tmp_path, "name: my\nextends: wojood\nentities: [{name: PLACE, from: [GPE, LOC]}]\n")
        text = "في غزة"
        entities = tuple(make_entity(text, 3, 6, label, id=label) for label in ("GPE", "LOC"))
        document = Document(text, entities, (), (), id="d")
        [found], _ = relabel([document], label_changes(schema, new).heirs, new)
        assert [(e.id, e.label) for e in found.entities] == [("GPE", "PLACE")]


def test_rows_of_the_heads_follow_the_labels(tiny_model: Path, changed: LabelSchema) -> None:
    old = IsnadModel.from_pretrained(tiny_model).eval()
    new, _ = load_model(FinetuneConfig(encoder=EncoderConfig(path=str(tiny_model))), changed)
    new.eval()
    words, mask = torch.randn(2, 5, old.config.word_size), torch.ones(2, 5, dtype=torch.bool)
    with torch.no_grad():
        before, after = old.span_head(words, mask), new.span_head(words, mask)
    at, was = changed.entity_index, old.schema.entity_index
    upper = torch.triu(torch.ones(5, 5, dtype=torch.bool))
    for label, source in (("COMPANY", "ORG"), ("LAND", "GPE"), ("TOWN", "GPE"), ("PRODUCT", "PRODUCT")):
        torch.testing.assert_close(after[..., at[label]], before[..., was[source]])
    mean = (before[..., was["LOC"]] + before[..., was["FAC"]]) / 2
    torch.testing.assert_close(after[..., at["PLACE"]][:, upper], mean[:, upper], rtol=1e-4, atol=1e-4)
    row, source_row = changed.relation_index["chief_of"], old.schema.relation_index["leader_of"]
    torch.testing.assert_close(
        new.relation_head.output.weight[row], old.relation_head.output.weight[source_row]
    )
    assert new.config.labels == changed.to_dict() and "from" not in new.config.labels["entities"][3]
