"""Ablations: every change is trained, set against its base, and not done twice."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from isnad.eval.ablation import AblationConfig, ablate, table
from isnad.model.document import Document
from isnad.model.errors import ConfigError
from isnad.model.schema import LabelSchema
from isnad.training.config import load_config
from isnad.training.data import write_documents


@pytest.fixture
def config(tiny_model: Path, articles: list[Document], schema: LabelSchema, tmp_path: Path) -> AblationConfig:
    for name, documents in (("train", articles[:1]), ("dev", articles[1:3])):
        write_documents(documents, tmp_path / f"{name}.jsonl", format="jsonl", schema=schema)
    recipe = {
        "encoder": {"path": str(tiny_model)},
        "data": {part: [str(tmp_path / f"{part}.jsonl")] for part in ("train", "dev")},
        "epochs": 2,
        "tracker": "none",
    }
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return AblationConfig(
        base=str(tmp_path / "base.yaml"),
        settings={"epochs": 1},
        seeds=[1],
        variants={
            "slow": {"encoder_learning_rate": 1e-5, "head_learning_rate": 1e-5},
            "distilled": {"distil.teachers": ["{work}/base-1/model"]},
        },
        averages={"mean": ["base-1", "slow-1"]},
        rounded={"bf16": "base-1"},
    )


def test_every_change_is_set_against_its_base(config: AblationConfig, tmp_path: Path) -> None:
    output, work = tmp_path / "result.json", tmp_path / "work"
    content = ablate(config, output, work)
    runs = content["runs"]
    assert list(runs) == ["base-1", "slow-1", "distilled-1", "mean", "bf16"]
    assert json.loads(output.read_text(encoding="utf-8")) == content
    assert str(work) not in output.read_text(encoding="utf-8")
    for name, run in runs.items():
        if name != "base-1":
            assert run["against"] == "base-1"
            change = run["spans"]["f1"] - runs["base-1"]["spans"]["f1"]
            assert run["difference"]["spans"]["f1"] == pytest.approx(change)
    assert content["base"]["spans"] == {"mean": runs["base-1"]["spans"]["f1"], "deviation": None}
    assert all(name in table(content) for name in runs)
    # What is there is neither trained nor measured again, and a new variant joins the earlier ones.
    stamp = (work / "slow-1/model/model.safetensors").stat().st_mtime_ns
    more = replace(config, variants=config.variants | {"still": {"weight_decay": 0.0}})
    again = ablate(more, output, work)
    assert (work / "slow-1/model/model.safetensors").stat().st_mtime_ns == stamp
    assert {name: run for name, run in again["runs"].items() if name != "still-1"} == runs
    with pytest.raises(ConfigError, match="another configuration"):
        ablate(replace(config, variants={"slow": {"epochs": 2}}), output, work)


def test_a_configuration_names_its_own_runs(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no run is named 'base-9'; accepted: base-1, base-2, base-3"):
        AblationConfig(averages={"mean": ["base-1", "base-9"]})
    with pytest.raises(ConfigError, match="base of its own seed"):
        AblationConfig(seeds=[1], variant_seeds=[2])
    path = tmp_path / "ablation.yaml"
    path.write_text("seed: [1]", encoding="utf-8")
    with pytest.raises(ConfigError, match="did you mean 'seeds'"):
        load_config(path, AblationConfig)
