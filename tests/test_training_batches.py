"""Items and batches: shares of sources, augmentation by seed and epoch, shapes that the model takes."""

from collections.abc import Sequence
from typing import Any

from isnad.model.document import Document, Relation
from isnad.model.schema import LabelSchema
from isnad.model.text import make_entity
from isnad.model.windows import LETTER_SLOTS, WindowMaker
from isnad.training.augment import Augmenter
from isnad.training.collate import Collator, ParagraphDataset
from isnad.training.data.annotation import Source
from isnad.training.examples import Unreachable, build_examples, split_paragraphs


def test_epochs_show_a_share_of_a_source_in_turn(
    maker: WindowMaker, schema: LabelSchema, articles: list[Document]
) -> None:
    parts = len(split_paragraphs(articles[0]))
    sources = [Source("a", articles[:1], weight=0.25), Source("b", articles[1:2], weight=2.0)]
    data = ParagraphDataset(sources, maker, schema)
    epochs = [data.shown(epoch) for epoch in range(5)]
    assert len({len(shown) for shown in epochs}) == 1
    assert {i for shown in epochs for i in shown if i < parts} == set(range(parts))
    for shown in epochs:
        assert sum(i < parts for i in shown) == round(0.25 * parts)
        assert sorted(i for i in shown if i >= parts) == sorted([*range(parts, len(data))] * 2)


def test_gold_that_is_not_learned_is_listed_where_it_stands(
    maker: WindowMaker, schema: LabelSchema, articles: list[Document]
) -> None:
    text = "زار قاآني بغداد.\nوفي المستشفيات\nقرب البصرة."
    spans = [("T1", "قاآني", "PERS"), ("T2", "بغداد", "GPE"), ("T3", "شفيات", "FAC"), ("T4", "البصرة", "GPE")]
    entities = [
        make_entity(text, text.index(t), text.index(t) + len(t), label, id=id_) for id_, t, label in spans
    ]
    over_lines = make_entity(text, text.index("شفيات"), text.index(" البصرة"), "LOC", id="T5")
    links = [("T1", "T2"), ("T1", "T4"), ("T3", "T4")]
    document = Document(
        text,
        (*entities, over_lines),
        tuple(Relation(head, "located_in", tail) for head, tail in links),
        id="خبر",
    )
    found = ParagraphDataset([Source("a", [*articles[:1], document])], maker, schema).unreachable
    assert [(d, text[s:e], label) for d, s, e, label, _ in found.entities] == [
        ("خبر", "شفيات", "FAC"),
        ("خبر", "شفيات\nقرب", "LOC"),
    ]
    assert {(head, tail) for _, head, _, tail, _ in found.relations} == set(links[1:])
    # Whole, the document has the same windows, so the same is out of reach.
    whole = Unreachable()
    list(build_examples(document, maker, schema, unreachable=whole))
    assert [e[:4] for e in whole.entities] == [e[:4] for e in found.entities]
    assert [r[:4] for r in whole.relations] == [r[:4] for r in found.relations]


def test_items_depend_on_seed_epoch_and_index_alone(
    maker: WindowMaker, schema: LabelSchema, articles: list[Document]
) -> None:
    augment = Augmenter(articles, replace_mentions=0.7, proclitics=0.7)

    def dataset(seed: int, epoch: int) -> ParagraphDataset:
        data = ParagraphDataset([Source("articles", articles[:2])], maker, schema, augment=augment, seed=seed)
        data.set_epoch(epoch)
        return data

    def show(data: ParagraphDataset, order: Sequence[int]) -> dict[int, Any]:
        return {i: [(e.window.input_ids, e.spans.tolist()) for e in data[i]] for i in order}

    forth, back = list(range(12)), list(range(11, -1, -1))
    one = show(dataset(1, 3), forth)
    assert show(dataset(1, 3), back) == one
    assert show(dataset(1, 4), forth) != one and show(dataset(2, 3), forth) != one
    plain = ParagraphDataset([Source("articles", articles[:2])], maker, schema)
    assert show(plain, forth) == show(plain, back)
    assert plain.lengths == [max(len(e.window.input_ids) for e in plain[i]) for i in range(len(plain))]


def test_batches_have_the_shapes_that_the_model_takes(
    maker: WindowMaker, schema: LabelSchema, articles: list[Document]
) -> None:
    data = ParagraphDataset([Source("articles", articles[:1])], maker, schema)
    rows = [data[i] for i in range(4)]
    examples = [e for row in rows for e in row]
    batch = Collator(7)(rows)
    windows, pieces = batch["input_ids"].shape
    words_ = batch["word_mask"].shape[1]
    assert windows == len(examples) and pieces == max(len(e.window.input_ids) for e in examples)
    assert batch["word_letters"].shape == (windows, words_, LETTER_SLOTS)
    assert (batch["input_ids"][batch["attention_mask"] == 0] == 7).all()
    goal = batch["gold"]
    assert goal["spans"].shape == (len(goal["types"]), 3) and goal["types"].shape[1] == len(schema.entities)
    assert goal["proclitics"].shape == (windows, words_) and goal["annotated"].shape == (
        windows,
        len(schema.entities),
    )
    # Heads and tails of a relation are spans of one window, and are those of the example.
    window_of = goal["spans"][:, 0]
    assert (window_of[goal["relations"][:, 0]] == window_of[goal["relations"][:, 2]]).all()
    offset = 0
    for number, example in enumerate(examples):
        mine = goal["spans"][window_of == number][:, 1:].tolist()
        assert mine == example.spans.tolist()
        assert goal["spans"][offset : offset + len(mine), 1:].tolist() == mine
        offset += len(mine)
