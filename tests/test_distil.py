"""Soft targets: nothing to learn from a teacher that one equals, and labels in common matched by name."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from isnad.model.document import Document
from isnad.model.errors import ConfigError, ModelError
from isnad.model.modeling import IsnadModel
from isnad.model.schema import EntityType, LabelSchema
from isnad.model.windows import WindowMaker
from isnad.training.collate import Collator, ParagraphDataset
from isnad.training.config import DistilConfig, FinetuneConfig, build
from isnad.training.data.annotation import Source
from isnad.training.distil import Distillation, _mean_columns, load_teachers
from isnad.training.finetune import finetune
from isnad.training.transfer import transfer_heads
from transformers import AutoTokenizer


@pytest.fixture(scope="module")
def batch(tiny_model: Path, articles: list[Document], schema: LabelSchema) -> dict[str, Any]:
    maker = WindowMaker(AutoTokenizer.from_pretrained(tiny_model), max_pieces=96, overlap_pieces=16)
    dataset = ParagraphDataset([Source("articles", articles)], maker, schema)
    return Collator(0)([dataset[n] for n in range(4)])


def _shaken(folder: Path, seed: int) -> IsnadModel:
    torch.manual_seed(seed)
    model = IsnadModel.from_pretrained(folder)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


def _parts(teachers: Sequence[IsnadModel], student: IsnadModel, batch: dict[str, Any]) -> dict[str, float]:
    student.eval()
    found = Distillation(teachers, student).parts(student, student(**batch), batch)
    return {name: value.item() for name, value in found.items()}


def test_a_student_that_equals_its_teacher_has_nothing_to_learn(
    tiny_model: Path, batch: dict[str, Any]
) -> None:
    same = _parts([IsnadModel.from_pretrained(tiny_model)], IsnadModel.from_pretrained(tiny_model), batch)
    assert same == pytest.approx({"span": 0.0, "proclitic": 0.0, "relation": 0.0}, abs=1e-4)
    other = _parts([_shaken(tiny_model, 3)], IsnadModel.from_pretrained(tiny_model), batch)
    assert min(other.values()) > 1e-4, other


def test_gradient_steps_lead_to_the_mean_of_the_teachers(tiny_model: Path, batch: dict[str, Any]) -> None:
    teachers = [_shaken(tiny_model, 3), _shaken(tiny_model, 4)]
    student = IsnadModel.from_pretrained(tiny_model).train()
    distillation = Distillation(teachers, student)
    frozen = {name: p.clone() for name, p in teachers[0].named_parameters()}
    optimizer = torch.optim.AdamW(student.parameters(), lr=5e-3)
    losses = []
    for _ in range(12):
        loss = sum(distillation.parts(student, student(**batch), batch).values(), torch.zeros(()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0], losses
    assert all(torch.equal(frozen[name], p) for name, p in teachers[0].named_parameters())


def test_the_mean_is_taken_where_a_teacher_has_a_say() -> None:
    one, two = torch.tensor([[0.2, 0.4]]), torch.tensor([[0.6]])
    mean, count = _mean_columns([one, two], [[(0, 2), (1, 0)], [(0, 2)]], 3)
    torch.testing.assert_close(mean, torch.tensor([[0.4, 0.0, 0.4]]))
    assert count.tolist() == [[1, 0, 2]]
    valid = [torch.tensor([[False, True]]), torch.tensor([[True]])]
    mean, count = _mean_columns([one, two], [[(0, 2), (1, 0)], [(0, 2)]], 3, valid)
    torch.testing.assert_close(mean, torch.tensor([[0.4, 0.0, 0.6]]))
    assert count.tolist() == [[1, 0, 1]]


def test_a_teacher_says_nothing_about_labels_that_it_does_not_know(
    tiny_model: Path, batch: dict[str, Any], schema: LabelSchema
) -> None:
    teacher = IsnadModel.from_pretrained(tiny_model)
    weapon = EntityType("WEAPON")
    larger = replace(schema, entities=(weapon, *schema.entities))
    student = IsnadModel.from_encoder(
        teacher.encoder, larger, **{k: getattr(teacher.config, k) for k in _SIZES}
    )
    transfer_heads(teacher, student)
    assert student.schema.entity_labels[0] == "WEAPON"
    student.eval()
    gold = batch["gold"] | {"spans": batch["gold"]["spans"]}
    inputs = batch | {"gold": gold}
    output = student(**{k: v for k, v in batch.items() if k != "gold"})
    # The student's columns are shifted by one; matched by name the spans agree but for the new label.
    parts = Distillation([teacher], student).parts(student, output, inputs)
    assert parts["span"].item() == pytest.approx(0.0, abs=1e-4)
    parts["span"].backward()
    rows = student.span_head.biaffine.grad
    assert rows is not None and rows[0].abs().max() == 0


_SIZES = (
    "max_pieces", "overlap_pieces", "attention_heads", "word_size", "letter_size", "span_size", "pair_size",
    "mention_size",
)  # fmt: skip


def test_unfit_teachers_are_refused(tiny_model: Path, schema: LabelSchema) -> None:
    model = IsnadModel.from_pretrained(tiny_model)
    strange = IsnadModel.from_pretrained(tiny_model)
    strange.config.labels = LabelSchema("other", entities=(EntityType("GENE"),), relations=()).to_dict()
    with pytest.raises(ModelError, match="none of the student's labels"):
        Distillation([strange], model)
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.add_tokens(["قاآني"])
    with pytest.raises(ModelError, match="another tokenizer"):
        load_teachers(DistilConfig(teachers=(str(tiny_model),)), model, tokenizer)
    with pytest.raises(ConfigError, match="weight is 0"):
        build(FinetuneConfig, {"distil": {"weight": 0}}, where="here")
    assert load_teachers(DistilConfig(), model, tokenizer) is None


def test_a_run_with_a_teacher(
    tiny_model: Path, articles: list[Document], schema: LabelSchema, tmp_path: Path
) -> None:
    config = build(
        FinetuneConfig,
        {
            "encoder": {"path": str(tiny_model)},
            "distil": {"teachers": [str(tiny_model)], "weight": 2},
            "epochs": 1,
            "tracker": "none",
        },
        where="here",
    )
    score = lambda gold, found: {"span_f1": 0.5, "relation_f1": 0.5}  # noqa: E731
    result = finetune(config, schema, articles[:1], articles[1:2], tmp_path / "run", score=score)
    assert "distil:" in (result.folder / "training.yaml").read_text(encoding="utf-8")
