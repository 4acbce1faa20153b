"""Heads of a trained model taken over into one of another label schema."""

import torch
from torch import Tensor

from ..model.modeling import IsnadModel


@torch.no_grad()
def transfer_heads(source: IsnadModel, target: IsnadModel) -> list[str]:
    """Copy every weight of `source` that has a place in `target`; labels are matched by their names.

    Args:
        source: a trained model.
        target: a model of the same encoder, with another schema and perhaps other sizes.

    Returns:
        Names of the parameters that nothing was copied into; labels that only `target` has stay fresh too.
    """
    entities = _matches(source.schema.entity_labels, target.schema.entity_labels)
    relations = _matches(source.schema.relation_labels, target.schema.relation_labels)
    old, new = source.state_dict(), target.state_dict()
    fresh: list[str] = []
    for name, value in new.items():
        if name not in old or name == "signature":
            fresh.append(name)
        elif name in _ENTITY_AXES:
            axis, blocks = _ENTITY_AXES[name]
            _copy_rows(old[name], value, axis, blocks, entities, fresh, name)
        elif name.startswith("relation_head.output."):
            _copy_rows(old[name], value, 0, 1, relations, fresh, name)
        elif old[name].shape == value.shape:
            value.copy_(old[name])
        else:
            fresh.append(name)
    return fresh


# Parameters with an axis of entity types: (axis, blocks of types on it).
_ENTITY_AXES = {
    "span_head.biaffine": (0, 1),
    "span_head.parts.weight": (0, 5),
    "span_head.parts.bias": (0, 5),
    "span_head.width.weight": (1, 1),
    "mention_head.types.weight": (1, 1),
}


def _matches(old: tuple[str, ...], new: tuple[str, ...]) -> list[tuple[int, int]]:
    return [(old.index(label), row) for row, label in enumerate(new) if label in old]


def _copy_rows(
    old: Tensor,
    new: Tensor,
    axis: int,
    blocks: int,
    matches: list[tuple[int, int]],
    fresh: list[str],
    name: str,
) -> None:
    before, after = old.movedim(axis, 0), new.movedim(axis, 0)
    old_types, new_types = len(before) // blocks, len(after) // blocks
    if before.shape[1:] != after.shape[1:] or not matches:
        fresh.append(name)
        return
    for block in range(blocks):
        for source_row, row in matches:
            after[block * new_types + row].copy_(before[block * old_types + source_row])
