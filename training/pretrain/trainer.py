"""The transformers Trainer for pretraining: order, learning rate and checkpoints that resume exactly."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_model, save_model
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import Sampler, SequentialSampler
from transformers import Trainer

from ..atomic import AtomicCheckpoints
from .schedule import Budget, learning_rate_factor


class PretrainTrainer(AtomicCheckpoints, Trainer):
    """Trainer of the modules of `objectives`.

    Everything random in a step (dropout, what a generator draws) depends on the seed and the number of the step,
    so that a run resumed from a checkpoint computes what it would have without the break.

    Args:
        budget: steps or seconds of the training; its progress is stored in every checkpoint.
        warmup, decay: shares of the budget, see `schedule.learning_rate_factor`.
        *args, **kwargs: as for Trainer; the dataset is read in its own order.
    """

    def __init__(
        self,
        *args: Any,
        budget: Budget | None = None,
        warmup: float = 0.05,
        decay: float = 0.2,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._budget = budget or Budget(steps=self.args.max_steps)
        self._warmup, self._decay = warmup, decay
        self._parts: dict[str, torch.Tensor] = {}
        self._parts_seen = 0
        self._logged: tuple[int, float] | None = None

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> LambdaLR:
        """Return a schedule over the budget, whichever way that is measured."""
        if self.lr_scheduler is None:

            def factor(step: int) -> float:
                # Counted in steps, a step's rate is that of its end: the first one is not lost to a rate of 0.
                share = self._budget.share(step + 1)
                return learning_rate_factor(share, warmup=self._warmup, decay=self._decay)

            self.lr_scheduler = LambdaLR(optimizer or self.create_optimizer(), factor)
        return self.lr_scheduler

    def training_step(self, model: nn.Module, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Take a step whose randomness is that of its number."""
        seeds = np.random.SeedSequence((self.args.seed, self.state.global_step))
        torch.manual_seed(int(seeds.generate_state(1)[0]))
        return super().training_step(model, *args, **kwargs)

    def compute_loss(self, model: nn.Module, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Return the loss and add its parts to what the next log line shows."""
        output = model(**inputs)
        for name, value in (output.get("parts") or {}).items():
            # Added up on the device: reading a value would wait for it at every step.
            self._parts[name] = self._parts[name] + value if name in self._parts else value
        self._parts_seen += 1
        return (output["loss"], output) if kwargs.get("return_outputs") else output["loss"]

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log, with the parts of the loss, the speed since the last line, and the tokens and seconds so far."""
        step, used = self.state.global_step, self._budget.used
        if "loss" in logs:
            for name, total in self._parts.items():
                logs[name] = round(float(total) / self._parts_seen, 4)
            self._parts, self._parts_seen = {}, 0
            logs |= {"tokens": self._tokens(step), "seconds": round(used, 1)}
            if self._logged is not None and used > self._logged[1]:
                speed = self._tokens(step - self._logged[0]) / (used - self._logged[1])
                logs["tokens_per_second"] = round(speed, 1)
            self._logged = (step, used)
        super().log(logs, start_time)

    def _tokens(self, steps: int) -> int:
        block = getattr(self.train_dataset, "block_size", 0)
        return steps * self.args.train_batch_size * block

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler | None:
        return SequentialSampler(self.train_dataset)  # type: ignore[arg-type]

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        folder = Path(output_dir or self.args.output_dir or ".")
        folder.mkdir(parents=True, exist_ok=True)
        model: Any = self._plain()
        # Writes a tensor that generator and encoder share once.
        save_model(model, str(folder / "model.safetensors"), metadata={"format": "pt"})
        model.encoder.config.save_pretrained(folder)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        load_model(self._plain(), str(Path(resume_from_checkpoint) / "model.safetensors"))

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        super()._save_optimizer_and_scheduler(output_dir)
        self._budget.save(Path(output_dir))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is not None:
            self._budget.load(Path(checkpoint))

    def _plain(self) -> nn.Module:
        # Not through `unwrap_model(keep_fp32_wrapper=False)`, which ends autocast for the rest of the training.
        if not isinstance(self.model, nn.Module):
            raise TypeError("the trainer was built without a model")
        return self.model
