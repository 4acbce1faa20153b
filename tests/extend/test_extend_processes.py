"""`isnad train --base` in two processes, as `accelerate launch` starts them."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from isnad.model.inference import Extractor
from isnad.training import checkpoints
from safetensors.torch import load_file

WORKER = Path(__file__).with_name("extend_worker.py")


class Ended(NamedTuple):
    """How a run ended: exit code of the launcher, of each process that got so far, and what was printed."""

    launcher: int
    codes: dict[str, str]
    stdout: str
    stderr: str


Train = Callable[..., Ended]


@pytest.fixture
def train(folder: Path, tiny_model: Path, tmp_path: Path) -> Train:
    """Extends the tiny model in two processes: `train(run, "--resume", happens="kill")`."""
    settings = {
        "tracker": "none", "epochs": 2, "batch_size": 4, "extend.repeat": 1, "extend.rehearsal": 0.3,
        "precision": "fp32", "extend.rehearse": f"[{folder / 'rehearse.jsonl'}]",
        "extend.measure": f"[{folder / 'measure.jsonl'}]",
    }  # fmt: skip

    def start(run: Path, *options: str, happens: str = "nothing") -> Ended:
        notes = tmp_path / f"notes-{run.name}-{happens}"
        notes.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        # The launcher for several GPUs: that for CPUs starts several processes under MPI only.
        launch = [
            "-m",
            "accelerate.commands.launch",
            "--multi_gpu",
            "--num_processes",
            "2",
            "--num_machines",
            "1",
        ]
        launch += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", str(port)]
        arguments = ["train", "--base", tiny_model, "--data", folder / "new.jsonl", "-o", run]
        arguments += ["--schema", folder / "arms.yaml", *options]
        for key, value in settings.items():
            arguments += ["--set", f"{key}={value}"]
        ended = subprocess.run(
            [sys.executable, *launch, str(WORKER), str(notes), happens, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
            env=os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
        )
        codes = {path.name: path.read_text() for path in notes.iterdir()}
        return Ended(ended.returncode, codes, ended.stdout, ended.stderr)

    return start


@pytest.mark.slow
def test_two_processes_extend_a_model(train: Train, tmp_path: Path) -> None:
    """They end alike, one of them speaks, and killed in the middle they go on to the same model."""
    straight = train(tmp_path / "straight", "--allow-forgetting")
    assert straight.launcher == 0, straight.stderr[-3000:]
    assert straight.codes == {"code-0": "0", "code-1": "0"}
    for part in ("Old labels, before and after", "New data, "):
        assert straight.stdout.count(part) == 1, straight.stdout
    for part in ("'arms' extends tiny:", "model written to "):
        assert straight.stderr.count(part) == 1, straight.stderr
    found = json.loads((tmp_path / "straight/forgetting.json").read_text(encoding="utf-8"))
    assert found["old"] and found["allowed"] is True
    assert {p.name for p in (tmp_path / "straight").iterdir() if "checkpoint" not in p.name} == {
        "model", "forgetting.json",
    }  # fmt: skip
    assert "WEAPON" in Extractor.from_pretrained(tmp_path / "straight/model").schema.entity_labels

    killed = train(tmp_path / "killed", "--allow-forgetting", happens="kill")
    assert killed.launcher != 0 and "code-0" not in killed.codes
    assert checkpoints.latest(tmp_path / "killed") is not None and not (tmp_path / "killed/model").exists()

    resumed = train(tmp_path / "killed", "--resume", happens="forget")
    assert resumed.launcher != 0 and resumed.codes == {"code-0": "1", "code-1": "1"}, resumed.stderr[-3000:]
    assert resumed.stderr.count("error: old labels lost more than chance explains") == 1
    assert resumed.stdout.count("Old labels, before and after") == 1
    one, two = (load_file(tmp_path / run / "model/model.safetensors") for run in ("straight", "killed"))
    assert one.keys() == two.keys()
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=0, atol=0, msg=name)


@pytest.mark.slow
def test_two_processes_refuse_alike(train: Train, tmp_path: Path) -> None:
    """A fault in the settings is said once, and both end with the exit code of such faults."""
    refused = train(tmp_path / "run", "--annotates", "WEPON")
    assert refused.launcher != 0 and refused.codes == {"code-0": "2", "code-1": "2"}
    assert refused.stderr.count("unknown label 'WEPON'") == 1 and not refused.stdout.strip()
    assert not (tmp_path / "run/model").exists()
