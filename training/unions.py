"""Labels of one schema that say the same as labels of another taken together, and the scores of such unions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from ..model.schema import LabelSchema
from .relabel import label_changes

# Columns of a head, one a label, that are looked at together.
Columns = tuple[int, ...]


@dataclass(frozen=True)
class Matches:
    """What a teacher's labels are compared with.

    Attributes:
        entities, relations: (teacher's columns, student's columns) that mean the same taken together.
    """

    entities: tuple[tuple[Columns, Columns], ...]
    relations: tuple[tuple[Columns, Columns], ...]


def match_labels(theirs: LabelSchema, ours: LabelSchema) -> Matches:
    """Return what the labels of a teacher say about those of a student.

    A label is matched with that of its name, or with those that the student's schema says it comes `from`
    (`relabel.label_changes`). Of merged labels the teacher must know all: one alone is not what they are together.

    Args:
        theirs: the teacher's labels.
        ours: the student's, with their `origins`.
    """
    known = {*theirs.entity_labels, *theirs.relation_labels}
    origins = {new: tuple(o for o in olds if o in known) for new, olds in ours.origins.items()}
    unsure = {
        new
        for new, olds in ours.origins.items()
        if not known.issuperset(olds) and (new not in known or new in olds)
    }
    given = {new: olds for new, olds in origins.items() if olds or not ours.origins[new]}
    groups = label_changes(theirs, replace(ours, origins=given), strict=False).groups()
    sure = [(olds, news) for olds, news in groups if not unsure.intersection(news)]
    return Matches(
        _numbered(sure, theirs.entity_index, ours.entity_index),
        _numbered(sure, theirs.relation_index, ours.relation_index),
    )


def _numbered(
    groups: Sequence[tuple[Sequence[str], Sequence[str]]], theirs: Mapping[str, int], ours: Mapping[str, int]
) -> tuple[tuple[Columns, Columns], ...]:
    """Return groups of labels of one kind by their columns."""
    return tuple(
        (tuple(sorted(theirs[old] for old in olds)), tuple(sorted(ours[new] for new in news)))
        for olds, news in groups
        if olds[0] in theirs
    )


def any_of(logits: Tensor, groups: Sequence[Columns]) -> Tensor:
    """Return the logits that at least one label of each group holds, every label being decided for itself.

    Args:
        logits: [..., labels].
        groups: columns; those of one label are taken as they are.

    Returns:
        [..., groups]: log(P / (1 - P)) of P = 1 - ∏(1 - sigmoid(logit)).
    """
    if list(groups) == [(n,) for n in range(logits.shape[-1])]:
        return logits
    found = logits[..., [group[0] for group in groups]]
    for n, group in enumerate(groups):
        if len(group) > 1:
            none = functional.softplus(logits[..., list(group)].float()).sum(dim=-1).clamp(min=1e-6)
            found[..., n] = (none + torch.log(-torch.expm1(-none))).to(found.dtype)
    return found
