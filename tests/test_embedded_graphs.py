"""Graphs without weights: what is handed over in memory, and that nothing else passes for it."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from isnad.model.backends.embedded_graphs import read_weights
from isnad.model.backends.onnx_check import IN_MEMORY, refuse_external_data, tensors_in_memory
from isnad.model.errors import ModelError
from isnad.model.inference import Extractor, load_torch
from isnad.model.store import GRAPHS, MANIFEST, WEIGHTLESS, WEIGHTS, verify, write_manifest
from isnad.training.export_embedded import write_weightless
from onnx_models import PLACES, change, model_with, tensor
from safetensors.torch import save

pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def weightless(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = Path(shutil.copytree(tiny_model, tmp_path_factory.mktemp("embedded") / "tiny"))
    write_weightless(*load_torch(place), place)
    write_manifest(place)
    return place


@pytest.fixture
def embedded(weightless: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return Path(shutil.copytree(weightless, tmp_path / "embedded"))


def onnx_refused(folder: Path, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Extractor.from_pretrained(folder, backend="onnx")


def entry(**fields: str) -> list[Any]:
    return [onnx.StringStringEntryProto(key=key, value=value) for key, value in fields.items()]


def test_weights_handed_over_are_named(weightless: Path) -> None:
    assert tensors_in_memory(model_with("initializer", tensor(**IN)), "m.onnx") == ["w"]
    names = {n for g in GRAPHS for n in tensors_in_memory((weightless / f"graphs/{g}.onnx").read_bytes(), g)}
    assert names == set(read_weights((weightless / WEIGHTS).read_bytes()))
    content = (weightless / "graphs/encode.onnx").read_bytes()
    with pytest.raises(ModelError, match="external data"):
        refuse_external_data(content, "an ordinary export may have none")


IN = {"data_location": 1, "external_data": entry(location=IN_MEMORY)}


@pytest.mark.parametrize(
    "fields",
    [
        {"external_data": entry(location="/etc/passwd")},
        {"external_data": entry(location="model.safetensors")},
        {"external_data": entry(location="*/_ORT_MEM_ADDR_/*", offset="4096", length="4")},
        {"external_data": entry(location=IN_MEMORY, offset="0")},
        {"external_data": entry(location=IN_MEMORY) * 2},
        {"external_data": entry(location=IN_MEMORY) + entry(location="/etc/passwd")},
        {"external_data": entry(location=IN_MEMORY + "/../etc/passwd")},
        {"external_data": []},
        {"data_location": 0},
        {"raw_data": b"1234"},
        {"float_data": [1.0]},
        {"doc_string": "other fields have no business here"},
        {"name": ""},
    ],
)
def test_no_other_place_passes_for_memory(fields: dict[str, Any]) -> None:
    weight = onnx.TensorProto(**({"name": "w", "dims": [1], "data_type": 1} | IN | fields))
    with pytest.raises(ModelError, match="external data"):
        tensors_in_memory(model_with("initializer", weight), "m.onnx")


@pytest.mark.parametrize("place", [place for place in PLACES if place != "initializer"])
def test_only_the_weights_of_the_graph_itself_are_handed_over(place: str) -> None:
    with pytest.raises(ModelError, match="external data"):
        tensors_in_memory(model_with(place, tensor(**IN)), "m.onnx")


def test_a_path_in_a_sealed_weightless_graph_is_not_read(embedded: Path) -> None:
    graph = embedded / WEIGHTLESS / "mentions.onnx"
    model = onnx.load(graph, load_external_data=False)
    model.graph.initializer[0].external_data[0].value = str(embedded / "tokenizer.json")
    graph.write_bytes(model.SerializeToString())
    write_manifest(embedded)
    onnx_refused(embedded, r"graphs/mentions.onnx keeps tensors in other files \(external data\)")


def test_weights_that_a_graph_does_not_fit(embedded: Path) -> None:
    graph = embedded / WEIGHTLESS / "coreference.onnx"
    model = onnx.load(graph, load_external_data=False)
    bias = next(each for each in model.graph.initializer if each.name.endswith("bias"))
    bias.dims[0] += 1
    graph.write_bytes(model.SerializeToString())
    write_manifest(embedded)
    onnx_refused(embedded, "coreference.onnx cannot be loaded")
    bias.name = "coreference_head.absent"
    graph.write_bytes(model.SerializeToString())
    write_manifest(embedded)
    onnx_refused(embedded, "asks for 1 tensors that model.safetensors lacks, 'coreference_head.absent' among")


def test_weightless_graphs_and_their_weights_are_sealed(embedded: Path) -> None:
    change(embedded / MANIFEST, lambda m: m["sha256"].pop(f"{WEIGHTLESS}/encode.onnx"))
    onnx_refused(embedded, "graphs/encode.onnx differs from manifest.json or is not in it")
    change(embedded / MANIFEST, lambda m: m["sha256"].pop(WEIGHTS))
    onnx_refused(embedded, "model.safetensors differs from manifest.json or is not in it")
    write_manifest(embedded)
    (embedded / WEIGHTLESS / "relations.onnx").write_bytes(b"")
    onnx_refused(embedded, "relations.onnx is missing or differs from manifest.json")
    (embedded / MANIFEST).unlink()
    onnx_refused(embedded, "manifest.json is missing")


@pytest.mark.parametrize(
    "name", ["../other/model.onnx", "graphs/../../secret", "graphs/deep/encode.onnx", "/etc/hosts"]
)
def test_a_manifest_names_no_other_folders(embedded: Path, name: str) -> None:
    change(embedded / MANIFEST, lambda m: m["sha256"].update({name: "0" * 64}))
    with pytest.raises(ModelError, match="is not a manifest"):
        verify(embedded)


def test_number_formats_of_weights() -> None:
    kinds = ("float32", "float16", "bfloat16", "float64", "int64", "int32", "int16", "int8", "uint8", "bool")
    made = {kind: torch.tensor([[0.0, 1.0, 3.0]]).to(getattr(torch, kind)) for kind in kinds}
    made["bfloat16"] = torch.tensor([[-0.15625, 1e38, float("inf")]]).bfloat16()
    found = read_weights(save(made))
    for kind, tensor_ in made.items():
        expected = tensor_.float().numpy() if tensor_.is_floating_point() else tensor_.numpy()
        assert found[kind].dtype == expected.dtype and found[kind].tolist() == expected.tolist()
    with pytest.raises(ModelError, match="F8_E4M3; accepted: BF16, F16, F64, F32"):
        read_weights(save({"w": torch.ones(2).to(torch.float8_e4m3fn)}))
    with pytest.raises(ModelError, match="not in safetensors"):
        read_weights(b"pickle")
