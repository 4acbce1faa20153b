"""Streams of documents written in parts, and what is then in the folder."""

from pathlib import Path
from typing import Any

from isnad.model.inference import Extractor
from isnad.model.stream import Journal, Keys, find_sources, run
from isnad.model.stream.sources import fingerprint


def stream(
    extractor: Extractor, inputs: list[Path], folder: Path, format: str, **settings: Any
) -> dict[str, int]:
    """Extract from files in parts of four documents; return the counts."""
    sources = find_sources([str(path) for path in inputs], Keys())
    header = {"settings": {"format": format, **settings}, "inputs": [fingerprint(s) for s in sources]}
    with Journal.open(folder, header) as journal:
        return run(extractor, sources, journal, format=format, part_size=4)


def written(folder: Path) -> dict[str, bytes]:
    """Return all files but the manifest, whose last line holds the time."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "_manifest.jsonl"}
