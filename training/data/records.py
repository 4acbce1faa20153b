"""What the JSON formats of annotation tools share: the first record, fresh ids, clusters written as relations."""

import json
import re
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol, TypeGuard

from ...model.document import Document
from ...model.schema import LabelSchema
from . import losses
from .builder import DocumentBuilder
from .exchange import head, json_records
from .files import Faults, log_notices, read_text

# Tools without coreference get a relation of this name from each mention of a cluster to the next.
COREFERENCE = "coreference"
_ID = re.compile(r"T\d+")
_DECODER = json.JSONDecoder()


class Record(Protocol):
    """One record of a tool's file on its way to a document."""

    def name(self) -> str:
        """Return what the document is to be called."""
        ...

    def document(self, name: str) -> Document | None:
        """Return the document, or None where there is none to read."""
        ...


def read_records(
    path: Path,
    record: Callable[[Mapping[str, Any], int, Faults, Counter[str]], Record],
    *,
    accepted: str,
) -> list[Document]:
    """Return the documents of a file in its order; names that are used twice get a number.

    Args:
        path: a list of records, or one a line.
        record: called with each record, its line, and where faults and notices go.
        accepted: what a record looks like, for messages.

    Raises:
        DataError: the faults, up to 20 of them with their lines.
    """
    faults, notices = Faults(path), Counter[str]()
    documents: dict[str, Document] = {}
    for line, data in json_records(read_text(path), faults, accepted=accepted):
        made = record(data, line, faults, notices)
        name = unique_name(made.name(), documents)
        document = made.document(name)
        if document is not None:
            documents[name] = document
    log_notices(path, notices)
    faults.raise_any()
    return list(documents.values())


def objects(
    record: Mapping[str, Any], key: str, faults: Faults, *, line: int, accepted: str
) -> list[dict[str, Any]]:
    """Return a record's list of objects, empty where it has none; anything else there is a fault."""
    value = record.get(key) or []
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return value
    faults.add(f"{key!r} is no list of objects", line=line, accepted=accepted)
    return []


def first_record(path: Path) -> Any:
    """Return the first object of a JSON or JSON lines file, of its list if it is one; None if there is none."""
    if not path.is_file() or path.suffix not in {".json", ".jsonl"}:
        return None
    text = head(path)
    if not text.startswith(("{", "[")):
        return None
    value = _first(text)
    if value is None:  # cut off in the middle, or not JSON
        try:
            value = _first(path.read_bytes().decode("utf-8", "ignore").removeprefix("\ufeff"))
        except OSError:
            return None
    return value


def _first(text: str) -> Any:
    start = re.match(r"[\s\[]*", text)
    try:
        return _DECODER.raw_decode(text, start.end() if start else 0)[0]
    except (json.JSONDecodeError, RecursionError):
        return None


def whole(value: Any) -> TypeGuard[int]:
    """Whether a JSON value is a whole number; `true` is none, although Python counts it as 1."""
    return isinstance(value, int) and not isinstance(value, bool)


def id_text(value: Any) -> str:
    """Return an id of a JSON file as text; empty if it is neither text nor a number."""
    return str(value) if isinstance(value, str | int) else ""


@dataclass(frozen=True, slots=True)
class Marked:
    """A mention as a tool gives it, its place settled.

    Attributes:
        key: its id in the tool; several mentions may share one (a region with two labels).
        start, end: code points, end exclusive.
        label: entity type.
        score: probability in [0, 1].
    """

    key: str
    start: int
    end: int
    label: str
    score: float = 1.0


@dataclass
class Names:
    """The ids of a document's mentions: those of the tool if all are of the form `T1`, else `T1`, `T2`, …

    Attributes:
        ids: for each mention, in text order, its id.
        first: the id of the first mention of every key.
    """

    ids: list[str] = field(default_factory=list)
    first: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, mentions: Sequence[Marked]) -> "Names":
        """Name mentions that are in text order."""
        keys = [m.key for m in mentions]
        keep = len(set(keys)) == len(keys) and all(_ID.fullmatch(key) for key in keys)
        names = cls(keys if keep else [f"T{n}" for n in range(1, len(keys) + 1)])
        for key, id_ in zip(keys, names.ids, strict=True):
            names.first.setdefault(key, id_)
        return names


def add_mentions(builder: DocumentBuilder, mentions: Sequence[Marked], *, line: int) -> Names:
    """Add mentions that are in text order to a document, and return their names."""
    names = Names.of(mentions)
    for id_, m in zip(names.ids, mentions, strict=True):
        builder.mention(id_, m.start, m.end, m.label, line=line)
    return names


def coreference_links(
    document: Document, schema: LabelSchema, lost: Counter[str]
) -> Iterator[tuple[str, str, str]]:
    """Yield (mention, `COREFERENCE`, next mention) for every cluster, by id.

    Where the schema has the name for something of its own there are none, and the clusters are counted as lost.
    """
    if not holds_clusters(schema):
        losses.add(lost, losses.CLUSTERS, len(document.clusters))
        return
    for cluster in document.clusters:
        for mention, following in pairwise(cluster):
            yield mention, COREFERENCE, following


def holds_clusters(schema: LabelSchema) -> bool:
    """Whether the name of the coreference relation is free in the schema."""
    return COREFERENCE not in {*schema.relation_labels, *schema.entity_labels}


def unique_name(name: str, used: Container[str]) -> str:
    """Return a name that is not used yet: itself, or with `-2`, `-3`, … after it."""
    n, made = 2, name
    while made in used:
        made, n = f"{name}-{n}", n + 1
    return made
