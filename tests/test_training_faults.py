"""Training runs under what happens to machines: killed at any moment, disks that are full, folders of others."""

import errno
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from isnad.model.document import Document
from isnad.model.errors import ConfigError, ModelError
from isnad.model.schema import LabelSchema
from isnad.training import checkpoints
from isnad.training.active import Unit, cut
from isnad.training.active.units import passages
from isnad.training.data import write_documents
from safetensors import SafetensorError
from safetensors.torch import load_file

WORKER = Path(__file__).with_name("training_worker.py")


class Worker:
    """The process of `training_worker`."""

    def __init__(self, encoder: Path, data: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(WORKER), str(encoder), str(data)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __call__(self, run: Path, **order: Any) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"run": str(run), **order}) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        self._process.communicate("", timeout=30)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, articles: list[Document], schema: LabelSchema) -> Path:
    """Two short texts to learn from and one to measure on."""

    def short(document: Document, limit: int) -> Document:
        end = document.text.index("\n", limit)
        [part] = cut(document, [Unit(document.id, document.text[:end], document.id, 0, end)])
        return part

    folder = tmp_path_factory.mktemp("data")
    for part, documents in (
        ("train", [short(a, 800) for a in articles[:2]]),
        ("dev", [short(articles[2], 400)]),
    ):
        write_documents(documents, folder / f"{part}.jsonl", format="jsonl", schema=schema)
    (folder / "schema.yaml").write_text(
        yaml.safe_dump(schema.to_dict(), allow_unicode=True), encoding="utf-8"
    )
    return folder


@pytest.fixture(scope="module")
def worker(tiny_encoder: Path, data: Path) -> Iterator[Worker]:
    made = Worker(tiny_encoder, data)
    yield made
    made.close()


@pytest.fixture(scope="module")
def straight(worker: Worker, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A run that nobody disturbs."""
    folder = tmp_path_factory.mktemp("straight") / "run"
    ended = worker(folder)
    assert ended["ended"] == 0 and ended["changes"] > 30
    return folder, ended


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[k], two[k]) for k in one)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device; free some space"),
        (PermissionError(errno.EACCES, "Permission denied"), "Permission denied; make it writable"),
        (
            SafetensorError("I/O error: No space left on device (os error 28)"),
            "No space left on device; free",
        ),
        (Exception("File too large (os error 27)"), "File too large; free some space"),
    ],
)
def test_what_libraries_raise_becomes_one_error(error: Exception, reason: str) -> None:
    message = rf"^cannot write to runs/a: {reason}.*--resume"
    with pytest.raises(ConfigError, match=message) as caught, checkpoints.writing(Path("runs/a")):
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    "error", [KeyError("a"), FileNotFoundError(2, "no"), ModelError("a"), RuntimeError("b")]
)
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, checkpoints.writing(Path("runs/a")):
        raise error
    assert caught.value is error


def test_leftovers_are_tidied(tmp_path: Path) -> None:
    """Half-written folders go; an old one whose successor never got its name is the whole one."""
    for name in ("saving.tmp/checkpoint-3", "model.old", "checkpoint-2.old", "checkpoint-2", "notes.old"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_text(name)
    checkpoints.tidy(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint-2", "model", "notes.old"]
    assert (tmp_path / "model/file").read_text() == "model.old"
    assert (tmp_path / "checkpoint-2/file").read_text() == "checkpoint-2"


def check_and_resume(worker: Worker, run: Path, straight: Path) -> bool:
    """What has the name of a checkpoint or a model is whole, and the run ends as if it had not been killed."""
    for folder in (
        p for p in run.glob("*") if p.name == "model" or p.name.removeprefix("checkpoint-").isdigit()
    ):
        assert checkpoints.is_complete(folder), folder
        assert weights(folder)
    resumed = checkpoints.latest(run) is not None
    assert worker(run, resume=True)["ended"] == 0
    assert same(weights(straight / "model"), weights(run / "model"))
    for name in ("metrics.json", "config.json"):
        ours, theirs = (json.loads((f / "model" / name).read_text(encoding="utf-8")) for f in (run, straight))
        for key in ("seconds", "energy_estimate"):
            ours.pop(key, None), theirs.pop(key, None)
        assert ours == theirs, name
    assert not [p for p in run.iterdir() if p.name.endswith((".tmp", ".old"))]
    return resumed


@pytest.mark.slow
class TestKilled:
    @pytest.mark.parametrize("share", [0.02, 0.45, 0.6, 0.8, 1.0])
    def test_in_the_middle_of_a_change_to_the_folder(
        self, worker: Worker, straight: tuple[Path, dict[str, Any]], tmp_path: Path, share: float
    ) -> None:
        folder, ended = straight
        at = max(1, round(share * ended["changes"]))
        assert worker(tmp_path / "run", at=at)["ended"] == -9
        resumed = check_and_resume(worker, tmp_path / "run", folder)
        # The first changes are those of the first checkpoint, the last ones those of the finished model.
        assert resumed or share < 0.6
        assert not resumed or share > 0.1

    def test_whenever(self, worker: Worker, straight: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
        """Twice in one run, at moments drawn at random."""
        folder, ended = straight
        random = np.random.default_rng()
        for number in range(2):
            moment = float(random.uniform(0.2, 1.0) * ended["seconds"])
            worker(tmp_path / "run", kill_after=moment, resume=number > 0)
        check_and_resume(worker, tmp_path / "run", folder)


@pytest.mark.slow
class TestRefused:
    @pytest.mark.parametrize(
        ("share", "happens", "message"),
        [
            (
                0.6,
                {"errno": errno.ENOSPC},
                "No space left on device; free some space and go on with --resume",
            ),
            (0.6, {"limit": 4096}, "File too large; free some space and go on with --resume"),
            (0.97, {"errno": errno.EDQUOT}, "Disk quota exceeded; free some space and go on with --resume"),
            (0.6, {"errno": errno.EROFS}, "Read-only file system; make it writable and go on with --resume"),
        ],
    )
    def test_in_the_middle_of_a_run(
        self,
        worker: Worker,
        straight: tuple[Path, dict[str, Any]],
        tmp_path: Path,
        share: float,
        happens: dict[str, int],
        message: str,
    ) -> None:
        """One sentence, and when there is room again the run goes on from the last complete checkpoint."""
        folder, ended = straight
        run = tmp_path / "run"
        refused = worker(run, at=round(share * ended["changes"]), **happens)
        assert refused["ended"] == 0, "a traceback"
        assert refused["error"].startswith(f"cannot write to {run}: {message}"), refused["error"]
        assert "\n" not in refused["error"] and not (run / "model").exists()
        assert check_and_resume(worker, run, folder)

    @pytest.mark.parametrize(
        ("number", "reason"), [(errno.EACCES, "Permission denied"), (errno.ENOSPC, "No space")]
    )
    def test_at_the_beginning(self, worker: Worker, tmp_path: Path, number: int, reason: str) -> None:
        refused = worker(tmp_path / "run", at=1, errno=number)
        assert refused["error"].startswith(f"cannot write to {tmp_path / 'run'}: {reason}")
        assert refused["error"].endswith("choose another folder with -o")


@pytest.mark.slow
def test_two_processes_learn_what_one_does(
    tiny_encoder: Path, articles: list[Document], schema: LabelSchema, data: Path, tmp_path: Path
) -> None:
    """Two processes with gloo see the batches that one process adds up, and leave one whole run."""
    encoder = shutil.copytree(tiny_encoder, tmp_path / "encoder")
    config = json.loads((encoder / "config.json").read_text(encoding="utf-8"))
    config |= {"dropout": 0.0, "embedding_dropout": 0.0}
    (encoder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    here = shutil.copytree(data, tmp_path / "data")
    paragraphs = [
        part
        for document in articles
        for part in cut(
            document,
            (u for p in passages(document.id, [(0, document.text)]) for u, _ in p.units("paragraph")),
        )
        if 8 <= len(part.text.split()) <= 30
    ]
    write_documents(paragraphs[:16], here / "train.jsonl", format="jsonl", schema=schema)

    def train(run: Path, processes: int) -> list[dict[str, Any]]:
        launch = [sys.executable]
        if processes > 1:
            # The launcher for several GPUs: that for CPUs starts several processes under MPI only.
            launch = [
                *launch,
                "-m",
                "accelerate.commands.launch",
                "--multi_gpu",
                "--num_processes",
                str(processes),
            ]
            launch += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
            launch += ["--main_process_port", str(free_port())]
        command = [*launch, str(WORKER), str(encoder), str(here), str(run), str(2 // processes)]
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=300, check=False, env=environment
        )
        assert ended.returncode == 0, ended.stderr[-3000:]
        last = checkpoints.latest(run)
        assert last is not None and checkpoints.is_complete(run / "model")
        assert not list(run.glob("*.tmp"))
        history: list[dict[str, Any]] = json.loads((last / "trainer_state.json").read_text("utf-8"))[
            "log_history"
        ]
        return history

    one, two = train(tmp_path / "one", 1), train(tmp_path / "two", 2)
    assert [row["step"] for row in two] == [row["step"] for row in one]
    for a, b in zip(one, two, strict=True):
        for key in {"loss", "grad_norm", "learning_rate", "eval_span_f1"} & a.keys():
            assert b[key] == pytest.approx(a[key], rel=1e-3), (key, a["step"])
    ours, theirs = (weights(tmp_path / name / "model") for name in ("two", "one"))
    start = weights(encoder)
    for key, value in theirs.items():
        torch.testing.assert_close(ours[key], value, rtol=1e-3, atol=1e-4, msg=key)
    moved = max(
        float((theirs[f"encoder.{k}"] - v).abs().max()) for k, v in start.items() if v.is_floating_point()
    )
    assert moved > 1e-3, "nothing was learned that could differ"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
