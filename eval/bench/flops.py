"""Arithmetic: what a text needs, and what the machine can do at best.

The share of the peak is counted as in Chowdhery et al. (2022, "PaLM", section 4.1, model FLOPs utilisation): the
operations that the model needs for the text, whatever a backend computes besides (padding, say), by the time that
everything from text to document takes, over the fastest matrix product that was measured on the same threads.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from ...model.inference import Extractor
from ...model.scores import Backend, Floats, WindowScores
from ...model.text import words
from ...model.windows import Window

# Sides of the square matrices of the peak, by kind of device, and seconds for each kind of number.
_SIDE = {"cpu": 2048, "cuda": 8192}
_SECONDS = 2.0
# A kind of number that is slower than this share of fp32 in small matrices is not tried in large ones.
_SMALL, _HOPELESS = 512, 0.25


@dataclass(frozen=True)
class Work:
    """Floating-point operations, two for a multiplication with its addition.

    Attributes:
        words: of the texts.
        total: operations of matrix products, convolutions and recurrent layers; the rest is not counted.
        parts: of these, by part of the model: `encoder`, `word_head` and so on.
    """

    words: int
    total: int
    parts: dict[str, int]

    @property
    def per_word(self) -> float:
        """Operations a word."""
        return self.total / max(1, self.words)


class _OneByOne:
    """A backend that is handed windows one at a time, so that none is padded."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def score(self, windows: Sequence[Window]) -> list[WindowScores]:
        return [self._backend.score([w])[0] for w in windows]

    def coreference(self, features: Floats, first: Floats, second: Floats) -> Floats:
        return self._backend.coreference(features, first, second)


def work(extractor: Extractor, texts: Sequence[str]) -> Work:
    """Count the operations that a model on the torch backend needs for texts, padding left out."""
    from torch.utils.flop_counter import FlopCounterMode

    backend = extractor._backend
    extractor._backend = _OneByOne(backend)
    counter = FlopCounterMode(display=False, custom_mapping=formulas())
    try:
        with counter:
            extractor(texts)
    finally:
        extractor._backend = backend
    counts = {name: sum(found.values()) for name, found in counter.get_flop_counts().items()}
    parts = {
        name.rpartition(".")[2]: total
        for name, total in counts.items()
        if name.count(".") == 1 and name.startswith("IsnadModel.") and total
    }
    return Work(sum(len(words(t)) for t in texts), int(counter.get_total_flops()), parts)


def formulas() -> dict[Any, Callable[..., int]]:
    """Return the operations that torch's own counter does not know: recurrent layers, attention on a CPU."""
    import torch
    from torch.utils.flop_counter import sdpa_flop_count

    def recurrent(x: Any, *rest: Any, **_: Any) -> int:
        # All matrices of weights are applied to each step; those of several layers stand in one list.
        lists = [r for r in rest if isinstance(r, list | tuple) and r and isinstance(r[0], torch.Size)]
        return 2 * prod(x[:-1]) * sum(prod(w) for w in lists[-1] if len(w) == 2)

    def recurrent_layer(x: Any, w_in: Any, w_back: Any, *_: Any, **__: Any) -> int:
        return 2 * prod(x[:-1]) * (prod(w_in) + prod(w_back))

    def attention(q: Any, k: Any, v: Any, *_: Any, **__: Any) -> int:
        return int(sdpa_flop_count(q, k, v))

    aten = torch.ops.aten
    return {
        aten.lstm: recurrent,
        aten._cudnn_rnn: recurrent,
        aten.mkldnn_rnn_layer: recurrent_layer,
        aten.scaled_dot_product_attention: attention,
        aten._scaled_dot_product_flash_attention_for_cpu: attention,
    }


def peaks(device: str = "cpu", *, side: int = 0, seconds: float = _SECONDS) -> dict[str, float]:
    """Measure the fastest square matrix product of torch, in operations a second, by kind of number.

    Args:
        device: cpu, cuda, cuda:1.
        side: of the matrices; one that fills the device if 0.
        seconds: for which each kind of number is tried; the fastest product counts.

    Returns:
        `float32`, `bfloat16` and `int8`, those that this torch multiplies on the device. Products of bfloat16 may be
        slow where the processor has no instructions for them.
    """

    large = side or _SIDE[device.partition(":")[0]]
    found: dict[str, float] = {}
    for name in ("float32", "bfloat16", "int8"):
        try:
            rate = _rate(name, min(_SMALL, large), device, seconds)
            if rate > _HOPELESS * found.get("float32", 0.0):
                rate = max(rate, _rate(name, large, device, seconds))
        except (RuntimeError, NotImplementedError):  # this torch has no such product on this device
            continue
        found[name] = rate
    return found


def _rate(name: str, side: int, device: str, seconds: float) -> float:
    """Return the operations a second of the fastest product of two square matrices."""
    import torch

    dtype = getattr(torch, name)
    a = torch.ones(side, side, device=device).to(dtype)
    # On a GPU the product of bytes wants its second matrix by columns.
    b = torch.ones(side, side, device=device).to(dtype).t()
    product = torch._int_mm if name == "int8" else torch.mm
    return 2 * side**3 / _fastest(lambda: product(a, b), device, seconds)


def _fastest(product: Callable[[], Any], device: str, seconds: float) -> float:
    import torch

    def timed() -> float:
        begun = time.perf_counter()
        product()
        if device != "cpu":
            torch.cuda.synchronize(device)
        return time.perf_counter() - begun

    timed()
    best, left = timed(), seconds
    while left > 0:
        took = timed()
        best, left = min(best, took), left - took
    return best
