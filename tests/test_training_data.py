"""From gold documents to examples: targets by hand, gold out of reach listed, augmentation that keeps offsets."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isnad.model.document import Document, Relation
from isnad.model.errors import DataError, SchemaError
from isnad.model.schema import LabelSchema
from isnad.model.text import make_entity, words
from isnad.model.windows import WindowMaker
from isnad.training.augment import Augmenter
from isnad.training.data.annotation import Annotation
from isnad.training.edits import Edit, rewrite
from isnad.training.examples import Unreachable, build_examples, locate, split_paragraphs
from transformers import AutoTokenizer


def gold(text: str, *marked: tuple[str, str], relations: Sequence[tuple[int, str, int]] = ()) -> Document:
    """A document whose entities are the first occurrences of the marked strings after one another."""
    entities, at = [], -1
    for n, (part, label) in enumerate(marked, 1):
        at = text.index(part, at + 1)
        entities.append(make_entity(text, at, at + len(part), label, id=f"T{n}"))
    links = [Relation(f"T{h}", label, f"T{t}") for h, label, t in relations]
    return Document(text, tuple(entities), tuple(links), id="d")


def test_targets_by_hand(maker: WindowMaker, schema: LabelSchema) -> None:
    text = "زار قائد فيلق القدس بغداد والتقى بالكاظمي"
    document = gold(
        text,
        ("قائد فيلق القدس", "OCC"),
        ("فيلق القدس", "ORG"),
        ("بغداد", "GPE"),
        ("الكاظمي", "PERS"),
        relations=[(1, "occupation_in", 2), (2, "met_with", 4)],
    )
    [example] = build_examples(document, maker, schema)
    assert example.spans.tolist() == [[1, 3], [2, 3], [4, 4], [6, 6]]
    assert [[schema.entity_labels[i] for i in np.flatnonzero(t)] for t in example.types] == [
        ["OCC"],
        ["ORG"],
        ["GPE"],
        ["PERS"],
    ]
    assert example.proclitics.tolist() == [-100, 0, 0, -100, 0, -100, 1]
    meeting, inside = schema.relation_index["met_with"], schema.relation_index["occupation_in"]
    assert example.relations.tolist() == [[0, inside, 1], [1, meeting, 3], [3, meeting, 1]]
    assert example.annotated.all() and example.relation_annotated.all()
    silence = Annotation({"PERS": ("PERS",), "OCC": (), "ORG": (), "GPE": ()}, frozenset({"PERS"}))
    [silent] = build_examples(document, maker, schema, annotation=silence)
    assert not silent.relation_annotated.any()
    assert [schema.entity_labels[i] for i in np.flatnonzero(silent.annotated)] == ["PERS"]
    with pytest.raises(SchemaError, match="unknown entity type 'HERO'"):
        list(build_examples(gold("زار قاآني", ("قاآني", "HERO")), maker, schema))


def test_gold_out_of_reach_is_listed_with_the_reason(maker: WindowMaker, schema: LabelSchema) -> None:
    text = "المستشفيات في بغداد\nثم دمشق وللعراقيين"
    document = Document(
        text,
        (
            make_entity(text, 4, 10, "FAC", id="T1"),  # from the fifth letter on
            make_entity(text, 14, 17, "GPE", id="T2"),  # without the last letters
            make_entity(text, 14, 27, "LOC", id="T3"),  # over a line end
            make_entity(text, 23, 27, "GPE", id="T4"),
            make_entity(text, 23, 27, "ORG", id="T5"),  # the same span under another label
            make_entity(text, 30, 38, "NORP", id="T6"),
            make_entity(text, 31, 38, "GPE", id="T7"),  # the same word after one letter more
        ),
        (
            Relation("T4", "located_in", "T4"),
            Relation("T4", "part_of", "T3"),
            Relation("T6", "supports", "T4"),
        ),
        id="d",
    )
    found = Unreachable()
    examples = list(build_examples(document, maker, schema, unreachable=found))
    why = {(start, end, label): reason for _, start, end, label, reason in found.entities}
    assert set(why) == {(4, 10, "FAC"), (14, 17, "GPE"), (14, 27, "LOC"), (23, 27, "ORG"), (31, 38, "GPE")}
    assert "starts inside the word 'المستشفيات'" in why[4, 10, "FAC"]
    assert "ends inside the word 'بغداد'" in why[14, 17, "GPE"]
    assert "another label" in why[23, 27, "ORG"] and "other proclitics" in why[31, 38, "GPE"]
    assert [(r[1], r[2], r[3]) for r in found.relations] == [("T4", "part_of", "T3")]
    assert found.relations[0][4].startswith("an end cannot be reached")
    assert sum(len(e.spans) for e in examples) == 2


def test_all_gold_of_the_corpus_can_be_reached(
    maker: WindowMaker, schema: LabelSchema, articles: list[Document], tiny_encoder: Path
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder, local_files_only=True)
    wide = WindowMaker(tokenizer, max_pieces=512, overlap_pieces=64)
    found = Unreachable()
    for article in articles:
        spans = {
            tuple(s)
            for e in build_examples(article, wide, schema, unreachable=found)
            for s in e.spans.tolist()
        }
        assert spans
    assert not found.entities and not found.relations


def test_a_span_in_two_windows_is_gold_in_both(maker: WindowMaker, schema: LabelSchema) -> None:
    text = " ".join(["كلمة"] * 60 + ["بغداد"] + ["كلمة"] * 60)
    document = gold(text, ("بغداد", "GPE"))
    found = Unreachable()
    examples = list(build_examples(document, maker, schema, unreachable=found))
    holding = [e for e in examples if text.index("بغداد") in [s for s, _ in e.window.words]]
    assert len(examples) > 1 and holding and not found.entities
    assert all(len(e.spans) == 1 for e in holding)
    assert locate(text, examples[0].window, document.entities[0]) is not None


def test_paragraphs_keep_what_lies_inside_them(articles: list[Document]) -> None:
    for article in articles:
        parts = split_paragraphs(article)
        assert sum(len(p.entities) for p in parts) == len(article.entities)
        assert sum(len(p.relations) for p in parts) == len(article.relations)
        assert [p.text for p in parts] == [line for line in article.text.splitlines() if words(line)]


# -- augmentation ----------------------------------------------------------------------------------------


def facts(document: Document) -> list[tuple[str, str]]:
    return [(e.id, e.label) for e in document.entities]


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_rewriting_moves_every_offset(data: st.DataObject) -> None:
    text = "زار قائد فيلق القدس بغداد والتقى بالكاظمي ثم لبنان"
    document = gold(
        text, ("قائد فيلق القدس", "OCC"), ("فيلق القدس", "ORG"), ("بغداد", "GPE"), ("الكاظمي", "PERS")
    )
    edits = []
    for e in document.entities[2:]:
        if data.draw(st.booleans()):
            edits.append(Edit(e.start, e.start, data.draw(st.sampled_from(["و", "ول", ""]))))
        if data.draw(st.booleans()):
            edits.append(Edit(e.start, e.end, data.draw(st.sampled_from(["ا", "مدينة طويلة الاسم"]))))
    changed = rewrite(document, data.draw(st.permutations(edits)))
    assert facts(changed) == facts(document)
    new = {e.start: e.text for e in edits if e.end > e.start}
    for before, after in zip(document.entities, changed.entities, strict=True):
        assert changed.text[after.start : after.end] == after.text == new.get(before.start, before.text)


def test_edits_must_not_overlap() -> None:
    with pytest.raises(ValueError, match="edits overlap at 1"):
        rewrite(Document("ابجد"), [Edit(0, 2, "x"), Edit(1, 3, "y")])


def every(document: Document, *, replace: float = 0.0, proclitics: float = 0.0, names: str = "") -> set[str]:
    """All texts that augmentation makes of a document in 60 tries; each keeps its spans valid."""
    lexicon = gold(names, *((n, document.entities[0].label) for n in names.split(" "))) if names else document
    augment = Augmenter([lexicon], replace_mentions=replace, proclitics=proclitics)
    made = set()
    for seed in range(60):
        changed = augment(document, np.random.default_rng(seed))
        assert facts(changed) == facts(document) and changed.relations == document.relations
        made.add("|".join([changed.text, *(e.text for e in changed.entities)]))
    return made


def test_proclitics_come_and_go() -> None:
    assert every(gold("زار لبنان", ("لبنان", "GPE")), proclitics=1.0) >= {
        "زار ولبنان|لبنان",
        "زار للبنان|لبنان",
        "زار بلبنان|لبنان",
    }
    assert every(gold("التقى بالكاظمي", ("الكاظمي", "PERS")), proclitics=1.0) == {"التقى الكاظمي|الكاظمي"}
    assert every(gold("رسالة للبنان", ("لبنان", "GPE")), proclitics=1.0) == {"رسالة لبنان|لبنان"}
    # Its alef is gone with the lam: without it the name would be misspelt.
    assert every(gold("رسالة للعراق", ("لعراق", "GPE")), proclitics=1.0, replace=1.0) == {
        "رسالة للعراق|لعراق"
    }
    assert every(gold("في NATO", ("NATO", "ORG")), proclitics=1.0) == {"في NATO|NATO"}
    # What stands before the span is no proclitic.
    assert every(gold("في البصرة", ("بصرة", "GPE")), proclitics=1.0) == {"في البصرة|بصرة"}


def test_names_with_an_article_never_follow_a_lam() -> None:
    made = every(gold("زار العراق", ("العراق", "GPE")), proclitics=1.0)
    assert made and not [m for m in made if "لالعراق" in m] and "زار بالعراق|العراق" in made
    made = every(gold("زار بغداد", ("بغداد", "GPE")), proclitics=1.0, replace=1.0, names="الرياض الموصل")
    assert made and not [m for m in made if "لال" in m] and any("الرياض" in m for m in made)
    for text in ("رسالة لبغداد", "رسالة لِبغداد"):
        made = every(gold(text, ("بغداد", "GPE")), replace=1.0, names="الرياض دمشق")
        assert made == {f"{text}|بغداد", text.replace("بغداد", "دمشق") + "|دمشق"}


def test_one_name_stays_one_name_and_nested_spans_stay() -> None:
    text = "زار بغداد ثم غادر بغداد إلى سفارة العراق"
    document = gold(text, ("بغداد", "GPE"), ("بغداد", "GPE"), ("سفارة العراق", "FAC"), ("العراق", "GPE"))
    made = every(document, replace=1.0, names="دمشق عمان بيروت")
    cities = [m.split("|")[1:3] for m in made]
    assert len(made) == 3 and all(a == b for a, b in cities)
    assert all(m.endswith("سفارة العراق|العراق") for m in made)


def test_a_letter_that_is_part_of_another_name_is_not_taken_off() -> None:
    text = "بكلبنان"
    entities = (make_entity(text, 0, 2, "ORG", id="T1"), make_entity(text, 2, 7, "GPE", id="T2"))
    made = every(Document(text, entities), proclitics=1.0)
    assert made and all(m.endswith("بكلبنان|بك|لبنان") for m in made)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_augmented_articles_stay_valid(seed: int) -> None:
    random = np.random.default_rng(seed)
    for part in _PARTS[seed % len(_PARTS) :][:12]:
        changed = _AUGMENT[0](part, random)  # Document itself checks every offset
        assert facts(changed) == facts(part) and changed.relations == part.relations


_PARTS: list[Document] = []
_AUGMENT: list[Augmenter] = []


@pytest.fixture(autouse=True, scope="module")
def _material(articles: list[Document]) -> None:
    _PARTS.extend(p for a in articles for p in split_paragraphs(a))
    _AUGMENT.append(Augmenter(articles, replace_mentions=0.7, proclitics=0.7))


def test_a_coarse_flat_corpus_gives_sets_of_types_and_masks(maker: WindowMaker, schema: LabelSchema) -> None:
    marked = [("العراق", "X"), ("مطار بغداد", "LOC"), ("بيروت", "LOC")]
    document = gold("زار وزير خارجية العراق مطار بغداد وبيروت", *marked)
    reading = Annotation({"LOC": ("GPE", "LOC", "FAC"), "X": ()}, frozenset({"GPE", "LOC", "FAC", "PERS"}))
    [example] = build_examples(document, maker, schema, annotation=reading)
    assert example.spans.tolist() == [[3, 3], [4, 5], [6, 6]]
    named = [{schema.entity_labels[i] for i in np.flatnonzero(t)} for t in example.types]
    assert named == [set(), {"GPE", "LOC", "FAC"}, {"GPE", "LOC", "FAC"}] and example.coarse.all()
    owner = example.owner.tolist()
    assert owner[:3] == [-1] * 3 and owner[4] == owner[5] and len({*owner[3:]} - {-1}) == 3
    # Gold words keep their proclitics in such a corpus: nothing is said about where in the word a name begins.
    assert (example.proclitics == -100).all()
    with pytest.raises(DataError, match="the label 'LOCATION' is not in the schema"):
        Annotation({"LOC": ("LOCATION",)}, frozenset()).check(schema)
