"""Soft targets from trained models: an ensemble put into one model, or old labels kept while new ones are learned.

The student learns the mean probabilities of its teachers beside the gold (Hinton et al. 2015, "Distilling the
Knowledge in a Neural Network", section 2, for independent binary decisions; keeping old classes so: Li and Hoiem
2016, "Learning without Forgetting", section 3). Teachers may know other labels: what they have in common with the
student is matched by name and by the `from` of the student's schema, and everything else is left to the gold.

Where labels were merged or split, what both sides can be compared in is the probability that some of the labels hold,
1 - ∏(1 - p): the heads decide label by label, so that this is what they say of the union, which the largest p alone
would put too low (a name that is LOC or FAC with 0.5 each is surely a PLACE) and the sum above 1. Of a split label the
parts together learn the old probability, which no part can exceed then; `losses.span_loss` reads coarse tags alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from ..model.errors import ModelError
from ..model.modeling import IsnadModel, IsnadOutput, same_window_pairs
from ..model.schema import LabelSchema
from ..model.store import resolve
from .config import DistilConfig
from .unions import Columns, Matches, any_of, match_labels

# Spans of a window whose relations are distilled, and pairs of a batch: some are needed, thousands are not.
_CANDIDATES = 16
_PAIRS = 2048
_IMPOSSIBLE = -9e3


@dataclass(frozen=True)
class _Teacher:
    model: IsnadModel
    matches: Matches


class Distillation:
    """The loss of a student against the mean of its teachers.

    Args:
        teachers: trained models that read the student's pieces.
        student: the model to be trained.
        weight: see `config.DistilConfig`.
        schema: the student's labels with what they come from; None: as the student has them, matched by name.

    Raises:
        ModelError: a teacher shares no label with the student.
    """

    def __init__(
        self,
        teachers: Sequence[IsnadModel],
        student: IsnadModel,
        *,
        weight: float = 1.0,
        schema: LabelSchema | None = None,
    ) -> None:
        self.weight = weight
        self._teachers = []
        for model in teachers:
            matches = match_labels(model.schema, schema or student.schema)
            if not matches.entities:
                raise ModelError(
                    f"the teacher {model.config.model_name!r} knows none of the student's labels; accepted: a model "
                    "of the same schema, or of one with some labels of the same names"
                )
            self._teachers.append(_Teacher(model.eval().requires_grad_(False), matches))
        found = [teacher.matches for teacher in self._teachers]
        self._entities = tuple(dict.fromkeys(ours for m in found for _, ours in m.entities))
        self._relation_units = tuple(dict.fromkeys(ours for m in found for _, ours in m.relations))

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
            scores, columns = [], []
            for teacher, theirs in zip(self._teachers, given, strict=True):
                assert theirs.span_logits is not None
                groups = [group for group, _ in teacher.matches.entities]
                scores.append(any_of(theirs.span_logits, groups).sigmoid())
                columns.append(_columns(teacher.matches.entities, self._entities))
            targets, _ = _mean_columns(scores, columns, len(self._entities))
            shares = [o.proclitic_logits.softmax(-1) for o in given if o.proclitic_logits is not None]
            proclitics = torch.stack(shares).mean(dim=0)
        possible = output.span_logits[..., :1] > _IMPOSSIBLE
        logits = any_of(output.span_logits, self._entities)
        losses = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        parts = {"span": torch.where(possible, losses - _entropy(targets), 0.0).sum() / words}
        # A word's proclitics count as much as an entity is likely to begin with it.
        begins = targets.amax(dim=(2, 3))
        divergence = functional.kl_div(
            output.proclitic_logits.log_softmax(dim=-1), proclitics, reduction="none"
        ).sum(dim=-1)
        parts["proclitic"] = (begins * divergence).sum() / begins.sum().clamp(min=1.0)
        parts["relation"] = self._relations(student, output, given, targets, inputs) / words
        return parts

    def _relations(
        self,
        student: IsnadModel,
        output: IsnadOutput,
        given: Sequence[IsnadOutput],
        targets: Tensor,
        inputs: dict[str, Any],
    ) -> Tensor:
        """Return the summed loss over pairs of the spans that teachers or gold hold for entities."""
        assert output.words is not None and output.span_logits is not None
        spans = _spans(targets, inputs.get("gold"))
        pairs = same_window_pairs(spans)
        if len(pairs) > _PAIRS:
            pairs = pairs[torch.randperm(len(pairs), device=pairs.device)[:_PAIRS].sort().values]
        if not len(pairs) or not self._relation_units:
            return output.words.sum() * 0.0
        mask = inputs["word_mask"]
        cell = (spans[:, 0], spans[:, 1], spans[:, 2])
        units = self._relation_units
        with torch.no_grad():
            scores, valid, columns = [], [], []
            for teacher, theirs in zip(self._teachers, given, strict=True):
                assert theirs.span_logits is not None and theirs.words is not None
                types = theirs.span_logits[cell].sigmoid()
                groups = [group for group, _ in teacher.matches.relations]
                logits = _relate(teacher.model, theirs.words, mask, spans, pairs, types)
                admitted, known = _admitted(teacher.model, types, pairs, groups)
                scores.append(any_of(logits.masked_fill(~admitted, 2 * _IMPOSSIBLE), groups).sigmoid())
                valid.append(known)
                columns.append(_columns(teacher.matches.relations, units))
            # A teacher knows nothing of pairs that its own signatures forbid: the student's may admit them.
            wanted, count = _mean_columns(scores, columns, len(units), valid)
        # The student sees the teachers' view of the types: where they are unsure the relation is scored so too.
        types = output.span_logits[cell].detach().sigmoid()
        alone = [(n, unit[0]) for n, unit in enumerate(self._entities) if len(unit) == 1]
        if alone:
            theirs_at, ours_at = (list(c) for c in zip(*alone, strict=True))
            types[:, ours_at] = targets[cell][:, theirs_at].to(types.dtype)
        logits = _relate(student, output.words, mask, spans, pairs, types)
        # Of the parts of a split relation only those that may stand there can be what the old one was.
        admitted, known = _admitted(student, types, pairs, units)
        single = torch.tensor([len(unit) == 1 for unit in units], device=logits.device)
        admitted[:, [unit[0] for unit in units if len(unit) == 1]] = True
        logits = logits.masked_fill(~admitted, 2 * _IMPOSSIBLE)
        losses = functional.binary_cross_entropy_with_logits(any_of(logits, units), wanted, reduction="none")
        return torch.where((count > 0) & (known | single), losses - _entropy(wanted), 0.0).sum()


def _admitted(
    model: IsnadModel, types: Tensor, pairs: Tensor, groups: Sequence[Columns]
) -> tuple[Tensor, Tensor]:
    """Return [pairs, relations] that the signatures of a model admit, and [pairs, groups] of which some are admitted.

    Args:
        model: has the signatures.
        types: [spans, types], probabilities.
        pairs: [pairs, 2], rows of `types`.
        groups: columns of relations.
    """
    present = types > 0.5 * model.config.prune_threshold
    admitted = model.possible(present[pairs[:, 0]], present[pairs[:, 1]])
    some = [admitted[:, list(group)].any(dim=1) for group in groups]
    return admitted, torch.stack(some, dim=1) if some else admitted[:, :0]


def load_teachers(
    config: DistilConfig,
    student: IsnadModel,
    tokenizer: PreTrainedTokenizerBase,
    schema: LabelSchema | None = None,
) -> Distillation | None:
    """Return the teachers of a run, or None if it has none.

    Args:
        config: names them.
        student: the model to be trained.
        tokenizer: its tokenizer.
        schema: see `Distillation`.

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
    return Distillation(models, student, weight=config.weight, schema=schema)


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


def _spans(targets: Tensor, gold: dict[str, Tensor] | None) -> Tensor:
    """Return [spans, 3], sorted: what the teachers hold likeliest in each window, and the gold."""
    best = targets.amax(dim=-1).flatten(1)
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
    """Return the mean over teachers, in `size` columns of the student, and how many teachers it is taken from.

    Args:
        values: [..., columns of a teacher], of each teacher.
        columns: (teacher's column, student's column) pairs of each teacher.
        size: number of the student's columns; a column may stand for several labels.
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


def _columns(matches: Sequence[tuple[Columns, Columns]], units: Sequence[Columns]) -> list[tuple[int, int]]:
    """Return (number of a teacher's group, number of what it is compared with)."""
    return [(n, units.index(ours)) for n, (_, ours) in enumerate(matches)]
