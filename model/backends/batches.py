"""What every backend does before and after its model runs: padding, batching by length, cutting into windows."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from ..scores import Floats, Integers, WindowScores
from ..windows import LETTER_SLOTS, Window

# Pieces of one batch, padding included: enough to fill the cores, little enough for the caches.
PIECES_A_BATCH = 1024
# On a GPU, which is idle with less.
PIECES_A_BATCH_GPU = 16384
# How many of its rows a batch may lose to padding, or which share of them: about what another call costs.
_PADDED_ROWS, _PADDED_SHARE = 1.5, 0.125


def batch_arrays(
    windows: Sequence[Window], pad_id: int, *, multiple: int = 1
) -> dict[str, NDArray[np.int64] | NDArray[np.bool_]]:
    """Return the padded inputs of a model for some windows, named as in `IsnadModel.forward`.

    Args:
        windows: of like length.
        pad_id: piece id that pads.
        multiple: numbers of pieces and of words are padded to a multiple of it.
    """
    pieces = rounded_up(max(len(w.input_ids) for w in windows), multiple)
    count = rounded_up(max(len(w.words) for w in windows), multiple)
    ids = np.full((len(windows), pieces), pad_id, dtype=np.int64)
    attention = np.zeros((len(windows), pieces), dtype=np.int64)
    first, last = np.zeros((2, len(windows), count), dtype=np.int64)
    mask = np.zeros((len(windows), count), dtype=bool)
    letters = np.zeros((len(windows), count, LETTER_SLOTS), dtype=np.int64)
    for row, window in enumerate(windows):
        n, w = len(window.input_ids), len(window.words)
        ids[row, :n], attention[row, :n] = window.input_ids, 1
        first[row, :w], last[row, :w], mask[row, :w] = window.first, window.last, True
        letters[row, :w] = window.letters
    return {
        "input_ids": ids,
        "attention_mask": attention,
        "word_first": first,
        "word_last": last,
        "word_letters": letters,
        "word_mask": mask,
    }


def rounded_up(length: int, multiple: int) -> int:
    """Return the least multiple that is not below a length."""
    return -(-length // multiple) * multiple


def budget_batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Group indices by length so that no group's padded size exceeds `budget` (one item may), and little is padding.

    Longer items join a group until they would pad it by more than a few of its rows in all.
    """
    groups: list[list[int]] = []
    real = 0  # the length of the last group's items together
    for index in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        length, rows = lengths[index], len(groups[-1]) if groups else 0
        padding = rows * length - real
        if (
            groups
            and (rows + 1) * length <= budget
            and padding <= length * max(_PADDED_ROWS, _PADDED_SHARE * rows)
        ):
            groups[-1].append(index)
            real += length
        else:
            groups.append([index])
            real = length
    return groups


def window_batches(windows: Sequence[Window], budget: int) -> list[list[int]]:
    """Return indices of windows, batch by batch, as `budget_batches` groups their numbers of pieces."""
    return budget_batches([len(window.input_ids) for window in windows], budget)


def score_batches(
    windows: Sequence[Window],
    groups: Sequence[Sequence[int]],
    score: Callable[[list[Window]], list[WindowScores]],
    *,
    at_once: int = 1,
) -> list[WindowScores]:
    """Return the scores of each window, in order.

    Args:
        windows: to score.
        groups: indices of the windows of each batch, as `window_batches` makes them.
        score: of one batch; called in `at_once` threads.
        at_once: number of batches scored at the same time.
    """

    def one(group: Sequence[int]) -> list[WindowScores]:
        return score([windows[index] for index in group])

    # The longest come last; with them first, no thread is left with a long one when the others are done.
    order = list(reversed(groups))
    if at_once > 1:
        with ThreadPoolExecutor(at_once, thread_name_prefix="isnad") as pool:
            results = list(pool.map(one, order))
    else:
        results = [one(group) for group in order]
    pairs = zip(order, results, strict=True)
    scores = {index: s for group, found in pairs for index, s in zip(group, found, strict=True)}
    return [scores[index] for index in range(len(windows))]


def split_scores(
    count: int,
    spans: Integers,
    logits: Floats,
    vectors: Floats,
    proclitics: Integers,
    pairs: Integers,
    pair_logits: Floats,
    over: Integers,
) -> list[WindowScores]:
    """Cut the arrays of a batch into windows.

    Args:
        count: number of windows.
        spans: [spans, 3], window, first word, last word; sorted by window, so each window is one slice.
        logits, vectors, proclitics: [spans, …], as in `WindowScores`.
        pairs: [pairs, 2], rows of `spans`, sorted by window.
        pair_logits: [pairs, relations].
        over: [windows], number of spans above the pruning threshold, whether or not they became candidates.
    """
    bounds = np.searchsorted(spans[:, 0], np.arange(count + 1))
    pair_bounds = np.searchsorted(spans[pairs[:, 0], 0] if len(pairs) else np.zeros(0), np.arange(count + 1))
    results = []
    for w in range(count):
        lo, hi = bounds[w], bounds[w + 1]
        p, q = pair_bounds[w], pair_bounds[w + 1]
        results.append(
            WindowScores(
                spans=spans[lo:hi, 1:],
                logits=logits[lo:hi],
                vectors=vectors[lo:hi],
                proclitics=proclitics[lo:hi],
                pairs=pairs[p:q] - lo,
                pair_logits=pair_logits[p:q],
                cut=int(max(0, over[w] - (hi - lo))),
            )
        )
    return results
