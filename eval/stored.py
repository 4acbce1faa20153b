"""Stored results: an evaluation with everything needed to make it again."""

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..model.document import Document
from ..model.errors import DataError
from ..training.data.files import write_text
from .bootstrap import bootstrap
from .evaluation import Evaluation


def data_hash(documents: Sequence[Document]) -> str:
    """Return 12 hex digits over the texts and annotations of documents, whatever their order."""
    digests = sorted(
        hashlib.sha256(json.dumps(d.to_dict(), sort_keys=True, ensure_ascii=True).encode()).hexdigest()
        for d in documents
    )
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:12]


def save_result(
    path: Path,
    evaluation: Evaluation,
    *,
    system: str,
    data: str,
    documents: Sequence[Document],
    command: str,
    seed: int | Sequence[int],
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write a result file.

    Args:
        path: a .json file; replaced as a whole.
        evaluation: the counts, one entry a document.
        system: what was measured, for tables.
        data: the data and split in words.
        documents: the gold documents, for their hash.
        command: what to type to make the result again.
        seed: of training.
        details: anything else worth keeping (training configuration, model hash).
    """
    content = {
        "system": system,
        "data": data,
        "data_hash": data_hash(documents),
        "command": command,
        "seed": seed,
        "made": datetime.now(UTC).strftime("%Y-%m-%d"),
        "revision": revision(),
        "versions": {name: _version(name) for name in ("torch", "transformers", "numpy")},
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "details": dict(details or {}),
        "intervals": bootstrap(evaluation).to_dict(),
        "evaluation": evaluation.to_dict(),
    }
    write_text(path, to_lines(content))


def to_lines(content: Any, *, width: int = 110) -> str:
    """Return JSON that is short and that version control can show changes of.

    What fits into `width` characters is one line; the items of a list under the key `documents` are one line each,
    however long; everything else has a line for each of its items. `json.loads` gives `content` back.

    Args:
        content: plain data.
        width: of a line, its indentation not counted.
    """
    return _lines(content, width, "") + "\n"


def _lines(value: Any, width: int, indent: str, *, long: bool = False) -> str:
    flat = json.dumps(value, ensure_ascii=False)
    if long or len(flat) <= width or not isinstance(value, Mapping | list | tuple):
        return flat
    inner = indent + " "
    if isinstance(value, Mapping):
        items = [
            f"{json.dumps(_key(k), ensure_ascii=False)}: "
            + (_rows(v, width, inner) if k == "documents" else _lines(v, width, inner))
            for k, v in value.items()
        ]
        return "{\n" + ",\n".join(inner + item for item in items) + f"\n{indent}}}"
    return "[\n" + ",\n".join(inner + _lines(v, width, inner) for v in value) + f"\n{indent}]"


def _rows(value: Any, width: int, indent: str) -> str:
    if not isinstance(value, list | tuple) or not value:
        return _lines(value, width, indent)
    inner = indent + " "
    return "[\n" + ",\n".join(inner + _lines(v, width, inner, long=True) for v in value) + f"\n{indent}]"


def _key(key: Any) -> str:
    """Return a key as `json.dumps` writes it."""
    return key if isinstance(key, str) else next(iter(json.loads(json.dumps({key: 0}))))


def load_result(path: Path) -> tuple[dict[str, Any], Evaluation]:
    """Return the content of a result file and its evaluation."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return content, Evaluation.from_dict(content["evaluation"])
    except (OSError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise DataError(f"not a result file: {error}", path=path, accepted="a file of isnad eval") from error


def revision() -> str:
    """Return what git calls the code that runs, or `unknown`."""
    root = Path(__file__).resolve().parents[1]
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
