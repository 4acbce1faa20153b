"""Word-level flat benchmarks: tags counted by hand on Arabic sentences, and seqeval as the second opinion."""

import random

import pytest
from isnad.eval.flat import chunks, flat_tags, label_map, score_flat
from isnad.model.document import Entity
from isnad.model.errors import ConfigError, DataError
from isnad.model.text import make_entity, words
from seqeval.metrics import classification_report, f1_score, precision_score, recall_score
from seqeval.scheme import IOB2

ANERCORP = label_map(
    {"PERS": ["PERS"], "ORG": ["ORG"], "LOC": ["GPE", "LOC", "FAC"], "MISC": ["EVENT", "LAW"]}
)
TEXT = "وصل قائد فيلق القدس إسماعيل قاآني إلى مطار بغداد وبكين."


def mention(text: str, fragment: str, label: str, score: float = 1.0) -> Entity:
    start = text.index(fragment)
    return make_entity(text, start, start + len(fragment), label, id=fragment, score=score)


def tag(text: str, *entities: Entity, **options: bool) -> dict[str, str]:
    tokens = words(text)
    tags = flat_tags(tokens, entities, ANERCORP, **options)
    return {text[s:e]: t for (s, e), t in zip(tokens, tags, strict=True) if t != "O"}


def test_a_label_has_one_tag() -> None:
    assert ANERCORP == {
        "PERS": "PERS", "ORG": "ORG", "GPE": "LOC", "LOC": "LOC", "FAC": "LOC", "EVENT": "MISC", "LAW": "MISC",
    }  # fmt: skip
    with pytest.raises(ConfigError, match="GPE is given to LOC and to MISC"):
        label_map({"LOC": ["GPE"], "MISC": ["GPE"]})


def test_a_token_holds_its_proclitics() -> None:
    assert tag(TEXT, mention(TEXT, "بكين", "GPE")) == {"وبكين": "B-LOC"}
    # Where the corpus cuts clitics off, a span touches its own token only.
    at = TEXT.index("وبكين")
    tokens = [(at, at + 1), (at + 1, at + 5)]
    assert flat_tags(tokens, [mention(TEXT, "بكين", "GPE")], ANERCORP, whole_words=False) == ["O", "B-LOC"]
    assert flat_tags(tokens, [mention(TEXT, "بكين", "GPE")], ANERCORP) == ["B-LOC", "I-LOC"]


def test_of_nested_entities_the_outermost_with_a_tag_shows() -> None:
    role, body = mention(TEXT, "قائد فيلق القدس", "OCC"), mention(TEXT, "فيلق القدس", "ORG")
    assert tag(TEXT, role, body) == {"فيلق": "B-ORG", "القدس": "I-ORG"}  # OCC has no tag in ANERcorp
    airport, city = mention(TEXT, "مطار بغداد", "FAC"), mention(TEXT, "بغداد", "GPE")
    assert tag(TEXT, city, airport) == {"مطار": "B-LOC", "بغداد": "I-LOC"}
    body, inner = mention(TEXT, "فيلق القدس", "ORG"), mention(TEXT, "القدس", "GPE", score=1.0)
    assert tag(TEXT, inner, body) == {"فيلق": "B-ORG", "القدس": "I-ORG"}


def test_neighbours_begin_anew_and_dropped_labels_leave_nothing() -> None:
    text = "بغداد بيروت ١٩٨٢"
    found = tag(
        text, mention(text, "بغداد", "GPE"), mention(text, "بيروت", "GPE"), mention(text, "١٩٨٢", "DATE")
    )
    assert found == {"بغداد": "B-LOC", "بيروت": "B-LOC"}
    assert flat_tags(words(text), [mention(text, "بغداد", "GPE")], {"GPE": ""}) == ["O"] * 3
    assert flat_tags([], [mention(text, "بغداد", "GPE")], ANERCORP) == []


def test_the_likelier_of_two_on_one_span_and_the_longer_of_two_that_cross() -> None:
    text = "مجلس الأمن الدولي في لبنان"
    same = mention(text, "لبنان", "GPE", 0.4), mention(text, "لبنان", "ORG", 0.6)
    assert tag(text, *same) == tag(text, *reversed(same)) == {"لبنان": "B-ORG"}
    crossing = mention(text, "مجلس الأمن", "ORG", 0.9), mention(text, "الأمن الدولي في", "LAW", 0.3)
    assert tag(text, *crossing) == {"الأمن": "B-MISC", "الدولي": "I-MISC", "في": "I-MISC"}


def test_diacritics_kashida_and_emoji_between_tokens() -> None:
    text = "زَارَ 🇱🇧 لُبْنَـــان، ثم وَبَيْرُوتَ"
    start = text.index("بَيْرُوتَ")
    city = make_entity(text, start, start + len("بَيْرُوتَ"), "GPE", id="a")
    country = mention(text, "لُبْنَـــان", "GPE")
    assert tag(text, city, country) == {"لُبْنَـــان": "B-LOC", "وَبَيْرُوتَ": "B-LOC"}


@pytest.mark.parametrize("tokens", [[(0, 3), (2, 5)], [(3, 5), (0, 2)], [(2, 2)], [(-1, 2)]])
def test_faulty_tokens_are_refused(tokens: list[tuple[int, int]]) -> None:
    with pytest.raises(DataError, match="in order, not empty, without overlap"):
        flat_tags(tokens, [], ANERCORP)


def test_chunks_are_strict() -> None:
    assert chunks(["B-LOC", "I-LOC", "I-PERS", "O", "I-LOC", "B-LOC", "B-LOC"]) == {
        ("LOC", 0, 2), ("LOC", 5, 6), ("LOC", 6, 7),
    }  # fmt: skip
    for tags, odd in ((["O", "S-LOC"], "token 2 has the tag 'S-LOC'"), (["B"], "'B'"), (["I-"], "'I-'")):
        with pytest.raises(DataError, match=odd):
            chunks(tags)


def test_scores_counted_by_hand() -> None:
    gold = [["B-PERS", "I-PERS", "O", "B-LOC"], ["B-ORG", "O"]]
    found = [["B-PERS", "I-PERS", "O", "B-ORG"], ["B-ORG", "I-ORG"]]
    scores = score_flat(gold, found)
    assert {k: c.to_list() for k, c in scores.labels.items()} == {
        "LOC": [0, 0, 1], "ORG": [0, 2, 1], "PERS": [1, 0, 0],
    }  # fmt: skip
    assert scores.labels.micro.f1 == pytest.approx(1 / 3) and (scores.sentences, scores.tokens) == (2, 6)
    assert scores.to_dict()["micro"]["precision"] == pytest.approx(1 / 3)
    spread = scores.intervals.micro.f1
    assert spread is not None and spread.low == 0.0 and spread.high == pytest.approx(0.5)
    assert scores.to_dict()["intervals"]["micro"]["f1"]["high"] == spread.high


def test_equals_seqeval_on_random_tags_even_faulty_ones() -> None:
    draw = random.Random(5)
    tags = ["O", "O", *(f"{p}-{label}" for p in "BI" for label in ("PERS", "ORG", "LOC", "MISC"))]
    for _ in range(25):
        gold = [[draw.choice(tags) for _ in range(draw.randint(1, 15))] for _ in range(20)]
        found = [[t if draw.random() < 0.7 else draw.choice(tags) for t in sentence] for sentence in gold]
        ours = score_flat(gold, found, samples=2).labels
        strict = {"mode": "strict", "scheme": IOB2, "zero_division": 0}
        assert ours.micro.f1 == pytest.approx(f1_score(gold, found, **strict))
        assert ours.micro.precision == pytest.approx(precision_score(gold, found, **strict))
        assert ours.micro.recall == pytest.approx(recall_score(gold, found, **strict))
        theirs = classification_report(gold, found, output_dict=True, **strict)
        for label, counts in ours.items():
            assert counts.f1 == pytest.approx(theirs[label]["f1-score"]), label
            assert counts.support == theirs[label]["support"]
        assert ours.macro.f1 == pytest.approx(theirs["macro avg"]["f1-score"])


def test_sides_that_do_not_match_are_refused() -> None:
    with pytest.raises(DataError, match="sentence 2 has 1 gold and 2 predicted"):
        score_flat([["O"], ["O"]], [["O"], ["O", "O"]])
    with pytest.raises(DataError, match="1 gold and 0 predicted"):
        score_flat([["O"]], [])
    with pytest.raises(DataError, match="0 gold"):
        score_flat([], [])
