"""Reading data that may be faulty: whatever can be read is, and the faults become findings."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ....model.document import Document
from ....model.errors import DataError
from ....model.schema import LabelSchema
from .. import detect_format, read_documents
from ..builder import signature_fault
from ..sources import CORPUS, PREFIX, load_source
from .findings import Finding, Severity, at
from .part import View

# "3 faults" and one row for each, as training.data.files.Faults writes them.
_FAULTS = re.compile(r"\d+ faults\n")
_LINE = re.compile(r"line (\d+): ")


@dataclass(frozen=True)
class Reading:
    """What one side of the data holds.

    Attributes:
        views: its documents; those without an id are numbered.
        faults: what could not be read.
    """

    views: tuple[View, ...]
    faults: tuple[Finding, ...]


def read_source(name: str, schema: LabelSchema, split: str, *, format: str | None = None) -> Reading:
    """Read one side of the data, with relations of any signature; see `signature_findings`.

    A folder of pairs of files (brat) that is faulty is read pair by pair, so that one bad file does not hide
    the others.

    Args:
        name: what `load_source` takes.
        schema: the labels.
        split: `train` or `dev`.
        format: of a path; None to detect it.

    Raises:
        DataError: the source does not exist, or its format is not recognised.
    """
    open_schema = _any_signature(schema)
    path = Path(name)
    named = name.startswith((PREFIX, CORPUS))
    if not named and path.exists() and format is None:
        format = detect_format(path).name
    try:
        return Reading(_views(load_source(name, open_schema, format=format), split), ())
    except DataError as error:
        if named or not path.exists():
            raise
        if not path.is_dir() or format != "brat":
            return Reading((), tuple(_faults(error, name, split)))
    documents: list[Document] = []
    faults: list[Finding] = []
    # By the name without its suffix of four characters, a `.txt` where there is one.
    pairs = {str(p)[:-4]: p for suffix in ("ann", "txt") for p in path.rglob(f"*.{suffix}")}
    for _, pair in sorted(pairs.items()):
        id_ = pair.relative_to(path).as_posix()[:-4]
        try:
            documents += [replace(d, id=id_) for d in read_documents(pair, format="brat", schema=open_schema)]
        except DataError as error:
            faults += _faults(error, str(pair), split)
    return Reading(_views(documents, split), tuple(faults))


def signature_findings(view: View, schema: LabelSchema) -> Iterator[Finding]:
    """Yield the relations whose ends have types that the schema does not admit."""
    by_id = view.document.by_id()
    for relation in view.document.relations:
        head, tail = by_id[relation.head], by_id[relation.tail]
        fault = signature_fault(schema, head.label, relation.label, tail.label)
        if fault:
            shown = f"«{head.name or head.text}» {relation.label} «{tail.name or tail.text}»"
            turned = schema.allows(tail.label, relation.label, head.label)
            yield at(
                Severity.ERROR,
                "signature",
                f"{shown}: {fault[0]}; accepted: {fault[1]}",
                view.document,
                min(head.start, tail.start),
                max(head.end, tail.end),
                split=view.split,
                label=relation.label,
                suggestion="turn it round" if turned else "correct the relation or the label of an end",
            )


def _any_signature(schema: LabelSchema) -> LabelSchema:
    """Return the schema with every entity type allowed at both ends of every relation."""
    every = schema.entity_labels
    return replace(schema, relations=tuple(replace(r, head=every, tail=every) for r in schema.relations))


def _views(documents: Sequence[Document], split: str) -> tuple[View, ...]:
    return tuple(
        View(d if d.id else replace(d, id=f"document-{n}"), split) for n, d in enumerate(documents, 1)
    )


def _faults(error: DataError, name: str, split: str) -> Iterator[Finding]:
    """Yield one finding for each fault that a reader has gathered into one error."""
    path = str(error.path or name)
    if not _FAULTS.match(error.found):
        yield _fault(error.found, error.accepted, path, error.line, split)
        return
    for row in error.found.split("\n  ")[1:]:
        line = _LINE.match(row)
        found, _, accepted = row[line.end() if line else 0 :].partition("; accepted: ")
        yield _fault(found, accepted, path, int(line[1]) if line else 0, split)


def _fault(found: str, accepted: str, path: str, line: int, split: str) -> Finding:
    where = f"line {line}: " if line else ""
    advice = f"accepted: {accepted}" if accepted else ""
    return Finding(Severity.ERROR, "unreadable", where + found, split, path, suggestion=advice)
