"""The flat baselines: tags and back, the proclitic rule, the CRF, and the scores of flat predictions."""

import itertools
import json
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
from isnad.training.baselines.iob2 import Losses, best_path, read_tags, tag, to_document
from isnad.training.baselines.proclitics import ProcliticLexicon
from isnad.training.baselines.scores import flat_scores
from isnad.training.data.seeds import load_authored

HOSTILE = [
    "",
    " \n\t\r\n",
    "\x00\ud800وبغداد\udfff",
    "👩‍👩‍👧🇮🇶 بغداد",
    "وَبَغْــدَادُ ﷺ ﻗﺎﺳﻢ \u200fسليماني\u200e",
    "ا" * 500,
    "٢٠٢٤/٠١/٠٣، 3 يناير—Reuters",
]


def annotated(text: str, *mentions: str, id: str = "نص") -> Document:
    """Return a document with `fragment|LABEL` mentions; each fragment is looked up in the text."""
    entities = []
    for n, mention in enumerate(mentions, 1):
        fragment, label = mention.rsplit("|", 1)
        start = text.index(fragment)
        entities.append(make_entity(text, start, start + len(fragment), label, id=f"T{n}"))
    return Document(text, sorted(entities, key=lambda e: (e.start, -e.end)), id=id)


def keys(document: Document) -> list[tuple[int, int, str]]:
    return [(e.start, e.end, e.label) for e in document.entities]


def assert_sound(document: Document, schema) -> None:
    for e in document.entities:
        assert document.text[e.start : e.end] == e.text
        assert e.label in schema.entity_labels
        assert 0 < e.score <= 1
        assert e.word_start <= e.start < e.end <= e.word_end
    assert all(a.word_end <= b.word_start for a, b in itertools.pairwise(document.entities))


@pytest.fixture(scope="module")
def train(schema) -> list[Document]:
    return load_authored(schema, "train")[:12]


@pytest.fixture(scope="module")
def dev(schema) -> list[Document]:
    return load_authored(schema, "dev")[:6]


@pytest.fixture(scope="module")
def crf(schema, train, dev) -> CrfTagger:
    tagger = CrfTagger(schema, max_iterations=25)
    tagger.fit(train, dev)
    return tagger


# -- tags --


def test_nested_entities_become_the_outermost_over_whole_words():
    text = "التقى قائد فيلق القدس إسماعيل قاآني\nوبمصطفى الكاظمي."
    document = annotated(
        text, "قائد فيلق القدس|OCC", "فيلق القدس|ORG", "إسماعيل قاآني|PERS", "مصطفى الكاظمي|PERS"
    )
    losses = Losses()
    first, second = tag(document, losses)
    assert first.tags == ("O", "B-OCC", "I-OCC", "I-OCC", "B-PERS", "I-PERS")
    assert [text[s:e] for s, e in second.words] == ["وبمصطفى", "الكاظمي", "."]
    assert second.tags == ("B-PERS", "I-PERS", "O")
    assert [e.text for _, e in losses.inner] == ["فيلق القدس"]
    assert losses.counts() == {"inner": 1, "crossing": 0, "unreachable": 0, "inexact": 0}


def test_gold_that_tags_cannot_carry_is_counted():
    text = "وزارة الخارجية العراقية في بغداد\nنائبه بالعاصمة"
    spans = [(0, 14, "ORG"), (6, 23, "ORG"), (27, 38, "LOC"), (33, 37, "OCC"), (41, 46, "GPE")]
    document = Document(text, [make_entity(text, *s, id=f"T{n}") for n, s in enumerate(spans)], id="عسير")
    losses = Losses()
    paragraphs = tag(document, losses)
    found = {kind: [e.text for _, e in getattr(losses, kind)] for kind in losses.counts()}
    # The span over the line break covers the first word of the next line, whose own entity lies inside it.
    assert found == {
        "inner": ["نائب"],
        "crossing": ["الخارجية العراقية"],
        "unreachable": ["بغداد\nنائبه"],
        "inexact": ["لعاصم"],
    }
    assert paragraphs[0].tags == ("B-ORG", "I-ORG", "O", "O", "O")
    assert paragraphs[1].tags == ("O", "B-GPE")
    assert sum(losses.counts().values()) + 1 == len(spans)


def test_tags_and_back_on_the_corpus(schema, articles):
    for document in [*load_authored(schema, "dev"), *articles]:
        losses = Losses()
        paragraphs = tag(document, losses)
        assert not (losses.crossing or losses.unreachable or losses.inexact)
        inner = {e.id for _, e in losses.inner}
        rows = [(p.words, p.tags, [1.0] * len(p.tags)) for p in paragraphs]
        back = to_document(document.text, rows, ProcliticLexicon(), schema, id=document.id)
        wanted = [(e.word_start, e.word_end, e.label) for e in document.entities if e.id not in inner]
        assert keys(back) == wanted
        assert back.schema["hash"] == schema.hash
        # With the lexicon of the document itself, nearly every name begins where gold has it.
        exact = keys(to_document(document.text, rows, ProcliticLexicon.learn([document]), schema))
        gold = [(e.start, e.end, e.label) for e in document.entities if e.id not in inner]
        assert len(set(gold) - set(exact)) <= max(1, len(gold) // 25)


def test_tags_are_read_strictly():
    assert read_tags(["I-PERS", "B-ORG", "I-ORG", "I-GPE", "O", "I-ORG", "B-GPE", "B-GPE"]) == [
        (1, 2, "ORG"),
        (6, 6, "GPE"),
        (7, 7, "GPE"),
    ]


def test_best_path_is_the_best_of_all_allowed_ones():
    tags = ["O", "B-PERS", "I-PERS", "B-ORG", "I-ORG"]
    random = np.random.default_rng(5)

    def allowed(path) -> bool:
        before = "O"
        for n in path:
            if tags[n][0] == "I" and (before == "O" or before[2:] != tags[n][2:]):
                return False
            before = tags[n]
        return True

    for _ in range(20):
        scores = np.log(random.dirichlet(np.ones(5), size=4)).astype(np.float32)
        every = [p for p in itertools.product(range(5), repeat=4) if allowed(p)]
        best = max(every, key=lambda p: scores[range(4), p].sum())
        assert tuple(best_path(scores, tags)) == best


# -- proclitics --


def test_proclitics_come_off_only_where_training_data_has_shown_it():
    gold = [
        annotated("زار وفد بكين وبغداد ولندن", "بكين|GPE", "بغداد|GPE", "لندن|GPE"),
        annotated("قال حزب الله إنه دعم العراق وإيران", "حزب الله|ORG", "العراق|GPE", "إيران|GPE"),
    ]
    lexicon = ProcliticLexicon.learn(gold)

    def cut(word: str) -> str:
        return word[: lexicon.letters(word, 0, len(word))]

    assert cut("وبغداد") == "و"  # seen as it stands
    assert cut("ببغداد") == cut("بإيران") == "ب"  # the rest was seen
    assert cut("وبإيران") == "وب"
    assert cut("بكين") == cut("لندن") == ""  # seen whole
    assert cut("ولبكين") == "ول"
    assert cut("للعراق") == "ل" and cut("وللعراق") == "ول"  # the alef of the article is gone
    assert cut("وباريس") == cut("واشنطن") == cut("فيينا") == ""  # never seen: the rule does not guess
    text = "لـحزب وَبَغْداد"
    assert lexicon.letters(text, 0, 5) == 1
    assert lexicon.letters(text, 6, len(text)) == 1
    assert (
        ProcliticLexicon.from_dict(json.loads(json.dumps(lexicon.to_dict()))).to_dict() == lexicon.to_dict()
    )
    with pytest.raises(DataError, match="0 to 3"):
        ProcliticLexicon.from_dict({"words": {"وبغداد": 9}, "starts": []})


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


def test_the_crf_reads_the_text_only_and_keeps_the_order(crf, schema, dev):
    found = crf.predict(dev)
    assert [d.id for d in found] == [d.id for d in dev]
    assert [keys(d) for d in crf.predict([d.text for d in dev])] == [keys(d) for d in found]
    for document in [*found, *crf.predict(HOSTILE)]:
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


def test_scores_of_nothing_and_faults(schema, dev):
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
