"""What an exported model notes of itself, and where its ONNX graphs are read from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ModelError
from ..store import EXPORT, GRAPHS, MANIFEST, read_manifest
from .light import read_object
from .sealed import SealedFiles

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
    def read(cls, folder: Path, *, name: str = EXPORT) -> "Export":
        """Read the notes of a folder; ModelError where they are missing, unsealed or of another version.

        Args:
            folder: of the model.
            name: of the notes, as the manifest has it.
        """
        if not (folder / MANIFEST).is_file():
            raise ModelError(
                f"{folder}: {MANIFEST} is missing, so its ONNX graphs could be anybody's; export the model again: "
                "isnad export"
            )
        digests = read_manifest(folder / MANIFEST)
        unsealed = [each for each in (name, "config.json", "tokenizer.json") if each not in digests]
        if unsealed:
            raise ModelError(
                f"{folder}: {unsealed[0]} is not in {MANIFEST}; export the model again: isnad export"
            )
        notes = read_object(folder / name)
        if notes.get("layout") != LAYOUT:
            raise ModelError(
                f"{folder / name}: layout is {notes.get('layout')!r}; accepted: {LAYOUT}. Export the model again "
                "with this version of isnad"
            )
        special = notes.get("special")
        if not isinstance(special, dict) or not all(
            special.get(piece) is None or (type(special[piece]) is int and special[piece] >= 0)
            for piece in SPECIAL
        ):
            raise ModelError(
                f"{folder / name}: special is {special!r}; accepted: ids of {', '.join(SPECIAL)}"
            )
        return cls(
            str(notes.get("precision")), {piece: special.get(piece) for piece in SPECIAL}, digests, notes
        )


def graph_files(folder: Path, digests: Mapping[str, str]) -> SealedFiles:
    """Return the ONNX files of an export."""
    return SealedFiles(folder, tuple(f"{name}.onnx" for name in GRAPHS), digests)
