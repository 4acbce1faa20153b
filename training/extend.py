"""Teach a trained model new labels, or change its labels, without losing the old ones.

Unlabelled is not negative: where a corpus does not annotate a label, the loss does not look at it
(`losses.span_loss`). Old labels are kept by rehearsal on shipped texts (Robins 1995, "Catastrophic Forgetting,
Rehearsal and Pseudorehearsal") and by the base model's own scores on every sentence (`training.distil`; Monaikul
et al. 2021, "Continual Learning for Named Entity Recognition", section 3.2).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..model.configuration import IsnadConfig
from ..model.document import Document
from ..model.errors import ConfigError, ModelError
from ..model.inference import Extractor
from ..model.schema import LabelSchema
from ..model.store import resolve
from .config import FinetuneConfig, build
from .data.annotation import Source
from .data.sources import load_schema
from .examples import split_paragraphs
from .extend_cut import counts, subset
from .extend_data import (
    Known,
    annotated_labels,
    measured,
    new_documents,
    new_source,
    old_documents,
    refuse_leaks,
    rehearsal_sources,
    restrict,
    sentences,
)
from .extend_defaults import size_defaults
from .extend_notes import annotates_note, data_note, warnings
from .relabel import LabelChanges, label_changes

RECORD = "extension.json"
# Texts of the base model's own labels count this often an epoch at most.
_MOST_REHEARSAL = 4.0


@dataclass(frozen=True)
class Extension:
    """Everything a run of `finetune` needs to extend a model, and what was decided on the way.

    Attributes:
        config: complete, with the defaults for the amount of data.
        base: folder of the base model.
        base_config: its configuration.
        extractor: the base model.
        schema: the labels to end with.
        changes: what becomes of the base model's labels.
        new: new documents to train on.
        annotates: labels that the new documents annotate throughout.
        new_dev: new documents for development.
        sources: what is trained on.
        old: development documents in the base model's labels.
        measured: all development documents in new labels.
        coreferent: documents whose clusters are gold.
        history: what has become of the shipped labels, for extensions of this one.
        notes: what was decided, in words.
        warnings: what the user should look at.
    """

    config: FinetuneConfig
    base: Path
    base_config: IsnadConfig
    extractor: Extractor
    schema: LabelSchema
    changes: LabelChanges
    new: tuple[Document, ...]
    annotates: frozenset[str]
    new_dev: Known
    sources: tuple[Source, ...]
    old: tuple[Known, ...]
    measured: tuple[Known, ...]
    coreferent: tuple[Document, ...]
    history: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def dev(self) -> list[Document]:
        """All development documents, in new labels, with what is known in each and nothing else."""
        return [document for known in self.measured for document in known.gold()]

    def record(self) -> dict[str, Any]:
        """Return what an extension of the extended model has to know, and what a reader wants to, for JSON."""
        return {
            "base": self.extractor.name,
            "sources": {label: list(olds) for label, olds in self.changes.sources.items()},
            "removed": list(self.changes.removed),
            "annotates": sorted(self.annotates),
            "examples": dict(counts(self.new)),
            "history": {label: list(news) for label, news in self.history.items()},
        }


def plan_extension(settings: Mapping[str, Any], *, where: str = "settings", share: float = 1.0) -> Extension:
    """Read model, schema and data of an extension and decide how to train it.

    Args:
        settings: keys of `FinetuneConfig`; `encoder.path`, `data.train` and `data.schema` are needed, and what is
            missing otherwise is chosen by the amount of data (`extend_defaults`).
        where: named in messages about settings.
        share: of the new training documents that are learned from, for learning curves; a smaller share is part of a
            larger one.

    Raises:
        ConfigError, SchemaError, DataError, ModelError: what is at fault; nothing has been written then.
    """
    first = build(FinetuneConfig, _with_data(settings), where=where)
    base = resolve(first.encoder.path)
    extractor = Extractor.from_pretrained(base)
    schema = load_schema(first.data.schema)
    changes = label_changes(extractor.schema, schema)
    history = _history(base)
    new, dev, cut_off = new_documents(first.data, first.extend.dev_share, schema)
    new = subset(new, share)
    old = old_documents(first.extend.measure, extractor.schema, history, "measure")
    rehearsed = old_documents(
        first.extend.rehearse if first.extend.rehearsal else (), extractor.schema, history, "rehearse"
    )
    refuse_leaks(new, dev, old, rehearsed)
    predicted = _predicted(extractor, [*new, *dev], schema, changes)
    annotates, partly = annotated_labels([*new, *dev], schema, changes, first.extend.annotates, predicted)
    base_config = IsnadConfig.from_pretrained(base, local_files_only=True)
    recurrent = base_config.encoder_config().model_type == "isnad-encoder"
    defaults, reasons = size_defaults(sum(map(sentences, new)), recurrent=recurrent)
    config = _completed(defaults, settings, first, where)
    sources = _sources(config, new, rehearsed, schema, changes, annotates)
    new_dev = Known(tuple(dev), annotates)
    notes = [
        *changes.lines(),
        data_note(new, dev, cut_off),
        annotates_note(annotates, partly),
        *_said(reasons, settings),
    ]
    return Extension(
        config=config,
        base=base,
        base_config=base_config,
        extractor=extractor,
        schema=schema,
        changes=changes,
        new=tuple(new),
        annotates=annotates,
        new_dev=new_dev,
        sources=tuple(sources),
        old=tuple(old),
        measured=(*measured(old, schema, changes), new_dev),
        coreferent=tuple(_coreferent(sources, schema)),
        history=_composed(history, changes),
        notes=tuple(note for note in notes if note),
        warnings=tuple(warnings(new, dev, schema, changes, annotates, old)),
    )


def _with_data(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with no sources of their own accord: an extension learns from what it is given."""
    return {**settings, "data": {"train": [], "dev": [], **dict(settings.get("data") or {})}}


def _completed(
    defaults: Mapping[str, Any], settings: Mapping[str, Any], first: FinetuneConfig, where: str
) -> FinetuneConfig:
    given = dict(settings)
    extend = {**defaults["extend"], **dict(given.get("extend") or {})}
    distil = {**defaults["distil"], "teachers": [first.encoder.path], **dict(given.get("distil") or {})}
    named = {"name": Path(first.data.schema).stem}
    merged = {**named, **defaults, **_with_data(given), "extend": extend, "distil": distil}
    config = build(FinetuneConfig, merged, where=where)
    augment = config.augment
    if augment.replace_mentions or augment.proclitics or augment.noise:
        raise ConfigError(
            "augment is set; accepted: no augmentation where a corpus annotates some labels only"
        )
    return config


def _said(reasons: Mapping[str, str], settings: Mapping[str, Any]) -> list[str]:
    """Return the reasons of settings that were not given, and those given by their value."""
    found = []
    for key, reason in reasons.items():
        section, _, name = key.rpartition(".")
        place = settings.get(section) or {} if section else settings
        found.append(f"{key} {place[name]}, as set" if name in place else reason)
    return found


def _history(base: Path) -> dict[str, tuple[str, ...]] | None:
    file = base / RECORD
    if not file.is_file():
        return None
    try:
        history = json.loads(file.read_text(encoding="utf-8"))["history"]
        return {str(label): tuple(str(n) for n in news) for label, news in history.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{file} is not the record of an extension; accepted: the file as it was written"
        ) from error


def _composed(
    history: Mapping[str, tuple[str, ...]] | None, changes: LabelChanges
) -> dict[str, tuple[str, ...]]:
    """Return what has become of the shipped labels after one more change."""
    before = dict(history or {})
    before |= {label: (label,) for label in changes.heirs if history is None}
    return {
        label: tuple(dict.fromkeys(new for old in olds for new in changes.heirs.get(old, ())))
        for label, olds in before.items()
    }


def _predicted(
    extractor: Extractor, documents: Sequence[Document], schema: LabelSchema, changes: LabelChanges
) -> list[Document]:
    """Return what the base model finds, if the documents have labels that it knows; else nothing."""
    if not any(changes.sources[label] for label in counts(documents)):
        return []
    return list(extractor.pipe((d.id, d.text) for d in documents))


def _sources(
    config: FinetuneConfig,
    new: Sequence[Document],
    rehearsed: Sequence[Known],
    schema: LabelSchema,
    changes: LabelChanges,
    annotates: frozenset[str],
) -> list[Source]:
    settings = config.extend
    shown = settings.repeat * sum(len(split_paragraphs(d)) for d in new)
    there = sum(len(split_paragraphs(d)) for k in rehearsed for d in k.documents)
    share = settings.rehearsal / (1 - settings.rehearsal)
    weight = min(_MOST_REHEARSAL, share * shown / max(1, there))
    source = new_source(new, schema, annotates, nested=settings.nested, repeat=settings.repeat)
    return [source, *rehearsal_sources(rehearsed, schema, changes, weight=weight)]


def _coreferent(sources: Sequence[Source], schema: LabelSchema) -> list[Document]:
    """Return the documents whose clusters are gold: of the rehearsal, and new ones if they have any."""
    new, *rehearsed = sources
    chosen = [d for source in rehearsed for d in source.documents]
    if any(d.clusters for d in new.documents):
        chosen += new.documents
    return [restrict(d, {*schema.entity_labels, *schema.relation_labels}) for d in chosen]
