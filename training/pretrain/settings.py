"""The configuration of a pretraining run."""

from dataclasses import dataclass, field
from typing import Any

from ...model.errors import ConfigError
from ..config import check_values
from .encoders import RECURRENT, check_sizes


@dataclass(frozen=True)
class PretrainConfig:
    """One pretraining run; every field is a key of the YAML file.

    Attributes:
        name: written into the tracker.
        objective: `mlm` (masked language modelling) or `electra` (replaced-token detection).
        tokenizer_texts, vector_texts, stream_texts: file to weight, see `corpus.mixture`; paths are relative to
            where the command runs. The stream is what the encoder reads; empty: the vector texts.
        fertility_text: news not in the training texts; pieces a word and unknown rate are reported on it.
        prepared: folder of tokenizer, vectors and stream that another run has prepared; empty: the output folder.
        vocab_size: pieces.
        vectors: keyword arguments of `skipgram.train_vectors`.
        shard_megabytes: size of a file of the stream at most.
        encoder: `model_type` (the recurrent encoder if absent) and fields of its configuration.
        generator: `electra`: the fields that differ from the encoder's.
        detector_weight: `electra`: weight of the encoder's loss against the generator's.
        warm_start: whether the skip-gram vectors are the initial piece embeddings.
        continue_from: checkpoint or encoder whose weights are the initial ones; the schedule begins anew.
        blocks: number of leading blocks of the stream that are read, 0 for all (the texts stand in the order
            of `stream_texts`, so this picks the first of them).
        block_size: pieces of a block.
        batch_size: blocks of a step.
        separate_documents: transformers: no attention from one document of a block to another.
        steps, minutes: the budget, one of the two; minutes of training are summed over all resumes.
        warmup, decay: share of the budget in which the learning rate rises and falls; constant between.
        learning_rate, weight_decay: of AdamW.
        mask_rate: share of words masked.
        precision: `auto` (bfloat16 where the device computes in it), `fp32` or `bf16`.
        compile: layers of a transformer: `auto` (on a GPU), `always` or `never`.
        workers: processes that mask blocks ahead of the training; 0: the training does it itself.
        save_steps, save_minutes: between checkpoints; 0: not by this measure. One is written at the end anyway.
        log_steps: steps between two points of the loss curve.
        finetuning: fields of the finished encoder's configuration that differ from `encoder`: fine-tuning on
            little text needs more dropout.
        watts: power drawn by the machine while it trains, for the estimate of energy; 0: no estimate.
        tracker: `trackio` (a local SQLite file), `mlflow`, `tensorboard` or `none`.
        seed: of masking, order, dropout and initialisation.
    """

    tokenizer_texts: dict[str, float] = field(default_factory=dict)
    vector_texts: dict[str, float] = field(default_factory=dict)
    stream_texts: dict[str, float] = field(default_factory=dict)
    name: str = "pretraining"
    objective: str = "mlm"
    fertility_text: str = ""
    prepared: str = ""
    vocab_size: int = 32_000
    vectors: dict[str, Any] = field(default_factory=dict)
    shard_megabytes: int = 64
    encoder: dict[str, Any] = field(default_factory=dict)
    generator: dict[str, Any] = field(default_factory=dict)
    detector_weight: float = 50.0
    warm_start: bool = True
    continue_from: str = ""
    blocks: int = 0
    block_size: int = 96
    batch_size: int = 48
    separate_documents: bool = False
    steps: int = 0
    minutes: float = 0.0
    warmup: float = 0.05
    decay: float = 0.2
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.01
    mask_rate: float = 0.15
    precision: str = "auto"
    compile: str = "auto"
    workers: int = 0
    save_steps: int = 0
    save_minutes: float = 10.0
    log_steps: int = 25
    finetuning: dict[str, Any] = field(default_factory=dict)
    watts: float = 0.0
    tracker: str = "none"
    seed: int = 1

    def __post_init__(self) -> None:
        check_values(self, choices=_CHOICES, positive=_POSITIVE, not_negative=_NOT_NEGATIVE)
        self._check_schedule()
        self._check_architecture()

    @property
    def model_type(self) -> str:
        """The architecture of the encoder."""
        return str(self.encoder.get("model_type", RECURRENT))

    def _check_schedule(self) -> None:
        if bool(self.steps) == bool(self.minutes):
            raise ConfigError(
                f"steps is {self.steps} and minutes is {self.minutes}; accepted: one of the two above 0"
            )
        if self.warmup + self.decay > 1:
            raise ConfigError(
                f"warmup is {self.warmup} and decay is {self.decay}; accepted: shares with a sum of 1 at most"
            )
        if self.mask_rate >= 1:
            raise ConfigError(f"mask_rate is {self.mask_rate}; accepted: a share between 0 and 1")
        if self.vocab_size > 2**16:
            raise ConfigError(f"vocab_size is {self.vocab_size}; accepted: at most 65536, which 16 bits hold")

    def _check_architecture(self) -> None:
        check_sizes(self.encoder, where="encoder")
        for key in ("generator", "finetuning"):
            check_sizes(getattr(self, key), where=key, model_type=self.model_type)
        if self.objective == "electra" and not self.generator:
            raise ConfigError(
                "generator is empty; accepted: the sizes that make it narrower than the encoder, for instance "
                "{recurrent_size: 64, hidden_size: 128} for a recurrent one"
            )
        if self.model_type == RECURRENT and self.separate_documents:
            raise ConfigError("separate_documents is true; accepted for the recurrent encoder: false")
        if self.model_type == RECURRENT and self.compile == "always":
            raise ConfigError("compile is 'always'; accepted for the recurrent encoder: auto, never")


_CHOICES: dict[str, tuple[str, ...]] = {
    "objective": ("mlm", "electra"),
    "precision": ("auto", "fp32", "bf16"),
    "compile": ("auto", "always", "never"),
    "tracker": ("trackio", "mlflow", "tensorboard", "none"),
}
_POSITIVE = (
    "vocab_size", "shard_megabytes", "block_size", "batch_size", "learning_rate", "mask_rate", "log_steps",
    "detector_weight",
)  # fmt: skip
_NOT_NEGATIVE = (
    "blocks", "steps", "minutes", "warmup", "decay", "weight_decay", "workers", "save_steps", "save_minutes",
    "watts", "seed",
)  # fmt: skip
