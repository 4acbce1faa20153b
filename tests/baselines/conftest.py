"""Documents to train and try the baselines on, hostile texts, and what must hold of every prediction."""

import itertools
from collections.abc import Callable

import pytest
from isnad.model.document import Document
from isnad.model.schema import LabelSchema
from isnad.model.text import make_entity
from isnad.training.data.seeds import load_authored


@pytest.fixture(scope="session")
def hostile() -> list[str]:
    """Texts that are empty, of one letter, or of characters that come apart."""
    return [
        "",
        " \n\t\r\n",
        "\x00\ud800وبغداد\udfff",
        "👩‍👩‍👧🇮🇶 بغداد",
        "وَبَغْــدَادُ ﷺ ﻗﺎﺳﻢ \u200fسليماني\u200e",
        "ا" * 500,
        "٢٠٢٤/٠١/٠٣، 3 يناير—Reuters",
    ]


@pytest.fixture(scope="session")
def annotated() -> Callable[..., Document]:
    """Makes a document with `fragment|LABEL` mentions; each fragment is looked up in the text."""

    def make(text: str, *mentions: str, id: str = "نص") -> Document:
        entities = []
        for n, mention in enumerate(mentions, 1):
            fragment, label = mention.rsplit("|", 1)
            start = text.index(fragment)
            entities.append(make_entity(text, start, start + len(fragment), label, id=f"T{n}"))
        return Document(text, sorted(entities, key=lambda e: (e.start, -e.end)), id=id)

    return make


@pytest.fixture(scope="session")
def assert_sound() -> Callable[[Document, LabelSchema], None]:
    """Checks offsets, labels, scores and order of predicted entities, none of which share a word."""

    def check(document: Document, schema: LabelSchema) -> None:
        for e in document.entities:
            assert document.text[e.start : e.end] == e.text
            assert e.label in schema.entity_labels
            assert 0 < e.score <= 1
            assert e.word_start <= e.start < e.end <= e.word_end
        assert all(a.word_end <= b.word_start for a, b in itertools.pairwise(document.entities))

    return check


@pytest.fixture(scope="module")
def train(schema: LabelSchema) -> list[Document]:
    """Twelve documents of the training part of the authored corpus."""
    return load_authored(schema, "train")[:12]


@pytest.fixture(scope="module")
def dev(schema: LabelSchema) -> list[Document]:
    """Six documents of its development part."""
    return load_authored(schema, "dev")[:6]
