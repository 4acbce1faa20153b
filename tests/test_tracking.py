"""The embedded experiment tracker writes beside the run and nowhere else."""

import importlib.util
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

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

from isnad.model.schema import LabelSchema
from isnad.training.config import EncoderConfig, FinetuneConfig
from isnad.training.data.seeds import load_articles
from isnad.training.finetune import finetune

schema = LabelSchema.from_yaml(sys.argv[3])
articles = load_articles(schema)[:1]
config = FinetuneConfig(
    encoder=EncoderConfig(path=sys.argv[1]), model={"word_size": 16, "pair_size": 16, "attention_heads": 2},
    epochs=1, tracker="trackio", calibrate=False, precision="fp32",
)
score = lambda gold, predicted: {"span_f1": 0.5, "relation_f1": 0.5}
finetune(config, schema, articles, articles, Path(sys.argv[2]), score=score)
"""


def test_trackio_writes_a_local_file_and_nothing_else(tiny_encoder: Path, tmp_path: Path, root: Path) -> None:
    if importlib.util.find_spec("trackio") is None:
        pytest.skip("trackio is not installed")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TRACKIO")}
    home = tmp_path / "home"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", TRACKED, tiny_encoder, tmp_path / "run", root / "configs/schemas/wojood.yaml"],
        env=environment | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "HF_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert not list(home.rglob("*.db"))
    [database] = (tmp_path / "run/trackio").rglob("*.db")
    with sqlite3.connect(database) as connection:
        tables = {
            name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")
        }
        assert "metrics" in tables and connection.execute("select count(*) from metrics").fetchone()[0] > 0
