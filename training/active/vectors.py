"""Vectors of words and sentences from the piece embeddings of a model: no pass through its encoder."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.store import resolve
from ...model.text import encodable, words

Floats = NDArray[np.float32]
# Smooth inverse frequency (Arora et al. 2017): the frequency at which a word counts half.
_SMOOTH = 1e-3
# Words whose vectors are remembered; 20,000 of 256 numbers are 20 MB.
_REMEMBERED = 20_000


class PieceVectors:
    """Static vectors: a word is the mean of its pieces, a text the weighted mean of its words.

    Args:
        tokenizer: a fast tokenizer.
        table: [pieces, size], the embeddings in the order of the piece ids.
    """

    def __init__(self, tokenizer: Any, table: Floats) -> None:
        self._tokenizer, self._table = tokenizer, np.asarray(table, dtype=np.float32)
        self._unknown = tokenizer.unk_token_id
        self._centre = np.zeros(self.size, dtype=np.float32)
        self._words: dict[str, Floats] = {}

    @classmethod
    def from_pretrained(cls, model: str | Path | None = None) -> "PieceVectors":
        """Take the vectors of a model; see `Extractor.from_pretrained`."""
        import torch
        from transformers import AutoTokenizer

        from ...model.modeling import IsnadModel

        folder = resolve(model)
        loaded = IsnadModel.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, use_safetensors=True
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        table = loaded.encoder.get_input_embeddings().weight.detach().numpy().copy()
        return cls(tokenizer, table)

    @property
    def size(self) -> int:
        """Length of a vector."""
        return int(self._table.shape[1])

    def centre(self, texts: Iterable[str]) -> None:
        """Take the mean word of some texts off every vector from now on.

        All vectors share a part that says nothing (Mu and Viswanath 2018, "All-but-the-top", section 2).

        Args:
            texts: a few hundred ordinary ones; without a word the vectors stay as they are.
        """
        self._words.clear()
        self._centre = np.zeros(self.size, dtype=np.float32)
        found = [text[s:e] for text in texts for s, e in words(text)]
        made = self.words(found)
        if made.any():
            self._centre = made[made.any(axis=1)].mean(axis=0)
        self._words.clear()

    def pieces(self, word: str) -> int:
        """Return the number of pieces of a word."""
        return len(self._tokenizer(f" {encodable(word)}", add_special_tokens=False)["input_ids"])

    def words(self, wanted: Sequence[str]) -> Floats:
        """Return [words, size] unit vectors; zeros for a word with a piece that the vocabulary lacks."""
        fresh = list(dict.fromkeys(w for w in wanted if w not in self._words))
        made: dict[str, Floats] = {}
        if fresh:
            # With the blank before them that words have in a sentence, which byte-level vocabularies look at.
            encoded = self._tokenizer([f" {encodable(w)}" for w in fresh], add_special_tokens=False)
            made = {w: self._vector(ids) for w, ids in zip(fresh, encoded["input_ids"], strict=True)}
        rows = [made[w] if w in made else self._words[w] for w in wanted]
        if len(self._words) + len(made) > _REMEMBERED:
            self._words.clear()
        self._words |= dict(list(made.items())[:_REMEMBERED])
        return np.stack(rows) if rows else np.zeros((0, self.size), dtype=np.float32)

    def texts(self, texts: Sequence[str]) -> Floats:
        """Return [texts, size] unit vectors (Arora et al. 2017, "A simple but tough-to-beat baseline", algorithm 1).

        Words weigh less the more frequent they are in `texts`, and the mean of all texts is taken off, so vectors
        of different calls do not compare.
        """
        spans = [[text[s:e] for s, e in words(text)] for text in texts]
        counts: dict[str, int] = {}
        for word in (w for row in spans for w in row):
            counts[word] = counts.get(word, 0) + 1
        total = max(1, sum(counts.values()))
        made = np.zeros((len(texts), self.size), dtype=np.float32)
        for row, found in enumerate(spans):
            if found:
                weights = [_SMOOTH / (_SMOOTH + counts[w] / total) for w in found]
                made[row] = np.asarray(weights, dtype=np.float32) @ self.words(found) / len(found)
        return unit(made - made.mean(axis=0) if len(texts) > 1 else made)

    def _vector(self, ids: Iterable[int]) -> Floats:
        pieces = list(ids)
        if not pieces or self._unknown in pieces:
            return np.zeros(self.size, dtype=np.float32)
        return unit(unit(self._table[pieces].mean(axis=0)) - self._centre)


def unit(vectors: Floats) -> Floats:
    """Return vectors [..., size] scaled to length 1; zeros stay zeros."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1), dtype=np.float32)
