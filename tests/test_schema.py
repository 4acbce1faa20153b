"""The label schema: its file agrees with the guidelines, and faults are named."""

import re
from pathlib import Path

import pytest
from isnad.model.errors import SchemaError
from isnad.model.schema import LabelSchema

ROOT = Path(__file__).resolve().parents[1]
WOJOOD = ROOT / "configs" / "schemas" / "wojood.yaml"

SMALL = """
name: small
entities:
  - {name: PERS, corefers: true}
  - {name: ORG}
relations:
  - {name: member_of, head: [PERS], tail: [ORG]}
  - {name: met_with, head: [PERS, ORG], tail: [ORG, PERS], symmetric: true}
"""


def guideline_rows(heading: str) -> list[list[str]]:
    """Return the cells of the Markdown table below a heading of the guidelines, without its head."""
    section = (
        (ROOT / "seeds" / "GUIDELINES.md").read_text(encoding="utf-8").split(heading)[1].split("\n## ")[0]
    )
    table = [line for line in section.splitlines() if line.startswith("|")]
    return [[c.strip() for c in line.replace(r"\|", "/").strip("|").split("|")] for line in table[2:]]


@pytest.fixture(scope="module")
def wojood() -> LabelSchema:
    return LabelSchema.from_yaml(WOJOOD)


def test_entity_types_are_those_of_the_guidelines_in_their_order(wojood):
    assert list(wojood.entity_labels) == [row[0] for row in guideline_rows("## 1. Entities")]
    assert len(wojood.entities) == 21


def test_relation_signatures_are_those_of_the_guidelines(wojood):
    rows = guideline_rows("## 3. Relations")
    assert list(wojood.relation_labels) == [row[0].rstrip(" *") for row in rows]
    assert len(rows) == 18
    for name, signature, _ in rows:
        relation = wojood.relation(name.rstrip(" *"))
        heads, tails = set(), set()
        for part in signature.split(";"):
            head, tail = (re.findall(r"[A-Z]+|same", side) for side in part.split("→"))
            heads.update(head)
            tails.update(head if tail == ["same"] else tail)
        assert (set(relation.head), set(relation.tail)) == (heads, tails), name
        assert relation.symmetric == name.endswith("*"), name


def test_every_type_is_described_in_both_languages(wojood):
    for item in (*wojood.entities, *wojood.relations):
        assert len(item.en) > 10, item.name
        assert re.search("[\u0621-\u064a]", item.ar), item.name
        assert not re.search("[A-Za-z]", item.ar), item.name
    descriptions = [text for i in (*wojood.entities, *wojood.relations) for text in (i.en, i.ar)]
    assert len(set(descriptions)) == len(descriptions)


def test_mask_agrees_with_the_signatures(wojood):
    mask = wojood.signature_mask()
    for r, relation in enumerate(wojood.relation_labels):
        for h, head in enumerate(wojood.entity_labels):
            for t, tail in enumerate(wojood.entity_labels):
                assert mask[r][h][t] == wojood.allows(head, relation, tail)
    assert wojood.allows("PERS", "visited", "GPE")
    assert not wojood.allows("GPE", "visited", "PERS")


def test_plain_data_round_trip_and_hash(wojood):
    again = LabelSchema.from_dict(wojood.to_dict())
    assert again == wojood
    assert again.hash == wojood.hash
    changed = wojood.to_dict()
    changed["relations"][0]["tail"] = ["ORG"]
    assert LabelSchema.from_dict(changed).hash != wojood.hash


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: small", "nmae: small", "unknown key 'nmae'; did you mean 'name'?"),
        ("name: small\n", "\n", "the key 'name' is missing"),
        ("corefers: true", "corefer: true", "entity 1: unknown key 'corefer'; did you mean 'corefers'?"),
        ("corefers: true", "corefers: perhaps", "'corefers' holds 'perhaps'; accepted: bool"),
        ("{name: ORG}", "{name: PERS}", "entity type 'PERS' is listed 2 times"),
        ("name: met_with", "name: member_of", "relation type 'member_of' is listed 2 times"),
        ("tail: [ORG]}", "tail: [ORGA]}", "names the unknown entity type 'ORGA'; did you mean 'ORG'?"),
        ("tail: [ORG]}", "tail: ORG}", "'tail' holds 'ORG'; accepted: a list of entity types"),
        ("tail: [ORG]}", "tail: []}", "relation 'member_of' has no tail types"),
        ("head: [PERS], ", "", "relation 1: the key 'head' is missing"),
        (
            "tail: [ORG, PERS]",
            "tail: [ORG]",
            "relation 'met_with' is symmetric but its head and tail types differ",
        ),
        ("- {name: ORG}", "- ORG", "entity 2: found 'ORG'; accepted: a mapping with 'name'"),
        ("name: small", "name: [small", "not valid YAML"),
    ],
)
def test_faults_name_the_file_and_what_is_accepted(tmp_path, old, new, message):
    assert SMALL.count(old) == 1
    path = tmp_path / "small.yaml"
    path.write_text(SMALL.replace(old, new), encoding="utf-8")
    with pytest.raises(SchemaError) as caught:
        LabelSchema.from_yaml(path)
    assert message in str(caught.value)
    assert "small.yaml" in str(caught.value)


def test_the_small_schema_itself_is_sound(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL, encoding="utf-8")
    schema = LabelSchema.from_yaml(path)
    assert schema.coreferent_labels == {"PERS"}
    with pytest.raises(SchemaError, match="did you mean 'member_of'"):
        schema.relation("membr_of")
    with pytest.raises(SchemaError, match="cannot read the schema file"):
        LabelSchema.from_yaml(tmp_path / "absent.yaml")
