"""Merged and split labels: what the base model says of them together, computed by hand."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from isnad.model.document import Document
from isnad.model.modeling import IsnadModel
from isnad.model.schema import EntityType, LabelSchema, RelationType
from isnad.model.windows import WindowMaker
from isnad.training.collate import Collator, ParagraphDataset
from isnad.training.config import EncoderConfig, FinetuneConfig
from isnad.training.data.annotation import Source
from isnad.training.distil import Distillation
from isnad.training.loading import load_model
from isnad.training.unions import any_of, match_labels
from transformers import AutoTokenizer

SCHEMA = """
name: places
extends: wojood
removed: [LANGUAGE]
entities:
  - {name: WEAPON, en: Weapon or ammunition, ar: سلاح أو ذخيرة}
  - {name: PLACE, from: [LOC, FAC]}
  - {name: LAND, from: GPE}
  - {name: TOWN, from: GPE}
relations:
  - {name: fought, from: [attacked, conflict_with], symmetric: false}
  - {name: slew, from: killed}
  - {name: executed, from: killed}
"""


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> LabelSchema:
    path = tmp_path_factory.mktemp("places") / "places.yaml"
    path.write_text(SCHEMA, encoding="utf-8")
    return LabelSchema.from_yaml(path)


class TestMatches:
    def test_labels_that_mean_the_same_together(self, schema: LabelSchema, places: LabelSchema):
        found = match_labels(schema, places)
        theirs, ours = schema.entity_index, places.entity_index
        entities = dict(found.entities)
        assert entities[theirs["LOC"], theirs["FAC"]] == (ours["PLACE"],)
        assert entities[(theirs["GPE"],)] == (ours["LAND"], ours["TOWN"])
        assert entities[(theirs["PERS"],)] == (ours["PERS"],)
        assert not any(ours["WEAPON"] in news for news in entities.values())
        assert not any(theirs["LANGUAGE"] in olds for olds in entities)
        relations = dict(found.relations)
        row, new = schema.relation_index, places.relation_index
        assert relations[(row["killed"],)] == (new["slew"], new["executed"])
        assert relations[row["attacked"], row["conflict_with"]] == (new["fought"],)

    def test_a_teacher_that_knows_a_part_says_nothing(self):
        def labels(*names: str) -> LabelSchema:
            return LabelSchema("s", tuple(EntityType(name) for name in names))

        ours = replace(labels("PERS", "PLACE"), origins={"PLACE": ("LOC", "FAC")})
        assert match_labels(labels("PERS", "LOC", "FAC"), ours).entities == (((0,), (0,)), ((1, 2), (1,)))
        assert match_labels(labels("PERS", "LOC"), ours).entities == (((0,), (0,)),)
        # One that has the new label already is asked for that.
        assert match_labels(labels("PLACE", "PERS"), ours).entities == (((0,), (1,)), ((1,), (0,)))
        # A label that grows is not what its namesake was.
        grown = replace(labels("PERS", "LOC"), origins={"LOC": ("LOC", "FAC")})
        assert match_labels(labels("LOC", "PERS"), grown).entities == (((1,), (0,)),)


class TestUnion:
    def test_by_hand(self):
        """Of 0.5 and 0.5 one holds with 1 - 0.5² = 0.75, of 0.2, 0.1 and 0.4 with 1 - 0.8·0.9·0.6 = 0.568."""
        p = torch.tensor([[0.5, 0.5, 0.2, 0.1, 0.4]], dtype=torch.float64)
        found = any_of(p.logit(), [(0, 1), (2, 3, 4), (3,)]).sigmoid()
        torch.testing.assert_close(
            found, torch.tensor([[0.75, 0.568, 0.1]], dtype=torch.float64), atol=1e-6, rtol=0
        )

    def test_extremes_have_gradients(self):
        logits = torch.tensor([[-1e4, -1e4], [60.0, -30.0], [-40.0, -40.0]], requires_grad=True)
        found = any_of(logits, [(0, 1)])
        values = found.detach().flatten()
        assert values.isfinite().all() and values[1] == pytest.approx(60.0) and values[2] < -10
        found.sum().backward()
        assert (
            logits.grad is not None
            and logits.grad.isfinite().all()
            and logits.grad[1, 0] == pytest.approx(1.0)
        )


@pytest.fixture(scope="module")
def batch(tiny_model: Path, articles: Sequence[Document], schema: LabelSchema) -> dict[str, Any]:
    maker = WindowMaker(AutoTokenizer.from_pretrained(tiny_model), max_pieces=96, overlap_pieces=16)
    dataset = ParagraphDataset([Source("articles", articles[:1])], maker, schema)
    made = Collator(0)([dataset[n] for n in range(3)])
    return {name: value for name, value in made.items() if name != "gold"}


def _bernoulli(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """The Kullback-Leibler divergence of single decisions."""
    p, q = (x.double().clamp(1e-9, 1 - 1e-9) for x in (p, q))
    terms = (torch.special.xlogy(a, a) - torch.special.xlogy(a, b) for a, b in ((p, q), (1 - p, 1 - q)))
    return sum(terms, torch.zeros_like(p))


def test_the_loss_of_spans_by_hand(
    tiny_model: Path, places: LabelSchema, schema: LabelSchema, batch: dict[str, Any]
) -> None:
    """Every old label is compared with its heir; LOC and FAC together with PLACE, GPE with LAND and TOWN together."""
    teacher = IsnadModel.from_pretrained(tiny_model)
    student, _ = load_model(FinetuneConfig(encoder=EncoderConfig(path=str(tiny_model))), places)
    student.eval()
    with torch.no_grad():
        ours, theirs = student(**batch), teacher.eval()(**batch)
    got = Distillation([teacher], student, schema=places).parts(student, ours, batch)
    old, new = theirs.span_logits.double().sigmoid(), ours.span_logits.double().sigmoid()
    was, now = schema.entity_index, places.entity_index
    pairs = [(old[..., was[n]], new[..., now[n]]) for n in schema.entity_labels if n in now]
    pairs.append((1 - (1 - old[..., was["LOC"]]) * (1 - old[..., was["FAC"]]), new[..., now["PLACE"]]))
    pairs.append((old[..., was["GPE"]], 1 - (1 - new[..., now["LAND"]]) * (1 - new[..., now["TOWN"]])))
    assert len(pairs) == len(schema.entities) - 4 + 2
    possible = theirs.span_logits[..., 0] > -9e3
    words = int(batch["word_mask"].sum())
    by_hand = sum(float(_bernoulli(p, q)[possible].sum()) for p, q in pairs) / words
    assert got["span"].item() == pytest.approx(by_hand, rel=1e-3) and by_hand > 1e-3


def test_steps_lead_to_the_old_scores(tiny_model: Path, places: LabelSchema, schema: LabelSchema) -> None:
    """From rows without any knowledge PLACE learns to hold where LOC or FAC held, LAND and TOWN no more than GPE."""
    draw = torch.Generator().manual_seed(2)
    old = torch.rand(200, len(schema.entities), generator=draw)
    matches = match_labels(schema, places).entities
    targets = any_of(old.logit(), [theirs for theirs, _ in matches]).sigmoid()
    logits = torch.randn(200, len(places.entities), generator=draw).requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=0.1)
    for _ in range(400):
        found = any_of(logits, [ours for _, ours in matches])
        loss = torch.nn.functional.binary_cross_entropy_with_logits(found, targets, reduction="sum")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    was, now, learned = schema.entity_index, places.entity_index, logits.detach().sigmoid()
    union = 1 - (1 - old[:, was["LOC"]]) * (1 - old[:, was["FAC"]])
    torch.testing.assert_close(learned[:, now["PLACE"]], union, atol=0.02, rtol=0)
    for part in ("LAND", "TOWN"):
        assert (learned[:, now[part]] <= old[:, was["GPE"]] + 0.02).all()
    torch.testing.assert_close(
        1 - (1 - learned[:, now["LAND"]]) * (1 - learned[:, now["TOWN"]]),
        old[:, was["GPE"]],
        atol=0.02,
        rtol=0,
    )


class TestRelations:
    def test_merged_and_split_relations_are_taught(
        self, tiny_model: Path, places: LabelSchema, batch: dict[str, Any]
    ):
        """Their rows get gradients, as do those of the parts; a relation without a past gets none."""
        new = RelationType("armed_with", head=("PERS",), tail=("WEAPON",))
        larger = replace(places, relations=(*places.relations, new))
        teacher = IsnadModel.from_pretrained(tiny_model)
        student, _ = load_model(FinetuneConfig(encoder=EncoderConfig(path=str(tiny_model))), larger)
        with torch.no_grad():
            student.relation_head.output.bias.add_(1.0)
        student.eval()
        parts = Distillation([teacher], student, schema=larger).parts(student, student(**batch), batch)
        assert parts["relation"].item() > 1e-3
        parts["relation"].backward()
        rows = student.relation_head.output.bias.grad
        assert rows is not None
        index = larger.relation_index
        assert all(rows[index[name]] != 0 for name in ("fought", "slew", "executed", "visited"))
        assert rows[index["armed_with"]] == 0

    def test_a_union_of_signatures(self, tiny_model: Path, schema: LabelSchema, batch: dict[str, Any]):
        """Where only one of two merged relations may stand, the new one learns what that one has."""
        rules = RelationType("rules", head=("PERS", "GPE"), tail=schema.entity_labels)
        relations = (rules if r.name == "leader_of" else r for r in schema.relations if r.name != "part_of")
        origins = {"rules": ("leader_of", "part_of")}
        merged = LabelSchema("m", schema.entities, tuple(relations), origins=origins)
        teacher = IsnadModel.from_pretrained(tiny_model)
        student, _ = load_model(FinetuneConfig(encoder=EncoderConfig(path=str(tiny_model))), merged)
        row, was = merged.relation_index["rules"], schema.relation_index
        with torch.no_grad():  # the new relation says what leader_of said
            student.relation_head.output.weight[row] = teacher.relation_head.output.weight[was["leader_of"]]
            student.relation_head.output.bias[row] = teacher.relation_head.output.bias[was["leader_of"]]
            teacher.signature[was["part_of"]] = False  # and part_of may stand nowhere
        student.eval()
        parts = Distillation([teacher], student, schema=merged).parts(student, student(**batch), batch)
        assert parts["relation"].item() == pytest.approx(0.0, abs=1e-4)
