"""Heads of a trained model taken over into one of another label schema."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ..model.modeling import IsnadModel


@torch.no_grad()
def transfer_heads(
    source: IsnadModel, target: IsnadModel, sources: Mapping[str, Sequence[str]] | None = None
) -> list[str]:
    """Copy every weight of `source` that has a place in `target`; labels are matched by their names.

    Args:
        source: a trained model.
        target: a model of the same encoder, with another schema and perhaps other sizes.
        sources: labels of `source` that a label of `target` takes the place of, see `relabel.label_changes`; it
            begins with the mean of their weights. None: labels of its own name.

    Returns:
        Names of the parameters that nothing was copied into; labels that only `target` has stay fresh too.
    """
    entities = _matches(source.schema.entity_labels, target.schema.entity_labels, sources)
    relations = _matches(source.schema.relation_labels, target.schema.relation_labels, sources)
    old, new = source.state_dict(), target.state_dict()
    fresh: list[str] = []
    for name, value in new.items():
        if name not in old or name == "signature":
            fresh.append(name)
        elif name in ENTITY_AXES:
            axis, blocks = ENTITY_AXES[name]
            _copy_rows(old[name], value, axis, blocks, entities, fresh, name)
        elif name.startswith("relation_head.output."):
            _copy_rows(old[name], value, 0, 1, relations, fresh, name)
        elif old[name].shape == value.shape:
            value.copy_(old[name])
        else:
            fresh.append(name)
    return fresh


# Parameters with an axis of entity types: (axis, blocks of types on it).
ENTITY_AXES = {
    "span_head.biaffine": (0, 1),
    "span_head.parts.weight": (0, 5),
    "span_head.parts.bias": (0, 5),
    "span_head.width.weight": (1, 1),
    "mention_head.types.weight": (1, 1),
}


def _matches(
    old: Sequence[str], new: Sequence[str], sources: Mapping[str, Sequence[str]] | None
) -> list[tuple[list[int], int]]:
    """Return (old rows, new row) of every label that is not new."""
    found = []
    for row, label in enumerate(new):
        names = (label,) if sources is None else sources.get(label, ())
        rows = [old.index(name) for name in names if name in old]
        if rows:
            found.append((rows, row))
    return found


def _copy_rows(
    old: Tensor,
    new: Tensor,
    axis: int,
    blocks: int,
    matches: list[tuple[list[int], int]],
    fresh: list[str],
    name: str,
) -> None:
    before, after = old.movedim(axis, 0), new.movedim(axis, 0)
    old_types, new_types = len(before) // blocks, len(after) // blocks
    if before.shape[1:] != after.shape[1:] or not matches:
        fresh.append(name)
        return
    for block in range(blocks):
        for rows, row in matches:
            after[block * new_types + row].copy_(before[[block * old_types + r for r in rows]].mean(dim=0))
