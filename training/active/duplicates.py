"""Near-duplicates by MinHash and banding (Broder 1997, "On the resemblance and containment of documents")."""

from collections.abc import Hashable
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..data.overlap import letters_only

K = TypeVar("K", bound=Hashable)

# Letters of a shingle. Letters, not words: blanks, clitics and spelling differ between copies of one sentence.
_SHINGLE = 5
# 16 bands of 4: two texts that share 70% of their shingles meet in a band with a probability of 99%.
_BANDS, _ROWS = 16, 4
# Share of common shingles from which two texts are the same to an annotator.
SAME = 0.7

_random = np.random.default_rng(20_080_410)
_FACTORS = _random.integers(1, 2**63, _BANDS * _ROWS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_OFFSETS = _random.integers(0, 2**63, _BANDS * _ROWS, dtype=np.uint64)
_POWERS = [np.uint64(pow(0x9E3779B97F4A7C15, n, 2**64)) for n in range(1, _SHINGLE + 1)]

Signature = NDArray[np.uint32]


def signature(text: str) -> Signature:
    """Return [64] minima of the hashed shingles of a text; equal for texts of the same letters."""
    letters = letters_only(text)
    codes = np.frombuffer(letters.ljust(_SHINGLE).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    codes = codes.astype(np.uint64)
    count = len(codes) - _SHINGLE + 1
    hashed = np.zeros(count, dtype=np.uint64)
    for n, power in enumerate(_POWERS):
        hashed += codes[n : n + count] * power
    # Multiply-shift hashing (Dietzfelbinger et al. 1997): the upper half of a product modulo 2^64.
    hashed ^= hashed >> np.uint64(29)
    spread = hashed[:, None] * _FACTORS + _OFFSETS
    return (spread >> np.uint64(32)).min(axis=0).astype(np.uint32)


def resemblance(a: Signature, b: Signature) -> float:
    """Return the estimated share of shingles that two texts have in common, with an error of about 0.06."""
    return float((a == b).mean())


class NearDuplicates(Generic[K]):
    """An index that finds a text that nearly equals a new one; what is in it can be taken out again."""

    def __init__(self) -> None:
        self._signatures: dict[K, Signature] = {}
        self._bands: dict[bytes, list[K]] = {}

    def __len__(self) -> int:
        return len(self._signatures)

    def find(self, wanted: Signature) -> K | None:
        """Return the key of the first text found that resembles this one by `SAME` or more, or None."""
        looked: set[K] = set()
        for band in _bands(wanted):
            for key in self._bands.get(band, ()):
                if key not in looked and resemblance(self._signatures[key], wanted) >= SAME:
                    return key
                looked.add(key)
        return None

    def add(self, key: K, signature: Signature) -> None:
        """Add a text under a key that is not in use."""
        self._signatures[key] = signature
        for band in _bands(signature):
            self._bands.setdefault(band, []).append(key)

    def remove(self, key: K) -> None:
        """Take a text out."""
        for band in _bands(self._signatures.pop(key)):
            keys = self._bands[band]
            keys.remove(key)
            if not keys:
                del self._bands[band]


def _bands(signature: Signature) -> list[bytes]:
    return [bytes([n]) + signature[n * _ROWS : (n + 1) * _ROWS].tobytes() for n in range(_BANDS)]
