"""The data of an extension: which labels are known where, what is kept for development, and what is rehearsed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from ..model.document import Document, number_clusters
from ..model.errors import ConfigError, DataError, SchemaError, nearest
from ..model.schema import LabelSchema
from ..model.text import paragraphs, sentence_starts, words
from .config import DataConfig
from .data.annotation import Annotation, Source
from .data.sources import PREFIX, load_schema, load_source, load_sources
from .extend_cut import counts, cut
from .relabel import LabelChanges, relabel

# The schema that the shipped texts are annotated by.
_SHIPPED = "wojood"
# A label that the base model finds this much more often than the gold has it is not annotated throughout.
_EXHAUSTIVE = 0.5
# Words from which on a line that occurs twice is no coincidence.
_LONG_LINE = 8


@dataclass(frozen=True)
class Known:
    """Documents and the labels that are annotated in them throughout; they say nothing about others.

    Attributes:
        documents: gold.
        labels: entity and relation labels.
    """

    documents: tuple[Document, ...]
    labels: frozenset[str]

    def gold(self) -> list[Document]:
        """Return the documents with what is annotated throughout and nothing else."""
        return [restrict(document, self.labels) for document in self.documents]


def restrict(document: Document, labels: Collection[str]) -> Document:
    """Return a document without entities and relations of other labels, and without relations that lose an end."""
    entities = [e for e in document.entities if e.label in labels]
    ids = {e.id for e in entities}
    groups = [[member for member in group if member in ids] for group in document.clusters]
    numbered, clusters = number_clusters(
        [replace(e, cluster=None) for e in entities], [group for group in groups if group]
    )
    relations = tuple(r for r in document.relations if r.label in labels and {r.head, r.tail} <= ids)
    return replace(document, entities=numbered, relations=relations, clusters=clusters)


def annotated_labels(
    documents: Sequence[Document],
    schema: LabelSchema,
    changes: LabelChanges,
    given: Sequence[str],
    predicted: Sequence[Document],
) -> tuple[frozenset[str], dict[str, tuple[int, int]]]:
    """Return the labels that new documents annotate throughout, and those that they seem to annotate here and there.

    A new label is annotated throughout if it occurs. A label that the base model knows is so only if the gold has at
    least half as many as the base model finds in the same texts: otherwise unmarked names would be learned as none.

    Args:
        documents: gold in the labels of `schema`.
        schema, changes: what is learned.
        given: labels named by the user; they decide.
        predicted: what the base model finds in the documents, in its own labels.

    Returns:
        The labels, and for each label left out the number in the gold and the number found.

    Raises:
        SchemaError: `given` names a label that the schema lacks.
    """
    known = (*schema.entity_labels, *schema.relation_labels)
    for label in given:
        if label not in known:
            raise SchemaError(f"annotates: unknown label {label!r}; {nearest(label, known)}")
    if given:
        return frozenset(given), {}
    gold, found = counts(documents), counts(predicted)
    partly: dict[str, tuple[int, int]] = {}
    for label in gold:
        expected = sum(found[old] for old in changes.sources[label])
        if gold[label] < _EXHAUSTIVE * expected:
            partly[label] = (gold[label], expected)
    return frozenset(gold) - partly.keys(), partly


def new_source(
    documents: Sequence[Document], schema: LabelSchema, labels: frozenset[str], *, nested: bool, repeat: float
) -> Source:
    """Return new documents as a source that is silent about all labels but `labels`."""
    annotation = Annotation(
        labels={label: (label,) for label in schema.entity_labels},
        annotates=labels & set(schema.entity_labels),
        nested=nested,
        proclitics=True,
        relations=labels & set(schema.relation_labels),
    )
    return Source("new", documents, annotation, repeat)


def old_known(
    names: Sequence[str],
    base: LabelSchema,
    history: Mapping[str, tuple[str, ...]] | None,
) -> list[Known]:
    """Return documents in the labels of the base model.

    Args:
        names: sources. `seeds:` ones are annotated by the shipped schema; others by the base model's, and they
            annotate the labels that occur in them.
        base: the base model's labels.
        history: what became of the shipped labels in earlier extensions; None: they kept their names.

    Raises:
        DataError: a source is missing, or its labels are not those of the base model.
    """
    found = []
    for name in names:
        if not name.startswith(PREFIX):
            documents = load_source(name, base)
            found.append(Known(tuple(documents), frozenset(counts(documents))))
            continue
        shipped = load_schema(_SHIPPED)
        heirs: dict[str, tuple[str, ...]] = {
            label: (label,) for label in (*shipped.entity_labels, *shipped.relation_labels)
        }
        heirs |= history or {}
        mine = {*base.entity_labels, *base.relation_labels}
        heirs = {label: tuple(h for h in news if h in mine) for label, news in heirs.items()}
        heirs = {label: news for label, news in heirs.items() if news}
        if not heirs:
            raise DataError(
                f"{name}: the base model has none of the labels of the shipped texts ({_SHIPPED})",
                accepted="under extend.rehearse and extend.measure: texts annotated in the base model's own labels",
            )
        documents, open_ = relabel(load_source(name, shipped), heirs, base)
        unsure = {label for news in open_.values() for label in news}
        labels = frozenset(label for news in heirs.values() for label in news) - unsure
        found.append(Known(tuple(restrict(d, labels) for d in documents), labels))
    return found


def rehearsal_sources(
    old: Sequence[Known], schema: LabelSchema, changes: LabelChanges, *, weight: float
) -> list[Source]:
    """Return old documents as sources in new labels; new labels are unknown there, split ones are one of several."""
    sources = []
    for number, known in enumerate(old, 1):
        documents, open_ = relabel(known.documents, changes.heirs, schema)
        labels = translated(known.labels, changes)
        undecided = {
            new for tag, news in open_.items() if tag.split("|")[0] in schema.relation_index for new in news
        }
        tags: dict[str, tuple[str, ...]] = {label: (label,) for label in schema.entity_labels}
        tags |= {tag: news for tag, news in open_.items() if news[0] in schema.entity_index}
        annotation = Annotation(
            labels=tags,
            annotates=labels & set(schema.entity_labels),
            nested=True,
            proclitics=True,
            relations=(labels & set(schema.relation_labels)) - undecided,
        )
        sources.append(Source(f"rehearsal {number}", documents, annotation, weight))
    return sources


def translated(labels: Collection[str], changes: LabelChanges) -> frozenset[str]:
    """Return the new labels of which everything is known where the old `labels` are annotated throughout."""
    return frozenset(
        new for new, olds in changes.sources.items() if olds and all(old in labels for old in olds)
    )


def measured(old: Sequence[Known], schema: LabelSchema, changes: LabelChanges) -> list[Known]:
    """Return old documents for development in new labels; what is split is unknown in them."""
    found = []
    for known in old:
        documents, _ = relabel(known.documents, changes.heirs, schema)
        several = {new for news in changes.split.values() for new in news}
        labels = translated(known.labels, changes) - several
        found.append(Known(tuple(restrict(d, labels) for d in documents), labels))
    return found


def new_documents(
    data: DataConfig, dev_share: float, schema: LabelSchema
) -> tuple[list[Document], list[Document], bool]:
    """Return new training and development documents, and whether the latter were cut off the former.

    Args:
        data: names the sources; without `dev` a part of `train` is cut off.
        dev_share: how much.
        schema: the labels.

    Raises:
        ConfigError, DataError: there is nothing to learn from or to measure on.
    """
    if not data.train:
        raise ConfigError("no new data; accepted: annotated documents with --data, or under data.train")
    train, dev = load_sources(data.train, schema), load_sources(data.dev, schema)
    if not any(d.entities for d in train):
        raise DataError(
            f"{', '.join(data.train)}: {len(train)} documents without a single entity",
            accepted="documents with the new labels marked",
        )
    cut_off = not dev
    if cut_off:
        train, dev = cut(train, dev_share)
    if not dev:
        raise DataError(
            f"{len(train)} paragraph(s) cannot be cut into training and development data",
            accepted="two or more paragraphs with every label, or development documents with --dev",
        )
    width = len(str(len(train) + len(dev)))
    named = [replace(d, id=f"new-{n:0{width}}") for n, d in enumerate([*train, *dev], 1)]
    return named[: len(train)], named[len(train) :], cut_off


def old_documents(
    names: Sequence[str], base: LabelSchema, history: Mapping[str, tuple[str, ...]] | None, key: str
) -> list[Known]:
    """Return `old_known` with ids that begin with `key`, under which the configuration names the sources."""
    try:
        found = old_known(names, base, history)
    except DataError as error:
        raise DataError(
            f"extend.{key}: {error}. Old labels are kept and measured on texts annotated in them: name your own with "
            f"--set extend.{key}=[PATH], or none with --set extend.{key}=[]"
        ) from error
    return [
        Known(tuple(replace(d, id=f"{key}-{n}-{d.id or m}") for m, d in enumerate(k.documents, 1)), k.labels)
        for n, k in enumerate(found, 1)
    ]


def refuse_leaks(
    new: Sequence[Document], dev: Sequence[Document], old: Sequence[Known], rehearsed: Sequence[Known]
) -> None:
    """Raise DataError if a text that is measured is learned too; of new data, if a line of some length is."""
    learned = {d.text: d.id for d in (*new, *(d for k in rehearsed for d in k.documents))}
    lines = {line: d.id for d in new for line in _lines(d)}
    for document in (*dev, *(d for k in old for d in k.documents)):
        shared = next((line for line in _lines(document) if line in lines), "")
        if shared or document.text in learned:
            raise DataError(
                f"the text {(shared or document.text)[:40]!r}… is measured ({document.id}) and learned "
                f"({lines[shared] if shared else learned[document.text]}) too",
                accepted="development data that shares no text with the training data",
            )


def _lines(document: Document) -> list[str]:
    """Return the lines of a document that no two authors would write alike."""
    return [line.strip() for line in document.text.splitlines() if len(line.split()) >= _LONG_LINE]


def sentences(document: Document) -> int:
    """Return how many sentences a document has."""
    text = document.text
    return sum(len(list(sentence_starts(text, words(text, *part)))) for part in paragraphs(text))
