"""The recipe from text to encoder, its configuration and its tracker."""

import json
import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from isnad.model.encoder import IsnadEncoderModel
from isnad.model.errors import ConfigError, DataError
from isnad.training.config import build, load_config, plain
from isnad.training.pretrain.__main__ import main
from isnad.training.pretrain.prepare import Prepared, prepare
from isnad.training.pretrain.recipe import pretrain
from isnad.training.pretrain.settings import PretrainConfig
from transformers import AutoConfig, AutoModel


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    lines = [
        f"زار {'إسماعيل قاآني' if n % 2 else 'حسن نصرالله'} {'بغداد' if n % 3 else 'النجف الأشرف'} يوم {n % 28}.\n"
        for n in range(240)
    ]
    path = tmp_path_factory.mktemp("corpus") / "news.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def base(corpus: Path, tmp_path_factory) -> PretrainConfig:
    return PretrainConfig(
        tokenizer_texts={str(corpus): 1.0},
        vector_texts={str(corpus): 1.0},
        fertility_text=str(corpus),
        prepared=str(tmp_path_factory.mktemp("prepared")),
        vocab_size=400,
        vectors={"dim": 16, "workers": 1, "epochs": 1},
        encoder={"recurrent_size": 12, "hidden_size": 24, "embedding_size": 16, "num_hidden_layers": 1},
        block_size=32,
        batch_size=8,
        steps=6,
        learning_rate=0.01,
        precision="fp32",
        save_minutes=0,
        log_steps=2,
    )


@pytest.fixture(scope="module")
def prepared(base: PretrainConfig) -> Prepared:
    pytest.importorskip("gensim")
    return prepare(base, Path(base.prepared))


def test_the_recipe_from_text_to_encoder(base, corpus: Path, tmp_path: Path, capsys) -> None:
    pytest.importorskip("gensim")
    values = {k: v for k, v in plain(vars(base)).items() if k not in ("prepared", "minutes")} | {"blocks": 8}
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(values, allow_unicode=True), encoding="utf-8")
    output = tmp_path / "run"
    assert main([str(recipe), str(output), "--prepare"]) == 0 and "1 shards" in capsys.readouterr().out
    left = {p.name for p in output.iterdir()}
    assert left == {"tokenizer", "vectors.npy", "stream-000.npy", "stream.json", "prepared.json"}
    # A machine that has these and not the texts can train.
    values["tokenizer_texts"] = values["vector_texts"] = {"elsewhere/news.txt": 1.0}
    recipe.write_text(yaml.safe_dump(values, allow_unicode=True), encoding="utf-8")
    assert main([str(recipe), str(output)]) == 0
    facts = json.loads((output / "encoder/pretraining.json").read_text(encoding="utf-8"))
    [text] = facts["data"]["texts"]["tokenizer"]
    assert text["file"] == "news.txt" and text["bytes"] == corpus.stat().st_size and len(text["sha256"]) == 64
    assert facts["data"]["fertility"]["pieces_per_word"] > 1 and "unknown_rate" in facts["data"]["fertility"]
    assert facts["machine"]["threads"] >= 1 and {"torch", "transformers"} <= set(facts["versions"])
    assert str(tmp_path) not in json.dumps(facts), "no path of this machine"
    assert isinstance(AutoModel.from_pretrained(output / "encoder"), IsnadEncoderModel)
    before = (output / "encoder/model.safetensors").stat().st_mtime_ns
    assert pretrain(load_config(recipe, PretrainConfig), output) == output / "encoder"
    assert (output / "encoder/model.safetensors").stat().st_mtime_ns == before
    assert main([str(recipe), str(tmp_path / "elsewhere")]) == 2
    assert "no text file 'elsewhere/news.txt'" in capsys.readouterr().err


def test_a_stream_of_an_earlier_version_is_read(base, prepared, tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    prepared.tokenizer.save_pretrained(old / "tokenizer")
    np.save(old / "vectors.npy", prepared.vectors)
    np.save(old / "stream.npy", np.load(prepared.stream[0]))
    folder = pretrain(replace(base, prepared=str(old), steps=2), tmp_path / "run")
    assert folder is not None and (folder / "model.safetensors").is_file()
    (old / "vectors.npy").write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"vectors\.npy: not an array"):
        pretrain(replace(base, prepared=str(old), steps=2), tmp_path / "again")


TRACKED = """
import socket, sys
from pathlib import Path

real = socket.socket.connect
def local(self, address):
    host = str(address[0]) if isinstance(address, tuple) else "127.0.0.1"
    if host not in ("127.0.0.1", "localhost", "::1"):
        sys.exit(f"the tracker reached for {host}")
    return real(self, address)
socket.socket.connect = local

from isnad.training.config import load_config
from isnad.training.pretrain.recipe import PretrainConfig, pretrain
pretrain(load_config(sys.argv[1], PretrainConfig), Path(sys.argv[2]))
"""


def test_the_loss_curve_goes_to_a_local_tracker(base, prepared, tmp_path: Path) -> None:
    pytest.importorskip("trackio")
    values = plain(vars(replace(base, tracker="trackio"))) | {"tokenizer_texts": {}, "vector_texts": {}}
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump({k: v for k, v in values.items() if k != "minutes"}), encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TRACKIO")}
    done = subprocess.run(
        [sys.executable, "-c", TRACKED, recipe, tmp_path / "run"],
        env=environment | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "HF_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    [database] = (tmp_path / "run/mlm/trackio").rglob("*.db")
    with sqlite3.connect(database) as connection:
        rows = [json.loads(r) for (r,) in connection.execute("select metrics from metrics order by id")]
    assert [row["train/loss"] for row in rows if "train/loss" in row], "a point for every log line"
    assert any("train/tokens_per_second" in row for row in rows)


TEXTS = {"tokenizer_texts": {"a.txt": 1.0}, "vector_texts": {"a.txt": 1.0}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, r"steps is 0 and minutes is 0.*one of the two"),
        ({"steps": 5, "minutes": 1}, "one of the two"),
        ({"steps": 5, "objective": "electr"}, "objective is 'electr'; accepted: mlm, electra"),
        ({"steps": 5, "objective": "electra"}, "generator is empty"),
        ({"steps": 5, "encoder": {"recurent_size": 8}}, r"unknown key 'recurent_size'.*'recurrent_size'"),
        ({"steps": 5, "encoder": {"model_type": "electr"}}, "did you mean 'electra'"),
        ({"steps": 5, "encoder": {"model_type": "electra", "hiden_size": 8}}, "did you mean 'hidden_size'"),
        ({"steps": 5, "generator": {"model_type": "bert"}}, "unknown key 'model_type'"),
        ({"steps": 5, "finetuning": {"hidden_dropout_prob": 0.1}}, "unknown key 'hidden_dropout_prob'"),
        ({"steps": 5, "warmup": 0.6, "decay": 0.6}, "warmup is 0.6 and decay is 0.6"),
        ({"steps": 5, "mask_rate": 0}, "mask_rate is 0.0; accepted: a number above 0"),
        ({"steps": 5, "mask_rate": 1}, "between 0 and 1"),
        ({"steps": 5, "vocab_size": 70000}, "at most 65536"),
        ({"steps": 5, "separate_documents": True}, "separate_documents is true"),
        ({"steps": 5, "compile": "always"}, "compile is 'always'"),
        ({"steps": 5, "learning_rate": "1e-3"}, "write 1.0e-3"),
        ({"steps": 5, "warm_start": "yes"}, "warm_start holds 'yes'; accepted: bool"),
        ({"steps": 5, "minuts": 3}, r"unknown key 'minuts'; did you mean 'minutes'"),
    ],
)
def test_a_faulty_configuration_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(PretrainConfig, TEXTS | changes, where="recipe.yaml")


@pytest.mark.parametrize("name", ["cpu", "gpu"])
def test_the_recipes_are_sound(name: str, root: Path) -> None:
    config = load_config(root / f"configs/pretrain/{name}.yaml", PretrainConfig)
    assert 0 < config.minutes < 150
    if name == "gpu":
        sizes = {k: v for k, v in config.encoder.items() if k != "model_type"}
        encoder = AutoModel.from_config(
            AutoConfig.for_model(config.model_type, vocab_size=config.vocab_size, **sizes)
        )
        assert 2 * encoder.num_parameters() < 60_000_000, "bytes in bfloat16"
        assert encoder.get_input_embeddings().embedding_dim == config.vectors["dim"]
        assert config.encoder["max_position_embeddings"] - 2 == config.block_size
