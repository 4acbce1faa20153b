"""Scores of pre-annotations as brat notes, which brat shows where the mouse is over a mention or relation."""

from collections.abc import Sequence
from pathlib import Path

from ...model.document import Document
from ..data.files import named, read_text, write_text


def add_notes(documents: Sequence[Document], folder: Path) -> None:
    """Append `AnnotatorNotes` with model and score to the `.ann` files of documents that a model made.

    Readers of isnad pass over notes: what the annotator leaves standing is gold.

    Args:
        documents: as they were written to `folder` by `training.data.brat`.
        folder: of `.txt` and `.ann` pairs.
    """
    for name, document in named(documents):
        if not document.model:
            continue
        path = folder / f"{name}.ann"
        scored = {e.id: e.score for e in document.entities}
        # `to_brat` numbers relations in their order.
        scored |= {f"R{n}": r.score for n, r in enumerate(document.relations, 1)}
        lines = [
            f"#{n}\tAnnotatorNotes {id_}\t{document.model} {score:.2f}\n"
            for n, (id_, score) in enumerate(scored.items(), 1)
        ]
        write_text(path, read_text(path) + "".join(lines))
