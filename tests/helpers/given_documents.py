"""Documents for tests of relations with gold entities, and what is counted in them."""

from collections.abc import Callable, Sequence

from isnad.eval import evaluate
from isnad.eval.given_entities import GivenEntityExtractor
from isnad.eval.relations import GIVEN
from isnad.model.document import Document, Relation
from isnad.model.schema import LabelSchema
from isnad.model.text import make_entity

Head = Callable[..., GivenEntityExtractor]


def annotate(text: str, mentions: Sequence[str], relations: Sequence[str] = (), id: str = "و-1") -> Document:
    """Return a document of `name|LABEL` mentions, each at its first place, and of `T1 label T2` relations."""
    entities = []
    for n, mention in enumerate(mentions, 1):
        name, label = mention.split("|")
        at = text.index(name)
        entities.append(make_entity(text, at, at + len(name), label, id=f"T{n}"))
    entities.sort(key=lambda e: (e.start, -e.end))
    links = tuple(Relation(*link.split()) for link in relations)
    return Document(text, tuple(entities), links, id=id)


def bare(document: Document) -> list[tuple[object, ...]]:
    """Return all there is to know about the spans of a document."""
    return [
        (e.start, e.end, e.label, e.text, e.name, e.word_start, e.word_end, e.score)
        for e in document.entities
    ]


def counts(gold: Sequence[Document], given: Sequence[Document], schema: LabelSchema) -> dict[str, list[int]]:
    nothing = [Document(d.text, id=d.id) for d in gold]
    table = evaluate(gold, nothing, schema, given=given).relations[GIVEN]
    return {label: c.to_list() for label, c in table.items()}
