"""Properties of the evaluation on random documents, and its agreement with seqeval and nervaluate."""

import random
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isnad.eval import Evaluation, evaluate
from isnad.eval.spans import ErrorClass, classify_errors, project
from isnad.model.document import Document, Entity, Relation, number_clusters
from isnad.model.schema import LabelSchema
from isnad.model.text import make_entity, words

SCHEMA = LabelSchema.from_yaml(Path(__file__).parents[1] / "configs/schemas/wojood.yaml")
LABELS = ("PERS", "ORG", "GPE", "OCC")
RELATIONS = ("met_with", "member_of", "conflict_with", "part_of")
TEXT = (
    "وقال قائد فيلق القدس إسماعيل قاآني لـحزب الله وبكين إن العراق ولبنان "
    "سيبقيان، فيما زار مُصطفى الكاظمي للعراق ٢٠ مدينة 🇮🇶 بالأنبار وكربلاء."
)
WORDS = words(TEXT)

# No deadline: these run beside trainings, and a busy machine is no fault of the code.
relaxed = settings(deadline=None, max_examples=60)


@st.composite
def annotations(draw, text: str = TEXT, limit: int = 9) -> Document:
    """Any annotation: nested, crossing and doubled spans, starts inside words, loops in relations."""
    spots = words(text)
    entities = []
    for n in range(draw(st.integers(0, limit))):
        first = draw(st.integers(0, len(spots) - 1))
        last = min(first + draw(st.integers(0, 3)), len(spots) - 1)
        end = spots[last][1]
        start = min(spots[first][0] + draw(st.sampled_from((0, 0, 0, 1))), end - 1)
        entities.append(make_entity(text, start, end, draw(st.sampled_from(LABELS)), id=f"T{n}"))
    entities.sort(key=lambda e: (e.start, -e.end))
    relations, groups = [], []
    if entities:
        ids = st.sampled_from([e.id for e in entities])
        triples = st.tuples(ids, st.sampled_from(RELATIONS), ids)
        relations = [Relation(*t) for t in draw(st.lists(triples, max_size=5))]
        parts: dict[int, list[str]] = {}
        for e in entities:
            parts.setdefault(draw(st.integers(0, 3)), []).append(e.id)
        groups = list(parts.values())
    numbered, clusters = number_clusters(entities, groups)
    return Document(text, numbered, tuple(relations), clusters)


@st.composite
def collections(draw) -> tuple[list[Document], list[Document]]:
    size = draw(st.integers(1, 4))
    sides = [[replace(draw(annotations()), id=f"وثيقة {n}") for n in range(size)] for _ in range(2)]
    return sides[0], sides[1]


@relaxed
@given(annotations(), st.sampled_from(("char", "word")), st.booleans())
def test_perfect_predictions_score_one(document, convention, flat):
    evaluation = evaluate([document], [document], SCHEMA, convention=convention, flat=flat)
    assert not evaluation.errors
    for table in (evaluation.entities, *evaluation.relations.values()):
        assert {c.f1 for c in table.values()} <= {1.0}
        assert not table or (table.micro.f1, table.macro.f1, table.weighted.f1) == (1, 1, 1)
    for scores in evaluation.coreference.values():
        assert all(c.f1 == pytest.approx(1) for c in scores.values() if c.p_whole)
    assert all(a.correct == a.total for a in evaluation.proclitics.values())


def numbers(summary: dict, path: str = "") -> dict[str, float]:
    """Flatten nested scores, which pytest.approx cannot compare."""
    flat: dict[str, float] = {}
    for key, value in summary.items():
        flat |= numbers(value, f"{path}/{key}") if isinstance(value, dict) else {f"{path}/{key}": value}
    return flat


@relaxed
@given(collections(), st.randoms())
def test_shuffling_documents_and_annotations_changes_nothing(sides, rng):
    gold, predicted = sides
    order = list(range(len(gold)))
    rng.shuffle(order)

    def reordered(d: Document) -> Document:
        relations = rng.sample(d.relations, len(d.relations))
        return replace(d, entities=tuple(rng.sample(d.entities, len(d.entities))), relations=tuple(relations))

    shuffled = evaluate([reordered(gold[n]) for n in order], [reordered(d) for d in predicted], SCHEMA)
    straight = evaluate(gold, predicted, SCHEMA)
    assert numbers(shuffled.summary()) == pytest.approx(numbers(straight.summary()))
    assert evaluate([gold[n] for n in order], predicted, SCHEMA) == evaluate(gold, predicted, SCHEMA)


@relaxed
@given(collections(), st.integers(0, 4))
def test_evaluations_add_up_and_survive_json(sides, cut):
    gold, predicted = sides
    cut = min(cut, len(gold) - 1)
    whole = evaluate(gold, predicted, SCHEMA)
    if cut:
        assert (
            evaluate(gold[:cut], predicted[:cut], SCHEMA) + evaluate(gold[cut:], predicted[cut:], SCHEMA)
            == whole
        )
    assert Evaluation.from_dict(whole.to_dict()) == whole


@relaxed
@given(annotations(), annotations())
def test_every_unmatched_span_has_exactly_one_error(gold, predicted):
    wanted = {s.key for s in project(gold).values()}
    found = {s.key for s in project(predicted).values()}
    errors = classify_errors(project(gold).values(), project(predicted).values())
    assert sorted(e.gold.key for e in errors if e.gold) == sorted(wanted - found)
    assert sorted(e.predicted.key for e in errors if e.predicted) == sorted(found - wanted)
    two_sided = {ErrorClass.CLITIC, ErrorClass.TYPE, ErrorClass.BOUNDARY, ErrorClass.BOTH}
    for e in errors:
        assert (e.gold is not None and e.predicted is not None) == (e.kind in two_sided)


@relaxed
@given(annotations(), annotations())
def test_swapping_gold_and_prediction_swaps_precision_and_recall(a, b):
    forth, back = evaluate([a], [b], SCHEMA), evaluate([b], [a], SCHEMA)
    assert forth.entities.micro.precision == back.entities.micro.recall
    assert forth.relations["strict"].micro.precision == back.relations["strict"].micro.recall
    for partition, scores in forth.coreference.items():
        for metric, counts in scores.items():
            assert counts.precision == pytest.approx(back.coreference[partition][metric].recall), metric
            assert -1e-9 <= counts.f1 <= 1 + 1e-9
    swapped = {ErrorClass.MISSED: ErrorClass.SPURIOUS, ErrorClass.SPURIOUS: ErrorClass.MISSED}
    expected = {swapped.get(kind, kind): n for kind, n in back.error_classes.items()}
    assert forth.error_classes == expected


@relaxed
@given(annotations(), annotations())
def test_turning_symmetric_relations_changes_nothing(gold, predicted):
    def turn(r: Relation) -> Relation:
        return Relation(r.tail, r.label, r.head) if SCHEMA.relation(r.label).symmetric else r

    turned = replace(predicted, relations=tuple(map(turn, predicted.relations)))
    assert evaluate([gold], [turned], SCHEMA).relations == evaluate([gold], [predicted], SCHEMA).relations


@relaxed
@given(annotations(), annotations())
def test_views_are_ordered_by_how_much_they_forgive(gold, predicted):
    views = evaluate([gold], [predicted], SCHEMA).relations
    strict, boundary = views["strict"].micro, views["boundary"].micro
    assert not strict.tp or boundary.tp
    assert not strict.tp or views["entity"].micro.tp


def flat_document(rng: random.Random, like: Document | None = None) -> Document:
    """Random whole-word entities without overlap, as IOB2 tags can write; half of them taken from `like`."""
    kept: list[Entity] = [e for e in (like.entities if like else ()) if rng.random() < 0.6]
    n = 0
    while n < len(WORDS):
        last = min(n + rng.choice((0, 0, 1, 2)), len(WORDS) - 1)
        start, end = WORDS[n][0], WORDS[last][1]
        if rng.random() < 0.4 and not any(e.start < end and start < e.end for e in kept):
            kept.append(make_entity(TEXT, start, end, rng.choice(LABELS)))
        n = last + 1
    kept.sort(key=lambda e: e.start)
    return Document(TEXT, [replace(e, id=f"T{n}") for n, e in enumerate(kept)])


def iob2(document: Document) -> list[str]:
    tags = ["O"] * len(WORDS)
    for e in document.entities:
        inside = [n for n, (start, end) in enumerate(WORDS) if e.start <= start and end <= e.end]
        for n in inside:
            tags[n] = f"{'B' if n == inside[0] else 'I'}-{e.label}"
    return tags


def test_flat_scores_agree_with_seqeval():
    metrics = pytest.importorskip("seqeval.metrics")
    from seqeval.scheme import IOB2

    for seed in range(25):
        rng = random.Random(seed)
        gold = [flat_document(rng) for _ in range(4)]
        predicted = [flat_document(rng, d) for d in gold]
        report = metrics.classification_report(
            [iob2(d) for d in gold],
            [iob2(d) for d in predicted],
            mode="strict",
            scheme=IOB2,
            output_dict=True,
            zero_division=0,
        )
        ours = evaluate(gold, predicted, SCHEMA, flat=True).entities
        scores = dict(ours) | {f"{name} avg": getattr(ours, name) for name in ("micro", "macro", "weighted")}
        assert report.keys() == scores.keys()
        for name, theirs in report.items():
            expected = (theirs["precision"], theirs["recall"], theirs["f1-score"])
            assert (scores[name].precision, scores[name].recall, scores[name].f1) == pytest.approx(
                expected
            ), name


def test_strict_counts_agree_with_nervaluate():
    nervaluate = pytest.importorskip("nervaluate")

    def spans(document: Document) -> list[dict[str, object]]:
        # nervaluate's end is inclusive.
        return [{"label": e.label, "start": e.start, "end": e.end - 1} for e in document.entities]

    for seed in range(25):
        rng = random.Random(seed)
        gold = [flat_document(rng) for _ in range(4)]
        predicted = [flat_document(rng, d) for d in gold]
        evaluator = nervaluate.Evaluator(
            [spans(d) for d in gold], [spans(d) for d in predicted], tags=list(LABELS), loader="dict"
        )
        theirs = evaluator.evaluate()["overall"]["strict"]
        ours = evaluate(gold, predicted, SCHEMA).entities.micro
        assert (ours.tp, ours.predicted, ours.support) == (theirs.correct, theirs.actual, theirs.possible)
        assert (ours.precision, ours.recall) == pytest.approx((theirs.precision, theirs.recall))


def test_the_random_documents_are_what_the_tests_say():
    document = flat_document(random.Random(1))
    assert document.entities
    assert all(a.end <= b.start for a, b in pairwise(document.entities))


def test_a_book_is_evaluated_quickly():
    rng = random.Random(0)
    text = "زار إسماعيل قاآني بغداد وبكين. " * 5000
    spots = words(text)
    sides = []
    for _ in range(2):
        entities = []
        for n in sorted(rng.sample(range(len(spots) - 1), 8000)):
            start, end = spots[n][0], spots[n + rng.randrange(2)][1]
            name = text[start:end]
            entities.append(
                Entity(f"T{n}", start, end, rng.choice(LABELS), name, name, 1.0, None, start, end)
            )
        sides.append(Document(text, tuple(entities)))
    started = time.perf_counter()
    evaluation = evaluate(sides[:1], sides[1:], SCHEMA)
    assert (
        time.perf_counter() - started < 5
    )  # 0.3 s on a free core; comparing all with all would take minutes
    assert sum(evaluation.error_classes.values()) > 5000
