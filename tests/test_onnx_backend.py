"""Which backend runs a folder: what it holds, what is installed, what was asked for; devices."""

import shutil
from pathlib import Path

import pytest
from isnad.model.backends import choice
from isnad.model.errors import ConfigError, ModelError
from isnad.model.inference import Extractor
from isnad.model.store import IR_FILES
from isnad.training.export import export_onnx

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def exported(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_onnx(tiny_model, tmp_path_factory.mktemp("export") / "tiny-onnx")


@pytest.fixture
def all_formats(exported: Path, tiny_model: Path, tmp_path: Path) -> Path:
    """A folder with files for every backend; those of OpenVINO are empty."""
    folder = Path(shutil.copytree(exported, tmp_path / "copy"))
    shutil.copy(tiny_model / "model.safetensors", folder)
    for name in IR_FILES:
        (folder / name).touch()
    return folder


def test_the_folder_decides(tiny_model: Path, exported: Path, all_formats: Path) -> None:
    assert choice.choose(tiny_model, "auto") == choice.choose(tiny_model, "torch") == "torch"
    assert choice.choose(exported, "auto") == choice.choose(exported, "onnx") == "onnx"
    with pytest.raises(
        ModelError,
        match="holds no weights in safetensors; accepted: backend='onnx', or take the folder it was exported from",
    ):
        Extractor.from_pretrained(exported, backend="torch")
    with pytest.raises(
        ModelError,
        match="holds no ONNX graphs; accepted: backend='torch', or write them where torch is installed: isnad "
        "export MODEL --to onnx",
    ):
        Extractor.from_pretrained(tiny_model, backend="onnx")
    with pytest.raises(ModelError, match="holds no OpenVINO graphs; accepted: backend='onnx', or write them"):
        Extractor.from_pretrained(exported, backend="openvino")


def test_what_is_installed_decides(all_formats: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent: set[str] = set()
    monkeypatch.setattr(choice, "installed", lambda name: name not in absent)
    assert [choice.choose(all_formats, name) for name in choice.BACKENDS] == [
        "torch",
        "torch",
        "onnx",
        "openvino",
    ]
    absent.add("transformers")
    assert choice.choose(all_formats, "auto") == "onnx"
    absent.add("onnxruntime")
    assert choice.choose(all_formats, "auto") == "openvino"
    with pytest.raises(
        ConfigError,
        match="the onnx backend needs onnxruntime, not installed here; write: pip install onnxruntime, or take "
        "backend='openvino'",
    ):
        choice.choose(all_formats, "onnx")
    absent.add("openvino")
    with pytest.raises(
        ConfigError,
        match="the openvino backend needs openvino, not installed here; write: pip install openvino",
    ):
        choice.choose(all_formats, "openvino")
    with pytest.raises(ConfigError, match="no backend is installed"):
        choice.choose(all_formats, "auto")


def test_an_unknown_backend_or_device(exported: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"unknown backend 'onxx'; did you mean 'onnx'\? known: auto, torch, onnx, openvino"
    ):
        Extractor.from_pretrained(exported, backend="onxx")
    with pytest.raises(ConfigError, match="device 'tpu'; accepted by the onnx backend: cpu, cuda"):
        Extractor.from_pretrained(exported, device="tpu")


def test_an_export_cannot_be_trained(exported: Path) -> None:
    with pytest.raises(ModelError, match="which cannot be trained"):
        Extractor.from_pretrained(exported).config.encoder_config()
