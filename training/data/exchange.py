"""What the formats of other tools share: JSON records with their lines, optional libraries, checks of labels."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...model.document import Document
from ...model.errors import ConfigError
from ...model.schema import LabelSchema
from . import losses
from .builder import entity_fault, relation_fault, signature_fault
from .files import Faults

# How much of a file `head` looks at: enough for one record, little enough for any file.
_HEAD = 1 << 16


def require(package: str, *, task: str, extra: str = "formats") -> None:
    """Raise ConfigError, with what to install, if an optional library is absent.

    Args:
        package: the name that is imported.
        task: what needs it, for the message.
        extra: the extra of isnad that installs it.
    """
    if find_spec(package) is None:
        raise ConfigError(
            f"{task} needs {package}, which is not installed; write: pip install 'isnad[{extra}]'"
        )


def dump_json(value: Any, *, indent: int | None = None) -> str:
    """Return JSON text; Arabic is written as it is, a lone surrogate as an escape."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, ensure_ascii=True, indent=indent)
    return text


def json_records(text: str, faults: Faults, *, accepted: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line, object) of a list of objects, or of objects one after the other (JSON lines).

    Args:
        text: content of the file.
        faults: where broken JSON and values that are no objects are noted; after broken JSON the next line
            that begins with a brace is tried, so that one error names several lines.
        accepted: what a record looks like, for messages.
    """
    decoder, at, line, counted = json.JSONDecoder(), 0, 1, 0
    while True:
        while at < len(text) and text[at] in " \t\r\n[,]\ufeff":
            at += 1
        if at >= len(text):
            break
        line, counted = line + text.count("\n", counted, at), at
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:  # a ValueError of its own: a number of 5,000 digits
            following = text.find("\n{", at + 1)
            found, row = f"JSON that is beyond reading: {error}", line
            if isinstance(error, json.JSONDecodeError):
                found, row = f"not JSON at column {error.colno}: {error.msg}", error.lineno
                if 0 <= following < error.pos:
                    found, row = "not JSON: the object is never closed", line
            faults.add(found, line=row, accepted=accepted)
            at = following + 1 or len(text)
            continue
        if isinstance(value, dict):
            yield line, value
        else:
            faults.add(f"found {type(value).__name__}", line=line, accepted=accepted)
    if text.lstrip("\ufeff \t\r\n").startswith("[") and not text.rstrip().endswith("]"):
        faults.add("the list is never closed", line=text.rstrip().count("\n") + 1, accepted="a whole file")


def head(path: Path) -> str:
    """Return the beginning of a text file, for detection; empty where there is none to read."""
    try:
        with path.open("rb") as file:
            return file.read(_HEAD).decode("utf-8", "ignore").removeprefix("\ufeff").lstrip()
    except OSError:
        return ""


def unheld(documents: Iterable[Document], *, relations: bool = False, clusters: bool = False) -> Counter[str]:
    """Count what formats without scores lose.

    Args:
        documents: what is written.
        relations: count relations as lost.
        clusters: count coreference clusters as lost.

    Returns:
        Counts by kind: scores, model names, mentions that repeat span and label of another (a reader takes them
        for one); relations and clusters if asked for.
    """
    lost: Counter[str] = Counter()
    for document in documents:
        losses.count_scores(document, lost)
        spans = {(e.start, e.end, e.label) for e in document.entities}
        losses.add(lost, losses.REPEATED, len(document.entities) - len(spans))
        losses.add(lost, losses.RELATIONS, len(document.relations) if relations else 0)
        losses.add(lost, losses.CLUSTERS, len(document.clusters) if clusters else 0)
    return lost


def check_labels(document: Document, schema: LabelSchema, faults: Faults, *, line: int = 0) -> None:
    """Note every label and signature of a document that the schema does not admit."""
    where = f"document {document.id!r}: "

    def note(who: str, fault: tuple[str, str], place: str) -> None:
        faults.add(
            f"{where}{who}: {fault[0]}",
            line=line,
            accepted=fault[1],
            kind=fault[0],
            place=f"{place} in {document.id!r}",
        )

    labels = {e.id: e.label for e in document.entities}
    unknown = set()
    for e in document.entities:
        if fault := entity_fault(schema, e.label):
            unknown.add(e.id)
            note(e.id, fault, f"«{e.text}»")
    for r in document.relations:
        fault = relation_fault(schema, r.label)
        if not fault and not unknown & {r.head, r.tail}:
            fault = signature_fault(schema, labels[r.head], r.label, labels[r.tail])
        if fault:
            shown = f"«{r.head} {r.label} {r.tail}»"
            note(shown, fault, shown)
