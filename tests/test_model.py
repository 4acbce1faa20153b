"""The joint model: saving, foreign encoders, batches, and what a corpus leaves out."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from isnad.model.backends.torch_backend import TorchBackend, batch_tensors
from isnad.model.configuration import IsnadConfig
from isnad.model.document import Document
from isnad.model.encoder import IsnadEncoderConfig
from isnad.model.modeling import IsnadModel
from isnad.model.schema import LabelSchema
from isnad.model.windows import Window, WindowMaker
from isnad.training.collate import Collator
from isnad.training.data.annotation import Annotation
from isnad.training.examples import build_examples
from torch import Tensor
from transformers import AutoConfig, AutoModel, AutoTokenizer

SIZES: dict[str, Any] = {
    "word_size": 16,
    "letter_size": 4,
    "span_size": 12,
    "pair_size": 16,
    "mention_size": 8,
    "attention_heads": 2,
}
COMMON: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 300,
}
ENCODERS: dict[str, dict[str, Any]] = {
    "bert": COMMON,
    "roberta": COMMON,
    "xlm-roberta": COMMON,
    "electra": COMMON | {"embedding_size": 16},
    "modernbert": COMMON | {"pad_token_id": 0, "global_attn_every_n_layers": 2, "local_attention": 16},
    "isnad-encoder": {
        "embedding_size": 16,
        "char_vocab_size": 0,
        "recurrent_size": 16,
        "hidden_size": 32,
        "num_hidden_layers": 2,
    },
}


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def tokenizer(tiny_encoder: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny_encoder, local_files_only=True)


@pytest.fixture(scope="module")
def maker(tokenizer: Any) -> WindowMaker:
    return WindowMaker(tokenizer, max_pieces=96, overlap_pieces=16)


@pytest.fixture(scope="module")
def windows(maker: WindowMaker, articles: list[Document]) -> list[Window]:
    return [w for a in articles[:2] for w in maker.windows(a.text)][:12]


def build(kind: str, vocabulary: int, schema: LabelSchema, **sizes: Any) -> IsnadModel:
    torch.manual_seed(4)
    encoder = AutoModel.from_config(AutoConfig.for_model(kind, vocab_size=vocabulary, **ENCODERS[kind]))
    return IsnadModel.from_encoder(encoder, schema, **SIZES, **sizes)


def settings(model: IsnadModel) -> dict[str, Any]:
    """What the configuration says; the encoder's own is compared as the object that is built from it."""
    values = model.config.to_diff_dict()
    values["encoder"] = model.config.encoder_config().to_diff_dict()
    values["encoder"].pop("dtype", None)
    return {k: v for k, v in values.items() if k not in ("dtype", "architectures")}


def outputs(model: IsnadModel, windows: list[Window]) -> tuple[Tensor, Tensor]:
    with torch.inference_mode():
        output = model.eval()(**batch_tensors(windows, 0))
    return output.span_logits, output.proclitic_logits


# -- saving, loading, registration -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ENCODERS)
def test_saving_and_loading_change_nothing(
    kind: str, tmp_path: Path, schema: LabelSchema, tokenizer: Any, windows: list[Window]
) -> None:
    decisions = {"entity_thresholds": {"PERS": 0.3}, "calibration": {"entity": {"PERS": [2, 1]}}}
    model = build(kind, len(tokenizer), schema, **decisions)
    model.save_pretrained(tmp_path)
    for cls in (IsnadModel, AutoModel):
        again = cls.from_pretrained(tmp_path)
        assert type(again) is IsnadModel
        assert settings(again) == settings(model)
        assert again.schema == schema and again.config.entity_thresholds == {"PERS": 0.3}
        state, other = model.state_dict(), again.state_dict()
        assert state.keys() == other.keys()
        assert all(torch.equal(state[k], other[k]) for k in state)
        # The signature is not saved, but made from the schema.
        assert torch.equal(again.signature, model.signature) and model.signature.any()
        for one, two in zip(outputs(model, windows), outputs(again, windows), strict=True):
            assert torch.equal(one, two)
    assert not [p for p in tmp_path.rglob("*") if p.suffix in (".bin", ".pt", ".pth")]


def test_the_configuration_is_registered(tmp_path: Path, schema: LabelSchema) -> None:
    config = IsnadConfig(encoder={"model_type": "bert", **COMMON, "auto_map": {"AutoConfig": "evil.Config"}})
    config.labels = schema.to_dict()
    config.save_pretrained(tmp_path)
    again = AutoConfig.from_pretrained(tmp_path)
    assert type(again) is IsnadConfig and again.schema() == schema
    assert type(again.encoder_config()).__name__ == "BertConfig"
    assert type(AutoModel.from_config(again)) is IsnadModel
    assert type(AutoConfig.for_model("isnad-encoder")) is IsnadEncoderConfig
    with pytest.raises(ValueError, match=r"encoder is missing; accepted"):
        IsnadConfig().encoder_config()


def test_heads_that_do_not_divide_are_refused(schema: LabelSchema) -> None:
    config = IsnadConfig(encoder={"model_type": "bert", **COMMON}, labels=schema.to_dict(), **SIZES)
    config.attention_heads = 3
    with pytest.raises(ValueError, match="pair_size 16 is not a multiple of attention_heads 3"):
        IsnadModel(config)


@pytest.mark.parametrize("kind", ENCODERS)
def test_any_encoder_learns(
    kind: str, schema: LabelSchema, tokenizer: Any, maker: WindowMaker, articles: list[Document]
) -> None:
    model = build(kind, len(tokenizer), schema).train()
    rows = [list(build_examples(articles[0], maker, schema))[:4]]
    batch = Collator(tokenizer.pad_token_id)(rows)
    output = model(**batch)
    assert set(output.parts) == {"span", "proclitic", "relation"} and torch.isfinite(output.loss)
    output.loss.backward()
    still = {n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum()}
    # Untouched are the coreference head, which is fitted afterwards, and what an encoder itself leaves unused.
    assert not {n for n in still if not n.startswith(("coreference_head.", "encoder.pooler."))}


@pytest.mark.parametrize("kind", ["isnad-encoder", "bert", "modernbert"])
def test_scores_do_not_depend_on_the_batch(
    kind: str, schema: LabelSchema, tokenizer: Any, windows: list[Window]
) -> None:
    model = build(kind, len(tokenizer), schema).eval()
    together = outputs(model, windows)
    shortest = min(windows, key=lambda w: len(w.words))
    for window in (windows[0], shortest):
        row, count = windows.index(window), len(window.words)
        alone = outputs(model, [window])
        torch.testing.assert_close(together[0][row, :count, :count], alone[0][0], atol=2e-5, rtol=1e-5)
        torch.testing.assert_close(together[1][row, :count], alone[1][0], atol=2e-5, rtol=1e-5)
    assert (together[0][windows.index(shortest), len(shortest.words) :] == -1e4).all()


def test_whole_results_do_not_depend_on_the_batch(tiny_model: Path, windows: list[Window]) -> None:
    backend = TorchBackend(IsnadModel.from_pretrained(tiny_model), 0)
    for window, one in zip(windows, backend.score(windows), strict=True):
        [two] = backend.score([window])
        assert (one.spans == two.spans).all() and (one.pairs == two.pairs).all()
        assert (one.proclitics == two.proclitics).all() and one.cut == two.cut
        for a, b in (
            (one.logits, two.logits),
            (one.vectors, two.vectors),
            (one.pair_logits, two.pair_logits),
        ):
            torch.testing.assert_close(torch.from_numpy(a), torch.from_numpy(b), atol=1e-4, rtol=1e-4)
    assert backend.score([]) == []


def test_types_that_a_corpus_is_silent_about_get_no_gradient(
    schema: LabelSchema, tokenizer: Any, maker: WindowMaker, articles: list[Document]
) -> None:
    model = build("isnad-encoder", len(tokenizer), schema, dropout=0.0)
    labels = {label: (label,) if label in ("PERS", "GPE") else () for label in schema.entity_labels}
    reading = Annotation(labels, frozenset({"PERS", "GPE"}), nested=True)
    rows = [list(build_examples(articles[0], maker, schema, annotation=reading))]
    output = model(**Collator(0)(rows))
    output.loss.backward()
    gradient = model.span_head.biaffine.grad
    learned = {label for label, g in zip(schema.entity_labels, gradient, strict=True) if g.any()}
    assert learned == {"PERS", "GPE"}
    assert float(output.parts["relation"]) == 0.0


def test_symmetric_relations_are_gold_in_both_directions(
    schema: LabelSchema, maker: WindowMaker, articles: list[Document]
) -> None:
    symmetric = {schema.relation_index[r.name] for r in schema.relations if r.symmetric}
    rows = [r for a in articles for e in build_examples(a, maker, schema) for r in e.relations.tolist()]
    both = [r for r in rows if r[1] in symmetric]
    assert both
    for example in (e for a in articles for e in build_examples(a, maker, schema)):
        found = {tuple(r) for r in example.relations.tolist()}
        assert all((t, label, h) in found for h, label, t in found if label in symmetric)


def test_a_schema_without_relations_works(
    schema: LabelSchema, tokenizer: Any, maker: WindowMaker, articles: list[Document]
) -> None:
    bare = replace(schema, relations=())
    model = build("isnad-encoder", len(tokenizer), bare)
    document = replace(articles[0], relations=())
    model(**Collator(0)([list(build_examples(document, maker, bare))])).loss.backward()
    for scores in TorchBackend(model, 0).score(list(maker.windows(document.text))):
        assert len(scores.pairs) == 0
