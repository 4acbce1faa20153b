"""Converting annotated documents between formats, with an account of all that was repaired or lost on the way."""

import logging
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...model.document import Document
from ...model.errors import ConfigError, DataError
from ...model.schema import LabelSchema
from . import detect_format, find_format, read_documents, write_documents
from .sources import CORPUS, PREFIX, load_source


@dataclass(frozen=True)
class Conversion:
    """What a conversion did.

    Attributes:
        source, target: what was read and written.
        read_as, written_as: names of formats; `read_as` is empty for `seeds:` and `corpus:`.
        documents, entities, relations, clusters: how many were read.
        notices: what was read otherwise than it is written, repairs with their places among it.
        lost: what the format could not hold, by kind.
    """

    source: str
    target: Path
    read_as: str
    written_as: str
    documents: int = 0
    entities: int = 0
    relations: int = 0
    clusters: int = 0
    notices: tuple[str, ...] = ()
    lost: Counter[str] = field(default_factory=Counter)


def convert(
    source: str,
    target: str | Path,
    *,
    to: str,
    schema: LabelSchema,
    from_: str | None = None,
    read_options: Mapping[str, Any] | None = None,
    write_options: Mapping[str, Any] | None = None,
    strict: bool = False,
) -> Conversion:
    """Read documents and write them in another format, checked against a schema on the way.

    Args:
        source: a path, `seeds:articles` and the like, or `corpus:NAME/PART`.
        target: the file or folder to make; what is there is replaced.
        to: a name of `FORMATS`.
        schema: the labels and signatures that the annotation must keep to.
        from_: the format of a path; None to detect it.
        read_options, write_options: of the formats, see `read_documents` and `write_documents`.
        strict: whether losing anything is an error; then nothing is written.

    Raises:
        ConfigError: the target is the source.
        DataError: a missing or faulty source, an unknown format or option, an unwritable target; or a loss
            where `strict` is set.
    """
    target = Path(target)
    find_format(to)
    if os.path.realpath(source) == os.path.realpath(target):
        raise ConfigError(f"{target} is the input and would be overwritten; choose another output")
    with gathered_warnings() as notices:
        documents, read_as = _read(source, from_, schema, read_options)
    if strict:
        _refuse_losses(documents, target, to, schema, write_options)
    with gathered_warnings() as remarks:
        lost = write_documents(documents, target, format=to, schema=schema, options=write_options)
    return Conversion(
        source=source,
        target=target,
        read_as=read_as,
        written_as=to,
        documents=len(documents),
        entities=sum(len(d.entities) for d in documents),
        relations=sum(len(d.relations) for d in documents),
        clusters=sum(len(d.clusters) for d in documents),
        notices=(*notices, *remarks),
        lost=lost,
    )


@contextmanager
def gathered_warnings() -> Iterator[list[str]]:
    """Yield a list that takes the warnings of the format modules meanwhile, instead of the log."""
    handler = _Gatherer()
    logger = logging.getLogger(__package__)
    before = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield handler.messages
    finally:
        logger.propagate = before
        logger.removeHandler(handler)


class _Gatherer(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def _read(
    source: str, from_: str | None, schema: LabelSchema, options: Mapping[str, Any] | None
) -> tuple[list[Document], str]:
    if source.startswith((PREFIX, CORPUS)) or not Path(source).exists():
        if options:
            raise DataError(f"options for reading {source}", accepted="options for the format of a path")
        return load_source(source, schema, format=from_), ""
    read_as = from_ or detect_format(source).name
    return read_documents(source, format=read_as, schema=schema, options=options), read_as


def _refuse_losses(
    documents: list[Document], target: Path, to: str, schema: LabelSchema, options: Mapping[str, Any] | None
) -> None:
    """Write to a folder that is thrown away, and raise DataError if anything is lost."""
    with tempfile.TemporaryDirectory(prefix="isnad-") as folder, gathered_warnings():
        lost = write_documents(
            documents, Path(folder) / target.name, format=to, schema=schema, options=options
        )
    if lost:
        kinds = ", ".join(f"{n:,} {kind}" for kind, n in lost.most_common())
        raise DataError(f"{to} does not hold {kinds}", path=target, accepted="these losses, without --strict")
