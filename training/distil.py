"""Soft targets from trained models: an ensemble put into one model, or old labels kept while new ones are learned.

The student learns the mean probabilities of its teachers beside the gold (Hinton et al. 2015, "Distilling the
Knowledge in a Neural Network", section 2, for independent binary decisions; keeping old classes so: Li and Hoiem
2016, "Learning without Forgetting", section 3). Teachers may know other labels: what teacher and student have in
common is matched by name, and everything else is left to the gold.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from ..model.errors import ModelError
from ..model.modeling import IsnadModel, IsnadOutput, same_window_pairs
from ..model.store import resolve
from .config import DistilConfig

# Spans of a window whose relations are distilled, and pairs of a batch: some are needed, thousands are not.
_CANDIDATES = 16
_PAIRS = 2048
_IMPOSSIBLE = -9e3


@dataclass
class _Teacher:
    model: IsnadModel
    entities: list[tuple[int, int]] = field(default_factory=list)  # (teacher's column, student's column)
    relations: list[tuple[int, int]] = field(default_factory=list)


class Distillation:
    """The loss of a student against the mean of its teachers.

    Args:
        teachers: trained models that read the student's pieces.
        student: the model to be trained; only its schema is looked at.
        weight: see `config.DistilConfig`.

    Raises:
        ModelError: a teacher shares no label with the student.
    """

    def __init__(self, teachers: Sequence[IsnadModel], student: IsnadModel, *, weight: float = 1.0) -> None:
        self.weight = weight
        self._teachers = []
        for model in teachers:
            entities = _columns(model.schema.entity_labels, student.schema.entity_labels)
            relations = _columns(model.schema.relation_labels, student.schema.relation_labels)
            if not entities:
                raise ModelError(
                    f"the teacher {model.config.model_name!r} knows none of the student's labels; accepted: a model "
                    "of the same schema, or of one with some labels of the same names"
                )
            self._teachers.append(_Teacher(model.eval().requires_grad_(False), entities, relations))

    def parts(self, student: IsnadModel, output: IsnadOutput, inputs: dict[str, Any]) -> dict[str, Tensor]:
        """Return the losses against the teachers' probabilities, by head; units as in `losses`.

        Args:
            student: the model that is trained, unwrapped.
            output: what it gave for `inputs`.
            inputs: arguments of `IsnadModel.forward`; `gold` names spans whose relations are looked at.
        """
        assert output.span_logits is not None and output.proclitic_logits is not None
        batch = {name: value for name, value in inputs.items() if name != "gold"}
        words = max(1, int(batch["word_mask"].sum()))
        with torch.no_grad():
            given = [_forward(teacher.model, batch) for teacher in self._teachers]
            columns = [teacher.entities for teacher in self._teachers]
            scores = [o.span_logits.sigmoid() for o in given if o.span_logits is not None]
            targets, count = _mean_columns(scores, columns, output.span_logits.shape[-1])
            known = count.flatten(0, -2).any(dim=0)
            shares = [o.proclitic_logits.softmax(-1) for o in given if o.proclitic_logits is not None]
            proclitics = torch.stack(shares).mean(dim=0)
        possible = output.span_logits > _IMPOSSIBLE
        losses = functional.binary_cross_entropy_with_logits(output.span_logits, targets, reduction="none")
        parts = {"span": torch.where(possible & known, losses - _entropy(targets), 0.0).sum() / words}
        # A word's proclitics count as much as an entity is likely to begin with it.
        begins = targets[..., known].amax(dim=(2, 3))
        divergence = functional.kl_div(
            output.proclitic_logits.log_softmax(dim=-1), proclitics, reduction="none"
        ).sum(dim=-1)
        parts["proclitic"] = (begins * divergence).sum() / begins.sum().clamp(min=1.0)
        parts["relation"] = self._relations(student, output, given, targets, known, inputs) / words
        return parts

    def _relations(
        self,
        student: IsnadModel,
        output: IsnadOutput,
        given: Sequence[IsnadOutput],
        targets: Tensor,
        known: Tensor,
        inputs: dict[str, Any],
    ) -> Tensor:
        """Return the summed loss over pairs of the spans that teachers or gold hold for entities."""
        assert output.words is not None and output.span_logits is not None
        spans = _spans(targets, known, inputs.get("gold"))
        pairs = same_window_pairs(spans)
        if len(pairs) > _PAIRS:
            pairs = pairs[torch.randperm(len(pairs), device=pairs.device)[:_PAIRS].sort().values]
        if not len(pairs) or not any(teacher.relations for teacher in self._teachers):
            return output.words.sum() * 0.0
        mask = inputs["word_mask"]
        cell = (spans[:, 0], spans[:, 1], spans[:, 2])
        with torch.no_grad():
            scores, valid = [], []
            for teacher, theirs in zip(self._teachers, given, strict=True):
                assert theirs.span_logits is not None and theirs.words is not None
                types = theirs.span_logits[cell].sigmoid()
                scores.append(_relate(teacher.model, theirs.words, mask, spans, pairs, types).sigmoid())
                present = types > 0.5 * teacher.model.config.prune_threshold
                valid.append(teacher.model.possible(present[pairs[:, 0]], present[pairs[:, 1]]))
            size = max(1, len(student.schema.relation_labels))
            # A teacher knows nothing of pairs that its own signatures forbid: the student's may admit them.
            columns = [teacher.relations for teacher in self._teachers]
            wanted, count = _mean_columns(scores, columns, size, valid)
        # The student sees the teachers' view of the types: where they are unsure the relation is scored so too.
        types = torch.where(known, targets[cell], output.span_logits[cell].detach().sigmoid())
        logits = _relate(student, output.words, mask, spans, pairs, types)
        losses = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        return torch.where(count > 0, losses - _entropy(wanted), 0.0).sum()


def load_teachers(
    config: DistilConfig, student: IsnadModel, tokenizer: PreTrainedTokenizerBase
) -> Distillation | None:
    """Return the teachers of a run, or None if it has none.

    Raises:
        ModelError: a teacher cannot be loaded, or cuts words into other pieces than the student.
    """
    if not config.teachers:
        return None
    models = []
    for name in config.teachers:
        folder = resolve(name)
        theirs = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        if theirs.backend_tokenizer.to_str() != tokenizer.backend_tokenizer.to_str():
            raise ModelError(
                f"the teacher {name!r} has another tokenizer than the model that is trained; accepted: models that "
                "were trained from the same encoder"
            )
        models.append(
            IsnadModel.from_pretrained(
                folder, dtype=torch.float32, local_files_only=True, use_safetensors=True
            )
        )
    return Distillation(models, student, weight=config.weight)


def _forward(model: nn.Module, batch: dict[str, Any]) -> IsnadOutput:
    device = batch["input_ids"].device
    if next(model.parameters()).device != device:
        model.to(device)
    return model(**batch)


def _relate(
    model: IsnadModel, words: Tensor, mask: Tensor, spans: Tensor, pairs: Tensor, types: Tensor
) -> Tensor:
    """Return logits [pairs, relations] of a model for spans that it sees as `types` [spans, types]."""
    return model.relate(words, mask, model.mentions(words, spans, types), spans, pairs)


def _spans(targets: Tensor, known: Tensor, gold: dict[str, Tensor] | None) -> Tensor:
    """Return [spans, 3], sorted: what the teachers hold likeliest in each window, and the gold."""
    best = targets[..., known].amax(dim=-1).flatten(1)
    top = torch.topk(best, min(_CANDIDATES, best.shape[1]), dim=1)
    keep = torch.zeros_like(best, dtype=torch.bool).scatter_(1, top.indices, top.values > 0.05)
    keep = keep.view(targets.shape[:3])
    if gold is not None:
        window, first, last = gold["spans"].unbind(1)
        keep[window, first, last] = True
    return keep.nonzero()


def _mean_columns(
    values: Sequence[Tensor],
    columns: Sequence[list[tuple[int, int]]],
    size: int,
    valid: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the mean over teachers, in the student's `size` columns, and how many teachers it is taken from.

    Args:
        values: [..., columns of a teacher], of each teacher.
        columns: (teacher's column, student's column) pairs of each teacher.
        size: number of the student's columns.
        valid: booleans like `values`, False where a teacher has no say; None: it has one everywhere.
    """
    total = values[0].new_zeros(*values[0].shape[:-1], size)
    count = torch.zeros_like(total)
    for n, (value, pairs) in enumerate(zip(values, columns, strict=True)):
        if not pairs:
            continue
        theirs, ours = (torch.tensor(c, device=value.device) for c in zip(*pairs, strict=True))
        weight = torch.ones_like(value) if valid is None else valid[n].to(value.dtype)
        total[..., ours] += (value * weight)[..., theirs]
        count[..., ours] += weight[..., theirs]
    return total / count.clamp(min=1), count


def _entropy(probabilities: Tensor) -> Tensor:
    """Return the entropy of Bernoulli probabilities: what a loss against them cannot go below."""
    return functional.binary_cross_entropy(probabilities, probabilities, reduction="none")


def _columns(theirs: Sequence[str], ours: Sequence[str]) -> list[tuple[int, int]]:
    return [(theirs.index(label), column) for column, label in enumerate(ours) if label in theirs]
