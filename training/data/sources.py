"""Data, schemas and configurations by name: `seeds:articles`, `corpus:anercorp/dev`, `wojood`; or by path."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ...model.document import Document
from ...model.errors import ConfigError, DataError, nearest
from ...model.schema import LabelSchema
from . import FORMATS, read_documents
from .annotation import Annotation, Source
from .corpora import load_corpus
from .seeds import PARTS, load_articles, load_authored

log = logging.getLogger(__name__)

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
PREFIX = "seeds:"
CORPUS = "corpus:"
SEEDS = (f"{PREFIX}articles", *(f"{PREFIX}authored/{part}" for part in PARTS))


def load_source(name: str, schema: LabelSchema, *, format: str | None = None) -> list[Document]:
    """Return the annotated documents of one source.

    Args:
        name: `seeds:articles`, `seeds:authored/train`, `seeds:authored/dev`, `seeds:authored/all`; a corpus of
            `configs/data` whose tags are labels of the schema, `corpus:wojood-sample/train`; or the path of a
            file or folder in one of the formats of `training.data`.
        schema: the labels and signatures that the annotation must keep to.
        format: the format of a path; None to detect it.

    Raises:
        DataError: an unknown name, a missing path, or faulty files.
    """
    if name.startswith(PREFIX):
        return _load_seeds(name, schema)
    if name.startswith(CORPUS):
        return _load_corpus(name, schema)
    if not Path(name).exists():
        raise DataError(
            "no such file or folder",
            path=name,
            accepted=f"a path to annotated documents ({', '.join(FORMATS)}), one of {', '.join(SEEDS)}, or "
            f"{CORPUS}NAME/PART",
        )
    return read_documents(name, format=format, schema=schema)


def load_sources(names: Iterable[str], schema: LabelSchema) -> list[Document]:
    """Return the gold documents of several sources, in order; a source that is named twice counts twice.

    Raises:
        DataError: as `load_source`; or a source whose documents are all a model's, which nobody has looked at. Of a
            source that is corrected in part, as an export of all tasks is, the rest is left out with a warning.
    """
    return [document for name in names for document in _gold(name, load_source(name, schema))]


def load_texts(name: str) -> list[str]:
    """Return the texts of the documents of one source, in order, without their annotation.

    Args:
        name: as in `load_source`; annotated by the schema `wojood`, as all shipped texts are.

    Raises:
        DataError: as `load_source`, so for labels that are not of this schema too.
    """
    return [document.text for document in load_source(name, load_schema("wojood"))]


def load_split(
    train: Iterable[str], dev: Iterable[str], schema: LabelSchema
) -> tuple[list[Document], list[Document]]:
    """Return training and development documents, checked to share no text.

    Raises:
        DataError: a text is in both, so that the development scores would measure memory.
    """
    learned, measured = load_sources(train, schema), load_sources(dev, schema)
    known = {document.text for document in learned}
    shared = [document.id for document in measured if document.text in known]
    if shared:
        more = f" and {len(shared) - 1} more" if len(shared) > 1 else ""
        raise DataError(
            f"the development document {shared[0]!r}{more} is among the training documents too",
            accepted="sources under data.train and data.dev that share no text",
        )
    return learned, measured


def load_corpora(
    weights: Mapping[str, float], schema: LabelSchema, held_out: Sequence[Document]
) -> list[Source]:
    """Return the training parts of corpora of other conventions.

    Args:
        weights: name or path of a file of `configs/data`, or path of a JSONL file of `training.silver`; and how
            often an epoch shows each sentence.
        schema: the labels that the corpora are mapped to.
        held_out: documents that are measured on; none may be among the corpora.

    Raises:
        DataError: missing data, an unknown label, or a text that is held out.
    """
    measured = {line for document in held_out for line in document.text.splitlines() if line.strip()}
    sources = []
    for name, weight in weights.items():
        source = _silver(name, schema, weight) if name.endswith(".jsonl") else _corpus(name, schema, weight)
        for document in source.documents:
            if measured & set(document.text.splitlines()):
                raise DataError(
                    f"{name}: a sentence of {document.id!r} is held out for measuring",
                    accepted="corpora that share no sentence with data.dev",
                )
        sources.append(source)
    return sources


def _corpus(name: str, schema: LabelSchema, weight: float) -> Source:
    corpus = load_corpus(name, "train")
    config = corpus.config
    annotation = Annotation(
        {tag: tuple(labels) for tag, labels in config.labels.items()},
        frozenset(config.annotated),
        nested=config.nested,
        proclitics=config.proclitics == "split",
    )
    annotation.check(schema, where=name)
    return Source(config.name, corpus.documents, annotation, weight)


def _silver(name: str, schema: LabelSchema, weight: float) -> Source:
    documents = read_documents(name, format="jsonl", schema=schema)
    labels = {label: (label,) for label in schema.entity_labels}
    annotation = Annotation(labels, frozenset(labels), nested=True, proclitics=True, relations=False)
    return Source(Path(name).stem, documents, annotation, weight)


def load_schema(name: str | Path) -> LabelSchema:
    """Return a label schema by path, or by its bare name in `configs/schemas`."""
    return LabelSchema.from_yaml(find_config(name, "schemas"))


def find_config(name: str | Path, kind: str) -> Path:
    """Return the path of a YAML file that is given by path, or by its bare name in `configs/<kind>`.

    Args:
        name: `configs/finetune/seeds.yaml`, any other path, or `seeds`.
        kind: folder inside `configs` that bare names are looked up in.

    Raises:
        ConfigError: there is no such file; the message lists the names that are known.
    """
    path = Path(name)
    if path.is_file():
        return path
    known = sorted(p.stem for p in (CONFIGS / kind).glob("*.yaml"))
    if str(name) in known:
        return CONFIGS / kind / f"{name}.yaml"
    raise ConfigError(
        f"no file {str(name)!r}; accepted: the path of a YAML file, or a name of configs/{kind}: "
        f"{nearest(path.stem, known)}"
    )


def _gold(name: str, documents: list[Document]) -> list[Document]:
    """Return the documents that a person has annotated."""
    kept = [document for document in documents if not document.model]
    first = next((document for document in documents if document.model), None)
    if first is not None and not kept:
        raise DataError(
            f"{name}: {first.id!r} holds what the model {first.model!r} found, not what a person annotated",
            accepted="gold: correct it in an annotation tool (isnad annotate) and give the export",
        )
    if first is not None:
        log.warning(
            "%s: %d of %d documents hold what a model found and are left out: nobody has corrected them (%s%s)",
            name,
            len(documents) - len(kept),
            len(documents),
            first.id,
            ", …" if len(documents) - len(kept) > 1 else "",
        )
    return kept


def _load_seeds(name: str, schema: LabelSchema) -> list[Document]:
    corpus, _, part = name.removeprefix(PREFIX).partition("/")
    if name not in SEEDS:
        raise DataError(f"unknown source {name!r}", accepted=nearest(name, SEEDS))
    return load_articles(schema) if corpus == "articles" else load_authored(schema, part)


def _load_corpus(name: str, schema: LabelSchema) -> list[Document]:
    corpus, _, part = name.removeprefix(CORPUS).partition("/")
    documents = list(load_corpus(corpus, part or "all").documents)
    unknown = {e.label for document in documents for e in document.entities} - set(schema.entity_labels)
    if unknown:
        raise DataError(
            f"{name}: its tags {', '.join(sorted(unknown))} are not labels of the schema {schema.name!r}",
            accepted=f"a schema with these labels, or the corpus under data.corpora, where configs/data/{corpus}.yaml "
            "maps its tags",
        )
    return documents
