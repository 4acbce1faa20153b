"""Training runs: losses fall, resumes are exact, the schedule follows the clock, weights are taken over."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from isnad.model.encoder import IsnadEncoderForMaskedLM
from isnad.model.errors import ModelError
from isnad.training.pretrain import recipe as recipe_module
from isnad.training.pretrain.objectives import MaskedLanguageModel
from isnad.training.pretrain.prepare import Prepared
from isnad.training.pretrain.progress import ProgressBar
from isnad.training.pretrain.recipe import build_model, train_encoder
from isnad.training.pretrain.schedule import Budget, learning_rate_factor
from isnad.training.pretrain.settings import PretrainConfig
from isnad.training.pretrain.shards import ShardWriter, encode, find_stream
from isnad.training.pretrain.tokenizer import train_tokenizer
from isnad.training.pretrain.trainer import PretrainTrainer
from safetensors.torch import load_file
from transformers import AutoModel, AutoModelForMaskedLM, AutoModelForTokenClassification, TrainerCallback

pytestmark = pytest.mark.alone

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
BOTH = [(o, a) for o in ("mlm", "electra") for a in SIZES]


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


@pytest.mark.parametrize(("objective", "architecture"), BOTH)
def test_each_objective_lowers_its_loss_and_leaves_an_encoder(
    objective: str, architecture: str, prepared, tmp_path: Path
) -> None:
    config = variant(objective, architecture, steps=40, log_steps=10, watts=65.0, finetuning={
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
        assert torch.equal(value, trained[f"encoder.{name}"]), (
            "the encoder, not the generator, is what is left"
        )
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
    real = recipe_module.make_trainer

    def make(*args: Any, **kwargs: Any) -> Any:
        trainer = real(*args, **kwargs)
        if interrupt:
            trainer.add_callback(Interrupt(interrupt))
        return trainer

    monkeypatch.setattr(recipe_module, "make_trainer", make)
    try:
        train_encoder(config, prepared, folder, **options)
    except KeyboardInterrupt:
        pass
    finally:
        monkeypatch.setattr(recipe_module, "make_trainer", real)
    [checkpoint] = (folder / config.objective).glob("checkpoint-*")
    return checkpoint.name, load_file(checkpoint / "model.safetensors")


@pytest.mark.parametrize(("objective", "architecture"), BOTH)
def test_a_resumed_run_ends_with_the_same_weights(
    objective: str, architecture: str, prepared, tmp_path: Path, monkeypatch
) -> None:
    config = variant(objective, architecture, save_steps=3)
    name, straight = _train(config, prepared, tmp_path / "straight", monkeypatch)
    assert name == "checkpoint-6"
    # Killed in the sixth step: what came after the checkpoint of the third is lost and done again.
    name, _ = _train(config, prepared, tmp_path / "broken", monkeypatch, interrupt=5)
    assert name == "checkpoint-3"
    torch.manual_seed(99)
    name, resumed = _train(config, prepared, tmp_path / "broken", monkeypatch)
    assert name == "checkpoint-6" and resumed.keys() == straight.keys()
    assert all(torch.equal(resumed[k], straight[k]) for k in straight)


def test_worker_processes_change_nothing(prepared, tmp_path: Path, monkeypatch) -> None:
    runs = []
    for workers in (0, 2):
        config = variant("electra", "isnad-encoder", workers=workers, steps=4)
        runs.append(_train(config, prepared, tmp_path / str(workers), monkeypatch)[1])
    assert all(torch.equal(runs[0][k], runs[1][k]) for k in runs[0])


class Clock:
    """A clock that a step moves on, and nothing else."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock, real = Clock(), PretrainTrainer.training_step

    def step(self, *args: Any, **kwargs: Any) -> Any:
        clock.time += 6.0
        return real(self, *args, **kwargs)

    monkeypatch.setattr(PretrainTrainer, "training_step", step)
    return clock


BY_TIME = {"steps": 0, "minutes": 1.0, "warmup": 0.2, "decay": 0.4, "save_minutes": 0.5, "log_steps": 1}


def _rates(folder: Path) -> list[float]:
    [checkpoint] = (folder / "mlm").glob("checkpoint-*")
    history = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))["log_history"]
    return [row["learning_rate"] for row in history if "loss" in row]


def test_a_schedule_by_time_goes_on_where_it_stood(prepared, tmp_path: Path, monkeypatch, clock) -> None:
    config = variant("mlm", "isnad-encoder", **BY_TIME)
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


def test_a_sitting_ends_with_a_checkpoint(prepared, tmp_path: Path, clock) -> None:
    config = variant("mlm", "isnad-encoder", **BY_TIME)
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


def test_continue_from_another_checkpoint(prepared, tmp_path: Path) -> None:
    config = variant("mlm", "isnad-encoder", steps=3, finetuning={"dropout": 0.3})
    encoder = train_encoder(config, prepared, tmp_path / "first")
    [checkpoint] = (tmp_path / "first/mlm").glob("checkpoint-*")
    first = load_file(checkpoint / "model.safetensors")
    again = build_model(replace(config, continue_from=str(checkpoint)), prepared).state_dict()
    assert all(torch.equal(again[k], first[k]) for k in first), "the head too"
    electra = variant("electra", "isnad-encoder", continue_from=str(checkpoint))
    for source in (checkpoint, encoder):
        taken = build_model(replace(electra, continue_from=str(source)), prepared).state_dict()
        assert all(torch.equal(taken[k], first[k]) for k in first if k.startswith("encoder."))
    # A fresh schedule: the run that continues has its own steps.
    folder = train_encoder(replace(config, continue_from=str(checkpoint)), prepared, tmp_path / "second")
    assert json.loads((folder / "pretraining.json").read_text(encoding="utf-8"))["steps"] == 3
    # Once begun, the run no longer needs what it began with.
    gone = replace(config, continue_from=str(tmp_path / "gone"), steps=5)
    assert train_encoder(gone, prepared, tmp_path / "second") == tmp_path / "second/encoder"
    wider = variant("mlm", "isnad-encoder", continue_from=str(checkpoint))
    wider = replace(wider, encoder=wider.encoder | {"recurrent_size": 14, "hidden_size": 28})
    with pytest.raises(ModelError, match=r"continue_from: .*same encoder sizes"):
        build_model(wider, prepared)
    with pytest.raises(ModelError, match="continue_from: cannot read"):
        build_model(replace(config, continue_from=str(tmp_path / "nowhere")), prepared)


def test_a_transformer_encoder_can_be_continued(prepared, tmp_path: Path) -> None:
    config = variant("electra", "electra", steps=2)
    encoder = train_encoder(config, prepared, tmp_path)
    [checkpoint] = (tmp_path / "electra").glob("checkpoint-*")
    for source in (encoder, checkpoint):
        model = build_model(replace(config, continue_from=str(source)), prepared)
        expected = AutoModel.from_pretrained(encoder, local_files_only=True).state_dict()
        assert all(torch.equal(model.encoder.state_dict()[k], v) for k, v in expected.items())


def test_a_checkpoint_of_masked_language_modelling_fills_masks(prepared, tmp_path: Path) -> None:
    train_encoder(variant("mlm", "isnad-encoder", steps=2), prepared, tmp_path)
    [checkpoint] = (tmp_path / "mlm").glob("checkpoint-*")
    model, info = AutoModelForMaskedLM.from_pretrained(
        checkpoint, local_files_only=True, output_loading_info=True
    )
    assert isinstance(model, IsnadEncoderForMaskedLM)
    assert not info["missing_keys"] and not info["unexpected_keys"]


def test_bfloat16_lasts_beyond_a_checkpoint(prepared, tmp_path: Path, monkeypatch) -> None:
    seen: list[torch.dtype] = []
    real = MaskedLanguageModel.predict

    def predict(self, *args: Any) -> torch.Tensor:
        seen.append(self.projection(torch.zeros(1, self.projection.in_features)).dtype)
        return real(self, *args)

    monkeypatch.setattr(MaskedLanguageModel, "predict", predict)
    train_encoder(variant("electra", "electra", precision="bf16", save_steps=2), prepared, tmp_path)
    assert seen == [torch.bfloat16] * 6
