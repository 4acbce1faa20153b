"""From the labels that a user names to the criteria by which units are chosen."""

from collections.abc import Mapping, Sequence

from ...model.document import Document
from ...model.errors import ConfigError, nearest
from ...model.schema import LabelSchema
from .criteria import Chance, Criterion, Similar, Uncertain
from .similarity import LabelMatcher
from .vectors import PieceVectors

# Names of annotated documents that serve as examples of a label; the most frequent ones.
_EXAMPLES = 100


def unknown_labels(labels: Sequence[str], schema: LabelSchema) -> list[str]:
    """Return the labels that a model of this schema does not know."""
    known = {*schema.entity_labels, *schema.relation_labels}
    return [label for label in dict.fromkeys(labels) if label not in known]


def parse_examples(values: Sequence[str]) -> dict[str, list[str]]:
    """Return names by label from `WEAPON=صاروخ,دبابة`; both commas, `,` and `،`, part names."""
    examples: dict[str, list[str]] = {}
    for value in values:
        label, equals, names = value.partition("=")
        found = [name.strip() for name in names.replace("،", ",").split(",") if name.strip()]
        if not equals or not label.strip() or not found:
            raise ConfigError(
                f"--example {value!r}; accepted: LABEL=name,name, for example WEAPON=صاروخ,دبابة"
            )
        examples.setdefault(label.strip(), []).extend(found)
    return examples


def build_criteria(
    labels: Sequence[str],
    schema: LabelSchema,
    limits: Mapping[str, float],
    *,
    by: str,
    seed: int,
    vectors: PieceVectors | None = None,
    wanted: LabelSchema | None = None,
    examples: Mapping[str, Sequence[str]] | None = None,
    known: Sequence[Document] = (),
) -> list[Criterion]:
    """Return the criteria of a choice: one for all labels that the model knows, and one for each that it does not.

    Args:
        labels: entity and relation types; none for all entity types of the model.
        schema, limits: labels and thresholds of the model.
        by: as in `Settings`.
        seed: of the sample of a choice by diversity.
        vectors: for labels that the model does not know.
        wanted: the schema that describes them.
        examples: names of them.
        known: annotated documents; what they label is an example too.

    Raises:
        ConfigError: a label that nothing describes, examples of a label that is not asked for, or a known label
            where a choice by diversity alone looks at none.
    """
    new = unknown_labels(labels, schema)
    old = [label for label in dict.fromkeys(labels) if label not in new]
    examples = examples or {}
    for label in examples:
        if label not in new:
            raise ConfigError(
                f"--example for {label!r}, which is not among the labels that are asked for and new to the model; "
                f"{nearest(label, new) if new else 'name it with --labels'}"
            )
    if old and by == "diversity":
        raise ConfigError(
            f"--by diversity looks at none of the labels that the model knows ({', '.join(old)}); write --by both"
        )
    criteria: list[Criterion] = []
    if old or not labels:
        criteria.append(
            Chance(seed) if by == "diversity" else Uncertain(limits, frozenset(old or schema.entity_labels))
        )
    for label in new:
        if vectors is None:
            raise ConfigError(
                f"{label!r} is unknown to the model: it is looked for by word vectors; pass them"
            )
        criteria.append(Similar(_matcher(label, vectors, wanted, examples.get(label, ()), known)))
    return criteria


def _matcher(
    label: str,
    vectors: PieceVectors,
    wanted: LabelSchema | None,
    examples: Sequence[str],
    known: Sequence[Document],
) -> LabelMatcher:
    if wanted is not None and label in wanted.relation_index:
        raise ConfigError(
            f"{label!r} is a relation that the model does not know; choose by the entity types at its ends: "
            f"{', '.join(dict.fromkeys((*wanted.relation(label).head, *wanted.relation(label).tail)))}"
        )
    if wanted is not None and label not in wanted.entity_index:
        raise ConfigError(
            f"the schema {wanted.name!r} has no label {label!r}; {nearest(label, wanted.entity_labels)}"
        )
    description = wanted.entities[wanted.entity_index[label]].ar if wanted is not None else ""
    counts: dict[str, int] = {}
    for entity in (e for document in known for e in document.entities if e.label == label):
        counts[entity.name] = counts.get(entity.name, 0) + 1
    seen = sorted(counts, key=lambda name: -counts[name])[:_EXAMPLES]
    return LabelMatcher(label, vectors, examples=dict.fromkeys((*examples, *seen)), description=description)
