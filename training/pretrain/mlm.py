"""Masked-language pretraining of an encoder over a stream of piece ids."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerBase

from ...model.encoder import IsnadEncoderConfig, IsnadEncoderForMaskedLM, char_table

log = logging.getLogger(__name__)


def pack(pieces: Path, out: Path, separator: int) -> int:
    """Turn a file of `skipgram.write_pieces` into one flat array of uint16, paragraphs ended by `separator`.

    Returns:
        The number of pieces.
    """
    parts: list[NDArray[np.uint16]] = []
    with pieces.open(encoding="ascii") as lines:
        for line in lines:
            parts.append(np.asarray([*line.split(), separator], dtype=np.uint16))
    flat = np.concatenate(parts)
    with out.open("wb") as file:
        np.save(file, flat, allow_pickle=False)
    return len(flat)


def vocabulary(tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """Return the pieces of a tokenizer in the order of their ids."""
    return [str(p) for p in tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))]


class PackedBlocks(Dataset):
    """Consecutive blocks of a packed stream.

    Args:
        path: a file of `pack`, read through a memory map.
        length: pieces of a block.
    """

    def __init__(self, path: Path, length: int) -> None:
        self._ids = np.load(path, mmap_mode="r", allow_pickle=False)
        self._length = length

    def __len__(self) -> int:
        return len(self._ids) // self._length

    def __getitem__(self, index: int) -> dict[str, NDArray[np.int64]]:
        at = index * self._length
        return {"input_ids": self._ids[at : at + self._length].astype(np.int64)}


class WholeWordMasking:
    """Collator that masks whole words (Devlin et al. 2019, whole-word variant): 80% mask, 10% random, 10% kept.

    Args:
        tokenizer: WordPiece, continuations begin with `##`.
        rate: share of words chosen.
        seed: of the masking.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, rate: float = 0.15, seed: int = 1) -> None:
        pieces = vocabulary(tokenizer)
        self._continues = np.asarray([p.startswith("##") for p in pieces])
        self._special = np.zeros(len(pieces), dtype=bool)
        self._special[tokenizer.all_special_ids] = True
        self._mask_id, self._size, self._rate = tokenizer.mask_token_id, len(pieces), rate
        self._random = np.random.default_rng(seed)

    def __call__(self, rows: Sequence[dict[str, NDArray[np.int64]]]) -> dict[str, torch.Tensor]:
        """Return input_ids and labels [batch, length]; labels are -100 where nothing is to be predicted."""
        ids = np.stack([row["input_ids"] for row in rows])
        word = np.cumsum(~self._continues[ids], axis=1)
        draw = self._random.random((len(ids), word.max() + 1)) < self._rate
        chosen = np.take_along_axis(draw, word, axis=1) & ~self._special[ids]
        labels = np.where(chosen, ids, -100)
        action = self._random.random(ids.shape)
        ids = np.where(chosen & (action < 0.8), self._mask_id, ids)
        noise = self._random.integers(5, self._size, ids.shape)
        ids = np.where(chosen & (action >= 0.9), noise, ids)
        return {"input_ids": torch.from_numpy(ids), "labels": torch.from_numpy(labels)}


def warm_start(
    tokenizer: PreTrainedTokenizerBase, vectors: NDArray[np.float32], **sizes: Any
) -> IsnadEncoderForMaskedLM:
    """Return a fresh encoder whose piece embeddings are skip-gram vectors.

    Args:
        tokenizer: gives the vocabulary and the characters of its pieces.
        vectors: [vocabulary, embedding_size].
        **sizes: fields of `IsnadEncoderConfig`.
    """
    table = char_table(vocabulary(tokenizer))
    config = IsnadEncoderConfig(
        vocab_size=len(tokenizer),
        embedding_size=vectors.shape[1],
        char_vocab_size=len(table.alphabet) + 1,
        pad_token_id=tokenizer.pad_token_id,
        **sizes,
    )
    model = IsnadEncoderForMaskedLM(config)
    with torch.no_grad():
        model.encoder.embeddings.weight.copy_(torch.from_numpy(vectors))
    model.encoder.set_characters(table)
    return model
