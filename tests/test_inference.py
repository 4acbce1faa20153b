"""Extraction as users meet it: texts, thresholds, streams, threads, broken model folders, hostile text."""

import json
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from isnad.model.decoding import Decisions, Decoder, _Span, resolve_crossing
from isnad.model.document import Document
from isnad.model.errors import ConfigError, IsnadError, ModelError
from isnad.model.inference import Extractor
from isnad.model.schema import LabelSchema
from isnad.model.scores import WindowScores
from isnad.model.store import MANIFEST, write_manifest
from isnad.model.text import words
from isnad.model.windows import Window, word_letters


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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
    assert [(e.start, -e.end) for e in document.entities] == sorted((e.start, -e.end) for e in document.entities)
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


@pytest.mark.parametrize("text", [b"\xd8", None, 5, [None], [b"x"], [("id",)], [("id", "text", 1)], [("id", None)]])
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
    labels = {e.label for e in usual.entities}
    strict = load(tiny_model, thresholds=0.6)(text)
    assert 0 < len(strict.entities) < len(usual.entities) and all(e.score >= 0.6 for e in strict.entities)
    without = load(tiny_model, thresholds=dict.fromkeys(labels, 1.0))(text)
    assert not {e.label for e in without.entities if e.score < 1}
    loose = load(tiny_model, thresholds={"relative_of": 0, "killed": np.float32(0.01)})(text)
    assert loose.entities == usual.entities
    assert len(loose.relations) > len(usual.relations)
    check(loose, schema)  # not even a threshold of 0 lets through what a signature forbids
    everything = Extractor.from_pretrained(tiny_model, thresholds=0.0)(text[:300])
    assert len(everything.relations) > 10
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

ODD = "بتلوفمحقال ،.؟\"\n\r\u2028\x00\u064b\u0651ـ\u200f\u202b\u200c👩\u200d❤\ufe0f\ud83d\udc00ﷺﷲﻻ٢٠15%@_a"


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
    text = (prose * (1 + 10_000_000 // len(prose.encode("utf-8"))))[: 10_000_000 * len(prose) // len(prose.encode())]
    extractor = load(tiny_model, thresholds=0.75)
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


# -- decoding --------------------------------------------------------------------------------------------


def _span(start: int, end: int, score: float, label: int = 0) -> _Span:
    return _Span(start, end, start, label, score, np.zeros(1, dtype=np.float32))


def test_of_crossing_spans_the_better_stays_and_nested_ones_do() -> None:
    spans = [_span(0, 10, 0.6), _span(5, 15, 0.9), _span(6, 9, 0.5), _span(5, 15, 0.7, 1), _span(200, 700, 0.8)]
    spans += [_span(300, 400, 0.7), _span(350, 450, 0.6), _span(650, 701, 0.5), _span(15, 20, 0.4)]
    kept = [(s.start, s.end, s.label) for s in resolve_crossing(spans)]
    assert kept == [(5, 15, 0), (6, 9, 0), (15, 20, 0), (200, 700, 0), (300, 400, 0)]


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 150), st.floats(0, 1)), max_size=40))
def test_no_two_spans_cross(spans: list[tuple[int, int, float]]) -> None:
    kept = resolve_crossing([_span(a, a + n, p) for a, n, p in spans])
    assert not [1 for a in kept for b in kept if a.start < b.start < a.end < b.end]
    # What was dropped equals or crosses something better.
    for start, length, score in spans:
        end = start + length
        assert any(
            (k.start, k.end) == (start, end)
            or ((k.start < start < k.end < end or start < k.start < end < k.end) and k.score >= score)
            for k in kept
        )


class _Silent:
    def score(self, windows: Any) -> list[WindowScores]:
        raise AssertionError

    def coreference(self, features: Any, first: Any, second: Any) -> Any:
        return np.zeros(len(features), dtype=np.float32)


def test_the_decoder_by_hand(schema: LabelSchema) -> None:
    text = "زار قاآني للعراق ومحمد"
    spans = words(text)
    window = Window(spans, (0, len(spans)), [0] * 6, [1, 2, 3, 4], [1, 2, 3, 4], word_letters(text, spans))
    entity, relation = schema.entity_index, schema.relation_index
    logits = np.full((4, len(entity)), -9.0, dtype=np.float32)
    for row, label, value in ((0, "PERS", 2.0), (1, "GPE", 1.0), (1, "LOC", 0.5), (2, "PERS", 3.0), (3, "ORG", -1.0)):
        logits[row, entity[label]] = value
    pairs = np.asarray([[0, 1], [1, 0], [0, 2], [2, 0], [0, 3]])
    pair_logits = np.full((5, len(relation)), -9.0, dtype=np.float32)
    pair_logits[0, relation["visited"]] = 1.0
    pair_logits[1, relation["visited"]] = 5.0  # a place cannot visit
    pair_logits[2, relation["met_with"]] = 4.0
    pair_logits[3, relation["met_with"]] = -1.0
    pair_logits[4, relation["member_of"]] = 5.0  # its tail is below the threshold
    scores = WindowScores(
        spans=np.asarray([[1, 1], [2, 2], [3, 3], [0, 0]]),
        logits=logits,
        proclitics=np.asarray([0, 1, 3, 0]),
        vectors=np.zeros((4, 2), dtype=np.float32),
        pairs=pairs,
        pair_logits=pair_logits,
    )
    calibration = {"entity": {"PERS": [0.5, 0.0]}}
    decisions = Decisions.build(schema, entity_thresholds={"GPE": 0.7}, calibration=calibration)
    document = Decoder(schema, decisions).decode(text, [window], [scores], _Silent(), id="d")
    found = [(e.text, e.name, e.label, round(e.score, 3)) for e in document.entities]
    assert found == [
        ("قاآني", "قاآني", "PERS", 0.731),
        ("لعراق", "العراق", "GPE", 0.731),
        ("مد", "مد", "PERS", 0.818),  # three letters off, as the model said
    ]
    links = [(r.head, r.label, r.tail, round(r.score, 3)) for r in document.relations]
    assert links == [("T1", "visited", "T2", 0.731), ("T1", "met_with", "T3", 0.625)]
    check(document, schema)


def test_an_empty_word_after_its_proclitics_is_the_whole_word(schema: LabelSchema) -> None:
    text = "في لب"
    spans = words(text)
    window = Window(spans, (0, 2), [0] * 4, [1, 2], [1, 2], word_letters(text, spans))
    logits = np.full((1, len(schema.entities)), -9.0, dtype=np.float32)
    logits[0, 0] = 5
    empty = np.zeros((0, len(schema.relations)), dtype=np.float32)
    scores = WindowScores(
        np.asarray([[1, 1]]), logits, np.asarray([3]), np.zeros((1, 2), np.float32), np.zeros((0, 2), int), empty
    )
    [entity] = Decoder(schema, Decisions.build(schema)).decode(text, [window], [scores], _Silent()).entities
    assert entity.text == "لب"


# -- loading ---------------------------------------------------------------------------------------------


def _json(name: str, **values: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        data = json.loads((folder / name).read_text(encoding="utf-8")) | values
        (folder / name).write_text(json.dumps({k: v for k, v in data.items() if v != "-"}), encoding="utf-8")

    return change


def _cut(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])


def _pickle(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")


AUTO_MAP = {"AutoTokenizer": ["code.Evil", None]}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / "config.json").unlink(), "config.json is missing; accepted: a folder written by isnad train"),
        (lambda f: (f / "tokenizer.json").unlink(), "tokenizer.json is missing"),
        (lambda f: (f / "model.safetensors").unlink(), "no weights in safetensors$"),
        (_pickle, r"no weights in safetensors \(found pytorch_model.bin, which is not loaded\)"),
        (lambda f: (f / "config.json").write_text("[]"), "config.json is not a JSON object"),
        (lambda f: (f / "config.json").write_bytes(b"\xff\xfe"), "config.json is not a JSON object"),
        (_json("config.json", model_type="bert"), "model_type is 'bert'; accepted: 'isnad'"),
        (_json("config.json", encoder="-"), "IsnadConfig.encoder is missing"),
        (_json("config.json", word_size=20), "weights are missing from its safetensors or do not have the sizes"),
        (_json("config.json", word_size="x"), "Field 'word_size' expected int"),
        (_cut, "cannot be loaded .SafetensorError"),
        (lambda f: (f / "tokenizer.json").write_text("{}"), "cannot be loaded"),
        (_json("tokenizer_config.json", auto_map=AUTO_MAP, tokenizer_class="Evil"), "cannot be loaded"),
    ],
)
def test_broken_folders(
    tiny_model: Path, tmp_path: Path, spoil: Callable[[Path], Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    (folder / MANIFEST).unlink()
    (folder / "code.py").write_text("raise SystemExit('code was run')")
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked on the terminal"))
    spoil(folder)
    with pytest.raises(ModelError, match=message):
        Extractor.from_pretrained(folder)


def test_altered_folders(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    (folder / "metrics.json").write_text("{}")
    with pytest.raises(ModelError, match=r"metrics.json is missing or differs from manifest.json; get the model again"):
        Extractor.from_pretrained(folder)
    write_manifest(folder)
    Extractor.from_pretrained(folder)
    for content in (b"", b"[]", b"\xff", b'{"sha256": 3}', b'{"sha256": {"../x": "0"}}', b'{"sha256": {"x": 1}}'):
        (folder / MANIFEST).write_bytes(content)
        with pytest.raises(ModelError, match="is not a manifest; accepted"):
            Extractor.from_pretrained(folder)


@pytest.mark.parametrize("name", ["no/such/model", "x" * 5000, "نص\x00", "isnad-huge", "-a/b..c"])
def test_names_of_nothing(name: str) -> None:
    with pytest.raises(ModelError, match="no model at|cannot fetch the model"):
        Extractor.from_pretrained(name)


def test_a_local_model_needs_no_network(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        pytest.fail("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    assert Extractor.from_pretrained(str(tiny_model))("زار قاآني بغداد").entities is not None
