"""Spans, error classes, relations, mentions of clusters and proclitics, scored by hand."""

from pathlib import Path

import pytest
from isnad.eval.coreference import b_cubed, mention_clusters
from isnad.eval.counts import Accuracy, Counts
from isnad.eval.proclitics import proclitic_accuracy
from isnad.eval.relations import match_relations
from isnad.eval.spans import (
    Span,
    classify_errors,
    count_errors,
    errors_per_class,
    match_spans,
    outermost,
    project,
)
from isnad.model.document import Document, Entity, Relation, number_clusters
from isnad.model.errors import ConfigError, DataError
from isnad.model.schema import LabelSchema
from isnad.model.text import make_entity

SCHEMA = LabelSchema.from_yaml(Path(__file__).parents[1] / "configs/schemas/wojood.yaml")

# What the tests annotate, each in its own way: T1 is the first mention given, T2 the second, …
VISIT = "زار قائد فيلق القدس إسماعيل قاآني بغداد وبكين والتقى قاآني برئيس الوزراء في بغداد."


def annotate(text: str, *mentions: str, relations: str = "", clusters: str = "") -> Document:
    """Build a document from `fragment|LABEL|occurrence`, `T1 label T2; …` and `T1 T3; …`."""
    entities = []
    for n, mention in enumerate(mentions, 1):
        fragment, label, *occurrence = mention.split("|")
        start = -1
        for _ in range(int(*occurrence or [1])):
            start = text.index(fragment, start + 1)
        entities.append(make_entity(text, start, start + len(fragment), label, id=f"T{n}"))
    entities.sort(key=lambda e: (e.start, -e.end))
    triples = [r.split() for r in relations.split(";") if r.strip()]
    groups = [c.split() for c in clusters.split(";") if c.strip()]
    numbered, kept = number_clusters(entities, groups)
    return Document(text, numbered, tuple(Relation(*t) for t in triples), kept)


def errors(gold: Document, predicted: Document) -> list[tuple[str, str, str]]:
    """Return (class, gold text, predicted text) of every error."""

    def words(span: Span | None) -> str:
        return gold.text[span.start : span.end] if span else ""

    found = classify_errors(project(gold).values(), project(predicted).values())
    return [(e.kind.value, words(e.gold), words(e.predicted)) for e in found]


def strict(gold: Document, predicted: Document, **options) -> Counts:
    return match_spans(project(gold, **options).values(), project(predicted, **options).values()).micro


def test_strict_matching_counts_nested_spans_and_their_labels():
    gold = annotate(VISIT, "قائد فيلق القدس|OCC", "فيلق القدس|ORG", "إسماعيل قاآني|PERS", "بغداد|GPE")
    predicted = annotate(VISIT, "قائد فيلق القدس|OCC", "فيلق القدس|FAC", "إسماعيل قاآني|PERS", "بغداد|GPE|2")
    table = match_spans(project(gold).values(), project(predicted).values())
    assert table == {
        "OCC": Counts(tp=1),
        "ORG": Counts(fn=1),
        "FAC": Counts(fp=1),
        "PERS": Counts(tp=1),
        "GPE": Counts(fp=1, fn=1),
    }


def test_a_doubled_prediction_counts_once():
    gold = annotate(VISIT, "بغداد|GPE")
    assert strict(gold, annotate(VISIT, "بغداد|GPE", "بغداد|GPE")) == Counts(tp=1)


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [
        (["بكين|GPE"], ["وبكين|GPE"], [("clitic", "بكين", "وبكين")]),
        (["بكين|GPE"], ["كين|GPE"], [("clitic", "بكين", "كين")]),
        (["بغداد|GPE"], ["بغداد|ORG"], [("type", "بغداد", "بغداد")]),
        (["إسماعيل قاآني|PERS"], ["قاآني|PERS"], [("boundary", "إسماعيل قاآني", "قاآني")]),
        (["إسماعيل قاآني|PERS"], ["قاآني|OCC"], [("both", "إسماعيل قاآني", "قاآني")]),
        (["بكين|GPE"], ["وبكين|ORG"], [("both", "بكين", "وبكين")]),
        (["بغداد|GPE"], [], [("missed", "بغداد", "")]),
        ([], ["زار|PERS"], [("spurious", "", "زار")]),
        (["بغداد|GPE"], ["بغداد|GPE|2"], [("missed", "بغداد", ""), ("spurious", "", "بغداد")]),
        # An inner or outer entity of a matched one.
        (["قائد فيلق القدس|OCC", "فيلق القدس|ORG"], ["فيلق القدس|ORG"], [("nesting", "قائد فيلق القدس", "")]),
        (["قائد فيلق القدس|OCC", "فيلق القدس|ORG"], ["قائد فيلق القدس|OCC"], [("nesting", "فيلق القدس", "")]),
        (["فيلق القدس|ORG"], ["فيلق القدس|ORG", "القدس|GPE"], [("nesting", "", "القدس")]),
        (["بغداد|GPE", "بغداد|ORG"], ["بغداد|GPE"], [("nesting", "بغداد", "")]),
        # The outer one is there, with a wrong end: a boundary error, not a nesting error.
        (
            ["قائد فيلق القدس|OCC", "فيلق القدس|ORG"],
            ["قائد فيلق القدس إسماعيل|OCC", "فيلق القدس|ORG"],
            [("boundary", "قائد فيلق القدس", "قائد فيلق القدس إسماعيل")],
        ),
        # One prediction stands for one gold span: the closer one.
        (
            ["إسماعيل|PERS", "قاآني بغداد|PERS"],
            ["إسماعيل قاآني|PERS"],
            [("boundary", "إسماعيل", "إسماعيل قاآني"), ("missed", "قاآني بغداد", "")],
        ),
        # The same span with another label is nearer than the same label elsewhere.
        (
            ["فيلق القدس|ORG"],
            ["فيلق القدس|FAC", "القدس|ORG"],
            [("type", "فيلق القدس", "فيلق القدس"), ("spurious", "", "القدس")],
        ),
    ],
)
def test_error_classes(gold, predicted, expected):
    assert errors(annotate(VISIT, *gold), annotate(VISIT, *predicted)) == expected


def test_a_clitic_error_is_about_the_first_word_only():
    # قائد is a word of its own: leaving it out is no matter of proclitics.
    gold, predicted = annotate(VISIT, "قائد فيلق القدس|OCC"), annotate(VISIT, "فيلق القدس|OCC")
    assert errors(gold, predicted) == [("boundary", "قائد فيلق القدس", "فيلق القدس")]
    # Without word_start nothing says whether two starts are in one word.
    bare = [Span(1, 5, "GPE"), Span(0, 5, "GPE")]
    assert [e.kind.value for e in classify_errors(bare[:1], bare[1:])] == ["boundary"]


def test_errors_are_counted_by_class_and_labels():
    gold = annotate(VISIT, "بغداد|GPE", "بكين|GPE", "قاآني|PERS")
    predicted = annotate(VISIT, "بغداد|ORG", "وبكين|GPE")
    counts = count_errors(classify_errors(project(gold).values(), project(predicted).values()))
    assert counts == {("clitic", "GPE", "GPE"): 1, ("missed", "PERS", ""): 1, ("type", "GPE", "ORG"): 1}
    assert {k.value: n for k, n in errors_per_class(counts).items() if n} == {
        "clitic": 1,
        "type": 1,
        "missed": 1,
    }
    assert sum(errors_per_class(counts, "ORG").values()) == 1


def test_word_convention_forgives_proclitics():
    gold, predicted = (
        annotate(VISIT, "بكين|GPE", "رئيس الوزراء|OCC"),
        annotate(VISIT, "وبكين|GPE", "برئيس الوزراء|OCC"),
    )
    assert strict(gold, predicted) == Counts(fp=2, fn=2)
    assert strict(gold, predicted, convention="word") == Counts(tp=2)
    bare = Document("بكين", (Entity("T1", 0, 4, "GPE", "بكين", "بكين"),))
    with pytest.raises(DataError, match="no word_start"):
        project(bare, convention="word")
    with pytest.raises(ConfigError, match="did you mean 'word'"):
        project(gold, convention="words")  # type: ignore[arg-type]


def test_flat_keeps_the_outermost_and_the_likeliest():
    gold = annotate(VISIT, "قائد فيلق القدس|OCC", "فيلق القدس|ORG", "القدس|GPE", "إسماعيل قاآني|PERS")
    assert [s.label for s in project(gold, flat=True).values()] == ["OCC", "PERS"]
    crossing = [Span(0, 5, "A"), Span(3, 9, "B"), Span(6, 9, "C")]
    assert [s.label for s in outermost(crossing)] == ["A", "C"]
    text = "بغداد"
    doubtful = [make_entity(text, 0, 5, lab, id=lab, score=s) for lab, s in (("ORG", 0.6), ("GPE", 0.9))]
    assert list(project(Document(text, doubtful), flat=True)) == ["GPE"]


def views(gold: Document, predicted: Document) -> dict[str, Counts]:
    tables = match_relations(gold, predicted, SCHEMA, project(gold), project(predicted))
    return {view: table.micro for view, table in tables.items()}


MENTIONS = ("إسماعيل قاآني|PERS", "فيلق القدس|ORG", "بغداد|GPE", "قاآني|PERS|2", "بغداد|GPE|2")


def test_relations_strict_and_boundary():
    gold = annotate(VISIT, *MENTIONS, relations="T1 leader_of T2; T1 visited T3")
    typed = annotate(
        VISIT, MENTIONS[0], "فيلق القدس|NORP", MENTIONS[2], relations="T1 leader_of T2; T1 visited T3"
    )
    assert views(gold, typed)["strict"] == Counts(tp=1, fp=1, fn=1)
    assert views(gold, typed)["boundary"] == Counts(tp=2)
    shifted = annotate(VISIT, "قاآني|PERS", *MENTIONS[1:3], relations="T1 leader_of T2; T1 visited T3")
    assert views(gold, shifted)["boundary"] == Counts(fp=2, fn=2)


def test_direction_and_label_of_relations_count():
    gold = annotate(VISIT, *MENTIONS, relations="T1 leader_of T2")
    for wrong in ("T2 leader_of T1", "T1 member_of T2"):
        assert set(views(gold, annotate(VISIT, *MENTIONS, relations=wrong)).values()) == {Counts(fp=1, fn=1)}


def test_symmetric_relations_match_in_either_direction_and_count_once():
    gold = annotate(VISIT, *MENTIONS, relations="T1 met_with T2")
    for right in ("T1 met_with T2", "T2 met_with T1", "T1 met_with T2; T2 met_with T1"):
        assert set(views(gold, annotate(VISIT, *MENTIONS, relations=right)).values()) == {Counts(tp=1)}


def test_doubled_relations_count_once():
    gold = annotate(VISIT, *MENTIONS, relations="T1 leader_of T2")
    doubled = annotate(VISIT, *MENTIONS, MENTIONS[1], relations="T1 leader_of T2; T1 leader_of T6")
    assert set(views(gold, doubled).values()) == {Counts(tp=1)}


def test_entity_level_relations_take_any_mention_of_the_cluster():
    gold = annotate(VISIT, *MENTIONS, relations="T1 visited T3", clusters="T1 T4; T3 T5")
    other = annotate(VISIT, *MENTIONS, relations="T4 visited T5; T1 visited T5")
    assert views(gold, other)["strict"] == Counts(fp=2, fn=1)
    assert views(gold, other)["entity"] == Counts(tp=1)
    # The clusters of the prediction say nothing about it; mentions that are not gold never do.
    wrong = annotate(VISIT, *MENTIONS, "بكين|GPE", relations="T1 visited T6", clusters="T3 T6")
    assert views(gold, wrong)["entity"] == Counts(fp=1, fn=1)


def test_flat_convention_leaves_out_relations_of_inner_entities():
    gold = annotate(
        VISIT, "قائد فيلق القدس|OCC", "فيلق القدس|ORG", "بغداد|GPE", relations="T1 occupation_in T2"
    )
    flat = project(gold, flat=True)
    assert match_relations(gold, gold, SCHEMA, flat, flat)["strict"].micro == Counts()


def partitions(gold: Document, predicted: Document) -> tuple[list[set], list[set]]:
    sides = mention_clusters(gold, predicted, project(gold), project(predicted), SCHEMA.coreferent_labels)
    return [set(c) for c in sides[0]], [set(c) for c in sides[1]]


def test_mentions_are_names_with_the_boundaries_of_their_spans():
    gold = annotate(VISIT, *MENTIONS, "قائد فيلق القدس|OCC", clusters="T1 T4; T3 T5")
    predicted = annotate(VISIT, MENTIONS[0], "فيلق القدس|FAC", MENTIONS[3], clusters="T1 T3")
    left, right = partitions(gold, predicted)
    spans = {id_: (e.start, e.end) for id_, e in gold.by_id().items()}
    pers, place, unit = {spans["T1"], spans["T4"]}, {spans["T3"], spans["T5"]}, {spans["T2"]}
    assert (left, right) == ([pers, place, unit], [pers, unit])
    found = b_cubed(left, right)
    assert (found.precision, found.recall) == pytest.approx((1, 3 / 5))


def test_two_mentions_on_one_span_are_told_apart_by_label():
    gold = annotate(VISIT, "بغداد|GPE", "بغداد|ORG", "بغداد|GPE|2", clusters="T1 T3")
    predicted = annotate(VISIT, "بغداد|ORG", "بغداد|GPE|2")
    left, right = partitions(gold, predicted)
    assert sorted(map(len, left)) == [1, 2]
    assert right[0] in left  # بغداد|ORG


def test_proclitic_accuracy_by_hand():
    text = "سافر إلى بكين وبغداد ولندن وباريس ثم دمشق وكربلاء"
    names = ("بكين|GPE", "بغداد|GPE", "لندن|GPE", "باريس|GPE", "دمشق|GPE", "كربلاء|GPE")
    gold = annotate(text, *names)
    # كين and وبغداد are cut wrongly, ولندن has another label, باريس is right, كربلاء was not found; دمشق
    # poses no question.
    predicted = annotate(text, "كين|GPE", "وبغداد|GPE", "ولندن|ORG", "باريس|GPE", "دمشق|GPE")
    found = proclitic_accuracy(text, gold.entities, predicted.entities)
    assert found == {"attached": Accuracy(1, 2), "whole": Accuracy(0, 1)}


def test_proclitic_decisions_see_through_presentation_forms_and_kashida():
    for text, start in (("ﺑﻐﺪﺍﺩ", 0), ("\u200fبغداد", 1), ("وَبغداد", 2), ("لـلندن", 2)):
        gold = [make_entity(text, start, len(text), "GPE")]
        assert sum(a.total for a in proclitic_accuracy(text, gold, gold).values()) == 1, text
