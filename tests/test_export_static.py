"""Activations in 8 bits for OpenVINO: ranges, where the rounding stands, what it changes."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from export_runs import alone_and_together, check_little_changes
from isnad.model.backends.choice import installed
from isnad.model.backends.onnx_files import Export
from isnad.model.backends.openvino_backend import runtime
from isnad.model.document import Document
from isnad.model.errors import ConfigError, DataError, ModelError, SchemaError
from isnad.model.store import GRAPHS, resolve
from isnad.training.export_openvino import export_openvino
from isnad.training.export_static import calibration_batches, quantise_activations, ranges
from typer.testing import Result

pytestmark = pytest.mark.openvino

pytest.importorskip("onnx")
if not installed("openvino"):
    pytest.skip("openvino is not installed", allow_module_level=True)


@pytest.fixture(scope="module")
def static(tiny_model: Path, articles: list[Document], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model, calibrated on four articles."""
    texts = [article.text for article in articles[1:]]
    target = tmp_path_factory.mktemp("export") / "static"
    return export_openvino(tiny_model, target, precision="int8", calibration=texts)


def kinds(path: Path) -> list[str]:
    return [node.get_type_name() for node in runtime().Core().read_model(path).get_ordered_ops()]


def test_the_range_of_a_tensor_is_the_mean_over_batches_and_holds_0() -> None:
    operations = runtime().opset13
    x = operations.parameter([-1, 2], np.float32, name="x")
    weights = operations.constant(np.eye(2, dtype=np.float32))
    shifted = operations.add(x, operations.constant(np.float32(10.0)))
    nothing = operations.multiply(x, operations.constant(np.float32(0.0)))
    products = [operations.matmul(source, weights, False, False) for source in (x, shifted, nothing, x)]
    model = runtime().Model(products, [x], "products")
    batches = [{"x": np.array([[-1, 3]], dtype=np.float32)}, {"x": np.array([[-3, 5]], dtype=np.float32)}]
    found = ranges(model, products, batches)
    assert found == [(-2.0, 4.0), (0.0, 14.0), (0.0, 0.0), (-2.0, 4.0)]
    assert len(model.outputs) == 4  # nothing was added to the model itself
    quantise_activations(products, found)
    # The first and the last read one tensor, and share its rounding.
    assert [n.get_type_name() for n in model.get_ops()].count("FakeQuantize") == 3
    compiled = runtime().Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    exact = np.array([[-1.7, 3.3]], dtype=np.float32)
    plain, moved, zero, again = (compiled({"x": exact})[n] for n in range(4))
    step = 6 / 255  # two values of a range of 6 in 256 levels
    assert 0 < np.abs(plain - exact).max() <= step / 2 + 1e-6 and np.array_equal(plain, again)
    assert np.abs(moved - exact - 10).max() <= 14 / 255 / 2 + 1e-5 and not zero.any()
    # What lies outside is cut to the range.
    outside = compiled({"x": np.array([[-9, 9]], dtype=np.float32)})[0]
    assert outside[0].tolist() == pytest.approx([-2, 4], abs=step)


def test_roundings_stand_before_the_products_of_the_large_graph_only(static: Path) -> None:
    assert {name: "FakeQuantize" in kinds(static / f"{name}.xml") for name in GRAPHS} == {
        name: name == "encode" for name in GRAPHS
    }
    notes = Export.read(resolve(static)).notes
    assert notes["static"] is True and notes["precision"] == "int8"


def test_little_changes(tiny_model: Path, static: Path, articles: list[Document]) -> None:
    check_little_changes(tiny_model, static, [articles[0].text[:1500]])


def test_a_score_does_not_depend_on_its_neighbours(static: Path, articles: list[Document]) -> None:
    for alone, batched in alone_and_together(static, [article.text for article in articles[:2]]):
        # A sum at the edge between two levels may fall to either side.
        assert np.median(np.abs(alone.logits - batched.logits)) < 1e-3


def test_the_same_texts_give_the_same_files(
    tiny_model: Path, static: Path, articles: list[Document], tmp_path: Path
) -> None:
    texts = [article.text for article in articles[1:]]
    again = export_openvino(tiny_model, tmp_path / "again", precision="int8", calibration=texts)
    assert all(
        (static / f"{name}.bin").read_bytes() == (again / f"{name}.bin").read_bytes() for name in GRAPHS
    )


def test_batches_hold_some_windows(tiny_model: Path, articles: list[Document]) -> None:
    batches = calibration_batches(tiny_model, [a.text for a in articles] * 50)
    assert sum(len(batch["input_ids"]) for batch in batches) == 300
    with pytest.raises(DataError, match="no words to calibrate on"):
        calibration_batches(tiny_model, ["", " \n"])


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.json", "{", "cannot be loaded .*config.json' is not a valid JSON file"),
        ("config.json", None, "configuration: schema: the key 'entities' is missing"),
        ("tokenizer.json", "{", "cannot be loaded .*JSON"),
        ("tokenizer.json", None, "cannot be loaded .*tokenizer"),
    ],
)
def test_a_broken_folder_is_refused(
    tiny_model: Path, tmp_path: Path, file: str, content: str | None, message: str
) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "copy"))
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_text(content, encoding="utf-8")
    with pytest.raises(SchemaError if "schema" in message else ModelError, match=message):
        calibration_batches(folder, ["زار قاآني بغداد."])


def test_calibration_is_for_8_bits(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="precision 'fp32'; accepted: int8"):
        export_openvino(tiny_model, tmp_path / "out", calibration=["زار قاآني بغداد."])


def test_the_command(
    isnad: Callable[..., Result],
    refused: Callable[..., None],
    tiny_model: Path,
    articles: list[Document],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    raw, check = tmp_path / "raw.txt", tmp_path / "check.txt"
    raw.write_text(articles[1].text, encoding="utf-8")
    options = ("export", tiny_model, "--int8", "--calibrate", raw)
    refused(isnad(*options), "--calibrate with --to onnx --int8; accepted: --to openvino --int8")
    refused(
        isnad("export", tiny_model, "--to", "openvino", "--calibrate", raw), "--calibrate with --to openvino;"
    )
    refused(isnad(*options, "--to", "openvino", "--calibrate", check), "no such file")
    assert not (tmp_path / "tiny-openvino-int8-static").exists()
    done = isnad(*options, "--to", "openvino", "--check", "seeds:articles")
    assert done.exit_code == 0, done.output
    assert "wrote tiny-openvino-int8-static: int8, scales of activations set beforehand" in done.stderr
    assert Export.read(resolve(Path("tiny-openvino-int8-static"))).notes["parity"]["seeds:articles"]["f1"]
