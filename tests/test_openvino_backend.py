"""OpenVINO: sealed files, precision, weights in 8 bits, no message to anybody."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from export_runs import alone_and_together, check_little_changes
from isnad.model.backends import openvino_backend
from isnad.model.backends.choice import installed
from isnad.model.backends.onnx_files import Export
from isnad.model.backends.openvino_backend import runtime
from isnad.model.document import Document
from isnad.model.errors import ConfigError, ModelError
from isnad.model.inference import Extractor
from isnad.model.store import EXPORT, GRAPHS, IR_FILES, MANIFEST, write_manifest
from isnad.training.export_openvino import convert, export_openvino

pytestmark = pytest.mark.openvino

pytest.importorskip("onnx")
if not installed("openvino"):
    pytest.skip("openvino is not installed", allow_module_level=True)

TEXT = "التقى إسمـــاعيل قَاآنِيّ في بغـداد قادةَ الحشدِ الشعبيّ، وحسن نصرالله في ٢٠٢٤/10/٣ 🇱🇧."


@pytest.fixture(scope="module")
def exported(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_openvino(tiny_model, tmp_path_factory.mktemp("export") / "fp32")


@pytest.fixture(scope="module")
def small(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in 8 bits."""
    return export_openvino(tiny_model, tmp_path_factory.mktemp("export") / "int8", precision="int8")


@pytest.fixture
def folder(exported: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return Path(shutil.copytree(exported, tmp_path / "copy"))


def refused(folder: Path, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Extractor.from_pretrained(folder)


# -- files -----------------------------------------------------------------------------------------------


def test_what_the_folder_holds(exported: Path) -> None:
    digests = json.loads((exported / MANIFEST).read_text(encoding="utf-8"))["sha256"]
    assert set(digests) == {*IR_FILES, "config.json", "tokenizer.json", EXPORT}
    assert {p.name for p in exported.iterdir()} == {*digests, MANIFEST}
    notes = Export.read(exported).notes
    assert notes["format"] == "openvino" and notes["precision"] == "fp32" and notes["bf16"] is False
    assert set(notes["bytes"]) == set(IR_FILES)
    # Nothing of the machine that wrote it.
    assert not any(str(Path.home()).encode() in p.read_bytes() for p in exported.glob("*.xml"))


@pytest.mark.parametrize("name", ["mentions.xml", "mentions.bin"])
def test_structure_and_weights_are_sealed(folder: Path, name: str) -> None:
    (folder / "extra.txt").write_text("not in the manifest, and of no account")
    Extractor.from_pretrained(folder)
    file, manifest = folder / name, folder / MANIFEST
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    refused(folder, f"{name} is missing or differs from manifest.json")
    file.write_bytes(content)
    data = json.loads(manifest.read_text(encoding="utf-8"))
    del data["sha256"][name]
    manifest.write_text(json.dumps(data), encoding="utf-8")
    refused(folder, f"{name} differs from manifest.json or is not in it")
    manifest.unlink()
    refused(folder, "manifest.json is missing")


def test_a_file_altered_after_the_check_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isnad.model.inference.resolve", Path)
    (folder / "encode.bin").write_bytes(b"\0" * (folder / "encode.bin").stat().st_size)
    refused(folder, "encode.bin differs from manifest.json or is not in it")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("encode.xml", b""),
        ("encode.xml", "نص".encode()),
        ("encode.xml", b'<net name="g" version="11"/>'),
        ("encode.bin", b""),
        ("relations.bin", b"\0\0"),
    ],
)
def test_what_is_no_graph(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    write_manifest(folder)
    refused(folder, rf"{name.partition('.')[0]}.xml (cannot be loaded|has 0 outputs; accepted: 4)")


def test_another_layout_is_refused(folder: Path) -> None:
    notes = json.loads((folder / EXPORT).read_text(encoding="utf-8"))
    (folder / EXPORT).write_text(json.dumps(notes | {"layout": 9}), encoding="utf-8")
    write_manifest(folder)
    refused(folder, "layout is 9; accepted: 1")
    (folder / "encode.bin").unlink()
    refused(folder, "no weights in safetensors")


def test_what_is_no_onnx_model() -> None:
    with pytest.raises(ModelError, match="the part 'encode' cannot be converted for OpenVINO"):
        convert(b"\x08\x09", "encode")


def test_other_devices_are_refused(exported: Path) -> None:
    with pytest.raises(ConfigError, match="device 'cuda'; accepted by the openvino backend: cpu"):
        Extractor.from_pretrained(exported, device="cuda")


# -- precision -------------------------------------------------------------------------------------------


def compiled(extractor: Extractor) -> Any:
    return extractor._backend._graphs()["encode"]._compiled  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("bf16", "able", "computed"), [(False, True, "f32"), (True, True, "bf16"), (True, False, "f32")]
)
def test_bf16_only_where_it_is_wanted_and_the_processor_can(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, bf16: bool, able: bool, computed: str
) -> None:
    notes = json.loads((folder / EXPORT).read_text(encoding="utf-8"))
    (folder / EXPORT).write_text(json.dumps(notes | {"bf16": bf16}), encoding="utf-8")
    write_manifest(folder)
    monkeypatch.setattr(openvino_backend, "computes_bf16", lambda core: able)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    found = compiled(Extractor.from_pretrained(folder))
    wanted = getattr(runtime().Type, computed)
    assert found.get_property("INFERENCE_PRECISION_HINT") == wanted
    assert found.get_property("INFERENCE_NUM_THREADS") == 1
    assert found.get_property("NUM_STREAMS") == 1
    assert found.get_property("ENABLE_CPU_PINNING") is False


def test_large_weights_are_stored_in_8_bits(exported: Path, small: Path) -> None:
    assert Export.read(small).precision == "int8"
    for name in GRAPHS:
        model = runtime().Core().read_model(small / f"{name}.xml")
        for node in model.get_ordered_ops():
            if node.get_type_name() in ("MatMul", "LSTMSequence", "Gather"):
                inputs = [node.input_value(i).get_node() for i in range(node.get_input_size())]
                large = [
                    n
                    for n in inputs
                    if n.get_type_name() == "Constant" and np.prod(n.get_output_shape(0)) > 1024
                ]
                assert name == "coreference" or not any(n.get_element_type().is_real() for n in large)
    sizes = [sum(p.stat().st_size for p in folder.glob("encode.bin")) for folder in (small, exported)]
    assert sizes[0] < 0.6 * sizes[1]


def test_8_bits_change_little(tiny_model: Path, small: Path, articles: list[Document]) -> None:
    check_little_changes(tiny_model, small, [articles[0].text[:1500], TEXT])


def test_a_score_in_8_bits_does_not_depend_on_its_neighbours(small: Path, articles: list[Document]) -> None:
    for alone, batched in alone_and_together(small, [article.text for article in articles[:2]]):
        assert np.allclose(alone.logits, batched.logits, atol=1e-3)


# -- silence ---------------------------------------------------------------------------------------------


def test_nothing_is_sent_or_left_behind(exported: Path, tiny_model: Path, tmp_path: Path) -> None:
    code = """
import json, sys
seen = []
loud = ("socket.", "urllib.", "http.", "subprocess.", "os.fork", "os.posix_spawn", "os.exec", "os.system")
sys.addaudithook(lambda event, arguments: seen.append(event) if event.startswith(loud) else None)
from isnad import Extractor
document = Extractor.from_pretrained(sys.argv[1])(sys.argv[2])
from pathlib import Path
from isnad.training.export_openvino import export_openvino
export_openvino(Path(sys.argv[3]), Path(sys.argv[4]))
print(json.dumps([document.text, seen, "openvino_telemetry" in sys.modules]))
"""
    home = tmp_path / "home"
    home.mkdir()
    environment = {**os.environ, "HOME": str(home)}
    # Where tests run by themselves, openvino keeps silent of its own accord.
    for name in ("CI", "TF_BUILD", "JENKINS_URL"):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-c", code, str(exported), TEXT, str(tiny_model), str(tmp_path / "out")],
        capture_output=True,
        encoding="utf-8",
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [TEXT, [], False]
    assert not list(home.rglob("*openvino*"))


def test_what_was_imported_before_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = runtime()
    assert runtime() is loaded
    own = ModuleType("openvino_telemetry")
    monkeypatch.setitem(sys.modules, "openvino_telemetry", own)
    monkeypatch.delitem(sys.modules, "openvino")
    refused: list[bool] = []

    def import_module(name: str) -> ModuleType:
        refused.append(sys.modules["openvino_telemetry"] is None)
        return loaded

    monkeypatch.setattr(importlib, "import_module", import_module)
    assert runtime() is loaded and refused == [True]
    assert sys.modules["openvino_telemetry"] is own


# -- shapes ----------------------------------------------------------------------------------------------


def test_shapes_come_in_steps(
    exported: Path, articles: list[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    extractor = Extractor.from_pretrained(exported)
    seen: list[tuple[str, tuple[int, ...]]] = []
    call = openvino_backend.OpenGraph.__call__

    def watched(graph: Any, inputs: Any) -> Any:
        seen.extend((name, array.shape) for name, array in inputs.items())
        return call(graph, inputs)

    monkeypatch.setattr(openvino_backend.OpenGraph, "__call__", watched)
    assert extractor([a.text for a in articles[:3]])[0].entities
    lengths = {
        name: {shape[1] for n, shape in seen if n == name} for name in ("input_ids", "word_mask", "head")
    }
    counts = {n for name, shape in seen if name in ("mentions", "logits", "features") for n in shape[:1]}
    for numbers in (*lengths.values(), counts):
        assert len(numbers) > 1 and all(n % 8 == 0 for n in numbers)


def test_an_openvino_that_keeps_what_it_likes(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_backend, "_KERNELS", {"NO_SUCH_PROPERTY": 1})
    assert Extractor.from_pretrained(exported)(TEXT).entities
