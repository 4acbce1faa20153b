"""Arithmetic: operations against counts by hand, and the peak of the machine."""

from collections.abc import Callable
from pathlib import Path

import pytest
from isnad.eval.bench.flops import formulas, peaks, work
from isnad.model.inference import Extractor
from isnad.model.text import MAX_PROCLITICS
from isnad.model.windows import LETTER_SLOTS, WindowMaker

TEXT = "زار قاآني بغداد، ثم عاد إلى طهران."


def counted(run: Callable[[], object]) -> int:
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False, custom_mapping=formulas()) as counter:
        run()
    return int(counter.get_total_flops())


@pytest.mark.parametrize("mode", ["inference_mode", "no_grad"])
def test_layers_that_torch_does_not_count_itself(mode: str):
    import torch

    lstm = torch.nn.LSTM(8, 16, batch_first=True)
    attend = torch.nn.functional.scaled_dot_product_attention
    q, k, v = torch.randn(2, 4, 5, 8), torch.randn(2, 4, 7, 8), torch.randn(2, 4, 7, 8)
    with getattr(torch, mode)():
        # 2 rows of 10 steps: 4 gates of 16 from 8 inputs and from 16 states, two operations each.
        assert counted(lambda: lstm(torch.randn(2, 10, 8))) == 2 * (2 * 10) * (4 * 16) * (8 + 16)
        # 2 rows, 4 heads: 5 queries with 7 keys of 8, and the 7 values of 8 weighted.
        assert counted(lambda: attend(q, k, v)) == 2 * (2 * 4) * (5 * 7 * 8) * 2
        both = torch.nn.LSTM(8, 16, num_layers=2, bidirectional=True)
        first, second = 4 * 16 * (8 + 16), 4 * 16 * (32 + 16)
        assert counted(lambda: both(torch.randn(10, 3, 8))) == 2 * 30 * 2 * (first + second)


def test_a_model_by_hand(tiny_model: Path, maker: WindowMaker):
    found = work(Extractor.from_pretrained(tiny_model), [TEXT])
    (window,) = maker.windows(TEXT)
    pieces, words, distinct = len(window.input_ids), len(window.words), len(set(window.input_ids))
    assert found.words == words
    # Convolution: 12 characters of each distinct piece, 8 filters over 3 vectors of 8. LSTM: 12 wide, both ways.
    convolution = distinct * 12 * 8 * (3 * 8)
    recurrent = 2 * pieces * (4 * 12) * ((16 + 8) + 12)
    assert found.parts["encoder"] == 2 * (convolution + recurrent)
    assert found.parts["word_head"] == 2 * words * (2 * 24 + LETTER_SLOTS * 4) * 16
    assert found.parts["proclitic_head"] == 2 * words * (16 * 8 + 8 * (MAX_PROCLITICS + 1))
    assert found.total >= sum(found.parts.values()) > 0 and found.parts["span_head"] > 0
    assert found.per_word == found.total / words


def test_padding_is_not_counted(tiny_model: Path):
    extractor = Extractor.from_pretrained(tiny_model)
    # A short text beside a long one would be padded if both were in a batch.
    alone = [work(extractor, [text]).parts["encoder"] for text in ("زار", TEXT)]
    assert work(extractor, ["زار", TEXT]).parts["encoder"] == sum(alone)


def test_peaks_are_rates():
    found = peaks(side=64, seconds=0.01)
    assert found["float32"] > 0 and set(found) <= {"float32", "bfloat16", "int8"}
