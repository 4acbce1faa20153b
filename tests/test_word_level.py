"""A flat corpus of whole words scored with a model of nested spans and its own labels."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from isnad.eval.word_level import score_corpus, tags_of
from isnad.model.document import Document
from isnad.model.errors import ConfigError
from isnad.model.schema import LabelSchema
from isnad.model.text import make_entity
from isnad.training.data.corpora import Corpus, load_corpus

COLUMNS = """زار O
قاآني B-PERS
بغداد B-LOC
وبيروت B-LOC
. O

قال O
وزير O
خارجية O
لبنان B-LOC
للإسلام B-MISC
"""


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    (tmp_path / "words.txt").write_text(COLUMNS, encoding="utf-8")
    text = f"name: mine\npaths: [{tmp_path / 'words.txt'}]\nseparator: space\n"
    text += "labels: {PERS: [PERS], LOC: [GPE, LOC, FAC], MISC: []}\n"
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    return load_corpus(tmp_path / "mine.yaml", "all")


class _Found:
    """Finds the given (text, label) pairs wherever they stand."""

    def __init__(self, *names: tuple[str, str]) -> None:
        self._names = names

    def pipe(self, texts: Iterable[tuple[str, str]], **_: Any) -> Iterator[Document]:
        for id_, text in texts:
            places = [(text.find(name), name, label) for name, label in self._names if name in text]
            entities = [
                make_entity(text, at, at + len(name), label, id=f"T{n}")
                for n, (at, name, label) in enumerate(sorted(places, key=lambda p: (p[0], -len(p[1]))))
            ]
            yield Document(text, tuple(entities), id=id_)


def test_spans_become_tags_of_whole_words(corpus: Corpus, schema: LabelSchema) -> None:
    label_of = tags_of(corpus, schema.entity_labels)
    assert label_of == {"PERS": "PERS", "GPE": "LOC", "LOC": "LOC", "FAC": "LOC"}
    # The proclitic of وبيروت is outside the span but inside the word; OCC has no tag, the GPE in it has.
    found = _Found(("قاآني", "PERS"), ("بيروت", "GPE"), ("وزير خارجية لبنان", "OCC"), ("لبنان", "GPE"))
    scores = score_corpus(found, corpus, label_of)  # type: ignore[arg-type]
    assert scores.labels.to_dict() == {"LOC": [2, 0, 1], "MISC": [0, 0, 1], "PERS": [1, 0, 0]}
    assert (scores.sentences, scores.tokens) == (2, 10)


def test_a_model_of_the_corpus_s_own_tags_is_taken_as_it_is(corpus: Corpus) -> None:
    assert tags_of(corpus, ["PERS", "LOC", "MISC"]) == {"PERS": "PERS", "LOC": "LOC", "MISC": "MISC"}
    with pytest.raises(ConfigError, match="no label of the model"):
        tags_of(corpus, ["WEAPON"])
