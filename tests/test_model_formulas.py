"""The formulas of the heads and losses against loops written by hand."""

import copy
import math
from typing import Any

import pytest
import torch
from isnad.model.configuration import IsnadConfig
from isnad.model.encoder import IsnadEncoderConfig, IsnadEncoderModel
from isnad.model.heads import DISTANCE_BUCKETS, MentionHead, RelationHead, bucket
from isnad.model.losses import proclitic_loss, smoothed_targets, span_loss
from isnad.model.modeling import IsnadModel, same_window_pairs
from isnad.model.schema import LabelSchema

SIZES: dict[str, Any] = {
    "word_size": 16,
    "letter_size": 4,
    "span_size": 12,
    "pair_size": 16,
    "mention_size": 8,
    "attention_heads": 2,
}


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def model(schema: LabelSchema) -> IsnadModel:
    torch.manual_seed(4)
    config = IsnadEncoderConfig(
        vocab_size=20, embedding_size=8, char_vocab_size=0, recurrent_size=8, hidden_size=16
    )
    return IsnadModel.from_encoder(IsnadEncoderModel(config), schema, **SIZES).eval()


def test_span_scores_are_the_sums_they_are_said_to_be(schema: LabelSchema, model: IsnadModel) -> None:
    head = copy.deepcopy(model.span_head)
    types, count = len(schema.entities), 6
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.normal_(std=0.5)
        words = torch.randn(2, count, 16)
        mask = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])
        scores = head(words, mask)
        start, end = head.start(words), head.end(words)
        first, last, inside, before, after = head.parts(words).split(types, dim=-1)
        for b, length in ((0, 6), (1, 4)):
            for i in range(count):
                for j in range(count):
                    if not i <= j < length:
                        assert (scores[b, i, j] == -1e4).all()
                        continue
                    one = torch.ones(1)
                    s, e = torch.cat([start[b, i], one]), torch.cat([end[b, j], one])
                    expected = torch.stack([s @ head.biaffine[t] @ e for t in range(types)])
                    expected += first[b, i] + last[b, j] + inside[b, i : j + 1].sum(0)
                    expected += before[b, i - 1] if i else 0
                    expected += after[b, j + 1] if j + 1 < length else 0
                    expected += head.width.weight[int(bucket(torch.tensor(j - i)))]
                    torch.testing.assert_close(scores[b, i, j], expected, atol=1e-4, rtol=1e-4)


def test_distances_fall_into_buckets() -> None:
    found = bucket(torch.arange(400)).tolist()
    assert found[:11] == [0, 1, 2, 3, 4, 5, 5, 5, 5, 5, 6] and found == sorted(found)
    assert found[20] == 7 and found[-1] == DISTANCE_BUCKETS - 1 == max(found)


def test_mentions_hold_the_mean_of_their_words() -> None:
    config = IsnadConfig(**SIZES)
    head = MentionHead(config, 3).eval()
    words, types = torch.randn(2, 5, 16), torch.rand(1, 3)
    batch, start, end = torch.tensor([1]), torch.tensor([1]), torch.tensor([3])
    found = head(words, batch, start, end, types)
    parts = [words[1, 1], words[1, 3], words[1, 1:4].mean(0), head.types(types[0])]
    expected = torch.nn.functional.gelu(head.project(torch.cat(parts)))
    torch.testing.assert_close(found[0], expected, atol=1e-5, rtol=1e-5)


def test_places_tell_where_a_word_stands() -> None:
    def places(head: list[int], tail: list[int]) -> list[int]:
        return RelationHead._places(torch.tensor([[0, *head]]), torch.tensor([[0, *tail]]), 8)[0].tolist()

    assert places([1, 2], [5, 5]) == [0, 1, 1, 2, 2, 3, 4, 4]
    assert places([5, 5], [1, 2]) == [5 + p for p in [0, 1, 1, 2, 2, 3, 4, 4]]  # the tail first
    assert places([1, 5], [3, 4]) == [0, 1, 1, 3, 3, 1, 4, 4]  # nested: the inner wins
    assert places([1, 3], [2, 5]) == [0, 1, 3, 3, 3, 3, 4, 4]


def test_a_pair_is_scored_alike_wherever_it_stands_in_the_list(
    schema: LabelSchema, model: IsnadModel
) -> None:
    words, mask = torch.randn(2, 9, 16), torch.ones(2, 9, dtype=torch.bool)
    spans = torch.tensor([[0, 0, 1], [0, 3, 3], [0, 5, 8], [1, 2, 2], [1, 4, 6]])
    mentions, pairs = torch.randn(5, 16), same_window_pairs(spans)
    assert pairs.tolist() == [[0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1], [3, 4], [4, 3]]
    with torch.no_grad():
        together = model.relate(words, mask, mentions, spans, pairs)
        for row, pair in enumerate(pairs):
            alone = model.relate(words, mask, mentions, spans, pair[None])
            torch.testing.assert_close(together[row], alone[0], atol=1e-5, rtol=1e-5)
    assert model.relate(words, mask, mentions, spans, pairs[:0]).shape == (0, len(schema.relations))


def test_signatures_decide_what_is_possible(schema: LabelSchema, model: IsnadModel) -> None:
    labels = schema.entity_labels
    heads = torch.tensor(
        [[label == "PERS" for label in labels], [label in ("DATE", "GPE") for label in labels]]
    )
    tails = torch.tensor([[label == "OCC" for label in labels], [label == "LOC" for label in labels]])
    possible = model.possible(heads, tails)
    expected = [
        [schema.allows("PERS", r, "OCC") for r in schema.relation_labels],
        [schema.allows("DATE", r, "LOC") or schema.allows("GPE", r, "LOC") for r in schema.relation_labels],
    ]
    assert possible.tolist() == expected and any(expected[0]) and any(expected[1])
    for number, relation in enumerate(schema.relations):
        if relation.symmetric:
            assert torch.equal(model.signature[number], model.signature[number].T)


def test_boundary_smoothing_by_hand() -> None:
    spans, types = torch.tensor([[0, 1, 2], [0, 2, 2]]), torch.tensor([[True, False], [True, True]])
    targets = smoothed_targets(torch.Size((1, 4, 4, 2)), spans, types, smoothing=0.2)
    near = 0.2 / 4
    first = {(1, 2): 0.8, (0, 2): near, (1, 1): near, (1, 3): near}  # and (2, 2), which is gold itself
    second = {(2, 2): 0.8, (1, 2): near, (2, 3): near}  # (3, 2) and (2, 1) are no spans
    for label, gold in ((0, {**second, **first}), (1, second)):
        for i in range(4):
            for j in range(4):
                assert targets[0, i, j, label] == pytest.approx(gold.get((i, j), 0.0)), (label, i, j)
    sharp = smoothed_targets(torch.Size((1, 4, 4, 2)), spans, types, smoothing=0.0)
    assert sharp.sum() == 3 and sharp[0, 1, 2, 0] == sharp[0, 2, 2, 0] == sharp[0, 2, 2, 1] == 1
    assert not smoothed_targets(torch.Size((1, 4, 4, 2)), spans[:0], types[:0], smoothing=0.2).any()


def test_span_loss_by_hand_and_without_gradient_where_nothing_is_annotated() -> None:
    logits = torch.full((1, 2, 2, 2), 0.5, requires_grad=True)
    cells = logits.masked_fill(torch.tensor([[[[False], [False]], [[True], [False]]]]), -1e4)
    gold = {
        "spans": torch.tensor([[0, 0, 1]]),
        "types": torch.tensor([[True, False]]),
        "coarse": torch.tensor([False]),
        "owner": torch.full((1, 2), -1),
        "annotated": torch.tensor([[True, False]]),
    }
    loss = span_loss(cells, gold, smoothing=0.0)
    yes, no = math.log1p(math.exp(-0.5)), math.log1p(math.exp(0.5))
    assert loss.item() == pytest.approx((yes + 2 * no) / 2)
    loss.backward()
    assert logits.grad is not None
    assert not logits.grad[..., 1].any() and logits.grad[..., 0].count_nonzero() == 3
    assert logits.grad[0, 0, 1, 0] < 0 < logits.grad[0, 0, 0, 0]


def test_coarse_gold_asks_for_any_of_its_types_and_flat_gold_hides_what_is_inside() -> None:
    logits = torch.randn(1, 3, 3, 3, requires_grad=True)
    below = torch.ones(3, 3, dtype=torch.bool).tril(-1)[None, :, :, None]
    gold = {
        "spans": torch.tensor([[0, 0, 1], [0, 2, 2]]),
        "types": torch.tensor([[True, True, False], [False, False, False]]),
        "coarse": torch.tensor([True, True]),
        "owner": torch.tensor([[1, 1, 2]]),
        "annotated": torch.tensor([[True, True, True]]),
    }
    loss = span_loss(logits.masked_fill(below, -1e4), gold, smoothing=0.0)
    p = torch.sigmoid(logits[0].detach())
    # The gold cell: one of types 0 and 1 holds, type 2 does not. (0, 2) and (1, 2) are no names at all.
    # (0, 0) and (1, 1) stand inside flat gold, and of (2, 2) nothing is known.
    expected = -torch.log(1 - (1 - p[0, 1, 0]) * (1 - p[0, 1, 1])) - torch.log(1 - p[0, 1, 2])
    expected -= torch.log(1 - p[0, 2]).sum() + torch.log(1 - p[1, 2]).sum()
    assert loss.item() == pytest.approx(expected.item() / 3, rel=1e-4)
    loss.backward()
    assert logits.grad is not None and torch.isfinite(logits.grad).all()
    moved = logits.grad[0].abs().sum(-1) > 0
    assert moved.tolist() == [[False, True, True], [False, False, True], [False, False, False]]


def test_proclitic_loss_looks_at_entity_initial_words_only() -> None:
    logits = torch.randn(1, 3, 4, requires_grad=True)
    proclitic_loss(logits, torch.tensor([[-100, 2, -100]])).backward()
    assert logits.grad is not None and logits.grad[0, 1].any() and not logits.grad[0, [0, 2]].any()
    assert proclitic_loss(logits, torch.full((1, 3), -100)).item() == 0.0
