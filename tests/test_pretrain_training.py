"""Pretraining itself: both objectives on both architectures, the schedule, exact resumes, and the whole recipe."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from isnad.model.encoder import IsnadEncoderForMaskedLM, IsnadEncoderModel
from isnad.model.errors import ConfigError, DataError, ModelError
from isnad.training.config import build, load_config
from isnad.training.pretrain.__main__ import main
from isnad.training.pretrain.mlm import PackedBlocks, ShuffledBlocks, WholeWordMasking
from isnad.training.pretrain.objectives import encode as encode_blocks
from isnad.training.pretrain.prepare import Prepared, prepare
from isnad.training.pretrain.progress import ProgressBar
from isnad.training.pretrain.recipe import build_model, compile_layers, pretrain, train_encoder
from isnad.training.pretrain.schedule import Budget, learning_rate_factor
from isnad.training.pretrain.settings import PretrainConfig
from safetensors.torch import load_file
from torch import nn
from transformers import AutoModel, AutoModelForMaskedLM, AutoModelForTokenClassification, TrainerCallback

PEOPLE = "إسماعيل قاآني|محمد شيّاع السوداني|حسن نصرالله|فالح الفيّاض|عادل عبد المهدي|قاسم سليماني".split("|")
PLACES = "بغداد|بيروت|النجف الأشرف|دمشق|طهران|البصرة|كربلاء".split("|")
VERBS = "زار|غادر|وصل إلى|عاد من|تحدّث في|التقى الصحفيين في".split("|")
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
def corpus(tmp_path_factory) -> Path:
    lines = []
    for n in range(240):
        person, place, verb = PEOPLE[n % 6], PLACES[n % 7], VERBS[n * 5 % 6]
        lines.append(f"{verb} {person} {place} يوم {n % 28 + 1} آذار، وقال إنّ المباحثات مع {PEOPLE[(n + 1) % 6]} مثمرة.")
        lines += [""] * (n % 3 == 2)
    path = tmp_path_factory.mktemp("corpus") / "news.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def base(corpus: Path, tmp_path_factory) -> PretrainConfig:
    return PretrainConfig(
        tokenizer_texts={str(corpus): 1.0},
        vector_texts={str(corpus): 1.0},
        fertility_text=str(corpus),
        prepared=str(tmp_path_factory.mktemp("prepared")),
        vocab_size=400,
        vectors={"dim": 16, "workers": 1, "epochs": 1},
        encoder=SIZES["isnad-encoder"],
        block_size=32,
        batch_size=8,
        steps=6,
        learning_rate=0.01,
        precision="fp32",
        save_minutes=0,
        log_steps=2,
    )


@pytest.fixture(scope="module")
def prepared(base: PretrainConfig) -> Prepared:
    pytest.importorskip("gensim")
    return prepare(base, Path(base.prepared))


def variant(base: PretrainConfig, objective: str, architecture: str, **changes: Any) -> PretrainConfig:
    generator = NARROW[architecture] if objective == "electra" else {}
    return replace(base, objective=objective, encoder=SIZES[architecture], generator=generator, **changes)


def batch(prepared: Prepared, *, rows: int = 16, **options: Any) -> dict[str, torch.Tensor]:
    data = ShuffledBlocks(PackedBlocks(prepared.stream, 32), seed=1, size=rows)
    return WholeWordMasking(prepared.tokenizer, **options)([data[n] for n in range(rows)])


BOTH = [(o, a) for o in ("mlm", "electra") for a in SIZES]


@pytest.mark.parametrize(("objective", "architecture"), BOTH)
def test_each_objective_lowers_its_loss_and_leaves_an_encoder(
    objective: str, architecture: str, base, prepared, tmp_path: Path
) -> None:
    config = variant(base, objective, architecture, steps=40, log_steps=10, watts=65.0, finetuning={
        "dropout" if architecture == "isnad-encoder" else "hidden_dropout_prob": 0.25
    })  # fmt: skip
    folder = train_encoder(config, prepared, tmp_path)
    assert folder == tmp_path / "encoder"
    facts = json.loads((folder / "pretraining.json").read_text(encoding="utf-8"))
    # With a generator that gets better the detector's task gets harder: see the test of it by itself.
    part = "generator" if objective == "electra" else "loss"
    losses = [row[part] for row in facts["loss_history"]]
    assert len(losses) == 4 and losses[-1] < 0.9 * losses[0]
    assert facts["steps"] == 40 and facts["tokens"] == 40 * 8 * 32 and facts["tokens_per_second"] > 0
    assert ("detector" in facts["loss_history"][0]) == (objective == "electra")
    energy = facts["energy_estimate"]
    assert "estimate" in energy["method"]
    assert energy["kilowatt_hours"] == pytest.approx(facts["seconds"] * 65 / 3.6e6, abs=1e-4)
    encoder = AutoModel.from_pretrained(folder, local_files_only=True)
    assert encoder.config.model_type == architecture
    assert 0.25 in (getattr(encoder.config, k, None) for k in ("dropout", "hidden_dropout_prob"))
    trained = load_file(next((tmp_path / objective).glob("checkpoint-*")) / "model.safetensors")
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, trained[f"encoder.{name}"]), "the encoder, not the generator, is what is left"
    AutoModelForTokenClassification.from_pretrained(folder, local_files_only=True, num_labels=5)
    assert not [p for p in tmp_path.rglob("*") if p.suffix in (".bin", ".pt", ".pth", ".pkl")]


class Interrupt(TrainerCallback):
    def __init__(self, at: int) -> None:
        self.at = at

    def on_step_begin(self, args, state, control, **_) -> None:
        if state.global_step == self.at:
            raise KeyboardInterrupt


def _train(config, prepared, folder: Path, monkeypatch, *, interrupt: int = 0, **options: Any) -> Any:
    """Train, cut off hard before a step, and return the weights of the last checkpoint."""
    from isnad.training.pretrain import recipe

    real = recipe.make_trainer

    def make(*args: Any, **kwargs: Any) -> Any:
        trainer = real(*args, **kwargs)
        if interrupt:
            trainer.add_callback(Interrupt(interrupt))
        return trainer

    monkeypatch.setattr(recipe, "make_trainer", make)
    try:
        train_encoder(config, prepared, folder, **options)
    except KeyboardInterrupt:
        pass
    finally:
        monkeypatch.setattr(recipe, "make_trainer", real)
    [checkpoint] = (folder / config.objective).glob("checkpoint-*")
    return checkpoint.name, load_file(checkpoint / "model.safetensors")


@pytest.mark.parametrize(("objective", "architecture"), BOTH)
def test_a_resumed_run_ends_with_the_same_weights(
    objective: str, architecture: str, base, prepared, tmp_path: Path, monkeypatch
) -> None:
    config = variant(base, objective, architecture, save_steps=3)
    name, straight = _train(config, prepared, tmp_path / "straight", monkeypatch)
    assert name == "checkpoint-6"
    # Killed in the sixth step: what came after the checkpoint of the third is lost and done again.
    name, _ = _train(config, prepared, tmp_path / "broken", monkeypatch, interrupt=5)
    assert name == "checkpoint-3"
    torch.manual_seed(99)
    name, resumed = _train(config, prepared, tmp_path / "broken", monkeypatch)
    assert name == "checkpoint-6" and resumed.keys() == straight.keys()
    assert all(torch.equal(resumed[k], straight[k]) for k in straight)


class Clock:
    """A clock that a step moves on, and nothing else."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


def _timed(base, **changes: Any) -> PretrainConfig:
    return replace(base, steps=0, minutes=1.0, warmup=0.2, decay=0.4, save_minutes=0.5, log_steps=1, **changes)


def _rates(folder: Path) -> list[float]:
    [checkpoint] = (folder / "mlm").glob("checkpoint-*")
    history = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))["log_history"]
    return [row["learning_rate"] for row in history if "loss" in row]


def test_a_schedule_by_time_goes_on_where_it_stood(base, prepared, tmp_path: Path, monkeypatch) -> None:
    from isnad.training.pretrain import trainer

    clock = Clock()
    real = trainer.PretrainTrainer.training_step

    def step(self, *args: Any, **kwargs: Any) -> Any:
        clock.time += 6.0  # a tenth of the minute
        return real(self, *args, **kwargs)

    monkeypatch.setattr(trainer.PretrainTrainer, "training_step", step)
    config = _timed(base)
    name, straight = _train(config, prepared, tmp_path / "straight", monkeypatch, now=clock)
    assert name == "checkpoint-10", "ten steps of six seconds"
    rates = _rates(tmp_path / "straight")
    assert rates[0] < rates[1] < rates[2] == rates[5] == pytest.approx(0.01)
    assert rates[6] > rates[7] > rates[8] > rates[9] > 0
    name, _ = _train(config, prepared, tmp_path / "broken", monkeypatch, interrupt=7, now=clock)
    assert name == "checkpoint-5", "a checkpoint after half a minute"
    clock.time += 3600  # the break is no training
    name, resumed = _train(config, prepared, tmp_path / "broken", monkeypatch, now=clock)
    assert name == "checkpoint-10" and all(torch.equal(resumed[k], straight[k]) for k in straight)
    assert _rates(tmp_path / "broken") == rates
    facts = json.loads((tmp_path / "broken/encoder/pretraining.json").read_text(encoding="utf-8"))
    assert facts["seconds"] == 60.0 and facts["steps"] == 10


def test_a_sitting_ends_with_a_checkpoint(base, prepared, tmp_path: Path, monkeypatch) -> None:
    from isnad.training.pretrain import trainer

    clock = Clock()
    real = trainer.PretrainTrainer.training_step

    def step(self, *args: Any, **kwargs: Any) -> Any:
        clock.time += 6.0
        return real(self, *args, **kwargs)

    monkeypatch.setattr(trainer.PretrainTrainer, "training_step", step)
    config = _timed(base)
    assert train_encoder(config, prepared, tmp_path, stop_after=0.3, now=clock) is None
    assert [p.name for p in (tmp_path / "mlm").glob("checkpoint-*")] == ["checkpoint-3"]
    assert train_encoder(config, prepared, tmp_path, now=clock) == tmp_path / "encoder"


def test_the_shape_of_the_schedule() -> None:
    def factor(share: float) -> float:
        return learning_rate_factor(share, warmup=0.1, decay=0.2)

    assert factor(0.0) == 0.01 and factor(0.05) == pytest.approx(0.5)
    assert factor(0.1) == factor(0.5) == factor(0.79) == 1.0
    assert factor(0.85) == pytest.approx(1 - 0.25**0.5) and factor(1.0) == 0.0
    assert learning_rate_factor(1.0, warmup=0.0, decay=0.0) == 1.0


def test_the_progress_bar_tells_speed_and_time_left() -> None:
    clock = Clock()
    budget = Budget(steps=1000, now=clock)
    bar = ProgressBar(budget, tokens=4608)
    state: Any = type("State", (), {"global_step": 0})
    bar.on_train_begin(None, state, None)  # type: ignore[arg-type]
    budget.start()
    for _ in range(100):
        clock.time += 2.0
        state.global_step += 1
        bar.on_step_end(None, state, None)  # type: ignore[arg-type]
    bar.on_log(None, state, None, logs={"loss": 5.25})  # type: ignore[arg-type]
    assert bar.describe(100) == "step 100 · 2,304 tokens/s · loss 5.250 · 0:30:00 left"
    bar.on_train_end(None, state, None)  # type: ignore[arg-type]


def test_the_softmax_runs_on_masked_positions_only(base, prepared) -> None:
    model = build_model(variant(base, "mlm", "electra"), prepared)
    inputs = batch(prepared)
    chosen = inputs["labels"] != -100
    logits = model.predict(inputs["input_ids"], chosen)
    assert logits.shape == (int(chosen.sum()), len(prepared.tokenizer)) and 0.05 < chosen.float().mean() < 0.3
    assert logits.dtype == torch.float32


def test_replaced_token_detection_by_hand(base, prepared, monkeypatch) -> None:
    model = build_model(variant(base, "electra", "isnad-encoder"), prepared).eval()
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
def test_the_detector_learns_to_find_what_does_not_belong(architecture: str, base, prepared) -> None:
    torch.manual_seed(1)
    model = build_model(variant(base, "electra", architecture), prepared)
    for p in model.generator.parameters():
        p.requires_grad_(False)  # draws pieces at random for ever
    for p in model.encoder.parameters():
        p.requires_grad_(True)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.01)
    inputs = batch(prepared, rows=32, masked=1.0, noise=0.0)
    first = model(**inputs)["parts"]
    for _ in range(60):
        model(**inputs)["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()
    last = model(**inputs)["parts"]
    assert float(last["detector"]) < 0.6 * float(first["detector"]) and float(last["found"]) > 0.5


def test_the_generator_shares_pieces_and_gets_no_gradient_from_the_detector(base, prepared) -> None:
    for architecture in SIZES:
        model = build_model(variant(base, "electra", architecture), prepared)
        table = model.encoder.get_input_embeddings()
        assert model.generator.encoder.get_input_embeddings() is table
        model.weight = 0.0
        model(**batch(prepared))["loss"].backward()
        private = [p for n, p in model.encoder.named_parameters() if p is not table.weight and p.grad is not None]
        assert all(float(p.grad.abs().max()) == 0 for p in private)
        model.zero_grad()
        model.weight = 50.0
        for p in model.generator.parameters():
            p.requires_grad_(p is table.weight)
        model(**batch(prepared))["loss"].backward()
        assert all(p.grad is not None for p in model.detector.parameters())
        assert float(table.weight.grad.abs().max()) > 0


def test_a_generator_with_other_piece_vectors_is_refused(base, prepared) -> None:
    config = variant(base, "electra", "isnad-encoder")
    config = replace(config, generator={"embedding_size": 8})
    with pytest.raises(ConfigError, match=r"width 8, those of the encoder 16"):
        build_model(config, prepared)


def test_attention_stays_within_the_document(base, prepared) -> None:
    config = variant(base, "mlm", "electra", separate_documents=True)
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


def test_warm_and_cold_starts(base, prepared) -> None:
    for architecture in SIZES:
        warm = build_model(variant(base, "mlm", architecture), prepared)
        cold = build_model(variant(base, "mlm", architecture, warm_start=False), prepared)
        weights = [m.encoder.get_input_embeddings().weight.detach().numpy() for m in (warm, cold)]
        assert np.array_equal(weights[0], prepared.vectors) and not np.array_equal(*weights)
    sizes = SIZES["isnad-encoder"] | {"embedding_size": 20}
    with pytest.raises(ConfigError, match=r"\(\d+, 16\).*\(\d+, 20\).*warm_start: false"):
        build_model(replace(base, encoder=sizes), prepared)


def test_continue_from_another_checkpoint(base, prepared, tmp_path: Path) -> None:
    config = variant(base, "mlm", "isnad-encoder", steps=3, finetuning={"dropout": 0.3})
    encoder = train_encoder(config, prepared, tmp_path / "first")
    [checkpoint] = (tmp_path / "first/mlm").glob("checkpoint-*")
    first = load_file(checkpoint / "model.safetensors")
    again = build_model(replace(config, continue_from=str(checkpoint)), prepared).state_dict()
    assert all(torch.equal(again[k], first[k]) for k in first), "the head too"
    electra = variant(base, "electra", "isnad-encoder", continue_from=str(checkpoint))
    for source in (checkpoint, encoder):
        taken = build_model(replace(electra, continue_from=str(source)), prepared).state_dict()
        assert all(torch.equal(taken[k], first[k]) for k in first if k.startswith("encoder."))
    # A fresh schedule: the run that continues has its own steps.
    folder = train_encoder(replace(config, continue_from=str(checkpoint)), prepared, tmp_path / "second")
    assert json.loads((folder / "pretraining.json").read_text(encoding="utf-8"))["steps"] == 3
    wider = variant(base, "mlm", "isnad-encoder", continue_from=str(checkpoint))
    wider = replace(wider, encoder=wider.encoder | {"recurrent_size": 14, "hidden_size": 28})
    with pytest.raises(ModelError, match=r"continue_from: .*same encoder sizes"):
        build_model(wider, prepared)
    with pytest.raises(ModelError, match="continue_from: cannot read"):
        build_model(replace(config, continue_from=str(tmp_path / "nowhere")), prepared)


def test_a_transformer_encoder_can_be_continued(base, prepared, tmp_path: Path) -> None:
    config = variant(base, "electra", "electra", steps=2)
    encoder = train_encoder(config, prepared, tmp_path)
    [checkpoint] = (tmp_path / "electra").glob("checkpoint-*")
    for source in (encoder, checkpoint):
        model = build_model(replace(config, continue_from=str(source)), prepared)
        expected = AutoModel.from_pretrained(encoder, local_files_only=True).state_dict()
        assert all(torch.equal(model.encoder.state_dict()[k], v) for k, v in expected.items())


def test_a_checkpoint_of_masked_language_modelling_fills_masks(base, prepared, tmp_path: Path) -> None:
    train_encoder(variant(base, "mlm", "isnad-encoder", steps=2), prepared, tmp_path)
    [checkpoint] = (tmp_path / "mlm").glob("checkpoint-*")
    model, info = AutoModelForMaskedLM.from_pretrained(
        checkpoint, local_files_only=True, output_loading_info=True
    )
    assert isinstance(model, IsnadEncoderForMaskedLM)
    assert not info["missing_keys"] and not info["unexpected_keys"]


def test_bfloat16_lasts_beyond_a_checkpoint(base, prepared, tmp_path: Path, monkeypatch) -> None:
    from isnad.training.pretrain.objectives import MaskedLanguageModel

    seen: list[torch.dtype] = []
    real = MaskedLanguageModel.predict

    def predict(self, *args: Any) -> torch.Tensor:
        seen.append(self.projection(torch.zeros(1, self.projection.in_features)).dtype)
        return real(self, *args)

    monkeypatch.setattr(MaskedLanguageModel, "predict", predict)
    train_encoder(variant(base, "mlm", "electra", precision="bf16", save_steps=2), prepared, tmp_path)
    assert seen == [torch.bfloat16] * 6


def test_only_transformer_layers_are_compiled(base, prepared, monkeypatch) -> None:
    compiled: list[str] = []
    monkeypatch.setattr(nn.Module, "compile", lambda self, **_: compiled.append(type(self).__name__))
    assert compile_layers(build_model(variant(base, "electra", "electra"), prepared)) == 4
    assert set(compiled) == {"ElectraLayer"}
    assert compile_layers(build_model(variant(base, "electra", "isnad-encoder"), prepared)) == 0


def test_the_recipe_from_text_to_encoder(base, corpus: Path, tmp_path: Path, capsys) -> None:
    pytest.importorskip("gensim")
    import yaml
    from isnad.training.config import plain

    values = {k: v for k, v in plain(vars(base)).items() if k not in ("prepared", "minutes")} | {"blocks": 8}
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(values, allow_unicode=True), encoding="utf-8")
    output = tmp_path / "run"
    assert main([str(recipe), str(output), "--prepare"]) == 0 and "1 shards" in capsys.readouterr().out
    left = {p.name for p in output.iterdir()}
    assert left == {"tokenizer", "vectors.npy", "stream-000.npy", "stream.json", "prepared.json"}
    # A machine that has these and not the texts can train.
    values["tokenizer_texts"] = values["vector_texts"] = {"elsewhere/news.txt": 1.0}
    recipe.write_text(yaml.safe_dump(values, allow_unicode=True), encoding="utf-8")
    assert main([str(recipe), str(output)]) == 0
    facts = json.loads((output / "encoder/pretraining.json").read_text(encoding="utf-8"))
    [text] = facts["data"]["texts"]["tokenizer"]
    assert text["file"] == "news.txt" and text["bytes"] == corpus.stat().st_size and len(text["sha256"]) == 64
    assert facts["data"]["fertility"]["pieces_per_word"] > 1 and "unknown_rate" in facts["data"]["fertility"]
    assert facts["machine"]["threads"] >= 1 and {"torch", "transformers"} <= set(facts["versions"])
    assert str(tmp_path) not in json.dumps(facts), "no path of this machine"
    assert isinstance(AutoModel.from_pretrained(output / "encoder"), IsnadEncoderModel)
    before = (output / "encoder/model.safetensors").stat().st_mtime_ns
    assert pretrain(load_config(recipe, PretrainConfig), output) == output / "encoder"
    assert (output / "encoder/model.safetensors").stat().st_mtime_ns == before
    assert main([str(recipe), str(tmp_path / "elsewhere")]) == 2
    assert "no text file 'elsewhere/news.txt'" in capsys.readouterr().err


def test_a_stream_of_an_earlier_version_is_read(base, prepared, tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    prepared.tokenizer.save_pretrained(old / "tokenizer")
    np.save(old / "vectors.npy", prepared.vectors)
    np.save(old / "stream.npy", np.load(prepared.stream[0]))
    folder = pretrain(replace(base, prepared=str(old), steps=2), tmp_path / "run")
    assert folder is not None and (folder / "model.safetensors").is_file()
    (old / "vectors.npy").write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"vectors\.npy: not an array"):
        pretrain(replace(base, prepared=str(old), steps=2), tmp_path / "again")


TEXTS = {"tokenizer_texts": {"a.txt": 1.0}, "vector_texts": {"a.txt": 1.0}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, r"steps is 0 and minutes is 0.*one of the two"),
        ({"steps": 5, "minutes": 1}, "one of the two"),
        ({"steps": 5, "objective": "electr"}, "objective is 'electr'; accepted: mlm, electra"),
        ({"steps": 5, "objective": "electra"}, "generator is empty"),
        ({"steps": 5, "encoder": {"recurent_size": 8}}, r"unknown key 'recurent_size'.*'recurrent_size'"),
        ({"steps": 5, "encoder": {"model_type": "electr"}}, "did you mean 'electra'"),
        ({"steps": 5, "encoder": {"model_type": "electra", "hiden_size": 8}}, "did you mean 'hidden_size'"),
        ({"steps": 5, "generator": {"model_type": "bert"}}, "unknown key 'model_type'"),
        ({"steps": 5, "finetuning": {"hidden_dropout_prob": 0.1}}, "unknown key 'hidden_dropout_prob'"),
        ({"steps": 5, "warmup": 0.6, "decay": 0.6}, "warmup is 0.6 and decay is 0.6"),
        ({"steps": 5, "mask_rate": 0}, "mask_rate is 0.0; accepted: a number above 0"),
        ({"steps": 5, "mask_rate": 1}, "between 0 and 1"),
        ({"steps": 5, "vocab_size": 70000}, "at most 65536"),
        ({"steps": 5, "separate_documents": True}, "separate_documents is true"),
        ({"steps": 5, "compile": "always"}, "compile is 'always'"),
        ({"steps": 5, "warm_start": "yes"}, "warm_start holds 'yes'; accepted: bool"),
        ({"steps": 5, "minuts": 3}, r"unknown key 'minuts'; did you mean 'minutes'"),
    ],
)
def test_a_faulty_configuration_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(PretrainConfig, TEXTS | changes, where="recipe.yaml")


@pytest.mark.parametrize("name", ["cpu", "gpu"])
def test_the_recipes_are_sound(name: str, root: Path, prepared) -> None:
    config = load_config(root / f"configs/pretrain/{name}.yaml", PretrainConfig)
    assert 0 < config.minutes < 150
    model = AutoModel.from_config
    if name == "gpu":
        from transformers import AutoConfig

        sizes = {k: v for k, v in config.encoder.items() if k != "model_type"}
        encoder = model(AutoConfig.for_model(config.model_type, vocab_size=config.vocab_size, **sizes))
        assert 2 * encoder.num_parameters() < 60_000_000, "bytes in bfloat16"
        assert encoder.get_input_embeddings().embedding_dim == config.vectors["dim"]
        assert config.encoder["max_position_embeddings"] - 2 == config.block_size
