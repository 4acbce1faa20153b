"""The transformers Trainer for the joint model: two learning rates and a development score of our own."""

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.data import Sampler
from transformers import Trainer
from transformers.trainer_pt_utils import LengthGroupedSampler

from .atomic import AtomicCheckpoints

log = logging.getLogger(__name__)


class IsnadTrainer(AtomicCheckpoints, Trainer):
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

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """Return AdamW with a learning rate each for encoder and heads, and decay on matrices only."""
        if self.optimizer is None:
            groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
            for name, parameter in self._trained().named_parameters():
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
        model = self._trained()
        training = model.training
        model.eval()
        scores = {f"eval_{name}": value for name, value in self._develop(model).items()}
        model.train(training)
        self.log(dict(scores))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, scores)
        return scores

    def _trained(self) -> nn.Module:
        model = self.model
        if not isinstance(model, nn.Module):
            raise TypeError("the trainer was built without a model")
        return model

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler:
        generator = torch.Generator()
        generator.manual_seed(self.args.data_seed or self.args.seed)
        return LengthGroupedSampler(self.args.train_batch_size, lengths=self._lengths, generator=generator)
