"""What a backend returns for a window: plain arrays, the input of the one decoder."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .windows import Window

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class WindowScores:
    """Scores of one window.

    Attributes:
        spans: [spans, 2], first and last word of every candidate span.
        logits: [spans, types], raw.
        proclitics: [spans], leading letters of the first word that stand outside the name.
        vectors: [spans, mention_size], for coreference.
        pairs: [pairs, 2], rows of `spans`, head and tail.
        pair_logits: [pairs, relations], raw.
        cut: number of candidates beyond `max_candidates`, which entered no relation scoring.
    """

    spans: Integers
    logits: Floats
    proclitics: Integers
    vectors: Floats
    pairs: Integers
    pair_logits: Floats
    cut: int = 0


class Backend(Protocol):
    """Runs a model; how is its own affair."""

    def score(self, windows: Sequence[Window]) -> list[WindowScores]:
        """Return the scores of each window, in order."""
        ...

    def coreference(self, features: Floats, first: Floats, second: Floats) -> Floats:
        """Return probabilities [pairs] from features [pairs, n] and the vectors of both mentions."""
        ...
