"""The data of a benchmark: gold documents in the labels and the convention in which models are compared."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...model.document import Document
from ...model.errors import DataError
from ...model.schema import EntityType, LabelSchema
from ...training.data.corpora import PARTS, corpus_config, load_corpus
from ...training.data.sources import CORPUS, load_source
from ..spans import Convention, check_convention
from ..stored import data_hash
from .labels import Classes

_UNSAFE = re.compile(r"[^\w.]+")


@dataclass(frozen=True)
class BenchmarkData:
    """One data set.

    Attributes:
        name: as it was named.
        slug: its name in file names.
        documents: gold in the classes of the comparison, with unique ids.
        schema: the classes, and the relations that are annotated (none in a corpus of names).
        classes: how labels become classes.
        hash: of the documents as they were read.
        convention, flat: how spans are compared.
    """

    name: str
    slug: str
    documents: tuple[Document, ...]
    schema: LabelSchema
    classes: Classes
    hash: str
    convention: Convention
    flat: bool


def slug(name: str) -> str:
    """Return a name as part of a file name: letters, digits, full stops and single hyphens."""
    return _UNSAFE.sub("-", name).strip("-.") or "unnamed"


def load_data(
    name: str, schema: LabelSchema, *, convention: Convention | None = None, flat: bool | None = None
) -> BenchmarkData:
    """Read one data set.

    Args:
        name: what `load_source` takes, or `corpus:NAME/PART` (PART is `dev` if left out), whose tags become
            classes by `configs/data`.
        schema: of data that is no corpus.
        convention: None for the data's own: `word` for corpora, `char` for everything else.
        flat: None for the data's own: flat for corpora that are not nested.

    Raises:
        DataError: no documents, two under one id, or faulty files.
    """
    if convention is not None:
        check_convention(convention)
    if name.startswith(CORPUS):
        return _load_corpus(name, convention, flat)
    read = load_source(name, schema)
    documents = _identified(name, read)
    return BenchmarkData(
        name=name,
        slug=slug(Path(name).name if Path(name).exists() else name),
        documents=documents,
        schema=schema,
        classes=Classes.same(schema.entity_labels),
        hash=data_hash(read),
        convention=convention or "char",
        flat=bool(flat),
    )


def missing_files(name: str) -> tuple[str, ...]:
    """Return the files of a public corpus that are not on this machine; none for data of any other kind.

    Args:
        name: as for `load_data`.

    Raises:
        ConfigError: an unknown corpus, or a faulty configuration of it.
    """
    if not name.startswith(CORPUS):
        return ()
    config = corpus_config(_corpus_part(name)[0])
    return tuple(p for p in (*config.paths, *config.dev_paths) if not Path(p).is_file())


def _corpus_part(name: str) -> tuple[str, str]:
    """Split `corpus:NAME/PART`; the part is `dev` if left out."""
    corpus_name, _, part = name.removeprefix(CORPUS).rpartition("/")
    if part not in PARTS or not corpus_name:
        return name.removeprefix(CORPUS), "dev"
    return corpus_name, part


def _load_corpus(name: str, convention: Convention | None, flat: bool | None) -> BenchmarkData:
    corpus_name, part = _corpus_part(name)
    corpus = load_corpus(corpus_name, part)
    classes = Classes.of_corpus(corpus.config)
    gold = [
        replace(d, entities=tuple(replace(e, label=classes.of_tag[e.label]) for e in d.entities))
        for d in corpus.documents
    ]
    kind = f"{corpus.config.name}-classes"
    return BenchmarkData(
        name=name,
        slug=slug(f"corpus-{corpus.config.name}-{part}"),
        documents=_identified(name, gold),
        schema=LabelSchema(kind, tuple(EntityType(label) for label in classes.names)),
        classes=classes,
        hash=data_hash(corpus.documents),
        convention=convention or "word",
        flat=not corpus.config.nested if flat is None else flat,
    )


def _identified(name: str, documents: Sequence[Document]) -> tuple[Document, ...]:
    """Return documents that can be told apart."""
    if not documents:
        raise DataError("no documents", path=name, accepted="at least one annotated document")
    if not any(d.id for d in documents):
        return tuple(replace(d, id=f"document-{n}") for n, d in enumerate(documents, 1))
    texts: dict[str, str] = {}
    for n, d in enumerate(documents, 1):
        if not d.id:
            raise DataError(f"document {n} has no id", path=name, accepted="ids for all documents, or none")
        if d.id in texts:
            which = "the same text" if texts[d.id] == d.text else "different texts"
            raise DataError(
                f"{which} under one id, {d.id!r}", path=name, accepted="a different id for each text"
            )
        texts[d.id] = d.text
    return tuple(documents)
