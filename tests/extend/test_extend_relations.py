"""New relations, between new and old entity labels, learned beside the old ones."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from isnad.model.document import Document, Relation
from isnad.model.inference import Extractor
from isnad.model.modeling import IsnadModel
from isnad.model.schema import LabelSchema
from isnad.model.text import make_entity
from isnad.model.windows import WindowMaker
from isnad.training.collate import Collator, ParagraphDataset
from isnad.training.config import EncoderConfig, FinetuneConfig
from isnad.training.data import write_documents
from isnad.training.data.annotation import Source
from isnad.training.loading import load_model

SCHEMA = """
name: armed
extends: wojood
entities:
  - {name: WEAPON, en: Weapon or ammunition, ar: سلاح أو ذخيرة}
relations:
  - {name: armed_with, head: [PERS], tail: [WEAPON], en: Has the weapon, ar: يملك السلاح}
  - {name: borders, head: [GPE], tail: [GPE], symmetric: true, en: Has a border with, ar: يحد}
"""
PEOPLE, WEAPONS = ("قاآني", "نصرالله", "نصر الله", "مُحمّد"), ("صواريخ", "بنادق", "دبّـابات")
PLACES = ("العراق", "سوريا", "لبنان", "إيران")


def _sentence(n: int) -> Document:
    """A person with a weapon, or two countries with a border."""
    if n % 2:
        names = ((PLACES[n % 4], "GPE"), (PLACES[(n + 1 + n // 4 % 3) % 4], "GPE"))
        text, label = f"تحد {names[0][0]} أرض {names[1][0]} منذ {n} عاما 🗺", "borders"
    else:
        names = ((PEOPLE[n // 2 % 4], "PERS"), (WEAPONS[n // 2 % 3], "WEAPON"))
        text, label = f"يملك {names[0][0]} كثيرا من {names[1][0]} وعددها {n}", "armed_with"
    spans = [(text.index(name), name, kind) for name, kind in names]
    entities = tuple(
        make_entity(text, at, at + len(name), kind, id=f"T{i}") for i, (at, name, kind) in enumerate(spans)
    )
    return Document(text, entities, (Relation("T0", label, "T1"),), id=f"s{n}")


@pytest.fixture(scope="module")
def armed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the schema and of 32 sentences."""
    place = tmp_path_factory.mktemp("armed")
    (place / "armed.yaml").write_text(SCHEMA, encoding="utf-8")
    schema = LabelSchema.from_yaml(place / "armed.yaml")
    write_documents([_sentence(n) for n in range(32)], place / "new.jsonl", format="jsonl", schema=schema)
    return place


@torch.no_grad()
def _margins(model: IsnadModel, maker: WindowMaker) -> torch.Tensor:
    """Return, for either new relation, its mean logit between its gold ends less that between those of the other."""
    model.eval()
    schema = model.schema
    dataset = ParagraphDataset([Source("new", [_sentence(n) for n in range(50, 70)])], maker, schema)
    inputs = Collator(0)([dataset[n] for n in range(20)])
    gold = inputs.pop("gold")
    words = model(**inputs).words
    head, label, tail = gold["relations"].unbind(1)
    order = head.argsort()
    pairs = torch.stack([head, tail], dim=1)[order]
    mentions = model.mentions(words, gold["spans"], gold["types"].float())
    logits = model.relate(words, inputs["word_mask"], mentions, gold["spans"], pairs)
    rows = [schema.relation_index[name] for name in ("armed_with", "borders")]
    return torch.stack([
        logits[label[order] == row, row].mean() - logits[label[order] != row, row].mean() for row in rows
    ])  # fmt: skip


def test_new_relations_are_learned_and_old_ones_measured(
    isnad: Callable[..., Any],
    folder: Path,
    armed: Path,
    tiny_model: Path,
    tmp_path: Path,
    schema: LabelSchema,
) -> None:
    result = isnad(
        "train", "--base", tiny_model, "--data", armed / "new.jsonl", "--schema", armed / "armed.yaml",
        "-o", tmp_path / "run", "--allow-forgetting", "--annotates", "PERS,GPE,WEAPON,armed_with,borders",
        "--set", "tracker=none", "--set", "epochs=2", "--set", "extend.repeat=6", "--set", "batch_size=8",
        "--set", "head_learning_rate=0.01", "--set", "encoder_learning_rate=0.003", "--set", "distil.weight=0.1",
        "--set", f"extend.rehearse=[{folder / 'rehearse.jsonl'}]",
        "--set", f"extend.measure=[{folder / 'measure.jsonl'}]",
    )  # fmt: skip
    assert result.exit_code == 0, (result.stderr, result.exception)
    assert "new: WEAPON, armed_with, borders" in result.stderr
    found = json.loads((tmp_path / "run/forgetting.json").read_text(encoding="utf-8"))
    old = set(found["old"]) & set(schema.relation_labels)
    assert old and not {"armed_with", "borders"} & set(found["old"])
    assert "all relations" in result.stdout and all(label in result.stdout for label in old)
    for label in ("armed_with", "borders"):
        assert found["new"][label]["support"] >= 2 and label in result.stdout

    new = LabelSchema.from_yaml(armed / "armed.yaml")
    extractor = Extractor.from_pretrained(tmp_path / "run/model")
    assert extractor.schema == new
    assert {"armed_with", "borders"} <= (extractor.config.relation_thresholds or {}).keys()
    document = extractor(_sentence(40).text)
    labels = {e.id: e.label for e in document.entities}
    assert all(new.allows(labels[r.head], r.label, labels[r.tail]) for r in document.relations)
    fresh, tokenizer = load_model(FinetuneConfig(encoder=EncoderConfig(path=str(tiny_model))), new)
    trained = IsnadModel.from_pretrained(tmp_path / "run/model")
    before, after = (_margins(model, WindowMaker.of(tokenizer, model.config)) for model in (fresh, trained))
    # Each row has moved towards the ends that it joins, as far as an encoder of random weights tells them apart.
    assert (after > before + 0.01).all() and after.min() > 0, (before, after)


def test_a_relation_without_its_signature_is_refused(
    isnad: Callable[..., Any], refused: Callable[..., None], armed: Path, tiny_model: Path, tmp_path: Path
) -> None:
    """The data joins what the signature of the new relation does not: one sentence, with number and places."""
    (tmp_path / "narrow.yaml").write_text(
        SCHEMA.replace("head: [PERS], tail: [WEAPON]", "head: [ORG], tail: [WEAPON]"), encoding="utf-8"
    )
    result = isnad(
        "train", "--base", tiny_model, "--data", armed / "new.jsonl", "--schema", tmp_path / "narrow.yaml",
        "-o", tmp_path / "run",
    )  # fmt: skip
    refused(result, "armed_with from PERS to WEAPON, 16 times (line 1 «", "accepted: ORG → WEAPON")
    assert not (tmp_path / "run").exists()
