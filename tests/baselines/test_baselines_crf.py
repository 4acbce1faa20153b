"""The CRF baseline: its features, what it learns and keeps, and the scores of flat predictions."""

from dataclasses import replace

import numpy as np
import pytest
from isnad.eval import evaluate
from isnad.model.document import Document
from isnad.model.errors import DataError, ModelError, SchemaError
from isnad.model.text import make_entity, words
from isnad.training.baselines.crf import LONGEST, CrfTagger, _sequences
from isnad.training.baselines.features import shape, stripped, word_features
from isnad.training.baselines.flat import FlatTagger
from isnad.training.baselines.scores import flat_scores


@pytest.fixture(scope="module")
def crf(schema, train, dev) -> CrfTagger:
    tagger = CrfTagger(schema, max_iterations=25)
    tagger.fit(train, dev)
    return tagger


# -- the CRF --


def test_features_of_a_word():
    row = word_features(["وقال", "للعراق", "٢٠٢٤", "UN"])[1]
    for feature in (
        "w=للعراق",
        "p1=ل",
        "p4=للعر",
        "s4=عراق",
        "rest=العراق",
        "shape=ع",
        "w-1=وقال",
        "w+1=0000",
        "shape+1=dddd",
        "shape+2=X",
        "w-2=<s>",
        "w-1|w=وقال|للعراق",
        "w|w+1=للعراق|0000",
        "-1:rest=قال",
    ):
        assert feature in row
    # Diacritics and kashida do not make another word.
    assert word_features(["لِلْعِــرَاقِ"])[0] == word_features(["للعراق"])[0]
    assert stripped("بكين") == ["كين", "ين"] and stripped("محمد") == []
    assert [shape(t) for t in ("قاآني", "iPhone", "15", "،", "F16")] == ["ع", "xXx", "dd", "،", "Xdd"]


def test_the_crf_learns_its_training_data_and_more(crf, schema, train, dev):
    learned = flat_scores(train, crf.predict(train), schema)["micro"]["f1"]
    assert learned > 0.9
    unseen = flat_scores(dev, crf.predict(dev), schema)["micro"]
    assert unseen["precision"] > 0.3 and unseen["recall"] > 0.1
    assert crf.losses.counts()["inner"] > 0 and crf.seconds > 0


def test_the_crf_reads_the_text_only_and_keeps_the_order(crf, schema, dev, assert_sound, hostile):
    found = crf.predict(dev)
    assert [d.id for d in found] == [d.id for d in dev]
    again = crf.predict([d.text for d in dev])
    spans = [
        [[(e.start, e.end, e.label) for e in d.entities] for d in documents] for documents in (found, again)
    ]
    assert spans[0] == spans[1]
    for document in [*found, *crf.predict(hostile)]:
        assert_sound(document, schema)
    # The whole gives what its paragraphs give.
    text = "\n".join(d.text for d in dev)
    assert len(crf.predict([text])[0].entities) == sum(len(d.entities) for d in found)


def test_the_crf_takes_paragraphs_longer_than_its_limit(crf, dev):
    text = " ".join(d.text.replace("\n", " ") for d in dev)
    unbroken = "بغداد " * (2 * LONGEST + 5)
    for long in (text, unbroken, text.replace(".", "")):
        parts = list(_sequences(long))
        assert len(parts) > 1 and max(map(len, parts)) <= LONGEST
        assert [s for part in parts for s in part] == words(long)
    ends = [text[part[-1][0] : part[-1][1]] for part in _sequences(text)]
    assert set(ends) <= set('.!?؟؛"»)')
    (found,) = crf.predict([text])
    assert found.entities[-1].start > len(text) * 0.9


def test_the_crf_is_the_same_after_save_and_load(crf, schema, dev, tmp_path):
    folder = crf.save(tmp_path / "crf")
    assert {p.name for p in folder.iterdir()} == {"tagger.json", "crf.crfsuite", "manifest.json"}
    loaded = CrfTagger.load(folder)
    assert loaded.predict(dev) == crf.predict(dev)
    assert loaded.schema == schema and loaded.options == crf.options
    assert loaded.save(folder) == folder and CrfTagger.load(folder).predict(dev) == crf.predict(dev)
    with pytest.raises(ModelError, match="kind 'crf'"):
        FlatTagger.load(folder)
    (folder / "crf.crfsuite").write_bytes(b"lCRF" + b"\0" * 60)
    with pytest.raises(ModelError, match="manifest"):
        CrfTagger.load(folder)


# -- scores --


def disturbed(document: Document, random: np.random.Generator, labels: tuple[str, ...]) -> Document:
    """Return a document with entities dropped, relabelled, moved, doubled and stretched over line breaks."""
    text, entities = document.text, []
    for e in document.entities:
        start, end, label = e.start, e.end, e.label
        chance = random.random()
        if chance < 0.2:
            continue
        if chance < 0.35:
            label = str(random.choice(labels))
        elif chance < 0.5:
            start, end = e.word_start, min(len(text), e.word_end + int(random.integers(1, 40)))
        elif chance < 0.6:
            entities.append((start, end, str(random.choice(labels)), 0.9))
        entities.append((start, end, label, float(random.random())))
    made = [
        make_entity(text, start, end, label, id=f"T{n}", score=score)
        for n, (start, end, label, score) in enumerate(sorted(entities), 1)
        if text[start:end].strip()
    ]
    return replace(document, entities=tuple(made), relations=(), clusters=())


def test_seqeval_agrees_with_our_own_flat_word_scores(crf, schema, dev, articles):
    random = np.random.default_rng(3)
    gold = [*dev, *articles]
    # Gold over a line break, which no tags can write, must count as missed or found like any other.
    text = gold[0].text
    lo = text.index("\n")
    across = make_entity(text, 0, lo + 4, "EVENT", id="T0")
    gold[0] = replace(gold[0], entities=(across, *gold[0].entities))
    for predicted in (
        gold,
        crf.predict(gold),
        [disturbed(d, random, schema.entity_labels) for d in gold],
        [replace(d, entities=(), relations=(), clusters=()) for d in gold],
    ):
        ours = evaluate(gold, predicted, schema, convention="word", flat=True).entities
        theirs = flat_scores(gold, predicted, schema)
        assert theirs["labels"].keys() == ours.keys()
        pairs = [(theirs["labels"][k], c) for k, c in ours.items()]
        pairs += [(theirs[k], getattr(ours, k)) for k in ("micro", "macro", "weighted")]
        for scores, counts in pairs:
            for key in ("precision", "recall", "f1"):
                assert scores[key] == pytest.approx(getattr(counts, key)), key
        assert theirs["micro"]["support"] == ours.micro.support
    assert flat_scores(gold, gold, schema)["micro"]["f1"] == 1.0


def test_scores_of_nothing_and_faults(schema, dev, annotated):
    bare = Document("لا شيء")
    assert flat_scores([bare], [bare], schema)["micro"] == {
        "precision": 0.0,
        "recall": 0.0,
        "f1": 0.0,
        "support": 0,
    }
    with pytest.raises(DataError, match="1 gold and 2 predicted"):
        flat_scores([bare], [bare, bare], schema)
    with pytest.raises(DataError, match="differ in their text"):
        flat_scores([bare], [dev[0]], schema)
    with pytest.raises(SchemaError, match="PERSON"):
        flat_scores([bare], [annotated("لا شيء", "شيء|PERSON")], schema)


# -- faults --


def test_a_folder_with_other_things_is_not_replaced(crf, tmp_path):
    (tmp_path / "رسائل.txt").write_text("مهم", encoding="utf-8")
    with pytest.raises(ModelError, match="holds no tagger"):
        crf.save(tmp_path)
    assert (tmp_path / "رسائل.txt").read_text(encoding="utf-8") == "مهم"
