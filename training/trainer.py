"""The transformers Trainer for the joint model: two learning rates and a development score of our own."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import Sampler
from transformers import Trainer
from transformers.trainer_pt_utils import get_length_grouped_indices

from .atomic import AtomicCheckpoints
from .distil import Distillation

log = logging.getLogger(__name__)


class EpochSampler(Sampler[int]):
    """Items in batches of like length, in an order that depends on the seed and the epoch alone.

    A run that is resumed at an epoch therefore goes on exactly as it would have without the break.

    Args:
        lengths: pieces of every item.
        batch_size: items of a batch.
        seed: of the order.
        dataset: says which items an epoch shows (`shown`), and is told of the epoch, as its augmentation
            depends on it; without those methods every epoch shows every item.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int, dataset: Any) -> None:
        self._lengths, self._batch_size, self._seed, self._dataset = list(lengths), batch_size, seed, dataset
        self._epoch = 0
        self._count = len(self._shown())

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next pass."""
        self._epoch = epoch
        if hasattr(self._dataset, "set_epoch"):
            self._dataset.set_epoch(epoch)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        state = np.random.SeedSequence((self._seed, self._epoch)).generate_state(1)[0]
        generator = torch.Generator().manual_seed(int(state))
        shown = self._shown()
        lengths = [self._lengths[index] for index in shown]
        order = get_length_grouped_indices(lengths, self._batch_size, generator=generator)
        return iter([shown[at] for at in order])

    def _shown(self) -> list[int]:
        if hasattr(self._dataset, "shown"):
            return list(self._dataset.shown(self._epoch))
        return list(range(len(self._lengths)))


class IsnadTrainer(AtomicCheckpoints, Trainer):
    """Trainer of `IsnadModel`.

    Args:
        lengths: pieces of every training item, for batches of like length.
        develop: returns the development scores of the model as it is; called at every evaluation.
        head_learning_rate: of everything outside the encoder.
        distillation: teachers whose probabilities are learned beside the gold.
        *args, **kwargs: as for Trainer.
    """

    def __init__(
        self,
        *args: Any,
        lengths: list[int],
        develop: Callable[[nn.Module], dict[str, float]],
        head_learning_rate: float,
        distillation: Distillation | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._lengths, self._develop, self._head_rate = lengths, develop, head_learning_rate
        self._distillation = distillation
        self._parts: dict[str, float] = {}
        self._parts_seen = 0
        # Facts of vocabulary and schema, the same in every process; gloo and NCCL cannot send all of their types.
        model = self._trained()
        facts = [name for name, buffer in model.named_buffers() if not buffer.is_floating_point()]
        if distillation is not None:
            # All other parameters have a gradient in every step; the coreference head is fitted afterwards.
            facts += [name for name, _ in model.named_parameters() if name.startswith("coreference_head.")]
        model._ddp_params_and_buffers_to_ignore = facts  # type: ignore[assignment]
        # The patience of early stopping counts on from where it stood.
        self.args.restore_callback_states_from_checkpoint = True

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
                ],
                # One pass over memory instead of ten; on a CPU the step was a quarter of the time without it.
                fused=True,
            )
        return self.optimizer

    def compute_loss(self, model: nn.Module, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Return the loss and add its parts to what the next log line shows."""
        output = model(**inputs)
        parts = dict(output.parts or {})
        if self._distillation is not None:
            weight = self._distillation.weight
            student: Any = self.accelerator.unwrap_model(model)
            taught = self._distillation.parts(student, output, inputs)
            output.loss = (output.loss + weight * torch.stack(list(taught.values())).sum()) / (1 + weight)
            parts |= {f"distil_{name}": value.detach() for name, value in taught.items()}
            if student is not model:  # wrapped: every process must have a gradient for every parameter
                output.loss = output.loss + 0.0 * sum(p.sum() for p in self._shared(student))
        for name, value in parts.items():
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

    def _shared(self, model: nn.Module) -> Iterator[nn.Parameter]:
        """Yield the parameters whose gradients several processes share."""
        for name, parameter in model.named_parameters():
            if parameter.requires_grad and name not in model._ddp_params_and_buffers_to_ignore:  # type: ignore[operator]
                yield parameter

    def _trained(self) -> nn.Module:
        model = self.model
        if not isinstance(model, nn.Module):
            raise TypeError("the trainer was built without a model")
        return model

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler:
        seed = self.args.seed if self.args.data_seed is None else self.args.data_seed
        return EpochSampler(self._lengths, self.args.train_batch_size, seed, self.train_dataset)
