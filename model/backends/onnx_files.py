"""The files of an exported model: what the export notes of itself, and graphs that are what the manifest says."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import ModelError
from ..store import EXPORT, GRAPHS, MANIFEST, read_manifest
from .light import read_object
from .onnx_check import refuse_external_data

# Version of the graphs' layout: names, order and meaning of their inputs and outputs.
LAYOUT = 1
SPECIAL = ("pad", "unk", "mask")


@dataclass(frozen=True)
class Export:
    """What `export.json` and the manifest of a folder say.

    Attributes:
        precision: `fp32` or `int8`.
        special: ids of the special pieces `SPECIAL`; None for what the vocabulary lacks.
        digests: SHA-256 by file name.
        notes: all of `export.json`: parity and speed among it.
    """

    precision: str
    special: Mapping[str, int | None]
    digests: Mapping[str, str]
    notes: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path) -> "Export":
        """Read the notes of a folder; ModelError where they are missing, unsealed or of another version."""
        if not (folder / MANIFEST).is_file():
            raise ModelError(
                f"{folder}: {MANIFEST} is missing, so its ONNX graphs could be anybody's; export the model again: "
                "isnad export"
            )
        digests = read_manifest(folder / MANIFEST)
        unsealed = [name for name in (EXPORT, "config.json", "tokenizer.json") if name not in digests]
        if unsealed:
            raise ModelError(
                f"{folder}: {unsealed[0]} is not in {MANIFEST}; export the model again: isnad export"
            )
        notes = read_object(folder / EXPORT)
        if notes.get("layout") != LAYOUT:
            raise ModelError(
                f"{folder / EXPORT}: layout is {notes.get('layout')!r}; accepted: {LAYOUT}. Export the model again "
                "with this version of isnad"
            )
        special = notes.get("special")
        if not isinstance(special, dict) or not all(
            special.get(name) is None or (type(special[name]) is int and special[name] >= 0)
            for name in SPECIAL
        ):
            raise ModelError(
                f"{folder / EXPORT}: special is {special!r}; accepted: ids of {', '.join(SPECIAL)}"
            )
        return cls(str(notes.get("precision")), {name: special.get(name) for name in SPECIAL}, digests, notes)


def read_graph(folder: Path, name: str, digests: Mapping[str, str]) -> bytes:
    """Return the content of an ONNX file that the manifest seals and that holds all its tensors itself.

    What is checked is what is returned: the file is read once.

    Raises:
        ModelError: it is missing, altered, unsealed, or refused by `refuse_external_data`.
    """
    path = folder / f"{name}.onnx"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    if digests.get(path.name) != hashlib.sha256(content).hexdigest():
        raise ModelError(
            f"{path} differs from {MANIFEST} or is not in it; export the model again: isnad export"
        )
    refuse_external_data(content, path.name)
    return content


@dataclass(frozen=True)
class GraphSource:
    """Where graphs are read from when sessions are opened, so that nobody holds them in memory beside a session.

    Pickled, it holds the graphs themselves: the other process may stand on another machine.

    Attributes:
        folder: of the model.
        digests: SHA-256 by file name.
        contents: the graphs by name, once pickled; they were checked before.
    """

    folder: Path
    digests: Mapping[str, str]
    contents: Mapping[str, bytes] | None = None

    def read(self) -> Mapping[str, bytes]:
        """Return the graphs by name; errors as in `read_graph`."""
        return self.contents or {name: read_graph(self.folder, name, self.digests) for name in GRAPHS}

    def __reduce__(self) -> tuple[Any, ...]:
        held = replace(self, contents=self.read())
        return GraphSource, (held.folder, dict(held.digests), dict(held.contents or {}))
