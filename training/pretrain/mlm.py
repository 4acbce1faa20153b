"""Blocks of piece ids and the masking of their words, both functions of a seed and a position alone."""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerBase

from .encoders import vocabulary


class PackedBlocks(Dataset):
    """Consecutive blocks of a packed stream; a block may begin and end within a document, and within a word.

    Args:
        paths: a file of the stream, or its shards in order, read through memory maps. What a shard has left
            after its last whole block is not read: less than a block in 64 MB.
        length: pieces of a block.

    Attributes:
        block_size: pieces of a block.
    """

    def __init__(self, paths: Path | Sequence[Path], length: int) -> None:
        files = [paths] if isinstance(paths, Path) else list(paths)
        self._parts = [np.load(path, mmap_mode="r", allow_pickle=False) for path in files]
        self.block_size = length
        self._ends = np.cumsum([len(part) // length for part in self._parts])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> dict[str, Any]:
        if not 0 <= index < len(self):
            raise IndexError(f"block {index} of {len(self)}")
        part = int(np.searchsorted(self._ends, index, side="right"))
        at = (index - (int(self._ends[part - 1]) if part else 0)) * self.block_size
        return {"input_ids": self._parts[part][at : at + self.block_size].astype(np.int64)}


class ShuffledBlocks(Dataset):
    """Pass after pass over blocks, each in another order, addressed by the position in the whole training.

    The order of a pass depends on the seed and its number alone. So a run that is resumed at a position reads on
    exactly as it would have without the break, and nothing about the order needs to be stored.

    Args:
        blocks: what is read.
        seed: of the order.
        size: number of positions, as many as the training may ask for.
        count: how many of the first blocks are read, 0 for all.

    Attributes:
        block_size: pieces of a block.
    """

    def __init__(self, blocks: PackedBlocks, *, seed: int, size: int, count: int = 0) -> None:
        self.block_size = blocks.block_size
        self._blocks, self._seed, self._size = blocks, seed, size
        self._count = min(count or len(blocks), len(blocks))
        self._pass: tuple[int, NDArray[np.int64]] | None = None

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, position: int) -> dict[str, Any]:
        number, at = divmod(position, self._count)
        if self._pass is None or self._pass[0] != number:
            generator = np.random.default_rng((self._seed, number))
            self._pass = (number, generator.permutation(self._count))
        return self._blocks[int(self._pass[1][at])] | {"position": position}


class WholeWordMasking:
    """Collator that masks whole words (Devlin et al. 2019, whole-word variant).

    What is masked depends on the seed and on the position of the batch in the training, not on what was masked
    before: a resumed run masks as it would have without the break, in whichever process it does so.

    Args:
        tokenizer: WordPiece, continuations begin with `##`.
        rate: share of words chosen.
        seed: of the masking.
        masked, noise: share of the chosen pieces that become [MASK] and a random piece; the others stay.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        *,
        rate: float = 0.15,
        seed: int = 1,
        masked: float = 0.8,
        noise: float = 0.1,
    ) -> None:
        pieces = vocabulary(tokenizer)
        self._continues = np.asarray([p.startswith("##") for p in pieces])
        self._special = np.zeros(len(pieces), dtype=bool)
        self._special[tokenizer.all_special_ids] = True
        self._ordinary = np.flatnonzero(~self._special)
        self._mask_id, self._rate, self._seed = tokenizer.mask_token_id, rate, seed
        self._masked, self._noise = masked, noise

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Return input_ids and labels [batch, length]; labels are -100 where nothing is to be predicted.

        Args:
            rows: `input_ids` [length] and the `position` in the training; rows without a position are masked
                by what they hold.
        """
        ids = np.stack([row["input_ids"] for row in rows])
        key = rows[0].get("position")
        # The tag keeps a position apart from a checksum and from the order of blocks, which has the same seed.
        tag, key = (1, key) if key is not None else (2, zlib.crc32(ids.tobytes()))
        random = np.random.default_rng((self._seed, tag, int(key)))
        word = np.cumsum(~self._continues[ids], axis=1)
        draw = random.random((len(ids), word.max() + 1)) < self._rate
        chosen = np.take_along_axis(draw, word, axis=1) & ~self._special[ids]
        labels = np.where(chosen, ids, -100)
        action = random.random(ids.shape)
        ids = np.where(chosen & (action < self._masked), self._mask_id, ids)
        noise = random.choice(self._ordinary, ids.shape)
        ids = np.where(chosen & (action >= 1 - self._noise), noise, ids)
        return {"input_ids": torch.from_numpy(ids), "labels": torch.from_numpy(labels)}
