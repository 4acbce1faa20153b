"""Data, schemas and configurations by name: `seeds:articles`, `wojood`, `seeds`; or by path."""

from collections.abc import Iterable
from pathlib import Path

from ...model.document import Document
from ...model.errors import ConfigError, DataError, nearest
from ...model.schema import LabelSchema
from . import FORMATS, read_documents
from .seeds import PARTS, load_articles, load_authored

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
PREFIX = "seeds:"
SEEDS = (f"{PREFIX}articles", *(f"{PREFIX}authored/{part}" for part in PARTS))


def load_source(name: str, schema: LabelSchema, *, format: str | None = None) -> list[Document]:
    """Return the annotated documents of one source.

    Args:
        name: `seeds:articles`, `seeds:authored/train`, `seeds:authored/dev`, `seeds:authored/all`, or the
            path of a file or folder in one of the formats of `training.data`.
        schema: the labels and signatures that the annotation must keep to.
        format: the format of a path; None to detect it.

    Raises:
        DataError: an unknown name, a missing path, or faulty files.
    """
    if name.startswith(PREFIX):
        return _load_seeds(name, schema)
    if not Path(name).exists():
        raise DataError(
            "no such file or folder",
            path=name,
            accepted=f"a path to annotated documents ({', '.join(FORMATS)}), or one of {', '.join(SEEDS)}",
        )
    return read_documents(name, format=format, schema=schema)


def load_sources(names: Iterable[str], schema: LabelSchema) -> list[Document]:
    """Return the documents of several sources, in order; a source that is named twice counts twice."""
    return [document for name in names for document in load_source(name, schema)]


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


def _load_seeds(name: str, schema: LabelSchema) -> list[Document]:
    corpus, _, part = name.removeprefix(PREFIX).partition("/")
    if name not in SEEDS:
        raise DataError(f"unknown source {name!r}", accepted=nearest(name, SEEDS))
    return load_articles(schema) if corpus == "articles" else load_authored(schema, part)
