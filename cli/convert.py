"""`isnad convert`: annotated documents from one format into another."""

import os
from pathlib import Path

from ..model.errors import ConfigError
from ..training.data import write_documents
from ..training.data.sources import load_schema, load_source
from .support import refuse_existing, say


def convert_documents(
    source: str,
    target: Path,
    *,
    to: str,
    from_: str | None = None,
    schema: str = "wojood",
    overwrite: bool = False,
) -> None:
    """Read documents and write them in another format, checked against a schema on the way."""
    if os.path.realpath(source) == os.path.realpath(target):
        raise ConfigError(f"{target} is the input and would be overwritten; choose another output")
    if not target.is_dir() or any(target.iterdir()):
        refuse_existing([target], overwrite=overwrite)
    labels = load_schema(schema)
    documents = load_source(source, labels, format=from_)
    write_documents(documents, target, format=to, schema=labels)
    entities = sum(len(document.entities) for document in documents)
    relations = sum(len(document.relations) for document in documents)
    say(f"wrote {target}: {len(documents)} documents, {entities:,} entities, {relations:,} relations")
