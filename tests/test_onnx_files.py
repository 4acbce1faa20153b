"""The files of an ONNX export: every one sealed, every setting checked, no tensor in another file."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isnad.model.backends.onnx_check import refuse_external_data
from isnad.model.errors import ModelError
from isnad.model.inference import Extractor
from isnad.model.store import EXPORT, GRAPHS, MANIFEST, resolve, write_manifest
from isnad.training.export import export_onnx
from onnx_models import PLACES, change, model_with, tensor

pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def exported(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_onnx(tiny_model, tmp_path_factory.mktemp("export") / "tiny-onnx")


@pytest.fixture
def folder(exported: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return Path(shutil.copytree(exported, tmp_path / "copy"))


def refused(folder: Path, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Extractor.from_pretrained(folder)


def test_every_file_is_sealed(folder: Path) -> None:
    (folder / "extra.txt").write_text("not in the manifest, and of no account")
    Extractor.from_pretrained(folder)
    graph = folder / "mentions.onnx"
    content = graph.read_bytes()
    graph.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    refused(folder, "mentions.onnx is missing or differs from manifest.json")
    graph.write_bytes(content)
    change(folder / MANIFEST, lambda m: m["sha256"].pop("mentions.onnx"))
    refused(folder, "mentions.onnx differs from manifest.json or is not in it")
    change(folder / MANIFEST, lambda m: m["sha256"].pop("tokenizer.json"))
    refused(folder, "tokenizer.json is not in manifest.json")
    (folder / MANIFEST).unlink()
    refused(folder, "manifest.json is missing, so its ONNX graphs could be anybody's")


@pytest.mark.parametrize(
    ("file", "edit", "message"),
    [
        (EXPORT, lambda d: d.update(layout=9), "layout is 9; accepted: 1"),
        (
            EXPORT,
            lambda d: d.update(special={"pad": "0"}),
            "special is {'pad': '0'}; accepted: ids of pad, unk, mask",
        ),
        ("config.json", lambda d: d.pop("max_pieces"), "max_pieces is missing; accepted: int"),
        ("config.json", lambda d: d.update(max_pieces="9"), "max_pieces is '9'; accepted: int"),
        ("config.json", lambda d: d.update(max_candidates=True), "max_candidates is True; accepted: int"),
        ("config.json", lambda d: d.update(same_start=1), "same_start is 1; accepted: bool"),
        ("config.json", lambda d: d.update(calibration=[]), r"calibration is \[\]; accepted: dict or null"),
        ("tokenizer.json", lambda d: d.pop("model"), "tokenizer.json is no tokenizer"),
    ],
)
def test_faulty_settings(
    folder: Path, file: str, edit: Callable[[dict[str, Any]], Any], message: str
) -> None:
    change(folder / file, edit)
    refused(folder, message)


def test_what_is_no_graph(folder: Path) -> None:
    (folder / "encode.onnx").write_bytes(b"")
    write_manifest(folder)
    refused(folder, "encode.onnx cannot be loaded")
    (folder / "encode.onnx").write_bytes("نص".encode())
    write_manifest(folder)
    refused(folder, "encode.onnx is no ONNX model")
    (folder / "encode.onnx").unlink()
    refused(folder, "no weights in safetensors")


def test_tensors_in_other_files_are_refused(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    model = onnx.load(folder / "mentions.onnx")
    onnx.save_model(
        model, folder / "mentions.onnx", save_as_external_data=True, location=secret.name, size_threshold=0
    )
    write_manifest(folder)
    resolve(folder)
    refused(folder, r"mentions.onnx keeps tensors in other files \(external data\), which is not loaded")


@pytest.mark.parametrize("place", PLACES)
def test_external_data_is_found_wherever_a_tensor_can_be(place: str) -> None:
    entry = onnx.StringStringEntryProto(key="location", value="../../etc/passwd")
    for elsewhere in ({"data_location": 1}, {"external_data": [entry]}):
        with pytest.raises(ModelError, match="external data"):
            refuse_external_data(model_with(place, tensor(**elsewhere)), "m.onnx")
    refuse_external_data(model_with(place, tensor(float_data=[1.0], data_location=0)), "m.onnx")
    refuse_external_data(model_with(place, tensor(raw_data=b"\x70\x01\x6a\x00")), "m.onnx")


def field(number: int, value: bytes) -> bytes:
    assert len(value) < 128
    return bytes([number << 3 | 2, len(value)]) + value


@pytest.mark.parametrize(
    "location",
    [
        b"\x70\x01",  # data_location = EXTERNAL
        b"\xf0\x00\x01",  # the same with a number that is longer than need be
        b"\x70\x81\x80\x80\x80\x10",  # 2**32 + 1, which is EXTERNAL once cut to 32 bits
        b"\x70\x00\x70\x01",  # the last one counts
        b"\x6a\x00",  # external_data, empty
    ],
)
def test_other_spellings_of_external_data(location: bytes) -> None:
    content = field(7, field(5, location))
    with pytest.raises(ModelError, match="external data"):
        refuse_external_data(content, "m.onnx")
    parsed = onnx.ModelProto.FromString(content).graph.initializer[0]
    assert parsed.data_location == 1 or len(parsed.external_data) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"\x3a",  # a length is missing
        b"\x3a\x05\x00",  # shorter than it says
        b"\x3b",  # a group, which ONNX has none of
        b"\x00",  # field 0
        b"\xff" * 11,
        b"\x39\x00",  # 64 bits cut off
    ],
)
def test_malformed_files(content: bytes) -> None:
    with pytest.raises(ModelError, match=r"m.onnx is no ONNX model"):
        refuse_external_data(content, "m.onnx")


def test_graphs_nested_without_end() -> None:
    content = b""
    for _ in range(40):  # a graph in an attribute of a node of a graph
        for number in (6, 5, 1):
            content = bytes([number << 3 | 2]) + _length(content) + content
    with pytest.raises(ModelError, match="nested deeper than 100"):
        refuse_external_data(b"\x3a" + _length(content) + content, "m.onnx")


def _length(content: bytes) -> bytes:
    n, out = len(content), b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=60), st.integers(0, 3))
def test_whatever_the_bytes_nothing_external_passes(content: bytes, depth: int) -> None:
    for number in (5, 7)[:depth]:
        content = field(number, content)
    try:
        refuse_external_data(content, "m.onnx")
    except ModelError:
        return
    try:
        model = onnx.ModelProto.FromString(content)
    except Exception:  # protobuf's own class of errors
        return
    assert not any(t.data_location or t.external_data for t in model.graph.initializer)


def test_all_graphs_of_an_export_are_read_through(exported: Path) -> None:
    for name in GRAPHS:
        refuse_external_data((exported / f"{name}.onnx").read_bytes(), name)
