"""The transformers Trainer with atomic, pickle-free checkpoints and a development score of our own."""

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import Sampler
from transformers import Trainer
from transformers.trainer_pt_utils import LengthGroupedSampler

from . import checkpoints

log = logging.getLogger(__name__)


class IsnadTrainer(Trainer):
    """Trainer of `IsnadModel`.

    Args:
        lengths: pieces of every training item, for batches of like length.
        develop: returns the development scores of the model as it is; called at every evaluation.
        head_learning_rate: of everything outside the encoder.
        *args, **kwargs: as for Trainer.
    """

    def __init__(
        self,
        *args: Any,
        lengths: list[int],
        develop: Callable[[nn.Module], dict[str, float]],
        head_learning_rate: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._lengths, self._develop, self._head_rate = lengths, develop, head_learning_rate
        self._parts: dict[str, float] = {}
        self._parts_seen = 0
        self._saving: Path | None = None

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """Return AdamW with one learning rate for the encoder and one for the heads, decay on matrices only."""
        if self.optimizer is None:
            groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
            for name, parameter in (model or self.model).named_parameters():
                if parameter.requires_grad:
                    groups.setdefault((name.startswith("encoder."), parameter.ndim > 1), []).append(parameter)
            self.optimizer = torch.optim.AdamW(
                [
                    {
                        "params": parameters,
                        "lr": self.args.learning_rate if encoder else self._head_rate,
                        "weight_decay": self.args.weight_decay if matrix else 0.0,
                    }
                    for (encoder, matrix), parameters in groups.items()
                ]
            )
        return self.optimizer

    def compute_loss(self, model: nn.Module, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Return the loss and add its parts to what the next log line shows."""
        output = model(**inputs)
        for name, value in (output.parts or {}).items():
            self._parts[name] = self._parts.get(name, 0.0) + float(value)
        self._parts_seen += 1
        return (output.loss, output) if kwargs.get("return_outputs") else output.loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log, with the loss of each head."""
        if "loss" in logs and self._parts_seen:
            logs |= {f"loss_{name}": round(v / self._parts_seen, 4) for name, v in self._parts.items()}
            self._parts, self._parts_seen = {}, 0
        super().log(logs, start_time)

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Return and log the development scores, with the names that Trainer expects."""
        training = self.model.training
        self.model.eval()
        scores = {f"eval_{name}": value for name, value in self._develop(self.model).items()}
        self.model.train(training)
        self.log(dict(scores))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, scores)
        return scores

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler:
        generator = torch.Generator()
        generator.manual_seed(self.args.data_seed or self.args.seed)
        return LengthGroupedSampler(self.args.train_batch_size, lengths=self._lengths, generator=generator)

    # -- checkpoints: everything is written into a temporary folder, which is renamed when it is complete --

    def _get_output_dir(self, trial: Any) -> str:
        return str(self._saving or self.args.output_dir)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        run = Path(self.args.output_dir)
        name = f"{checkpoints.PREFIX}{self.state.global_step}"
        self._saving = run / "saving.tmp"
        shutil.rmtree(self._saving, ignore_errors=True)
        limit, self.args.save_total_limit = self.args.save_total_limit, None
        try:
            super()._save_checkpoint(model, trial)
            if self.args.should_save:
                if self.state.best_global_step == self.state.global_step:
                    # Trainer has just noted the temporary folder as the best one.
                    self.state.best_model_checkpoint = str(run / name)
                    self.state.save_to_json(str(self._saving / name / "trainer_state.json"))
                checkpoints.publish(self._saving / name, run / name)
        finally:
            shutil.rmtree(self._saving, ignore_errors=True)
            self._saving, self.args.save_total_limit = None, limit
        if self.args.should_save:
            self._rotate(run)

    def _rotate(self, run: Path) -> None:
        keep = {self.state.best_model_checkpoint}
        steps = sorted(
            (
                p
                for p in run.glob(checkpoints.PREFIX + "*")
                if p.name.removeprefix(checkpoints.PREFIX).isdigit()
            ),
            key=lambda p: int(p.name.removeprefix(checkpoints.PREFIX)),
        )
        for path in steps[: -(self.args.save_total_limit or len(steps))]:
            if str(path) not in keep:
                shutil.rmtree(path)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        # Trainer's own version also pickles its arguments; the resolved configuration is saved by `finetune`.
        folder = output_dir or self.args.output_dir
        os.makedirs(folder, exist_ok=True)
        self.accelerator.unwrap_model(self.model).save_pretrained(folder, state_dict=state_dict)
        if self.processing_class is not None:
            self.processing_class.save_pretrained(folder)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if self.args.should_save:
            checkpoints.save_state(Path(output_dir), self.optimizer, self.lr_scheduler)

    def _save_rng_state(self, output_dir: str) -> None:
        # Written with the optimizer state, in one file format.
        return

    def _save_scaler(self, output_dir: str) -> None:
        # Training runs in float32 or bfloat16, neither of which scales the loss.
        return

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            checkpoints.load_state(Path(checkpoint), self.optimizer, self.lr_scheduler)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            checkpoints.load_random(Path(checkpoint))

    def _load_scaler(self, checkpoint: str | None) -> None:
        return
