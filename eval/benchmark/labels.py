"""Common ground for labels: what gold is compared as, and what a model's labels are rewritten to.

Nothing is guessed. A model is comparable if it has the labels of the data, if `configs/data` says what the tags of
a corpus mean in its labels, or if the user gives a map.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from ...model.document import Document, Entity, number_clusters
from ...model.errors import ConfigError, nearest
from ...training.config import build
from ...training.data.corpus_config import CorpusConfig

DROPPED = ""


@dataclass(frozen=True)
class Classes:
    """The labels in which gold and predictions are compared.

    A corpus may have several tags for one label of the schema (politician, athlete: PERS), and one tag for several
    (ANERcorp's LOC: GPE, LOC or FAC). Tags of the same labels are one class. A prediction is right in a class if
    its label is any of the class's: which of them the corpus means, it does not say.

    Attributes:
        names: the classes, in order.
        of_tag: class of each label that gold is written in.
        members: labels of the schema that each class may stand for; none where no label does, so that its gold
            is missed by every model of the schema.
        default: class of each label of the schema; what no class stands for is not compared.
    """

    names: tuple[str, ...]
    of_tag: Mapping[str, str]
    members: Mapping[str, frozenset[str]]
    default: Mapping[str, str]

    @classmethod
    def same(cls, labels: Sequence[str]) -> "Classes":
        """Return classes that are the labels themselves."""
        each = {label: label for label in labels}
        return cls(tuple(labels), each, {label: frozenset((label,)) for label in labels}, each)

    @classmethod
    def of_corpus(cls, config: CorpusConfig) -> "Classes":
        """Return the classes of a corpus, named after its tags if every tag has a class of its own."""
        order = list(dict.fromkeys(label for labels in config.labels.values() for label in labels))
        sets = {tag: frozenset(labels) for tag, labels in config.labels.items()}
        known = [s for s in sets.values() if s]
        by_tag = len(set(known)) == len(known)

        def name(tag: str) -> str:
            return tag if by_tag or not sets[tag] else "/".join(sorted(sets[tag], key=order.index))

        of_tag = {tag: name(tag) for tag in sets}
        members = {of_tag[tag]: labels for tag, labels in sets.items()}
        default: dict[str, str] = {}
        for label in order:
            # A class of this label alone, or else the first that may stand for it.
            holding = sorted((n for n, labels in members.items() if label in labels), key=_size(members))
            default[label] = holding[0]
        return cls(tuple(members), of_tag, members, default)


def _size(members: Mapping[str, frozenset[str]]) -> Any:
    return lambda name: len(members[name])


@dataclass(frozen=True)
class LabelMap:
    """A user's map from the labels of a model to labels of data: a YAML file.

    Attributes:
        labels: the label of the data for each label of the model; null for labels that are to be left out.
        model, data: names of the only model or data that it is for; empty for any.
    """

    labels: dict[str, Any] = field(default_factory=dict)
    model: str = ""
    data: str = ""

    def __post_init__(self) -> None:
        if not self.labels:
            raise ConfigError(
                "labels is empty; accepted: lines like `PER: PERS`, or `MISC: null` to leave out"
            )
        for label, target in self.labels.items():
            if not isinstance(label, str) or not (target is None or isinstance(target, str)):
                raise ConfigError(f"labels: {label!r} holds {target!r}; accepted: a label, or null")

    @classmethod
    def read(cls, path: Path) -> "LabelMap":
        """Read `label: label` lines, alone or under `labels` with `model` and `data` beside it."""
        try:
            found = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ConfigError(f"{path}: not a label map: {' '.join(str(error).split())}") from error
        # A label is never mapped to a mapping: then these are keys, perhaps with a slip in one of them.
        scoped = isinstance(found, Mapping) and any(isinstance(v, Mapping) for v in found.values())
        return build(cls, found if scoped else {"labels": found}, where=str(path))


@dataclass(frozen=True)
class Translation:
    """How the labels of a model become classes.

    Attributes:
        class_of: class of each of the model's labels; `DROPPED` for those that are not compared.
        lenient: for each label the classes in which it is right too, if gold has the very span in one of them.
        source: `same`, `tags` (the corpus's own), `configs/data` or `map`.
        relation_of: relation of the data for each of the model's; what is not named is not compared.
    """

    class_of: Mapping[str, str]
    lenient: Mapping[str, frozenset[str]] = field(default_factory=dict)
    source: str = "same"
    relation_of: Mapping[str, str] = field(default_factory=dict)


def translate_labels(
    labels: Sequence[str],
    classes: Classes,
    *,
    model: str,
    data: str,
    maps: Sequence[LabelMap] = (),
) -> Translation:
    """Return how a model's labels are compared with the data.

    Args:
        labels: of the model.
        classes: of the data.
        model, data: their names, for maps of one of them and for messages.
        maps: of the user; tried where names alone do not settle it.

    Raises:
        ConfigError: the labels differ and no map covers them; both lists are named.
    """
    own = set(labels)
    if own == set(classes.of_tag):
        same = all(tag == name for tag, name in classes.of_tag.items())
        return Translation(dict(classes.of_tag), source="same" if same else "tags")
    if set(classes.default) <= own:
        lenient = {
            label: frozenset(n for n, members in classes.members.items() if label in members)
            for label in classes.default
        }
        source = "configs/data"
        return Translation({x: classes.default.get(x, DROPPED) for x in labels}, lenient, source)
    targets = {name: name for name in classes.names} | dict(classes.of_tag)
    for found in maps:
        if found.model not in ("", model) or found.data not in ("", data):
            continue
        wanted = {found.labels.get(label) for label in own} - {None}
        if own <= set(found.labels) and wanted <= set(targets):
            return Translation(
                {x: targets[found.labels[x]] if found.labels[x] is not None else DROPPED for x in labels},
                source="map",
            )
    raise ConfigError(_refusal(labels, classes, model, data, maps))


def translate_relations(
    labels: Sequence[str], known: Sequence[str], *, model: str, data: str, maps: Sequence[LabelMap] = ()
) -> dict[str, str]:
    """Return the relation of the data for each relation of a model.

    Args:
        labels: relations of the model.
        known: relations that the data annotates. Without any, those of the model are not compared.
        model, data, maps: as for `translate_labels`; relations are looked up in the same maps.

    Raises:
        ConfigError: the data has relations, the model has one of another name, and no map covers it.
    """
    if not known:
        return {}
    strange = [x for x in labels if x not in known]
    same = {x: x for x in labels if x in known}
    if not strange:
        return same
    for found in maps:
        targets = [found.labels.get(x, "") for x in strange]
        fits = found.model in ("", model) and found.data in ("", data)
        if fits and all(t is None or t in known for t in targets):
            return same | {x: t for x, t in zip(strange, targets, strict=True) if t is not None}
    raise ConfigError(
        f"{model} has the relations {', '.join(labels)}, and {data} has {', '.join(known)}; accepted: --map FILE.yaml "
        f"that names {', '.join(strange)} too (null leaves a relation out)"
    )


def _refusal(labels: Sequence[str], classes: Classes, model: str, data: str, maps: Sequence[LabelMap]) -> str:
    known = list(dict.fromkeys((*classes.of_tag, *classes.names)))
    reasons = []
    for found in maps:
        absent = [x for x in labels if x not in found.labels]
        strange = [t for x in labels if (t := found.labels.get(x)) is not None and t not in known]
        if absent:
            reasons.append(f"a map lacks {', '.join(absent)}")
        elif strange:
            reasons.append(f"a map gives {strange[0]!r}; {nearest(strange[0], known)}")
    why = f" ({'; '.join(reasons)})" if reasons else ""
    return (
        f"{model} has the labels {', '.join(labels) or 'none'}, and {data} has {', '.join(known)}{why}; accepted: "
        "--map FILE.yaml with a line `label of the model: label of the data` for each (null leaves it out)"
    )


def translate_document(
    predicted: Document,
    gold: Document,
    translation: Translation,
    *,
    convention: str,
) -> Document:
    """Return a prediction in the classes of the data.

    Args:
        predicted: in the labels of the model.
        gold: the same text in classes; read only where a label may stand for several.
        translation: of the model's labels.
        convention: `char` or `word`: what makes two spans the same.
    """
    there: dict[tuple[int, int], set[str]] = {}
    for e in gold.entities:
        there.setdefault(_span(e, convention), set()).add(e.label)
    kept: list[Entity] = []
    for e in predicted.entities:
        label = translation.class_of.get(e.label, DROPPED)
        allowed = translation.lenient.get(e.label, frozenset())
        fitting = sorted(there.get(_span(e, convention), set()) & allowed)
        if fitting and label not in fitting:
            label = fitting[0]
        if label != DROPPED:
            kept.append(replace(e, label=label))
    ids = {e.id for e in kept}
    groups = [[m for m in cluster if m in ids] for cluster in predicted.clusters]
    entities, clusters = number_clusters(kept, groups)
    return replace(
        predicted,
        entities=entities,
        clusters=clusters,
        relations=tuple(
            replace(r, label=translation.relation_of[r.label])
            for r in predicted.relations
            if r.label in translation.relation_of and r.head in ids and r.tail in ids
        ),
    )


def _span(entity: Entity, convention: str) -> tuple[int, int]:
    if convention == "word":
        return entity.word_start, entity.word_end
    return entity.start, entity.end
