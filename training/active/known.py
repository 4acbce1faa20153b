"""What is annotated already: documents in any format, and the outputs of `isnad select`."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...model.document import Document
from ...model.schema import LabelSchema
from ..data.exchange import head
from ..data.sources import load_source
from .units import Kind, passages, read_texts

_KINDS: tuple[Kind, ...] = ("paragraph", "sentence")


def load_known(names: Sequence[str], schema: LabelSchema) -> tuple[list[Document], list[str]]:
    """Return annotated documents, and all texts that are taken, cut as they may have been chosen.

    Args:
        names: sources as `load_source` takes them, and files that `isnad select` wrote, whose texts may still be
            with the annotators.
        schema: labels of the annotated ones.

    Returns:
        The documents, and every paragraph and sentence of them and of the chosen texts.

    Raises:
        DataError: an unknown name, a missing path, or faulty files.
    """
    documents: list[Document] = []
    texts: list[str] = []
    for name in names:
        if is_selection(Path(name)):
            texts += [text for _, text in read_texts(name, Path(name))]
        else:
            documents += load_source(name, schema)
    return documents, _pieces([*(d.text for d in documents), *texts])


def is_selection(path: Path) -> bool:
    """Whether a file is what `isnad select` writes: JSON lines of texts with the reason of their choice."""
    if path.suffix != ".jsonl" or not path.is_file():
        return False
    try:
        # The first line may go on beyond what is looked at; its keys stand at the beginning in any case.
        first, _ = json.JSONDecoder().raw_decode(head(path))
    except ValueError:
        return False
    return isinstance(first, dict) and {"text", "reason", "score"} <= first.keys() and "entities" not in first


def _pieces(texts: Iterable[str]) -> list[str]:
    found: dict[str, None] = {}
    for text in texts:
        for passage in passages("", [(0, text)]):
            for kind in _KINDS:
                found |= dict.fromkeys(unit.text for unit, _ in passage.units(kind))
    return list(found)
