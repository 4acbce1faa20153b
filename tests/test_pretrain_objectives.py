"""The objectives by themselves: masked language modelling, replaced-token detection, their starts and their masks."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from isnad.model.errors import ConfigError
from isnad.training.pretrain.mlm import PackedBlocks, ShuffledBlocks, WholeWordMasking
from isnad.training.pretrain.objectives import encode as encode_blocks
from isnad.training.pretrain.prepare import Prepared
from isnad.training.pretrain.recipe import build_model, compile_layers
from isnad.training.pretrain.settings import PretrainConfig
from isnad.training.pretrain.shards import ShardWriter, encode, find_stream
from isnad.training.pretrain.tokenizer import train_tokenizer
from torch import nn

PEOPLE = "إسماعيل قاآني|محمد شيّاع السوداني|حسن نصرالله|فالح الفيّاض|عادل عبد المهدي|قاسم سليماني".split("|")
PLACES = "بغداد|بيروت|النجف الأشرف|دمشق|طهران|البصرة|كربلاء".split("|")
VERBS = "زار|غادر|وصل إلى|عاد من|تحدّث في|التقى الصحفيين في".split("|")
LINES = [
    f"{VERBS[n * 5 % 6]} {PEOPLE[n % 6]} {PLACES[n % 7]} يوم {n % 28 + 1} آذار، وشكر {PEOPLE[(n + 1) % 6]}."
    * (n % 4 < 3)
    for n in range(320)
]  # every fourth line is empty, which ends a document
SIZES: dict[str, dict[str, Any]] = {
    "isnad-encoder": {
        "model_type": "isnad-encoder", "embedding_size": 16, "recurrent_size": 12, "hidden_size": 24,
        "num_hidden_layers": 1, "char_filters": 8, "dropout": 0.1, "embedding_dropout": 0.1,
    },
    "electra": {
        "model_type": "electra", "embedding_size": 16, "hidden_size": 24, "num_hidden_layers": 2,
        "num_attention_heads": 2, "intermediate_size": 48, "max_position_embeddings": 64,
    },
}  # fmt: skip
NARROW = {
    "isnad-encoder": {"recurrent_size": 6, "hidden_size": 12},
    "electra": {"hidden_size": 12, "intermediate_size": 24},
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Prepared:
    folder = tmp_path_factory.mktemp("prepared")
    tokenizer = train_tokenizer(LINES, vocab_size=400)
    writer = ShardWriter(folder, tokenizer)
    for ids in encode(LINES, tokenizer):
        writer.add(ids)
    writer.close()
    vectors = np.random.default_rng(1).normal(0, 0.3, (len(tokenizer), 16)).astype(np.float32)
    return Prepared(tokenizer, vectors, find_stream(folder), {})


def variant(objective: str, architecture: str, **changes: Any) -> PretrainConfig:
    values = {
        "steps": 6,
        "block_size": 32,
        "batch_size": 8,
        "learning_rate": 0.01,
        "save_minutes": 0,
        "log_steps": 2,
    }
    generator = NARROW[architecture] if objective == "electra" else {}
    sizes = {
        "objective": objective,
        "encoder": SIZES[architecture],
        "generator": generator,
        "precision": "fp32",
    }
    return PretrainConfig(**(values | sizes | changes))


def batch(prepared: Prepared, *, rows: int = 16, **options: Any) -> dict[str, torch.Tensor]:
    data = ShuffledBlocks(PackedBlocks(prepared.stream, 32), seed=1, size=rows)
    return WholeWordMasking(prepared.tokenizer, **options)([data[n] for n in range(rows)])


def test_the_softmax_runs_on_masked_positions_only(prepared) -> None:
    model = build_model(variant("mlm", "electra"), prepared)
    inputs = batch(prepared)
    chosen = inputs["labels"] != -100
    logits = model.predict(inputs["input_ids"], chosen)
    assert logits.shape == (int(chosen.sum()), len(prepared.tokenizer)) and 0.05 < chosen.float().mean() < 0.3
    assert logits.dtype == torch.float32


def test_replaced_token_detection_by_hand(prepared, monkeypatch) -> None:
    model = build_model(variant("electra", "isnad-encoder"), prepared).eval()
    inputs = batch(prepared, masked=1.0, noise=0.0)
    chosen = inputs["labels"] != -100
    seen: list[torch.Tensor] = []
    model.encoder.register_forward_hook(lambda m, a, k, o: seen.append(k["input_ids"]), with_kwargs=True)
    wrong = int(prepared.tokenizer.unk_token_id)

    def draw(probabilities: torch.Tensor, n: int) -> torch.Tensor:
        drawn = inputs["labels"][chosen].clone()
        drawn[::2] = wrong  # every other guess is right and so counts as original
        return drawn[:, None]

    monkeypatch.setattr(torch, "multinomial", draw)
    output = model(**inputs)
    [corrupted] = seen
    original = torch.where(chosen, inputs["labels"], inputs["input_ids"])
    assert not (corrupted == prepared.tokenizer.mask_token_id).any()
    assert torch.equal(corrupted[~chosen], original[~chosen])
    replaced = corrupted != original
    assert replaced.sum() == (chosen.sum() + 1) // 2
    scores = model.detector(model.encoder(input_ids=corrupted).last_hidden_state)[..., 0]
    detected = nn.functional.binary_cross_entropy_with_logits(scores, replaced.float())
    generated = nn.functional.cross_entropy(
        model.generator.predict(inputs["input_ids"], chosen), inputs["labels"][chosen]
    )
    assert output["loss"].item() == pytest.approx((generated + 50 * detected).item(), rel=1e-5)


@pytest.mark.parametrize("architecture", SIZES)
def test_the_detector_learns_to_find_what_does_not_belong(architecture: str, prepared) -> None:
    torch.manual_seed(1)
    model = build_model(variant("electra", architecture), prepared)
    for p in model.generator.parameters():
        p.requires_grad_(False)  # draws pieces at random for ever
    for p in model.encoder.parameters():
        p.requires_grad_(True)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.002)
    inputs = batch(prepared, rows=32, masked=1.0, noise=0.0)
    first = model(**inputs)["parts"]
    for _ in range(150):
        model(**inputs)["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()
    last = model(**inputs)["parts"]
    assert float(last["detector"]) < 0.5 * float(first["detector"]) and float(last["found"]) > 0.2


def test_the_generator_shares_pieces_and_gets_no_gradient_from_the_detector(prepared) -> None:
    for architecture in SIZES:
        model = build_model(variant("electra", architecture), prepared)
        table = model.encoder.get_input_embeddings()
        assert model.generator.encoder.get_input_embeddings() is table
        model.weight = 0.0
        model(**batch(prepared))["loss"].backward()
        private = [
            p for n, p in model.encoder.named_parameters() if p is not table.weight and p.grad is not None
        ]
        assert all(float(p.grad.abs().max()) == 0 for p in private)
        model.zero_grad()
        model.weight = 50.0
        for p in model.generator.parameters():
            p.requires_grad_(p is table.weight)
        model(**batch(prepared))["loss"].backward()
        assert all(p.grad is not None for p in model.detector.parameters())
        assert float(table.weight.grad.abs().max()) > 0


def test_a_generator_with_other_piece_vectors_is_refused(prepared) -> None:
    config = variant("electra", "isnad-encoder")
    config = replace(config, generator={"embedding_size": 8})
    with pytest.raises(ConfigError, match=r"width 8, those of the encoder 16"):
        build_model(config, prepared)


def test_attention_stays_within_the_document(prepared) -> None:
    config = variant("mlm", "electra", separate_documents=True)
    model = build_model(config, prepared).eval()
    cls = prepared.tokenizer.cls_token_id
    ids = torch.tensor([[7, 8, 9, 3, cls, 10, 11, 12, 13, 3]])
    other = ids.clone()
    other[0, :3] = torch.tensor([20, 21, 22])
    apart = [encode_blocks(model.encoder, x, cls) for x in (ids, other)]
    assert torch.allclose(apart[0][0, 4:], apart[1][0, 4:], atol=1e-6)
    assert not torch.allclose(apart[0][0, :4], apart[1][0, :4], atol=1e-3)
    together = [encode_blocks(model.encoder, x, None) for x in (ids, other)]
    assert not torch.allclose(together[0][0, 4:], together[1][0, 4:], atol=1e-4)


def test_warm_and_cold_starts(prepared) -> None:
    for architecture in SIZES:
        warm = build_model(variant("mlm", architecture), prepared)
        cold = build_model(variant("mlm", architecture, warm_start=False), prepared)
        weights = [m.encoder.get_input_embeddings().weight.detach().numpy() for m in (warm, cold)]
        assert np.array_equal(weights[0], prepared.vectors) and not np.array_equal(*weights)
    sizes = SIZES["isnad-encoder"] | {"embedding_size": 20}
    with pytest.raises(ConfigError, match=r"\(\d+, 16\).*\(\d+, 20\).*warm_start: false"):
        build_model(variant("mlm", "isnad-encoder", encoder=sizes), prepared)


def test_only_transformer_layers_are_compiled(prepared, monkeypatch) -> None:
    compiled: list[str] = []
    monkeypatch.setattr(nn.Module, "compile", lambda self, **_: compiled.append(type(self).__name__))
    assert compile_layers(build_model(variant("electra", "electra"), prepared)) == 4
    assert set(compiled) == {"ElectraLayer"}
    assert compile_layers(build_model(variant("electra", "isnad-encoder"), prepared)) == 0
