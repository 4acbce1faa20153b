"""What the JSON formats of annotation tools share: the first record, fresh ids, clusters written as relations."""

import json
import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeGuard

from ...model.document import Document
from ...model.schema import LabelSchema
from .exchange import head

# Tools without coreference get a relation of this name from each mention of a cluster to the next.
COREFERENCE = "coreference"
_ID = re.compile(r"T\d+")
_DECODER = json.JSONDecoder()


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


def coreference_links(document: Document) -> Iterator[tuple[str, str]]:
    """Yield the pairs of neighbouring mentions of every cluster, by id."""
    for cluster in document.clusters:
        yield from pairwise(cluster)


def holds_clusters(schema: LabelSchema) -> bool:
    """Whether the name of the coreference relation is free in the schema."""
    return COREFERENCE not in {*schema.relation_labels, *schema.entity_labels}


def unique_name(name: str, used: Container[str]) -> str:
    """Return a name that is not used yet: itself, or with `-2`, `-3`, … after it."""
    n, made = 2, name
    while made in used:
        made, n = f"{name}-{n}", n + 1
    return made
