"""A strict reader of HTML, and a document with nested mentions, relations and a cluster."""

import html.parser
from collections.abc import Callable

import pytest
from isnad.model.document import Document, Entity, Relation, number_clusters
from isnad.model.schema import LabelSchema
from isnad.model.text import make_entity

VOID = {"meta", "img", "br", "link", "input"}
SENTENCE = "زار قائد فيلق القدس إسماعيل قاآني بغداد، والتقى مصطفى الكاظمي.\nوعاد قاآني إلى طهران."


class Element:
    def __init__(self, tag: str, attributes: dict[str, str], parent: "Element | None"):
        self.tag, self.attributes, self.parent = tag, attributes, parent
        self.children: list[Element | str] = []

    @property
    def text(self) -> str:
        return "".join(c if isinstance(c, str) else c.text for c in self.children)

    def all(self, tag: str = "", **attributes: str) -> "list[Element]":
        found = []
        todo = [self]
        while todo:
            element = todo.pop()
            todo += [c for c in reversed(element.children) if isinstance(c, Element)]
            if (not tag or element.tag == tag) and all(
                value in element.attributes.get(key.rstrip("_"), "").split()
                for key, value in attributes.items()
            ):
                found.append(element)
        return found


class Tree(html.parser.HTMLParser):
    """Parses strictly: every element is closed where it should be."""

    def __init__(self, source: str):
        super().__init__(convert_charrefs=True)
        self.root = self.here = Element("root", {}, None)
        self.feed(source)
        self.close()
        assert self.here is self.root, f"<{self.here.tag}> is never closed"

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), f"<{tag}> repeats an attribute"
        element = Element(tag, {k: v or "" for k, v in attrs}, self.here)
        self.here.children.append(element)
        if tag not in VOID:
            self.here = element

    def handle_endtag(self, tag):
        assert self.here.tag == tag, f"</{tag}> inside <{self.here.tag}>"
        self.here = self.here.parent

    def handle_data(self, data):
        self.here.children.append(data)


def _mention(text: str, part: str, label: str, id: str, nth: int = 0, **fields) -> Entity:
    start = -1
    for _ in range(nth + 1):
        start = text.index(part, start + 1)
    return make_entity(text, start, start + len(part), label, id=id, **fields)


@pytest.fixture(scope="session")
def parse() -> Callable[[str], Element]:
    """Parses HTML strictly, down to a tree of elements."""

    def read(source: str) -> Element:
        return Tree(source).root

    return read


@pytest.fixture(scope="session")
def text_block(parse: Callable[[str], Element]) -> Callable[[str], Element]:
    """Finds the one text of a page."""

    def find(source: str) -> Element:
        (block,) = parse(source).all("div", class_="isnad-text")
        return block

    return find


@pytest.fixture(scope="session")
def mention() -> Callable[..., Entity]:
    """Makes an entity of the nth place of a part: `mention(text, part, label, id, nth=1)`."""
    return _mention


@pytest.fixture
def document(schema: LabelSchema) -> Document:
    entities = [
        _mention(SENTENCE, "قائد فيلق القدس", "OCC", "T1", score=0.91),
        _mention(SENTENCE, "فيلق القدس", "ORG", "T2", score=0.97),
        _mention(SENTENCE, "إسماعيل قاآني", "PERS", "T3", score=0.99),
        _mention(SENTENCE, "بغداد", "GPE", "T4", score=0.98),
        _mention(SENTENCE, "مصطفى الكاظمي", "PERS", "T5", score=0.95),
        _mention(SENTENCE, "قاآني", "PERS", "T6", nth=1, score=0.9),
        _mention(SENTENCE, "طهران", "GPE", "T7", score=0.88),
    ]
    numbered, clusters = number_clusters(entities, [["T3", "T6"]])
    relations = [
        Relation("T3", "has_occupation", "T1", 0.93),
        Relation("T1", "occupation_in", "T2", 0.9),
        Relation("T3", "visited", "T4", 0.87),
        Relation("T3", "met_with", "T5", 0.85),
        Relation("T6", "visited", "T7", 0.61),
    ]
    stamp = {"name": schema.name, "version": schema.version, "hash": schema.hash}
    return Document(SENTENCE, numbered, relations, clusters, "خبر-1", stamp, "isnad-test")
