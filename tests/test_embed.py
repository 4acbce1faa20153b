"""Embedding a trained model in the package, and the card that is written for it."""

import json
import shutil
from pathlib import Path

import pytest
from isnad.model.errors import ModelError
from isnad.model.inference import Extractor
from isnad.model.store import EMBEDDED, MANIFEST, sha256
from isnad.training import embed as embedding


@pytest.fixture
def trained(tiny_model: Path, tmp_path: Path) -> Path:
    """The tiny model with the metrics that a training leaves beside it."""
    folder = tmp_path / "trained"
    shutil.copytree(tiny_model, folder)
    metrics = {
        "dev": {"span_f1": 0.5, "relation_f1": 0.25},
        "train_documents": 3,
        "dev_documents": 2,
        "seed": 1,
        "epochs": 2.0,
        "seconds": 12.3,
    }
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (folder / MANIFEST).unlink()
    return folder


def test_the_embedded_model_finds_the_same(trained: Path, tmp_path: Path, articles) -> None:
    folder = embedding.embed(trained, "isnad-tiny", target=tmp_path)
    before, after = (Extractor.from_pretrained(f)(articles[0].text) for f in (trained, folder))
    assert after.model == "isnad-tiny"
    # bfloat16 keeps eight bits, so scores move a little; decisions near a threshold may go either way.
    same = {(e.start, e.end) for e in before.entities} & {(e.start, e.end) for e in after.entities}
    assert len(same) > 0.9 * len(before.entities) > 0


def test_the_card_shows_what_was_measured(trained: Path, tmp_path: Path) -> None:
    card = (embedding.embed(trained, "isnad-tiny", target=tmp_path) / "README.md").read_text(encoding="utf-8")
    for text in (
        "# isnad-tiny",
        "| span f1 | 50.0 |",
        "| relation f1 | 25.0 |",
        "21 types",
        "CC BY 4.0",
        "seed 1",
    ):
        assert text in card


def test_a_model_over_the_limit_is_refused_and_leaves_nothing(
    trained: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(embedding, "SIZE_LIMIT", 1000)
    with pytest.raises(ModelError, match="at most 1,000"):
        embedding.embed(trained, "isnad-tiny", target=tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["trained"]


def test_an_altered_model_is_not_loaded(trained: Path, tmp_path: Path) -> None:
    folder = embedding.embed(trained, "isnad-tiny", target=tmp_path)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    with pytest.raises(ModelError, match="differs from manifest"):
        Extractor.from_pretrained(folder)


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys) -> None:
    assert embedding.main([str(tmp_path / "absent"), "x"]) == 2
    assert "no model at" in capsys.readouterr().err


def test_every_embedded_model_is_whole_and_small() -> None:
    folders = [p for p in EMBEDDED.iterdir() if p.is_dir()]
    assert folders
    for folder in folders:
        listed = json.loads((folder / MANIFEST).read_text())["sha256"]
        files = {p.name for p in folder.iterdir()} - {MANIFEST}
        assert files == set(listed)
        assert all(sha256(folder / name) == digest for name, digest in listed.items())
        assert sum(p.stat().st_size for p in folder.iterdir()) <= embedding.SIZE_LIMIT
