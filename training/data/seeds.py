"""Loaders of the annotated texts in `seeds/`: five articles and the authored corpus (seeds/README.md).

They are part of the repository, not of the installed wheel.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from ...model.document import Document
from ...model.errors import DataError, nearest
from ...model.schema import LabelSchema
from . import brat
from .files import read_text

PARTS = ("train", "dev", "all")


def seeds_folder() -> Path:
    """Return the folder `seeds/` beside the package, or raise DataError where there is none."""
    folder = Path(__file__).resolve().parents[2] / "seeds"
    if not (folder / "articles").is_dir():
        raise DataError(
            "the annotated texts are not there: they belong to the repository, not to the installed package",
            path=folder,
            accepted="a checkout of the repository, installed with `pip install -e .`",
        )
    return folder


def load_articles(schema: LabelSchema) -> list[Document]:
    """Return the five seed articles with their gold annotation."""
    return brat.read(seeds_folder() / "articles", schema)


def load_authored(schema: LabelSchema, part: str = "train") -> list[Document]:
    """Return the authored corpus or a part of its fixed split.

    Args:
        schema: the labels to check against.
        part: `train`, `dev` or `all`.

    Raises:
        DataError: an unknown part, or files that the split does not name.
    """
    if part not in PARTS:
        raise DataError(f"unknown part {part!r}", accepted=nearest(part, PARTS))
    folder = seeds_folder() / "authored"
    if part == "all":
        return brat.read(folder, schema)
    return [document for id_ in load_split()[part] for document in brat.read(folder / f"{id_}.txt", schema)]


def load_split() -> dict[str, list[str]]:
    """Return the ids of `train` and `dev`, checked to name every authored document exactly once."""
    path = seeds_folder() / "split.yaml"
    data = yaml.safe_load(read_text(path))
    split: dict[str, list[str]] = {part: data[part] for part in ("train", "dev")}
    listed = [*split["train"], *split["dev"]]
    there = sorted(p.stem for p in (path.parent / "authored").glob("*.txt"))
    if sorted(listed) != there:
        odd = sorted(set(listed) ^ set(there)) or sorted({i for i in listed if listed.count(i) > 1})
        raise DataError(
            f"{len(odd)} ids differ from the files in authored/ or stand twice: {', '.join(odd[:5])}",
            path=path,
            accepted="`python -m isnad.training.data.split > seeds/split.yaml`",
        )
    return split


def load_metadata() -> dict[str, dict[str, Any]]:
    """Return what is known of every document beside its annotation, keyed by id.

    Each value has `part` (`articles` or `authored`), `set`, `topic`, `origin`, and `rough`: whether the text
    imitates careless web orthography (`datasheet.rough_orthography`).
    """
    lines = read_text(seeds_folder() / "metadata.jsonl").splitlines()
    return {row.pop("id"): row for row in map(json.loads, lines)}


def leave_one_out(documents: Sequence[Document]) -> list[tuple[list[Document], Document]]:
    """Return, for every document, the others and the document itself."""
    return [([d for d in documents if d is not held_out], held_out) for held_out in documents]
