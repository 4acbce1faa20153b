"""Items and batches: shares of sources, augmentation by seed and epoch, shapes that the model takes."""

from collections.abc import Sequence
from typing import Any

from isnad.model.document import Document
from isnad.model.schema import LabelSchema
from isnad.model.windows import LETTER_SLOTS, WindowMaker
from isnad.training.augment import Augmenter
from isnad.training.collate import Collator, ParagraphDataset
from isnad.training.data.annotation import Source
from isnad.training.examples import split_paragraphs


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
