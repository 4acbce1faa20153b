"""What the decoder makes of relation scores: sentences, directions, and one relation for each pair of things."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from isnad.model.document import Document, Relation
from isnad.model.relations import distinct, merge_directions, sentences
from isnad.model.text import make_entity, words
from isnad.model.windows import Window
from isnad.training.data.seeds import load_authored
from isnad.training.finish import cross_sentence_share, same_start_share


def window(text: str) -> Window:
    spans = words(text)
    rows = list(range(len(spans)))
    return Window(spans, (0, len(spans)), rows, rows, rows, np.zeros((len(spans), 8), dtype=np.int64))


def test_spans_are_told_their_sentence() -> None:
    text = "وصل قاآني إلى بغداد. ثم التقى د. الحكيم؟ وعاد."
    w = window(text)
    position = {text[a:b]: n for n, (a, b) in enumerate(w.words)}
    names = ("قاآني", "بغداد", "الحكيم", "وعاد")
    spans = np.asarray([[position[n], position[n]] for n in names])
    assert sentences(text, w, spans).tolist() == [1, 1, 2, 3]


def test_symmetric_relations_are_written_once_with_the_mean_of_both_directions() -> None:
    scores = {(3, 0, 1): 0.8, (1, 0, 3): 0.4, (3, 1, 1): 0.9, (5, 0, 2): 0.6}
    merged = merge_directions(scores, [True, False])
    assert merged.keys() == {(1, 0, 3), (3, 1, 1), (2, 0, 5)}
    assert abs(merged[(1, 0, 3)] - 0.6) < 1e-9
    assert merged[(3, 1, 1)] == 0.9
    assert abs(merged[(2, 0, 5)] - 0.3) < 1e-9


def test_a_thing_has_no_relation_with_itself() -> None:
    assert distinct({(0, 0, 1): 0.9, (0, 0, 2): 0.8}, [7, 7, -3], [1, 1, 1]) == {(0, 0, 2): 0.8}


def test_a_fact_is_written_once_a_paragraph_where_it_is_surest() -> None:
    thing, paragraph = [0, 0, -3, 0, -5], [1, 1, 1, 2, 2]
    scores = {(0, 0, 2): 0.5, (1, 0, 2): 0.7, (1, 1, 2): 0.4, (3, 0, 4): 0.6}
    assert distinct(scores, thing, paragraph) == {(1, 0, 2): 0.7, (1, 1, 2): 0.4, (3, 0, 4): 0.6}


@given(
    st.dictionaries(
        st.tuples(st.integers(0, 5), st.integers(0, 2), st.integers(0, 5)), st.floats(0, 1), max_size=30
    ),
    st.lists(st.integers(0, 3), min_size=6, max_size=6),
)
def test_distinct_keeps_a_best_one_of_every_fact(scores, thing) -> None:
    kept = distinct(scores, thing, [0] * 6)

    def fact(triple):
        return thing[triple[0]], triple[1], thing[triple[2]]

    facts = {fact(t) for t in scores if thing[t[0]] != thing[t[2]]}
    assert {fact(t) for t in kept} == facts and len(kept) == len(facts)
    assert all(p == max(q for t, q in scores.items() if fact(t) == fact(k)) for k, p in kept.items())


def test_the_corpus_rules_out_what_the_decoder_rules_out(schema) -> None:
    dev = load_authored(schema, "dev")
    assert 0 <= same_start_share(dev) < 0.005
    assert 0 <= cross_sentence_share(dev) < 0.005


def test_shares_see_what_is_there(schema) -> None:
    text = "وصل قاآني إلى بغداد. ثم زار بيروت."
    marks = [("قاآني", "PERS"), ("بغداد", "GPE"), ("بيروت", "GPE")]
    entities = [
        make_entity(text, text.index(n), text.index(n) + len(n), label, id=f"T{i}")
        for i, (n, label) in enumerate(marks, 1)
    ]
    document = Document(
        text, tuple(entities), (Relation("T1", "visited", "T2"), Relation("T1", "visited", "T3")), id="d"
    )
    assert cross_sentence_share([document]) == 0.5
    assert same_start_share([document]) == 0.0
    longer = make_entity(text, text.index("قاآني"), text.index("."), "PERS", id="T9")
    assert same_start_share([Document(text, (longer, *entities))]) == 0.25
