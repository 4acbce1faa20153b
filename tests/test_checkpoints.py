"""Checkpoint folders: complete or passed over, restored to the bit, and configurations that are read strictly."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from isnad.model.errors import ConfigError, ModelError
from isnad.model.store import MANIFEST, write_manifest
from isnad.training import checkpoints
from isnad.training.config import AugmentConfig, FinetuneConfig, build, load_config
from transformers import get_cosine_schedule_with_warmup


def trained(steps: int, seed: int = 0) -> tuple[torch.nn.Module, torch.optim.Optimizer, Any]:
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 1))
    groups = [{"params": model[0].parameters(), "lr": 0.1}, {"params": model[1].parameters(), "lr": 0.01}]
    optimizer = torch.optim.AdamW(groups, betas=(0.8, 0.95))
    scheduler = get_cosine_schedule_with_warmup(optimizer, 2, 20)
    for _ in range(steps):
        step(model, optimizer, scheduler)
    return model, optimizer, scheduler


def step(model: torch.nn.Module, optimizer: torch.optim.Optimizer, scheduler: Any) -> None:
    optimizer.zero_grad()
    model(torch.randn(5, 3)).square().sum().backward()
    optimizer.step()
    scheduler.step()


def make(folder: Path, steps: int = 5) -> Path:
    """A complete checkpoint, as the trainer leaves it."""
    _, optimizer, scheduler = trained(steps)
    temporary = folder.with_name("writing.tmp")
    temporary.mkdir(parents=True)
    (temporary / "config.json").write_text("{}")
    checkpoints.save_state(temporary, optimizer, scheduler)
    checkpoints.publish(temporary, folder)
    return folder


def test_the_state_goes_on_to_the_bit(tmp_path: Path) -> None:
    model, optimizer, scheduler = trained(5)
    random.seed(4)
    np.random.seed(4)
    checkpoints.save_state(tmp_path, optimizer, scheduler)
    weights = {k: v.clone() for k, v in model.state_dict().items()}
    step(model, optimizer, scheduler)
    drawn = (random.random(), np.random.random(), torch.rand(3).tolist())

    other, optimizer2, scheduler2 = trained(2, seed=9)
    other.load_state_dict(weights)
    checkpoints.load_state(tmp_path, optimizer2, scheduler2)
    checkpoints.load_random(tmp_path)
    assert scheduler2.get_last_lr() != [0.1, 0.01]
    step(other, optimizer2, scheduler2)
    assert (random.random(), np.random.random(), torch.rand(3).tolist()) == drawn
    assert all(torch.equal(v, other.state_dict()[k]) for k, v in model.state_dict().items())
    assert scheduler2.get_last_lr() == scheduler.get_last_lr()
    assert optimizer2.param_groups[0]["betas"] == (0.8, 0.95)


def test_the_newest_complete_checkpoint_counts(tmp_path: Path) -> None:
    assert checkpoints.latest(tmp_path) is None
    for number in (9, 10, 100):
        make(tmp_path / f"checkpoint-{number}")
    (tmp_path / "checkpoint-200").mkdir()  # nothing in it
    (tmp_path / "checkpoint-abc").mkdir()
    (tmp_path / "saving.tmp/checkpoint-300").mkdir(parents=True)
    assert checkpoints.latest(tmp_path) == tmp_path / "checkpoint-100"
    whole = (tmp_path / "checkpoint-100/optimizer.safetensors").read_bytes()
    (tmp_path / "checkpoint-100/optimizer.safetensors").write_bytes(whole[:-1])  # cut short
    assert checkpoints.latest(tmp_path) == tmp_path / "checkpoint-10"


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"\xff", b'{"sha256": []}', b'{"sha256": {}}', b'{"sha256": {"a": 1}}']
)
def test_a_spoilt_manifest_is_passed_over(tmp_path: Path, content: bytes) -> None:
    make(tmp_path / "checkpoint-1")
    folder = make(tmp_path / "checkpoint-2")
    (folder / MANIFEST).write_bytes(content)
    if content == b'{"sha256": {}}':
        (folder / "training_state.json").unlink()
    assert checkpoints.latest(tmp_path) == tmp_path / "checkpoint-1"


def test_a_folder_without_training_state_is_no_checkpoint(tmp_path: Path) -> None:
    folder = make(tmp_path / "checkpoint-2")
    for name in ("optimizer.safetensors", "training_state.json"):
        (folder / name).unlink(missing_ok=True)
    write_manifest(folder)
    assert checkpoints.is_complete(folder) and checkpoints.latest(tmp_path) is None


def test_publishing_replaces_a_whole_folder_by_a_whole_one(tmp_path: Path) -> None:
    make(tmp_path / "checkpoint-1", steps=3)
    before = (tmp_path / "checkpoint-1/optimizer.safetensors").read_bytes()
    make(tmp_path / "checkpoint-1", steps=4)
    assert (tmp_path / "checkpoint-1/optimizer.safetensors").read_bytes() != before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint-1"]


@pytest.mark.parametrize(
    ("name", "content"),
    [("training_state.json", b"{"), ("optimizer.safetensors", b"junk"), ("training_state.json", None)],
)
def test_a_broken_state_is_a_model_error(tmp_path: Path, name: str, content: bytes | None) -> None:
    folder = make(tmp_path / "checkpoint-1")
    (folder / name).unlink() if content is None else (folder / name).write_bytes(content)
    _, optimizer, scheduler = trained(1)
    with pytest.raises(ModelError, match="not a complete checkpoint"):
        checkpoints.load_state(folder, optimizer, scheduler)


def test_a_state_of_another_shape_is_a_model_error(tmp_path: Path) -> None:
    folder = make(tmp_path / "checkpoint-1")
    model, _, scheduler = trained(1)
    optimizer = torch.optim.AdamW(model.parameters())
    with pytest.raises(ModelError, match="2 parameter groups, this run 1; resume with the configuration"):
        checkpoints.load_state(folder, optimizer, scheduler)


# -- configurations --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"epoch": 3}, r"unknown key 'epoch'; did you mean 'epochs'\?"),
        ({"epochs": "3"}, "epochs holds '3'; accepted: float"),
        ({"encoder_learning_rate": "1e-3"}, r"YAML reads 1e-3 as text; write 1.0e-3"),
        ({"epochs": 0}, "epochs is 0.0; accepted: a number above 0"),
        ({"epochs": float("nan")}, "epochs is nan; accepted: a number above 0"),
        ({"epochs": float("inf")}, "epochs is inf"),
        ({"batch_size": True}, "batch_size holds True; accepted: int"),
        ({"warmup": -0.1}, "warmup is -0.1; accepted: a number from 0 on"),
        ({"seed": -1}, "seed is -1; accepted: a number from 0 on"),
        ({"patience": -1}, "patience is -1"),
        ({"tracker": "wandb"}, "tracker is 'wandb'; accepted: trackio, mlflow, tensorboard, none"),
        ({"augment": {"proclitics": 1.5}}, "augment: proclitics is 1.5; accepted: a probability from 0 to 1"),
        ({"model": {"span_sise": 3}}, r"model: unknown key 'span_sise'; did you mean 'span_size'\?"),
        ({"model": {"labels": {}}}, "model: unknown key 'labels'"),
        (
            {"data": {"train": "seeds:articles"}},
            "data: train holds 'seeds:articles'; accepted: a list of strings",
        ),
        ({"encoder": None}, "encoder: found NoneType; accepted: a mapping"),
        ([1], "found list; accepted: a mapping"),
    ],
)
def test_faulty_configurations(data: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        build(FinetuneConfig, data, where="c.yaml")
    path = tmp_path / "c.yaml"
    path.write_text(json.dumps(data).replace("NaN", ".nan").replace("Infinity", ".inf"), encoding="utf-8")
    with pytest.raises(ConfigError, match=f"c.yaml: .*{message}"):
        load_config(path, FinetuneConfig)


def test_a_sound_configuration(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("epochs: 3\nmodel: {dropout: 0.2}\naugment: {proclitics: 1}\ndata: {train: [a, b]}\n")
    config = load_config(path, FinetuneConfig)
    assert config.epochs == 3.0 and config.augment == AugmentConfig(proclitics=1.0)
    assert config.data.train == ("a", "b") and config.model == {"dropout": 0.2}
    for content, message in (("a: [", "not valid YAML"), ("\x00", "not valid YAML")):
        path.write_text(content)
        with pytest.raises(ConfigError, match=message):
            load_config(path, FinetuneConfig)
    with pytest.raises(ConfigError, match=r"cannot read the configuration .*: No such file"):
        load_config(tmp_path / "none.yaml", FinetuneConfig)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        load_config(path, FinetuneConfig)
