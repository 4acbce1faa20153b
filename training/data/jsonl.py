"""isnad's own JSON: one document a line (`.jsonl`), or one document or a list of them (`.json`).

The only format that holds everything a Document has: scores, names, word bounds, schema and model.
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...model.document import Document
from ...model.errors import DataError
from ...model.schema import LabelSchema
from .exchange import check_labels
from .files import Faults, read_text, write_text

_LAYOUT = "the layout of Document.to_dict()"


def read(path: Path, schema: LabelSchema) -> list[Document]:
    """Read documents from a `.jsonl` or `.json` file.

    Args:
        path: the file.
        schema: the labels and signatures to check against.

    Raises:
        DataError: a line is no JSON or no document, or names labels that the schema lacks; up to 20 faults
            are listed with their lines.
    """
    faults = Faults(path)
    documents = []
    for line, data in _values(path, read_text(path).removeprefix("\ufeff"), faults):
        if not isinstance(data, dict):
            faults.add(f"found {type(data).__name__}", line=line, accepted=f"an object in {_LAYOUT}")
            continue
        try:
            document = Document.from_dict(data)
        except DataError as error:
            faults.add(error.found, line=line, accepted=error.accepted)
            continue
        check_labels(document, schema, faults, line=line)
        documents.append(document)
    faults.raise_any()
    return documents


def write(documents: Sequence[Document], path: Path, schema: LabelSchema) -> Counter[str]:
    """Write documents to a `.json` file (a list) or to any other name as JSON lines; nothing is lost."""
    if path.suffix == ".json":
        body = ",\n".join(document.to_json() for document in documents)
        write_text(path, f"[\n{body}\n]\n")
    else:
        write_text(path, "".join(document.to_json(indent=None) + "\n" for document in documents))
    return Counter()


def detects(path: Path) -> bool:
    """Whether `path` is a file named `.json` or `.jsonl`."""
    return path.is_file() and path.suffix in {".json", ".jsonl"}


def _values(path: Path, text: str, faults: Faults) -> list[tuple[int, Any]]:
    """Return (line, value) of every JSON value; only `.json` files hold values of several lines."""
    values: list[tuple[int, Any]] = []
    pieces = [(0, text)] if path.suffix == ".json" else list(enumerate(text.split("\n"), 1))
    for line, piece in pieces:
        if not piece.strip():
            continue
        try:
            value = json.loads(piece)
        except json.JSONDecodeError as error:
            found = f"not JSON at column {error.colno}: {error.msg}"
            faults.add(
                found, line=line + error.lineno - (line > 0), accepted="JSON, one document a line in .jsonl"
            )
        except RecursionError:
            faults.add("JSON nested too deeply", line=line, accepted=_LAYOUT)
        else:
            whole_list = line == 0 and isinstance(value, list)
            values += [(0, item) for item in value] if whole_list else [(line, value)]
    return values
