"""Loading of models: broken, altered and hostile folders are refused in one sentence, and offline stays offline."""

import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from isnad.model.errors import ModelError
from isnad.model.inference import Extractor
from isnad.model.store import MANIFEST, write_manifest


def _json(name: str, **values: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        data = json.loads((folder / name).read_text(encoding="utf-8")) | values
        (folder / name).write_text(json.dumps({k: v for k, v in data.items() if v != "-"}), encoding="utf-8")

    return change


def _cut(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])


def _pickle(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")


AUTO_MAP = {"AutoTokenizer": ["code.Evil", None]}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda f: (f / "config.json").unlink(),
            "config.json is missing; accepted: a folder written by isnad train",
        ),
        (lambda f: (f / "tokenizer.json").unlink(), "tokenizer.json is missing"),
        (lambda f: (f / "model.safetensors").unlink(), "no weights in safetensors$"),
        (_pickle, r"no weights in safetensors \(found pytorch_model.bin, which is not loaded\)"),
        (lambda f: (f / "config.json").write_text("[]"), "config.json is not a JSON object"),
        (lambda f: (f / "config.json").write_bytes(b"\xff\xfe"), "config.json is not a JSON object"),
        (_json("config.json", model_type="bert"), "model_type is 'bert'; accepted: 'isnad'"),
        (_json("config.json", encoder="-"), "IsnadConfig.encoder is missing"),
        (
            _json("config.json", word_size=20),
            "weights are missing from its safetensors or do not have the sizes",
        ),
        (_json("config.json", word_size="x"), "Field 'word_size' expected int"),
        (_cut, "cannot be loaded .SafetensorError"),
        (lambda f: (f / "tokenizer.json").write_text("{}"), "cannot be loaded"),
        (_json("tokenizer_config.json", auto_map=AUTO_MAP, tokenizer_class="Evil"), "cannot be loaded"),
    ],
)
def test_broken_folders(
    tiny_model: Path,
    tmp_path: Path,
    spoil: Callable[[Path], Any],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    (folder / MANIFEST).unlink()
    (folder / "code.py").write_text("raise SystemExit('code was run')")
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked on the terminal"))
    spoil(folder)
    with pytest.raises(ModelError, match=message):
        Extractor.from_pretrained(folder)


def test_altered_folders(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    (folder / "metrics.json").write_text("{}")
    with pytest.raises(
        ModelError, match=r"metrics.json is missing or differs from manifest.json; get the model again"
    ):
        Extractor.from_pretrained(folder)
    write_manifest(folder)
    Extractor.from_pretrained(folder)
    for content in (
        b"",
        b"[]",
        b"\xff",
        b'{"sha256": 3}',
        b'{"sha256": {"../x": "0"}}',
        b'{"sha256": {"x": 1}}',
    ):
        (folder / MANIFEST).write_bytes(content)
        with pytest.raises(ModelError, match="is not a manifest; accepted"):
            Extractor.from_pretrained(folder)


@pytest.mark.parametrize("name", ["no/such/model", "x" * 5000, "نص\x00", "isnad-huge", "-a/b..c"])
def test_names_of_nothing(name: str) -> None:
    with pytest.raises(ModelError, match=r"no model at|cannot fetch the model"):
        Extractor.from_pretrained(name)


def test_a_local_model_needs_no_network(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        pytest.fail("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    assert Extractor.from_pretrained(str(tiny_model))("زار قاآني بغداد").entities is not None
