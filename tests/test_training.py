"""Training runs: they learn, survive a break without a trace, and leave whole folders without pickle."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
import yaml
from isnad.model.document import Document
from isnad.model.errors import ConfigError, ModelError
from isnad.model.inference import Extractor
from isnad.model.schema import LabelSchema
from isnad.training import checkpoints
from isnad.training.config import AugmentConfig, EncoderConfig, FinetuneConfig
from isnad.training.coreference_fit import fit_coreference
from isnad.training.finetune import Result, finetune
from isnad.training.trainer import EpochSampler
from safetensors.torch import load_file

SIZES = {
    "word_size": 16,
    "letter_size": 4,
    "span_size": 12,
    "pair_size": 16,
    "mention_size": 8,
    "attention_heads": 2,
}


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Iterator[None]:
    """One thread, and a few steps of coreference fitting, which has a test of its own."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("isnad.training.finish.fit_coreference", partial(fit_coreference, steps=10))
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def config(tiny_encoder: Path) -> FinetuneConfig:
    return FinetuneConfig(
        name="tiny-run",
        encoder=EncoderConfig(path=str(tiny_encoder)),
        augment=AugmentConfig(replace_mentions=0.3, proclitics=0.3),
        model={**SIZES, "max_pieces": 96, "overlap_pieces": 16},
        epochs=3,
        batch_size=8,
        encoder_learning_rate=3e-3,
        head_learning_rate=3e-3,
        patience=0,
        precision="fp32",
        tracker="none",
        calibrate=False,
    )


@pytest.fixture(scope="module")
def train(articles: list[Document]) -> list[Document]:
    return [short(a, 1000) for a in articles[:2]]


@pytest.fixture(scope="module")
def dev(articles: list[Document]) -> list[Document]:
    return [short(articles[2])]


def short(document: Document, limit: int = 600) -> Document:
    """The beginning of a document."""
    end = document.text.index("\n", limit)
    entities = tuple(replace(e, cluster=None) for e in document.entities if e.end <= end)
    ids = {e.id for e in entities}
    relations = tuple(r for r in document.relations if r.head in ids and r.tail in ids)
    return Document(document.text[:end], entities, relations, id=document.id)


class Rising:
    """Development scores that rise with every evaluation; at the chosen one something happens."""

    def __init__(
        self, at: int = 0, happens: Callable[[], None] | None = None, scores: Sequence[float] = ()
    ) -> None:
        self.calls, self._at, self._happens, self._scores = 0, at, happens, scores

    def __call__(self, gold: Sequence[Document], predicted: Sequence[Document]) -> dict[str, float]:
        assert [d.text for d in gold] == [d.text for d in predicted]
        self.calls += 1
        if self.calls == self._at and self._happens:
            self._happens()
        value = self._scores[self.calls - 1] if self.calls <= len(self._scores) else self.calls / 100
        return {"span_f1": value, "relation_f1": 0.0}


def stop() -> NoReturn:
    raise KeyboardInterrupt


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[k], two[k]) for k in one)


Run = Callable[..., Result]


@pytest.fixture
def run(config: FinetuneConfig, schema: LabelSchema, train: list[Document], dev: list[Document]) -> Run:
    def start(folder: Path, score: Rising | None = None, *, resume: bool = False, **changes: Any) -> Result:
        changed = replace(config, **changes)
        return finetune(changed, schema, train, dev, folder, score=score or Rising(), resume=resume)

    return start


@pytest.fixture(scope="module")
def straight(
    tmp_path_factory: pytest.TempPathFactory,
    config: FinetuneConfig,
    schema: LabelSchema,
    train: list[Document],
    dev: list[Document],
) -> Path:
    """A run of three epochs without a break."""
    folder = tmp_path_factory.mktemp("straight")
    finetune(config, schema, train, dev, folder, score=Rising())
    return folder


def test_a_run_leaves_a_whole_model(straight: Path, config: FinetuneConfig, schema: LabelSchema) -> None:
    model = straight / "model"
    assert checkpoints.is_complete(model) and not list(straight.glob("*.tmp"))
    metrics = json.loads((model / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["schema"] == schema.hash and metrics["train_documents"] == 2 and metrics["epochs"] == 3
    resolved = yaml.safe_load((model / "training.yaml").read_text(encoding="utf-8"))
    assert resolved["name"] == "tiny-run" and resolved["augment"] == {
        "replace_mentions": 0.3,
        "proclitics": 0.3,
        "noise": 0.0,
    }
    extractor = Extractor.from_pretrained(model)
    assert extractor.name == "tiny-run" and extractor.schema == schema


def test_no_file_of_a_run_is_a_pickle(straight: Path) -> None:
    files = [p for p in straight.rglob("*") if p.is_file()]
    assert len(files) > 10
    for path in files:
        assert path.suffix not in (".bin", ".pt", ".pth", ".pkl", ".ckpt"), path
        assert path.read_bytes()[:2] not in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK"), path


def test_two_runs_are_the_same_run_and_another_seed_is_another(run: Run, tmp_path: Path) -> None:
    seeds = enumerate((1, 1, 2))
    one, again, other = (weights(run(tmp_path / str(n), seed=seed, epochs=1).folder) for n, seed in seeds)
    assert same(one, again) and not same(one, other)


@pytest.mark.parametrize("broken_off_at", [2, 3])
def test_a_resumed_run_ends_as_if_it_had_not_been_broken_off(
    straight: Path, run: Run, tmp_path: Path, broken_off_at: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", Rising(broken_off_at, stop))
    assert not (tmp_path / "run/model").exists()
    with pytest.raises(ModelError, match="holds checkpoints of an earlier run; pass --resume"):
        run(tmp_path / "run")
    (tmp_path / "run").rename(tmp_path / "moved")  # and the folder may move meanwhile
    score = Rising(scores=[n / 100 for n in range(broken_off_at, 5)])
    result = run(tmp_path / "moved", score, resume=True)
    assert same(weights(straight / "model"), weights(result.folder))
    last = max(straight.glob("checkpoint-*"), key=lambda p: int(p.name.rpartition("-")[2]))
    assert same(weights(last), weights(tmp_path / "moved" / last.name))
    states = [load_file(f / last.name / "optimizer.safetensors") for f in (straight, tmp_path / "moved")]
    assert same(*states)


def test_the_best_epoch_is_kept(run: Run, tmp_path: Path) -> None:
    result = run(tmp_path / "run", Rising(scores=[0.9, 0.1, 0.1, 0.1]), epochs=4)
    steps = sorted(int(p.name.rpartition("-")[2]) for p in (tmp_path / "run").glob("checkpoint-*"))
    assert len(steps) == 3 and result.metrics["best_step"] == steps[0]  # the best, and the last two
    best = weights(tmp_path / f"run/checkpoint-{steps[0]}")
    final = weights(result.folder)
    assert all(torch.equal(best[k], final[k]) for k in best if not k.startswith("coreference_head."))


def test_patience_counts_on_after_a_break(run: Run, tmp_path: Path) -> None:
    scores = [0.5, 0.4, 0.3, 0.2, 0.1, 0.1, 0.1]
    whole = Rising(scores=scores)
    run(tmp_path / "whole", whole, patience=2, epochs=6)
    assert whole.calls == 3 + 1  # the first, two without a better one, and the finished model
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", Rising(3, stop, scores), patience=2, epochs=6)
    rest = Rising(scores=scores[2:])
    result = run(tmp_path / "run", rest, patience=2, epochs=6, resume=True)
    assert rest.calls == 1 + 1
    assert same(weights(tmp_path / "whole/model"), weights(result.folder))


def test_a_save_that_fails_leaves_the_checkpoint_before(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the power had gone: everything but the last file of the second checkpoint is there."""
    saved: list[Path] = []
    real = checkpoints.save_state

    def fail(folder: Path, *rest: Any, **others: Any) -> None:
        saved.append(folder)
        if len(saved) == 2:
            assert (folder / "model.safetensors").is_file()
            raise OSError(28, "No space left on device")
        real(folder, *rest, **others)

    monkeypatch.setattr(checkpoints, "save_state", fail)
    with pytest.raises(
        ConfigError, match=r"cannot write to .*run: No space left on device; free some space and go on"
    ):
        run(tmp_path / "run")
    monkeypatch.undo()
    [left] = (tmp_path / "run").glob("checkpoint-*")
    assert checkpoints.latest(tmp_path / "run") == left and checkpoints.is_complete(left)
    run(tmp_path / "run", resume=True)


def test_training_lowers_the_loss(run: Run, tmp_path: Path) -> None:
    run(
        tmp_path / "run",
        epochs=8,
        augment=AugmentConfig(),
        encoder_learning_rate=1e-2,
        head_learning_rate=1e-2,
    )
    last = checkpoints.latest(tmp_path / "run")
    assert last is not None
    history = json.loads((last / "trainer_state.json").read_text(encoding="utf-8"))["log_history"]
    losses = [row["loss"] for row in history if "loss" in row]
    assert len(losses) == 8 and losses[-1] < 0.5 * losses[0]
    assert {"loss_span", "loss_proclitic", "loss_relation"} <= next(r for r in history if "loss" in r).keys()


def test_a_run_goes_on_from_a_finished_model(
    straight: Path, run: Run, tmp_path: Path, schema: LabelSchema
) -> None:
    result = run(tmp_path / "run", encoder=EncoderConfig(path=str(straight / "model")), model={}, epochs=1)
    extractor = Extractor.from_pretrained(result.folder)
    assert extractor.config.word_size == 16 and extractor.schema == schema


def test_calibration_is_stored(run: Run, tmp_path: Path, schema: LabelSchema) -> None:
    config = Extractor.from_pretrained(run(tmp_path / "run", epochs=1, calibrate=True).folder).config
    assert set(config.entity_thresholds) == set(config.calibration["entity"]) == set(schema.entity_labels)
    assert (
        set(config.relation_thresholds) == set(config.calibration["relation"]) == set(schema.relation_labels)
    )
    assert all(0 < t < 1 for t in config.entity_thresholds.values())


def test_what_cannot_be_trained_is_said(
    run: Run, tmp_path: Path, config: FinetuneConfig, schema: LabelSchema, dev: list[Document]
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        ConfigError, match=r"cannot write to .*file/run: Not a directory; choose another folder with -o"
    ):
        run(tmp_path / "file/run")
    with pytest.raises(ConfigError, match="found 0 training and 1 development documents"):
        finetune(config, schema, [], dev, tmp_path / "run", score=Rising())
    with pytest.raises(ModelError, match=r"is no local folder with a config.json; accepted"):
        run(tmp_path / "run", encoder=EncoderConfig(path=str(tmp_path / "nothing")))


def test_a_folder_that_cannot_be_written(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(
        ConfigError, match=r"cannot write to .*: Permission denied; choose another folder with -o"
    ):
        run(tmp_path / "run")


def test_the_order_of_an_epoch_depends_on_seed_and_epoch_alone() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        sampler = EpochSampler([i % 7 for i in range(50)], 4, seed, None)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert order(1, 2) == order(1, 2) and sorted(order(1, 2)) == list(range(50))
    assert order(1, 2) != order(1, 3) != order(2, 3)
