"""Flat baselines: entities as tags and back, the best allowed path, and the proclitic rule."""

import itertools
import json

import numpy as np
import pytest
from isnad.model.document import Document
from isnad.model.errors import DataError
from isnad.model.text import make_entity
from isnad.training.baselines.iob2 import Losses, best_path, read_tags, tag, to_document
from isnad.training.baselines.proclitics import ProcliticLexicon
from isnad.training.data.seeds import load_authored


def keys(document: Document) -> list[tuple[int, int, str]]:
    return [(e.start, e.end, e.label) for e in document.entities]


# -- tags --


def test_nested_entities_become_the_outermost_over_whole_words(annotated):
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


def test_proclitics_come_off_only_where_training_data_has_shown_it(annotated):
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
