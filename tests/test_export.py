"""`isnad export`: what it writes, what it says, what it refuses; encoders and schemas of other kinds."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from export_runs import parity_of
from isnad.cli import export as command
from isnad.model.backends.choice import installed
from isnad.model.backends.onnx_files import Export
from isnad.model.document import Document
from isnad.model.errors import ConfigError, ModelError
from isnad.model.inference import Extractor
from isnad.model.modeling import IsnadModel
from isnad.model.schema import LabelSchema
from isnad.model.store import GRAPHS, read_manifest, resolve
from isnad.training.export import export_onnx
from isnad.training.export_check import _differences, compare, speeds
from isnad.training.export_graphs import graphs
from isnad.training.export_openvino import export_openvino
from typer.testing import Result

pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")

Run = Callable[..., Result]


@pytest.fixture
def small(articles: list[Document], schema: LabelSchema, tmp_path: Path) -> Path:
    """One article, to compare on."""
    from isnad.training.data import write_documents

    path = tmp_path / "small.jsonl"
    write_documents(articles[:1], path, format="jsonl", schema=schema)
    return path


# -- the command -----------------------------------------------------------------------------------------


def test_writes_a_model_and_says_how_it_compares(
    isnad: Run, tiny_model: Path, small: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out"
    result = isnad("export", tiny_model, "-o", target, "--check", small)
    assert result.exit_code == 0, result.output
    assert "the same" in result.stdout and "one backend only" not in result.stdout
    assert "words a second" in result.stdout and "wrote" in result.stderr and "fp32" in result.stderr
    files = {f"{name}.onnx" for name in GRAPHS} | {"config.json", "tokenizer.json", "export.json"}
    assert set(read_manifest(target / "manifest.json")) == files
    assert {p.name for p in target.iterdir()} == files | {"manifest.json"}
    notes = Export.read(resolve(target)).notes
    parity = notes["parity"][str(small)]
    assert parity["entities"] > 20 and parity["entity_changes"] == 0 and parity["span_difference"] < 1e-3
    assert parity["f1"]["torch"] == parity["f1"]["onnx"]
    assert notes["speed"]["torch"]["words_per_second"] > 0 < notes["speed"]["onnx"]["words_per_second"]
    assert notes["precision"] == "fp32" and notes["source"]["model"] == "tiny"


def test_eight_bits(isnad: Run, tiny_model: Path, small: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    result = isnad("export", tiny_model, "--int8", "-o", target, "--check", small)
    assert result.exit_code == 0, result.output
    assert Export.read(target).precision == "int8"
    graph = onnx.load(target / "encode.onnx").graph
    operators = {node.op_type for node in graph.node}
    assert {"DynamicQuantizeLSTM"} <= operators and operators & {"MatMulInteger", "DynamicQuantizeMatMul"}
    assert not operators & {"LSTM"}
    # What is large is in 8 bits: embeddings and matrices.
    large = [w for w in graph.initializer if np.prod(w.dims) > 500]
    assert large and all(w.data_type in (onnx.TensorProto.INT8, onnx.TensorProto.UINT8) for w in large)
    found = Extractor.from_pretrained(target)("زار قاآني بغداد.")
    assert found.entities
    shown = isnad("info", target)
    assert shown.exit_code == 0 and "int8" in shown.stdout


@pytest.mark.openvino
@pytest.mark.parametrize("options", [(), ("--int8", "--bf16")])
def test_for_openvino(
    isnad: Run,
    tiny_model: Path,
    small: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
) -> None:
    if not installed("openvino"):
        pytest.skip("openvino is not installed")
    monkeypatch.chdir(tmp_path)
    result = isnad("export", tiny_model, "--to", "openvino", *options, "--check", small)
    assert result.exit_code == 0, result.output
    target = tmp_path / "-".join(["tiny-openvino", *(option.strip("-") for option in options)])
    assert "entity F1, torch → openvino" in result.stdout and "words a second" in result.stdout
    assert f"wrote {target.name}" in result.stderr
    notes = Export.read(resolve(target)).notes
    assert notes["speed"]["openvino"]["words_per_second"] > 0 < notes["speed"]["torch"]["words_per_second"]
    assert set(notes["parity"][str(small)]["f1"]) == {"torch", "openvino"}
    assert notes["precision"] == ("int8" if options else "fp32") and notes["bf16"] is bool(options)
    difference = notes["parity"][str(small)]["span_difference"]
    assert 0 < difference < (0.2 if options else 1e-3)
    assert Extractor.from_pretrained(target, backend="openvino")("زار قاآني بغداد.").entities


def test_what_is_refused(
    isnad: Run, refused: Callable[..., None], tiny_model: Path, small: Path, tmp_path: Path
) -> None:
    refused(isnad("export", tiny_model, "--to", "onxx"), "unknown format 'onxx'; did you mean 'onnx'?")
    refused(isnad("export", tiny_model, "--bf16"), "--bf16 with --to onnx; accepted: --to openvino")
    refused(
        isnad("export", tiny_model, "-o", tiny_model), "is the model itself; choose another folder with -o"
    )
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    refused(isnad("export", tiny_model, "-o", tmp_path / "full"), "already there", "--overwrite")
    refused(isnad("export", tmp_path / "none"), "no model at")
    out = tmp_path / "out"
    refused(isnad("export", tiny_model, "-o", out, "--check", tmp_path / "gone"), "no such file or folder")
    assert not out.exists()
    assert isnad("export", tiny_model, "-o", out, "--check", small).exit_code == 0
    refused(isnad("export", out, "-o", tmp_path / "again"), "is an export itself")
    again = isnad("export", tiny_model, "-o", out, "--check", small, "--overwrite", "--int8")
    assert again.exit_code == 0 and Export.read(resolve(out)).precision == "int8"


def test_an_export_that_computes_something_else_is_not_written(
    isnad: Run,
    refused: Callable[..., None],
    tiny_model: Path,
    small: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def wrong(model: IsnadModel) -> Any:
        with torch.no_grad():
            model.span_head.parts.weight.mul_(0.8)
        return graphs(model)

    monkeypatch.setattr("isnad.training.export.graphs", wrong)
    result = isnad("export", tiny_model, "-o", tmp_path / "out", "--check", small)
    refused(result, "the export's probabilities differ by up to 0.", "Nothing was written")
    assert not (tmp_path / "out").exists()


def test_a_loss_of_eight_bits_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    f1 = {"torch": {"entities": 0.8, "relations": 0.5}, "onnx": {"entities": 0.7975, "relations": 0.4990}}
    parity = {"span_difference": 0.1, "pair_difference": 0.0, "f1": f1}
    command._judge({"parity": {"dev": parity}}, command.Kind("onnx", int8=True))
    error = capsys.readouterr().err
    assert "on dev the export loses 0.25 points of F1 on entities" in error and "relations" not in error


# -- other encoders and schemas --------------------------------------------------------------------------


def saved(model: IsnadModel, tokenizer_of: Path, folder: Path) -> Path:
    from transformers import AutoTokenizer

    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(tokenizer_of, local_files_only=True).save_pretrained(folder)
    return folder


def bert(tiny_encoder: Path, schema: LabelSchema, folder: Path) -> Path:
    """A joint model on a tiny BERT of random weights."""
    from transformers import BertConfig, BertModel

    tokenizer = json.loads((tiny_encoder / "tokenizer.json").read_text(encoding="utf-8"))
    config = BertConfig(
        vocab_size=len(tokenizer["model"]["vocab"]),
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=128,
        initializer_range=0.5,
    )
    with torch.random.fork_rng():
        torch.manual_seed(3)
        encoder = BertModel(config, add_pooling_layer=True)
        sizes = {"word_size": 16, "letter_size": 4, "span_size": 12, "pair_size": 16, "mention_size": 8}
        model = IsnadModel.from_encoder(
            encoder, schema, max_pieces=96, overlap_pieces=16, attention_heads=2, **sizes
        )
        with torch.no_grad():
            model.span_head.width.weight[:2] = -1.0
            model.span_head.parts.weight.normal_(std=1.0)
    return saved(model, tiny_encoder, folder)


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_a_transformer_exports_too(
    tiny_encoder: Path, schema: LabelSchema, articles: list[Document], tmp_path: Path, runtime: str
) -> None:
    if not installed(runtime):
        pytest.skip(f"{runtime} is not installed")
    folder = bert(tiny_encoder, schema, tmp_path / "bert")
    write = export_openvino if runtime == "openvino" else export_onnx
    exported = write(folder, tmp_path / "export")
    texts = [articles[0].text[:1500], "قاآني", "زار قاآني بغداد.\nثم عاد."]
    parity = parity_of(folder, exported, texts)
    assert parity.same and parity.spans > 100 and parity.pairs > 100 and parity.span_changes == 0
    assert max(parity.span_difference, parity.pair_difference) < 1e-3


def test_a_schema_without_relations_or_coreference(
    tiny_model: Path, tiny_encoder: Path, articles: list[Document], tmp_path: Path
) -> None:
    from transformers import AutoModel

    names = LabelSchema.from_dict(
        {"name": "names", "entities": [{"name": "PERS", "en": "Person", "ar": "شخص", "corefers": False}]}
    )
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = IsnadModel.from_encoder(
            AutoModel.from_pretrained(tiny_encoder, local_files_only=True),
            names,
            attention_heads=2,
            pair_size=16,
        )
        with torch.no_grad():
            model.span_head.width.weight[:1] = 1.0
    folder = saved(model, tiny_encoder, tmp_path / "names")
    exported = export_onnx(folder, tmp_path / "onnx")
    parity, _, found = compare(
        Extractor.from_pretrained(folder), Extractor.from_pretrained(exported), [articles[0].text[:800]]
    )
    assert parity.same and parity.entities > 5 and found[0].relations == ()


def test_what_cannot_be_traced_is_said(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("no symbolic for aten::frobnicate")

    monkeypatch.setattr(torch.onnx, "export", broken)
    with pytest.raises(
        ModelError, match=r"the part 'encode' cannot be exported to ONNX \(RuntimeError: no symbolic"
    ):
        export_onnx(tiny_model, tmp_path / "out")
    with pytest.raises(ConfigError, match="unknown precision 'int4'"):
        export_onnx(tiny_model, tmp_path / "out", precision="int4")


# -- the comparison --------------------------------------------------------------------------------------


def test_a_difference_is_counted(tiny_model: Path, articles: list[Document]) -> None:
    text = articles[0].text[:1000]
    usual = Extractor.from_pretrained(tiny_model)
    usual.config.max_candidates = 12
    strict = Extractor.from_pretrained(tiny_model, thresholds=0.9)
    strict.config.max_candidates = 12
    parity, ours, theirs = compare(usual, strict, [text])
    assert parity.entity_changes == len(ours[0].entities) - len(theirs[0].entities) > 0
    assert parity.span_difference == 0 and not parity.same
    strict.config.max_candidates = 6
    assert compare(usual, strict, [text])[0].span_changes > 0
    # The extractors are as they were.
    assert usual(text) == ours[0]


def test_the_largest_difference_is_that_of_the_same_span(tiny_model: Path, articles: list[Document]) -> None:
    extractor = Extractor.from_pretrained(tiny_model)
    extractor.config.max_candidates = 12
    windows = list(extractor._maker.windows(articles[0].text))
    scores = extractor._backend.score(windows)
    first = next(s for s in scores if len(s.pairs) > 3)
    zero = replace(first, pair_logits=np.zeros_like(first.pair_logits))
    order = np.arange(len(first.spans))[::-1]
    moved = replace(
        zero,
        spans=zero.spans[order],
        logits=zero.logits[order],
        pairs=order[zero.pairs],
        pair_logits=zero.pair_logits.copy(),
    )
    assert _differences([zero], [moved]) == (len(order), len(first.pairs), 0, 0.0, 0.0)
    moved.pair_logits[2, 0] = np.log(3)  # a probability of 0.75 where the other has 0.5
    assert _differences([zero], [moved])[3:] == (0.0, pytest.approx(0.25))


def test_speed_is_words_over_time(tiny_model: Path) -> None:
    extractor = Extractor.from_pretrained(tiny_model)
    found = speeds({"a": extractor, "b": extractor}, ["زار قاآني بغداد"], rounds=2)
    assert set(found) == {"a", "b"}
    assert all(0 < v["slowest"] <= v["words_per_second"] <= v["fastest"] for v in found.values())


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_the_embedded_model_keeps_its_answers_and_its_f1(
    articles: list[Document], schema: LabelSchema, tmp_path: Path, runtime: str
) -> None:
    from isnad.training.export_check import scores

    if not installed(runtime):
        pytest.skip(f"{runtime} is not installed")
    write = export_openvino if runtime == "openvino" else export_onnx

    source = resolve(None)
    texts = [a.text for a in articles]
    reference = Extractor.from_pretrained(source)
    exact = Extractor.from_pretrained(write(source, tmp_path / "fp32"))
    parity, ours, _ = compare(reference, exact, texts)
    assert parity.same and parity.entities > 300 and parity.relations > 100
    assert max(parity.span_difference, parity.pair_difference) < 1e-3
    small = Extractor.from_pretrained(write(source, tmp_path / "int8", precision="int8"))
    f1, f1_small = scores(articles, ours, schema), scores(articles, small(texts), schema)
    # Five articles: half a point is one name or two.
    assert all(f1_small[kind] > f1[kind] - 0.005 for kind in f1)
    sizes = [sum(Export.read(tmp_path / name).notes["bytes"].values()) for name in ("int8", "fp32")]
    assert sizes[0] < 0.3 * sizes[1]
