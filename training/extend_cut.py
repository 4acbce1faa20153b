"""A development part cut off new data: the same one everywhere, with some of every label."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence

from ..model.document import Document
from .examples import split_paragraphs

# Documents under which a set is cut by paragraphs, so that a part of it can be kept for development.
_FEW_DOCUMENTS = 10


def counts(documents: Iterable[Document]) -> Counter[str]:
    """Return how many entities and relations of each label there are."""
    found: Counter[str] = Counter()
    for document in documents:
        found.update(e.label for e in document.entities)
        found.update(r.label for r in document.relations)
    return found


def cut(documents: Sequence[Document], share: float) -> tuple[list[Document], list[Document]]:
    """Return training and development documents, the same ones on every machine and in any order of the input.

    Documents are given to development one by one, for the rarest label first, until every label has its share there
    (Sechidis et al. 2011, "On the Stratification of Multi-Label Data", section 3, for two unequal parts). A label
    keeps its last document for training. Documents of the same text go together; fewer than ten documents are cut into
    paragraphs first.

    Args:
        documents: gold.
        share: of each label that development gets, at least one mention where two documents have the label.
    """
    items = list(documents)
    if len(items) < _FEW_DOCUMENTS:
        items = [part for document in items for part in split_paragraphs(document)] or items
    groups: dict[str, list[Document]] = {}
    for document in items:
        groups.setdefault(document.text, []).append(document)
    tables = {text: counts(group) for text, group in groups.items()}
    total: Counter[str] = Counter()
    left: Counter[str] = Counter()  # texts outside development that have a label
    for table in tables.values():
        total.update(table)
        left.update(table.keys())
    order = [group[0].text for group in sorted(groups.values(), key=lambda group: _order(group[0]))]
    held: set[str] = set()
    for label in sorted(total, key=lambda name: (left[name], name)):
        texts = [text for text in order if tables[text][label]]
        have = sum(tables[text][label] for text in texts if text in held)
        wanted = max(1.0, share * total[label])
        for text in texts:
            if have >= wanted - 0.5:
                break
            if text not in held and all(left[name] > 1 for name in tables[text]):
                held.add(text)
                left.subtract(tables[text].keys())
                have += tables[text][label]
    empty = [text for text in order if not tables[text]]
    held.update(empty[: round(share * len(empty))])
    return [d for d in items if d.text not in held], [d for d in items if d.text in held]


def subset(documents: Sequence[Document], share: float) -> list[Document]:
    """Return a share of documents, at least one, the same ones on every machine; those of a smaller share are in it."""
    chosen = sorted(documents, key=_order)[: max(1, round(share * len(documents)))]
    ids = set(map(id, chosen))
    return [d for d in documents if id(d) in ids]


def _order(document: Document) -> bytes:
    return hashlib.sha256(document.text.encode("utf-8")).digest()
