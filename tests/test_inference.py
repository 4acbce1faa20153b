"""Extraction as users meet it: texts, thresholds, streams, threads, broken model folders, hostile text."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from isnad.model.document import Document
from isnad.model.errors import ConfigError, IsnadError
from isnad.model.inference import Extractor
from isnad.model.schema import LabelSchema

pytestmark = pytest.mark.usefixtures("one_thread")


def load(folder: Path, **kwargs: Any) -> Extractor:
    """The random model sees spans everywhere; fewer of them need to be paired here."""
    extractor = Extractor.from_pretrained(folder, **kwargs)
    extractor.config.max_candidates = 12
    return extractor


@pytest.fixture(scope="module")
def extractor(tiny_model: Path) -> Extractor:
    return load(tiny_model)


def check(document: Document, schema: LabelSchema) -> None:
    """Everything that holds for every document, whatever the text."""
    text, by_id = document.text, document.by_id()
    assert len(by_id) == len(document.entities)
    assert [(e.start, -e.end) for e in document.entities] == sorted(
        (e.start, -e.end) for e in document.entities
    )
    for e in document.entities:
        assert 0 <= e.start < e.end <= len(text) and text[e.start : e.end] == e.text
        assert 0 <= e.word_start <= e.start < e.end <= e.word_end <= len(text)
        assert e.name and e.label in schema.entity_labels and 0 <= e.score <= 1
    for a in document.entities:
        for b in document.entities:
            assert not a.start < b.start < a.end < b.end, "spans cross"
    for r in document.relations:
        head, tail = by_id[r.head], by_id[r.tail]
        assert r.head != r.tail and schema.allows(head.label, r.label, tail.label) and 0 <= r.score <= 1
        assert not schema.relation(r.label).symmetric or (head.start, -head.end) < (tail.start, -tail.end)
    assert len({(r.head, r.label, r.tail) for r in document.relations}) == len(document.relations)
    members = [m for cluster in document.clusters for m in cluster]
    assert len(members) == len(set(members)) and all(len(c) > 1 for c in document.clusters)
    for number, cluster in enumerate(document.clusters):
        assert all(by_id[m].cluster == number and by_id[m].label in schema.coreferent_labels for m in cluster)
    assert all((e.cluster is None) == (e.id not in members) for e in document.entities)
    again = Document.from_dict(json.loads(document.to_json()))
    assert again.text == text and again.to_dict() == document.to_dict()
    document.to_json().encode("utf-8")


def test_one_text_or_several(extractor: Extractor, articles: list[Document], schema: LabelSchema) -> None:
    texts = [a.text for a in articles]
    one = extractor(texts[0])
    several = extractor(texts)
    assert isinstance(one, Document) and isinstance(several, list)
    assert [d.text for d in several] == texts and sum(len(d.entities) for d in several) > 50
    assert one.to_dict() == several[0].to_dict()
    assert one.model == "tiny" and one.schema["hash"] == schema.hash
    assert extractor([]) == [] and extractor("") == Document("", schema=one.schema, model="tiny")
    for document in several:
        check(document, schema)


def test_pipe_keeps_order_and_ids_and_reads_no_further_than_it_must(extractor: Extractor) -> None:
    taken: list[int] = []

    def stream() -> Iterator[tuple[str, str]]:
        for i in range(10):
            taken.append(i)
            yield f"n{i}", f"زار قاآني بغداد {i}"

    pipe = extractor.pipe(stream(), batch_size=3)
    first = next(pipe)
    assert first.id == "n0" and taken == [0, 1, 2]
    rest = list(pipe)
    assert [d.id for d in [first, *rest]] == [f"n{i}" for i in range(10)]
    assert [d.text[-1] for d in rest] == [str(i) for i in range(1, 10)]
    with pytest.raises(IsnadError, match="batch_size is 0; accepted: 1 or more"):
        next(extractor.pipe(["أ"], batch_size=0))


@pytest.mark.parametrize(
    "text", [b"\xd8", None, 5, [None], [b"x"], [("id",)], [("id", "text", 1)], [("id", None)]]
)
def test_what_is_no_text_is_refused(extractor: Extractor, text: Any) -> None:
    with pytest.raises(IsnadError, match=r"found a text of type \w+; accepted: str"):
        extractor(text)


def test_ids_are_strings(extractor: Extractor) -> None:
    with pytest.raises(IsnadError, match="found the id 3 of type int; accepted: str"):
        list(extractor.pipe([(3, "نص")]))  # type: ignore[list-item]


# -- thresholds ------------------------------------------------------------------------------------------


def test_thresholds(tiny_model: Path, articles: list[Document], schema: LabelSchema) -> None:
    text = articles[0].text
    usual = load(tiny_model)(text)
    strict = load(tiny_model, thresholds=0.9)(text)
    assert 0 < len(strict.entities) < len(usual.entities) and all(e.score >= 0.9 for e in strict.entities)
    without = load(tiny_model, thresholds=dict.fromkeys(schema.entity_labels, 1.0))(text)
    assert not {e.label for e in without.entities if e.score < 1}
    loose = load(
        tiny_model, thresholds=dict.fromkeys(schema.relation_labels, np.float32(0.01)) | {"killed": 0}
    )(text)
    assert loose.entities == usual.entities
    assert len(loose.relations) > len(usual.relations) > 0
    check(loose, schema)  # not even a threshold of 0 lets through what a signature forbids
    everything = Extractor.from_pretrained(tiny_model, thresholds=0.0)(text[:300])
    assert len(everything.entities) > len(load(tiny_model)(text[:300]).entities)
    check(everything, schema)


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        ({"PRES": 0.5}, r"threshold for the unknown label 'PRES'; did you mean 'PERS'\?"),
        ({"PERS": 1.5}, "threshold 1.5 for PERS; accepted: a probability from 0 to 1"),
        (-0.1, "threshold -0.1 for PERS"),
        (float("nan"), "threshold nan"),
        (True, "threshold True"),
        ("0.5", "threshold '0.5'"),
        ({"killed": None}, "threshold None for killed"),
    ],
)
def test_bad_thresholds(tiny_model: Path, thresholds: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Extractor.from_pretrained(tiny_model, thresholds=thresholds)


# -- any text --------------------------------------------------------------------------------------------

ODD = 'بتلوفمحقال ،.؟"\n\r\u2028\x00\u064b\u0651ـ\u200f\u202b\u200c👩\u200d❤\ufe0f\ud83d\udc00ﷺﷲﻻ٢٠15%@_a'


@given(st.text(st.sampled_from(ODD) | st.characters(), max_size=300))
@example("ب" + "\u064b" * 3000 + " ت")
@example("\ud800" * 50)
@example("بـ" * 500)
@example("ﷺ" * 130)
@example("\x00")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text(extractor: Extractor, schema: LabelSchema, text: str) -> None:
    check(extractor(text), schema)


@pytest.mark.parametrize("kind", ["paragraphs", "blanks", "letters", "marks"])
def test_large_texts_finish(tiny_model: Path, articles: list[Document], kind: str) -> None:
    extractor = load(tiny_model, thresholds=0.7)
    extractor.config.max_candidates = 4
    size = {"paragraphs": 550_000}.get(kind, 30_000)  # a megabyte
    prose = "\n".join(a.text for a in articles)
    text = {
        "paragraphs": prose * (1 + size // len(prose)),
        "blanks": " ".join(prose.split()) * (1 + size // len(prose)),
        "letters": "".join(c for c in prose if c.isalpha()) * (1 + size // len(prose)),
        "marks": "ب" + "\u064b" * size * 10,
    }[kind][: size * 10 if kind == "marks" else size]
    document = extractor(text)
    assert document.text == text and (document.entities or kind == "marks")


@pytest.mark.slow
@pytest.mark.parametrize("blank", ["\n", " "])
def test_ten_megabytes(tiny_model: Path, articles: list[Document], blank: str) -> None:
    prose = blank.join(line for a in articles for line in a.text.splitlines()) + blank
    text = (prose * (1 + 10_000_000 // len(prose.encode("utf-8"))))[
        : 10_000_000 * len(prose) // len(prose.encode())
    ]
    extractor = load(tiny_model, thresholds=0.97)
    extractor.config.max_candidates = 4
    began = time.monotonic()
    document = extractor(text)
    assert len(document.entities) > 1000
    print(f"{len(text)} characters in {time.monotonic() - began:.0f} s, {len(document.entities)} entities")


def test_two_threads_find_what_one_finds(tiny_model: Path, articles: list[Document]) -> None:
    extractor = load(tiny_model)
    texts = [p for a in articles for p in a.text.splitlines() if p.strip()][:40]
    alone = [extractor(t).to_dict() for t in texts]
    found: dict[int, list[Any]] = {}

    def work(number: int) -> None:
        found[number] = [extractor(t).to_dict() for t in texts]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[n] == alone for n in range(3)] == [True] * 3
