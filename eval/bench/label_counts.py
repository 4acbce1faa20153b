"""One model with other numbers of labels, for how its cost grows with them.

What decoding costs depends on the scores; so a model with fewer labels keeps the real rows of those that it finds most
often, and one with more labels has the real rows several times over, under names of their own. A copy scores as its
original does: the same spans are found, among more columns. Nothing is random.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...model.errors import ConfigError
from ...model.schema import EntityType, LabelSchema, RelationType

if TYPE_CHECKING:
    from torch import Tensor


def save_with_labels(source: Path, target: Path, count: int, frequency: Mapping[str, int]) -> Path:
    """Write a model that has so many entity types.

    Args:
        source: folder of a model.
        target: folder to write.
        count: entity types of the result.
        frequency: how often the model found each of its types; the most frequent ones come first.

    Raises:
        ConfigError: a count below 1.
        ModelError: the model cannot be loaded.
    """
    if count < 1:
        raise ConfigError(f"--labels {count}; accepted: 1 or more")
    from ...model.inference import load_torch
    from ...model.modeling import IsnadModel

    model, tokenizer = load_torch(source)
    names = model.schema.entity_labels
    ranked = sorted(range(len(names)), key=lambda n: (-frequency.get(names[n], 0), n))
    rows = [ranked[n % len(ranked)] for n in range(count)]
    schema, relations = _schema(model.schema, rows)
    values = model.config.to_dict()
    values["labels"] = schema.to_dict()
    origin = {label: names[row] for label, row in zip(schema.entity_labels, rows, strict=True)}
    own = model.config.entity_thresholds or {}
    values["entity_thresholds"] = {label: own.get(o, 0.5) for label, o in origin.items()}
    calibration = dict(model.config.calibration or {})
    if calibration.get("entity"):
        known = calibration["entity"]
        calibration["entity"] = {label: known[o] for label, o in origin.items() if o in known}
        values["calibration"] = calibration
    result = IsnadModel(type(model.config)(**values))
    result.load_state_dict(_rows(model.state_dict(), rows, relations or [0], len(names)))
    result.save_pretrained(target)
    tokenizer.save_pretrained(target)
    return target


def label_frequency(documents: Sequence[Any]) -> Counter[str]:
    """Return how often each label occurs in documents."""
    return Counter(e.label for d in documents for e in d.entities)


def _schema(schema: LabelSchema, rows: Sequence[int]) -> tuple[LabelSchema, list[int]]:
    """Return the schema of the rows, and the rows of the relations that are possible in it."""
    entities: list[EntityType] = []
    names: dict[str, list[str]] = {}
    for row in rows:
        entity = schema.entities[row]
        copies = names.setdefault(entity.name, [])
        copies.append(f"{entity.name}_{len(copies) + 1}" if copies else entity.name)
        entities.append(replace(entity, name=copies[-1]))
    relations: list[RelationType] = []
    kept = []
    for n, relation in enumerate(schema.relations):
        head, tail = (
            tuple(name for o in side for name in names.get(o, ())) for side in (relation.head, relation.tail)
        )
        if head and tail:
            relations.append(replace(relation, head=head, tail=tail))
            kept.append(n)
    return LabelSchema(f"{schema.name}-{len(rows)}", tuple(entities), tuple(relations)), kept


def _rows(
    state: "Mapping[str, Tensor]", rows: Sequence[int], relations: Sequence[int], types: int
) -> "dict[str, Tensor]":
    """Return the weights of the rows; the inputs of the mention head share the weight of their original."""
    import torch

    index, related = torch.tensor(rows), torch.tensor(relations)
    copies = torch.bincount(index, minlength=types)[index]
    changed = dict(state)
    changed["span_head.biaffine"] = state["span_head.biaffine"][index]
    changed["span_head.width.weight"] = state["span_head.width.weight"][:, index]
    for key in ("span_head.parts.weight", "span_head.parts.bias"):
        changed[key] = state[key].unflatten(0, (5, types))[:, index].flatten(0, 1)
    changed["mention_head.types.weight"] = state["mention_head.types.weight"][:, index] / copies
    for key in ("relation_head.output.weight", "relation_head.output.bias"):
        changed[key] = state[key][related]
    return changed
