"""What the files of a model folder say about it, read without torch and without loading the weights."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from ..model.errors import ModelError
from ..model.schema import LabelSchema
from ..model.store import GRAPHS, IR_FILES, MANIFEST, read_manifest, sha256

# What a result depends on: with other files of these names it is another model.
DECISIVE = (
    *("config.json", "model.safetensors", "tokenizer.json"),
    *(f"{name}.onnx" for name in GRAPHS),
    *IR_FILES,
)


@dataclass(frozen=True)
class ModelFacts:
    """A model as its files describe it.

    Attributes:
        folder: where it is.
        config: `config.json`.
        schema: its labels.
        parameters: number of learned weights.
        table_entries: number of integers stored beside them, such as the letters of every word piece.
        precisions: the number formats that the weights are stored in.
        size: of all files, in bytes.
        sealed: number of files that the manifest names; 0 without a manifest.
    """

    folder: Path
    config: Mapping[str, Any]
    schema: LabelSchema
    parameters: int
    table_entries: int
    precisions: tuple[str, ...]
    size: int
    sealed: int

    @classmethod
    def read(cls, folder: Path) -> "ModelFacts":
        """Read the files of a model; ModelError where one is missing or damaged."""
        config = read_json(folder / "config.json")
        shapes = [shape for file in sorted(folder.glob("*.safetensors")) for shape in _tensors(file)]
        manifest = folder / MANIFEST
        return cls(
            folder,
            config,
            LabelSchema.from_dict(config.get("labels") or {}, source=f"{folder}/config.json"),
            sum(prod(shape) for shape, precision in shapes if "F" in precision),
            sum(prod(shape) for shape, precision in shapes if "F" not in precision),
            tuple(sorted({precision for _, precision in shapes if "F" in precision})),
            sum(p.stat().st_size for p in folder.iterdir() if p.is_file()),
            len(read_manifest(manifest)) if manifest.is_file() else 0,
        )

    @property
    def name(self) -> str:
        """The model's own name, or that of its folder."""
        return str(self.config.get("model_name") or self.folder.name)


def fingerprints(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file that decides what the model finds."""
    return {name: sha256(folder / name) for name in DECISIVE if (folder / name).is_file()}


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file, empty if there is no such file; ModelError for anything else."""
    if not path.is_file():
        return {}
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise ModelError(f"{path} holds {type(data).__name__}; accepted: a JSON object")
    return data


def _tensors(file: Path) -> Iterator[tuple[list[int], str]]:
    """Yield (shape, number format) of every tensor; only the header of the file is read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="np") as opened:
            for name in opened.keys():  # noqa: SIM118  (not a mapping)
                part = opened.get_slice(name)
                yield part.get_shape(), part.get_dtype()
    except SafetensorError as error:
        raise ModelError(f"{file} is not a safetensors file: {error}") from error
