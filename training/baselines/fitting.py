"""How the token classifier is trained: options, batches, and the choice of the best epoch."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import TrainerCallback, TrainingArguments

from ...model.errors import ConfigError
from ..config import EncoderConfig
from ..finetune import bf16_wanted

log = logging.getLogger(__name__)

# Cross entropy leaves out positions with this label: later pieces of words, context and special tokens.
IGNORED = -100


@dataclass(frozen=True)
class FlatOptions:
    """How a token classifier is trained.

    Attributes:
        encoder: where the encoder comes from, as for the joint model.
        epochs: passes over the training windows at most.
        batch_size: windows of one step.
        learning_rate: peak rate of AdamW, for encoder and classifier alike.
        weight_decay: of matrices.
        warmup: share of all steps.
        patience: epochs without a better development F1 before training stops; 0 never stops.
        seed: of everything random.
        precision: `auto` (bfloat16 where the device computes in it), `fp32` or `bf16`.
        max_pieces, overlap_pieces: of a window; see `WindowMaker`.
    """

    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    epochs: float = 20
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup: float = 0.05
    patience: int = 4
    seed: int = 1
    precision: str = "auto"
    max_pieces: int = 256
    overlap_pieces: int = 64

    def __post_init__(self) -> None:
        for key in ("epochs", "batch_size", "learning_rate", "max_pieces"):
            if getattr(self, key) <= 0:
                raise ConfigError(f"{key} is {getattr(self, key)}; accepted: a number above 0")
        for key in ("weight_decay", "warmup", "patience", "overlap_pieces"):
            if getattr(self, key) < 0:
                raise ConfigError(f"{key} is {getattr(self, key)}; accepted: 0 or more")
        if self.precision not in ("auto", "fp32", "bf16"):
            raise ConfigError(f"precision is {self.precision!r}; accepted: auto, fp32, bf16")


def training_arguments(o: FlatOptions, folder: str) -> TrainingArguments:
    """Return the arguments of a run that writes nothing into its folder."""
    return TrainingArguments(
        output_dir=folder,
        num_train_epochs=o.epochs,
        per_device_train_batch_size=o.batch_size,
        learning_rate=o.learning_rate,
        weight_decay=o.weight_decay,
        warmup_steps=o.warmup,
        lr_scheduler_type="cosine",
        max_grad_norm=1.0,
        train_sampling_strategy="group_by_length",
        # Trainer's own checkpoints contain pickles; the best state is kept in memory instead.
        save_strategy="no",
        eval_strategy="no",
        logging_strategy="epoch",
        report_to="none",
        seed=o.seed,
        data_seed=o.seed,
        use_cpu=not torch.cuda.is_available(),
        bf16=bf16_wanted(o.precision),
        remove_unused_columns=False,
    )


class KeepBest(TrainerCallback):
    """Measures after every epoch, keeps the best state and stops when it has not improved for long.

    Args:
        develop: returns the development F1 of the model as it is.
        patience: epochs without improvement before training stops; 0 never stops.

    Attributes:
        history: F1 after each epoch.
        state: parameters and buffers after the best epoch.
    """

    def __init__(self, develop: Callable[[], float], patience: int) -> None:
        self._develop, self._patience = develop, patience
        self._since = 0
        self.history: list[float] = []
        self.state: dict[str, Tensor] = {}

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        """Measure the model, and keep or stop."""
        f1 = self._develop()
        # The later of equal epochs: a score of 0 at the start must not stop a slow run.
        self._since = 0 if f1 >= max(self.history, default=0.0) else self._since + 1
        if not self._since:
            self.state = {k: v.detach().clone() for k, v in kwargs["model"].state_dict().items()}
        self.history.append(f1)
        log.info("epoch %d: development F1 %.4f", len(self.history), f1)
        if self._patience and self._since >= self._patience:
            control.should_training_stop = True
        return control


def pad(rows: Sequence[Mapping[str, list[int]]], pad_id: int) -> dict[str, Tensor]:
    """Return `input_ids`, `attention_mask` and, where given, `labels`, [rows, longest], padded on the right."""
    longest = max(len(row["input_ids"]) for row in rows)

    def stack(key: str, filler: int) -> Tensor:
        return torch.tensor([list(row[key]) + [filler] * (longest - len(row[key])) for row in rows])

    lengths = torch.tensor([len(row["input_ids"]) for row in rows])
    batch = {
        "input_ids": stack("input_ids", pad_id),
        "attention_mask": (torch.arange(longest)[None, :] < lengths[:, None]).long(),
    }
    return batch | ({"labels": stack("labels", IGNORED)} if "labels" in rows[0] else {})
