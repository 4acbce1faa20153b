"""One line about a document, for `repr`: it needs no library, unlike the tables."""

from ..document import Document
from .characters import one_line

_SHOWN = 5


def summary(document: Document) -> str:
    """Return one line for `repr`: id, counts and the first distinct entities.

    `Document(seed-001: 412 characters, 31 entities, 18 relations, 5 clusters: قاآني|PERS, العراق|GPE, …)`
    """
    counts = (
        _count(len(document.text), "character"),
        _count(len(document.entities), "entity", "entities"),
        _count(len(document.relations), "relation"),
        _count(len(document.clusters), "cluster"),
    )
    named = list(dict.fromkeys(one_line(f"{e.name or e.text}|{e.label}") for e in document.entities))
    shown = named[:_SHOWN] + ["…"] * (len(named) > _SHOWN)
    id_ = f"{one_line(document.id)}: " if document.id else ""
    return f"Document({id_}{', '.join(counts)}{': ' if shown else ''}{', '.join(shown)})"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
