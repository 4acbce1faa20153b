"""Runs of words that texts share, found by one sort over all of them."""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations

import numpy as np

# A run that stands in more texts than this is a formula ("said in a statement that"); it says nothing.
_COMMON = 20


def shingles(words: Sequence[str], n: int) -> set[int]:
    """Return the hashes of the runs of `n` words; of a shorter text, of all its words."""
    if len(words) < n:
        return {hash(tuple(words))}
    return {hash(tuple(words[i : i + n])) for i in range(len(words) - n + 1)}


def shared_shingles(texts: Sequence[Sequence[str]], *, n: int = 4) -> Counter[tuple[int, int]]:
    """Count the runs of `n` words that two texts share.

    Args:
        texts: their words.
        n: length of a run.

    Returns:
        (index, later index) -> number of different runs in both; pairs without one are left out, and runs
        that stand in more than `_COMMON` texts do not count. Takes time for sorting the runs, not for pairs.
    """
    runs = [shingles(words, n) for words in texts]
    sizes = [len(r) for r in runs]
    hashes = np.fromiter((h for r in runs for h in r), dtype=np.int64, count=sum(sizes))
    owners = np.repeat(np.arange(len(texts)), sizes)
    order = np.argsort(hashes, kind="stable")
    hashes, owners = hashes[order], owners[order]
    starts = np.flatnonzero(np.r_[True, hashes[1:] != hashes[:-1]]) if len(hashes) else np.empty(0, int)
    ends = np.r_[starts[1:], len(hashes)]
    many = (ends - starts > 1) & (ends - starts <= _COMMON)
    found: Counter[tuple[int, int]] = Counter()
    for lo, hi in zip(starts[many].tolist(), ends[many].tolist(), strict=True):
        found.update(combinations(owners[lo:hi].tolist(), 2))
    return found
