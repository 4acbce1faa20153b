"""Ray: a real cluster on this machine, its actors killed and its runs interrupted."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_runs import almost, check_command, interrupted
from isnad.model.document import Document
from isnad.model.engines import ray_engine
from isnad.model.errors import ConfigError
from isnad.model.inference import Extractor
from isnad.model.predictor import Predictor
from typer.testing import Result

ray = pytest.importorskip("ray", reason="needs Ray: pip install 'isnad[ray]'")
pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("one_thread", "cluster")]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A cluster of two CPUs, started and ended as a run without one does it; the runs of all tests join it."""
    with ray_engine.cluster(2, "cpu"):
        assert ray.is_initialized()
        yield
    assert not ray.is_initialized()


def test_killed_actors_and_an_interruption(
    mapped: Any, deadly: Callable[[int], Path], locally: Any, tmp_path: Path
) -> None:
    out, left, seen = tmp_path / "out", deadly(1), []

    def interrupt(progress: Any) -> None:
        seen.append((progress.done, progress.total))
        if not any(left.iterdir()) and len(seen) < progress.total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mapped("ray", out, watch=interrupt, workers=2)
    assert not any(left.iterdir())  # an actor was killed
    assert ray.is_initialized()
    before = interrupted(out)
    assert len((out / "_manifest.jsonl").read_bytes().splitlines()) > len(seen)
    mapped("ray", out).check(locally("jsonl"))
    assert {name: (out / name).stat().st_mtime_ns for name in before} == before


def test_the_command(
    isnad: Callable[..., Result], inputs: list[Path], tiny_model: Path, locally: Any, tmp_path: Path
) -> None:
    check_command("ray", isnad, inputs, tiny_model, locally("parquet"), tmp_path / "out")


def test_errors_of_workers_are_ours(mapped: Any, inputs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^threshold for the unknown label 'PERSON'") as caught:
        mapped("ray", tmp_path / "out", names=inputs[:1], thresholds={"PERSON": 0.5})
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_devices(mapped: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the device 'cuda:1' with the engine ray; accepted: cpu, cuda"):
        mapped("ray", tmp_path / "out", device="cuda:1")
    if not ray.cluster_resources().get("GPU"):
        with pytest.raises(ConfigError, match="the cluster of Ray has no GPU"):
            mapped("ray", tmp_path / "out", device="cuda")


def test_predictor_in_map_batches(tiny_model: Path) -> None:
    import ray.data

    texts = ["التقى إسماعيل قاآني في بغداد قادة الحشد الشعبي 🇮🇶", "", "وصل وزير الخارجية الإيراني إلى دمشق"]
    rows = [{"id": n, "text": text} for n, text in enumerate(texts)]
    options = {"model": tiny_model, "as_json": True, "threads": 1}
    found = (
        ray.data.from_items(rows, override_num_blocks=1)
        .map_batches(
            Predictor,
            fn_constructor_kwargs=options,
            batch_size=2,
            compute=ray.data.ActorPoolStrategy(size=1),
        )
        .take_all()
    )
    expected = list(Extractor.from_pretrained(tiny_model).pipe((str(row["id"]), row["text"]) for row in rows))
    assert {row["id"]: row["text"] for row in found} == dict(enumerate(texts))
    for row in found:
        document = Document.from_dict(json.loads(row["document"]))
        assert row["error"] is None and document.to_dict() == almost(expected[row["id"]].to_dict())
