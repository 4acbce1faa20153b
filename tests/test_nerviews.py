"""Views of other tools: equal to seqeval and nervaluate on flat documents, sensible on nested ones."""

import random
from dataclasses import replace
from itertools import pairwise

import pytest
from isnad.eval import evaluate
from isnad.eval.nerviews import (
    STRATEGIES,
    MucCounts,
    NervaluateView,
    iob2,
    nervaluate_view,
    seqeval_view,
    view_of_spans,
)
from isnad.eval.spans import Span
from isnad.model.document import Document, Entity
from isnad.model.errors import DataError
from isnad.model.text import make_entity, words

LABELS = ("PERS", "ORG", "GPE", "OCC")
TEXT = (
    "وقال قائد فيلق القدس إسماعيل قاآني لـحزب الله وبكين إن العراق ولبنان "
    "سيبقيان، فيما زار مُصطفى الكاظمي للعراق ٢٠ مدينة 🇮🇶 بالأنبار وكربلاء."
)
WORDS = words(TEXT)
LONG = "وهيئة " * 40  # 240 letters and blanks: one letter of it is less than one per cent


def flat_document(rng: random.Random, like: Document | None = None, text: str = TEXT) -> Document:
    """Random spans without overlap, on and off word edges, half of them those of `like`."""
    spots = words(text)
    kept: list[Entity] = [e for e in (like.entities if like else ()) if rng.random() < 0.5]
    n = 0
    while n < len(spots):
        last = min(n + rng.choice((0, 0, 1, 2, 5)), len(spots) - 1)
        start, end = spots[n][0] + rng.choice((0, 0, 0, 1)), spots[last][1]
        clear = not any(e.start < end and start < e.end for e in kept)
        if start < end and clear and rng.random() < 0.6:
            kept.append(make_entity(text, start, end, rng.choice(LABELS)))
        n = last + 1
    kept.sort(key=lambda e: e.start)
    return Document(text, [replace(e, id=f"T{k}") for k, e in enumerate(kept)])


def sides(seed: int, text: str = TEXT) -> tuple[list[Document], list[Document]]:
    rng = random.Random(seed)
    gold = [flat_document(rng, text=text) for _ in range(4)]
    return gold, [flat_document(rng, d, text=text) for d in gold]


def test_the_random_documents_are_flat():
    for document in (*sides(3)[0], *sides(3)[1]):
        assert document.entities
        assert all(a.end <= b.start for a, b in pairwise(document.entities))


def test_seqeval_view_equals_seqeval():
    metrics = pytest.importorskip("seqeval.metrics")
    from seqeval.scheme import IOB2

    for seed in range(20):
        gold, predicted = sides(seed)
        theirs = metrics.classification_report(
            [iob2(d) for d in gold],
            [iob2(d) for d in predicted],
            mode="strict",
            scheme=IOB2,
            output_dict=True,
            zero_division=0,
        )
        view = seqeval_view(gold, predicted, samples=5).labels
        ours = dict(view) | {f"{n} avg": getattr(view, n) for n in ("micro", "macro", "weighted")}
        assert ours.keys() == theirs.keys()
        for name, row in theirs.items():
            expected = row["precision"], row["recall"], row["f1-score"]
            assert (ours[name].precision, ours[name].recall, ours[name].f1) == pytest.approx(expected), name


def test_tags_are_of_whole_words_and_outermost():
    text = "زار قائد فيلق القدس وبغداد أمس"
    spans = [(4, 19, "OCC"), (9, 19, "ORG"), (21, 26, "GPE")]
    document = Document(text, [make_entity(text, s, e, x, id=f"T{n}") for n, (s, e, x) in enumerate(spans)])
    assert iob2(document) == ["O", "B-OCC", "I-OCC", "I-OCC", "B-GPE", "O"]
    mapped = iob2(document, label_of={"ORG": "ORG", "GPE": "LOC"})
    assert mapped == ["O", "O", "B-ORG", "I-ORG", "B-LOC", "O"]
    scores = seqeval_view([document], [document], label_of={"GPE": "LOC"}, samples=5)
    assert dict(scores.labels).keys() == {"LOC"} and scores.labels.micro.f1 == 1


def library(gold: list[Document], predicted: list[Document]) -> dict:
    nervaluate = pytest.importorskip("nervaluate")

    def spans(document: Document) -> list[dict[str, object]]:
        return [{"label": e.label, "start": e.start, "end": e.end - 1} for e in document.entities]

    evaluator = nervaluate.Evaluator(
        [spans(d) for d in gold], [spans(d) for d in predicted], tags=list(LABELS), loader="dict"
    )
    return evaluator.evaluate()


def same(ours: MucCounts, theirs) -> bool:
    counts = [theirs.correct, theirs.incorrect, theirs.partial, theirs.missed, theirs.spurious]
    scores = pytest.approx((theirs.precision, theirs.recall, theirs.f1))
    return ours.to_list() == counts and (ours.precision, ours.recall, ours.f1) == scores


@pytest.mark.parametrize("text", [TEXT, LONG])
def test_nervaluate_view_equals_nervaluate(text):
    seen = MucCounts()
    for seed in range(30):
        gold, predicted = sides(seed, text)
        theirs, ours = library(gold, predicted), nervaluate_view(gold, predicted)
        for strategy in STRATEGIES:
            name = "ent_type" if strategy == "type" else strategy
            assert same(ours.overall[strategy], theirs["overall"][name]), (seed, strategy)
            assert ours.labels.keys() == theirs["entities"].keys()
            for label, by in theirs["entities"].items():
                assert same(ours.labels[label][strategy], by[name]), (seed, strategy, label)
            seen += ours.overall[strategy]
    assert min(seen.to_list()) > 0  # every outcome occurred


def test_one_letter_of_a_long_span_is_no_overlap():
    outcome = view_of_spans([Span(0, 200, "ORG")], [Span(199, 230, "ORG")]).overall["type"]
    assert outcome == MucCounts(missed=1, spurious=1)
    assert view_of_spans([Span(0, 100, "ORG")], [Span(99, 130, "ORG")]).overall["type"].correct == 1


def test_nested_spans_are_paired_with_their_likes():
    gold = [Span(0, 15, "OCC"), Span(5, 15, "ORG")]
    # Found inner first, outer with another end: pairing in list order would take the wrong one.
    view = view_of_spans(gold, [Span(5, 15, "ORG"), Span(0, 18, "OCC")])
    assert view.overall["strict"] == MucCounts(correct=1, incorrect=1)
    assert view.overall["partial"] == MucCounts(correct=1, partial=1)
    assert view.overall["type"] == MucCounts(correct=2)
    # Two labels on one span: each with its own, whatever the order.
    double = [Span(0, 5, "ORG"), Span(0, 5, "GPE")]
    for found in (double, double[::-1]):
        assert view_of_spans(double, found).overall == dict.fromkeys(STRATEGIES, MucCounts(correct=2))
    other = view_of_spans(double, [Span(0, 5, "GPE"), Span(0, 5, "PERS")]).overall
    assert other["exact"] == MucCounts(correct=2)
    assert other["strict"] == other["type"] == MucCounts(correct=1, incorrect=1)


def test_nested_articles(schema, articles):
    rng = random.Random(5)

    def damaged(document: Document) -> Document:
        kept = [e for e in document.entities if rng.random() < 0.9]
        moved = [
            make_entity(
                document.text, e.start, max(e.start + 1, e.end - (rng.random() < 0.1)), e.label, id=e.id
            )
            for e in kept
        ]
        return replace(document, entities=tuple(moved), relations=(), clusters=())

    found = [damaged(d) for d in articles]
    view = nervaluate_view(articles, found)
    micro = evaluate(articles, found, schema).entities.micro
    strict = view.overall["strict"]
    assert (strict.correct, strict.actual, strict.possible) == (micro.tp, micro.predicted, micro.support)
    assert strict.f1 <= view.overall["exact"].f1 <= view.overall["partial"].f1 < 1
    assert nervaluate_view(articles, articles).overall["type"].f1 == 1
    parts = [nervaluate_view(articles[a:b], found[a:b]) for a, b in ((0, 2), (2, 5))]
    assert parts[0] + parts[1] == view
    assert NervaluateView.from_dict(view.to_dict()) == view
    shuffled = [replace(d, entities=tuple(rng.sample(d.entities, len(d.entities)))) for d in found[::-1]]
    assert nervaluate_view(articles, shuffled) == view
    with pytest.raises(DataError, match="not a view"):
        NervaluateView.from_dict({"overall": {}})


def test_flat_and_word_conventions():
    text = "زار قائد فيلق القدس وبغداد أمس"
    gold = Document(text, [make_entity(text, 4, 19, "OCC", id="a"), make_entity(text, 9, 19, "ORG", id="b")])
    found = Document(text, [make_entity(text, 4, 19, "OCC", id="a")])
    assert nervaluate_view([gold], [found]).overall["strict"] == MucCounts(correct=1, missed=1)
    assert nervaluate_view([gold], [found], flat=True).overall["strict"] == MucCounts(correct=1)
    city, whole = (Document(text, [make_entity(text, s, 26, "GPE", id="c")]) for s in (21, 20))
    assert nervaluate_view([city], [whole]).overall["strict"] == MucCounts(incorrect=1)
    assert nervaluate_view([city], [whole], convention="word").overall["strict"] == MucCounts(correct=1)
    with pytest.raises(DataError, match="no gold"):
        nervaluate_view([], [])
