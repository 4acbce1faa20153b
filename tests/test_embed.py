"""Embedding a trained model in the package, and the card that is written for it."""

import dataclasses
import json
import pickle
import shutil
from pathlib import Path

import pytest
from isnad.model.backends.embedded_graphs import read_weights
from isnad.model.backends.onnx_check import tensors_in_memory
from isnad.model.errors import ModelError
from isnad.model.inference import Extractor
from isnad.model.store import (
    DEFAULT_MODEL,
    EMBEDDED,
    MANIFEST,
    WEIGHTLESS,
    WEIGHTS,
    embedded_models,
    sha256,
    write_manifest,
)
from isnad.training import embed as embedding
from isnad.training.export_check import compare

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")


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
        files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} - {MANIFEST}
        assert files == set(listed)
        assert all(sha256(folder / name) == digest for name, digest in listed.items())
        assert sum(p.stat().st_size for p in folder.rglob("*")) <= embedding.SIZE_LIMIT
        assert sum(p.stat().st_size for p in (folder / WEIGHTLESS).iterdir()) < 300_000


HARD = [
    "",
    "قاآني",
    "التقى إسمـــاعيل قَاآنِيّ في بغـداد قادةَ الحشدِ الشعبيّ.",
    "حسن نصرالله وحسن نصر الله في ٢٠٢٤/10/٣ 🇱🇧🤝 \u200fبيروت\u200e Beirut (لبنان)",
    "\ufe8d\ufedf\ufeee\ufeb0\ufbfe\ufeae الأول\n\n\u064b\u064c \ud800 .\r\nوبالقاهرة",
    " ".join(f"زار المسؤول رقم {n} مدينة بغداد." for n in range(40)),
]


def test_an_embedded_model_runs_on_onnx_runtime_too(trained: Path, tmp_path: Path, articles) -> None:
    folder = embedding.embed(trained, "isnad-tiny", target=tmp_path)
    usual, light = (Extractor.from_pretrained(folder, backend=backend) for backend in ("torch", "onnx"))
    texts = [articles[0].text, *HARD]
    # Random weights find far more than a real model.
    usual.config.max_candidates = light.config.max_candidates = 12
    parity, _, _ = compare(usual, light, texts)
    assert parity.same and parity.entities > 10 and parity.relations > 0
    assert parity.span_changes == 0 and max(parity.span_difference, parity.pair_difference) < 1e-3
    copy = pickle.loads(pickle.dumps(light))
    shutil.rmtree(folder)
    assert [d.to_dict() for d in copy(texts)] == [d.to_dict() for d in light(texts)]


def test_graphs_are_written_anew_and_nothing_else(trained: Path, tmp_path: Path) -> None:
    folder = embedding.embed(trained, "isnad-tiny", target=tmp_path)
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    shutil.rmtree(folder / WEIGHTLESS)
    write_manifest(folder)
    embedding.add_graphs(folder)
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def test_a_model_that_finds_something_else_without_torch_is_not_embedded(
    trained: Path, tmp_path: Path, monkeypatch
) -> None:
    def differ(*_: object) -> tuple[object, ...]:
        return (dataclasses.replace(parity, span_difference=0.002), [], [])

    folder = embedding.embed(trained, "isnad-tiny", target=tmp_path)
    parity = compare(*[Extractor.from_pretrained(folder)] * 2, ["بغداد"])[0]
    shutil.rmtree(folder)
    monkeypatch.setattr(embedding, "compare", differ)
    with pytest.raises(ModelError, match=r"finds something else \(probabilities differ by 0.0020\)"):
        embedding.embed(trained, "isnad-tiny", target=tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["trained"]


@pytest.mark.slow
@pytest.mark.parametrize("name", embedded_models())
def test_the_committed_graphs_find_what_torch_finds(name: str, articles, root: Path) -> None:
    """If this fails after a change of the code that traces them: `python -m isnad.training.embed NAME`."""
    authored = sorted((root / "seeds/authored").glob("*.txt"))[::20]
    texts = [*(a.text for a in articles), *(p.read_bytes().decode() for p in authored), *HARD]
    usual, light = (Extractor.from_pretrained(name, backend=backend) for backend in ("torch", "onnx"))
    parity, _, _ = compare(usual, light, texts)
    assert parity.same and parity.entities > 300 and parity.relations > 100 and parity.clusters > 10
    assert parity.span_changes == 0 and max(parity.span_difference, parity.pair_difference) < 1e-3


def test_the_committed_graphs_ask_for_all_weights_and_no_others() -> None:
    for name in embedded_models():
        weights = read_weights((EMBEDDED / name / WEIGHTS).read_bytes())
        asked: set[str] = set()
        for file in (EMBEDDED / name / WEIGHTLESS).glob("*.onnx"):
            asked.update(tensors_in_memory(file.read_bytes(), file.name))
        assert asked == set(weights)
    assert DEFAULT_MODEL in embedded_models()
