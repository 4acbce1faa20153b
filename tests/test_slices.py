"""Slices: hand-made cases, agreement with evaluate(), sums, JSON and intervals."""

import random
from dataclasses import replace

import pytest
from isnad.eval import Counts, evaluate
from isnad.eval.slice_result import SliceResult, SliceRow
from isnad.eval.slice_text import TextView
from isnad.eval.slices import SLICES, add_slices, slice_counts, source_of, training_names
from isnad.model.document import Document, Relation
from isnad.model.errors import ConfigError, DataError
from isnad.model.text import make_entity

TEXT = (
    "زار قائد فيلق القدس إسماعيل قاآني بغداد، ثم التقى ببيروت حسن نصر الله.\n"
    "ونفى مصطفى الكاظمي أن يكون قد التقى قاآني في طهران.\n"
    "وقال الناطق باسم هيئة الحشد الشعبي في محافظة الأنبار إن العراق 🇮🇶 هادئ."
)
MENTIONS = {
    "role": "قائد فيلق القدس|OCC",
    "force": "فيلق القدس|ORG",
    "qaani": "إسماعيل قاآني|PERS",
    "baghdad": "بغداد|GPE",
    "beirut": "بيروت|GPE",
    "nasrallah": "حسن نصر الله|PERS",
    "kadhimi": "مصطفى الكاظمي|PERS",
    "qaani2": "قاآني|PERS@1",
    "tehran": "طهران|GPE",
    "spokesman": "الناطق باسم هيئة الحشد الشعبي في محافظة الأنبار|OCC",
    "pmf": "هيئة الحشد الشعبي|ORG",
    "iraq": "العراق|GPE",
}


def annotate(mentions: dict[str, str], *relations: tuple[str, str, str], text: str = TEXT, id: str = "د-1"):
    entities = []
    for name, mention in mentions.items():
        fragment, _, label = mention.partition("|")
        label, _, skip = label.partition("@")
        start = -1
        for _ in range(int(skip or 0) + 1):
            start = text.index(fragment, start + 1)
        entities.append(make_entity(text, start, start + len(fragment), label, id=name))
    entities.sort(key=lambda e: (e.start, -e.end))
    return Document(text, tuple(entities), tuple(Relation(*r) for r in relations), id=id)


GOLD = annotate(
    MENTIONS,
    ("qaani", "has_occupation", "role"),
    ("role", "occupation_in", "force"),
    ("qaani", "visited", "baghdad"),
    ("qaani", "met_with", "nasrallah"),
)


@pytest.fixture
def predicted() -> Document:
    kept = {k: v for k, v in MENTIONS.items() if k not in ("beirut", "force", "iraq")}
    return annotate(
        kept | {"clitic": "ببيروت|GPE", "quds": "القدس|GPE"},
        ("qaani", "visited", "baghdad"),
        ("nasrallah", "met_with", "qaani"),  # symmetric: right in either direction
        ("kadhimi", "met_with", "qaani2"),  # what the sentence denies
        ("qaani", "visited", "clitic"),
    )


def counts(result: SliceResult) -> list[int]:
    return result.entities.micro.to_list()


def test_mentions_fall_into_the_slices_that_their_text_says(schema, predicted):
    seen = training_names([annotate({"a": "بغداد|GPE", "b": "إسماعيل قاآني|PERS", "c": "قاآني|PERS@1"})])
    slices = slice_counts([GOLD], [predicted], schema, seen_names=seen)
    assert counts(slices["all"]) == [9, 2, 3]
    assert counts(slices["clitic_initial"]) == [0, 0, 1]  # ببيروت was predicted with its proclitic
    assert counts(slices["seen"]) == [3, 0, 0]
    assert counts(slices["unseen"]) == [6, 2, 3]
    # The role holds the force in gold; القدس lies in the role by the prediction's own annotation.
    assert counts(slices["nested_outer"]) == [2, 0, 0]
    assert counts(slices["nested_inner"]) == [1, 1, 1]
    assert counts(slices["not_nested"]) == [6, 1, 2]
    assert counts(slices["long"]) == [1, 0, 0]
    assert counts(slices["denied"]) == [3, 0, 0]
    assert counts(slices["rough"]) == counts(slices["long_sentence"]) == [0, 0, 0]
    assert slices["source:د"].entities == slices["all"].entities
    assert list(slices) == [*SLICES, "source:د"]


def test_relations_by_distance_clause_and_ends(schema, predicted):
    slices = slice_counts([GOLD], [predicted], schema)
    tables = {name: result.relations.micro.to_list() for name, result in slices.items()}
    assert tables["all"] == [2, 2, 2]
    assert tables["distance_0"] == [1, 0, 2]  # qaani next to the role and to Baghdad, the force in the role
    assert tables["distance_1_5"] == [1, 2, 0]  # ثم التقى [ببيروت]: the word of Beirut lies between
    assert tables["cross_clause"] == [1, 2, 0]  # after ، and أن
    assert tables["same_clause"] == [1, 0, 2]
    assert tables["denied"] == [0, 1, 0]
    assert tables["nested_inner"] == [0, 0, 1]
    assert tables["not_nested"] == [2, 2, 0]
    assert "seen" not in slices


def test_denied_pairs_are_counted_by_sentence(schema, predicted):
    slices = slice_counts([GOLD], [predicted], schema)
    denied = slices["denied"]
    # Kadhimi, Qaani and Tehran: every pair of them could stand in a relation, and none does.
    assert (denied.false_pairs, denied.pairs) == (1, 3)
    assert denied.false_positive_rate == pytest.approx(1 / 3)
    assert slices["all"].pairs == denied.pairs + slices["not_denied"].pairs
    # The false visit to Beirut has an end that gold does not have, so it is no pair of gold mentions.
    assert slices["not_denied"].false_pairs == 0
    without = [replace(d, relations=()) for d in (GOLD, predicted)]
    assert slice_counts(without[:1], without[1:], schema)["all"].pairs == 0


@pytest.mark.parametrize(
    "text, denied",
    [
        ("ولم يلتق قاآني الكاظمي", True),
        ("فَلَنْ يزور بغداد", True),
        ("نفــى المتحدث الخبر", True),
        ("لا‌ علاقة له", True),
        ("التقى لامين الكاظمي", False),  # لا inside a word is none
        ("المليون وغيرها", False),
        ("زار بغداد", False),
    ],
)
def test_cues_are_whole_folded_words(text, denied):
    assert [s.denied for s in TextView(text).sentences] == [denied]


def test_words_and_clauses_between_spans():
    text = "أعلن الحزب الذي يقوده نصرالله عن 1,5 مليون؛ وبالعراق انتهى"
    view = TextView(text)
    at = {w: (text.index(w), text.index(w) + len(w)) for w in ("الحزب", "نصرالله", "عن", "مليون", "العراق")}
    assert view.words_between(at["الحزب"], at["نصرالله"]) == 2
    assert view.words_between(at["نصرالله"], at["الحزب"]) == 2
    assert view.words_between(at["نصرالله"], at["عن"]) == 0
    assert view.words_between(at["مليون"], at["العراق"]) == 0  # the proclitic is part of the word
    assert view.clause_between(at["الحزب"], at["نصرالله"])  # الذي
    assert not view.clause_between(at["عن"], at["مليون"])  # the comma of a number
    assert view.clause_between(at["مليون"], at["العراق"])
    assert view.count_words(0, len(text)) == 11
    assert view.count_words(*at["العراق"]) == 1  # though the word begins before it
    assert view.sentence_at(at["العراق"][0]) == 1


def test_rough_orthography_and_long_sentences(schema):
    rough = "اكد الوزير ان العراق مستعد الى اقصى حد، واضاف انه سيزور بغداد امس. " + "كلمة " * 45 + "في طهران."
    gold = annotate({"a": "العراق|GPE", "b": "طهران|GPE"}, text=rough, id="web_x-3")
    slices = slice_counts([gold], [replace(gold, entities=())], schema)
    assert counts(slices["rough"]) == [0, 0, 2]
    assert counts(slices["long_sentence"]) == [0, 0, 1]
    assert "source:web_x" in slices


def test_sources():
    assert [source_of(i) for i in ("alam-008", "anercorp-dev-0012", "وثيقة 3", "000_7cbc", "")] == [
        "alam",
        "anercorp-dev",
        "وثيقة",
        "other",
        "other",
    ]


def damaged(document: Document, rng: random.Random) -> Document:
    """Leave out, shift and rename mentions of a real document."""
    entities = []
    for e in document.entities:
        chance = rng.random()
        if chance < 0.1:
            continue
        start = e.start + (chance < 0.2 and e.end - e.start > 2)
        label = "ORG" if chance > 0.95 else e.label
        entities.append(make_entity(document.text, start, e.end, label, id=e.id))
    ids = {e.id for e in entities}
    kept = [r for r in document.relations if {r.head, r.tail} <= ids and rng.random() < 0.8]
    return replace(document, entities=tuple(entities), relations=tuple(kept), clusters=())


@pytest.mark.parametrize("convention, flat", [("char", False), ("word", False), ("char", True)])
def test_slices_add_up_to_the_evaluation(schema, articles, convention, flat):
    rng = random.Random(1)
    found = [damaged(d, rng) for d in articles]
    options = {"convention": convention, "flat": flat}
    whole = evaluate(articles, found, schema, **options)
    slices = slice_counts(articles, found, schema, seen_names=training_names(articles[:2]), **options)
    assert dict(slices["all"].entities) == dict(whole.entities)
    assert dict(slices["all"].relations) == dict(whole.relations["strict"])
    total = whole.entities.micro
    assert slices["seen"].entities.micro + slices["unseen"].entities.micro == total
    assert slices["denied"].entities.micro + slices["not_denied"].entities.micro == total
    parts = [slices[n].relations.micro for n in SLICES if n.startswith("distance")]
    assert sum(parts, Counts()) == whole.relations["strict"].micro
    assert slices["same_clause"].relations.micro + slices["cross_clause"].relations.micro == sum(
        parts, Counts()
    )
    assert total.fp and total.fn and slices["clitic_initial"].support > 50


def test_perfect_predictions_and_order(schema, articles):
    perfect = slice_counts(articles, articles[::-1], schema)
    assert all(c.f1 == 1 for r in perfect.values() for c in (*r.entities.values(), *r.relations.values()))
    assert all(r.false_pairs == 0 for r in perfect.values())
    assert slice_counts(articles[::-1], articles, schema) == perfect


def test_results_add_up_and_survive_json(schema, articles):
    rng = random.Random(2)
    found = [damaged(d, rng) for d in articles]
    whole = slice_counts(articles, found, schema)
    parts = [slice_counts(articles[a:b], found[a:b], schema) for a, b in ((0, 2), (2, 5))]
    assert add_slices(*parts) == whole
    web = slice_counts([replace(GOLD, id="web-1")], [replace(GOLD, id="web-1")], schema)
    both = add_slices(whole, web)
    assert both["source:web"].documents == 6 and len(both["source:web"].rows) == 1
    assert {n: SliceResult.from_dict(r.to_dict(samples=50)) for n, r in whole.items()} == whole
    with pytest.raises(DataError, match="twice"):
        add_slices(whole, parts[0])
    with pytest.raises(DataError, match="not a slice"):
        SliceResult.from_dict({"rows": [["a"]]})


def test_intervals_are_over_documents():
    def row(n: int, tp: int, fn: int, false: int = 0, pairs: int = 0) -> SliceRow:
        result = slice_table(tp, fn)
        return SliceRow(f"d{n}", result, result, false, pairs)

    def slice_table(tp: int, fn: int):
        from isnad.eval.counts import CountsTable

        return CountsTable({"PERS": Counts(tp, 0, fn)})

    steady = SliceResult(30, tuple(row(n, 3, 1, 1, 4) for n in range(10))).intervals(samples=300)
    assert steady.entities.recall.low == steady.entities.recall.high == 0.75
    assert steady.false_positive_rate.low == steady.false_positive_rate.high == 0.25
    mixed = SliceResult(30, tuple(row(n, 4 * (n % 2), 4 * (1 - n % 2)) for n in range(20)))
    interval = mixed.intervals(samples=2000).relations.recall
    # 20 documents, half of them right: the standard error is about sqrt(0.25 / 20) = 0.11.
    assert interval.low == pytest.approx(0.5 - 1.96 * 0.112, abs=0.06)
    assert interval.high == pytest.approx(0.5 + 1.96 * 0.112, abs=0.06)
    assert mixed.intervals(samples=300, seed=4) == mixed.intervals(samples=300, seed=4)
    assert mixed.intervals(samples=300).false_positive_rate is None
    assert SliceResult(30, mixed.rows[:1]).intervals().entities.f1 is None
    with pytest.raises(ConfigError):
        mixed.intervals(samples=0)
