"""Skip-gram vectors of word pieces (Mikolov et al. 2013, "Distributed Representations…", section 2).

They cost minutes on a CPU and give an encoder that is trained from scratch its initial embeddings.
"""

import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from transformers import PreTrainedTokenizerBase

from .tokenizer import SPECIAL_TOKENS, _batched

log = logging.getLogger(__name__)


def write_pieces(texts: Iterable[str], tokenizer: PreTrainedTokenizerBase, out: Path) -> int:
    """Write one tokenised paragraph a line, pieces separated by blanks, and return the number of pieces."""
    backend = tokenizer.backend_tokenizer
    total = 0
    with out.open("w", encoding="utf-8") as file:
        for batch in _batched(texts):
            for encoding in backend.encode_batch_fast(batch, add_special_tokens=False):
                # Ids rather than pieces: no piece can then clash with the blank that separates them.
                file.write(" ".join(map(str, encoding.ids)) + "\n")
                total += len(encoding.ids)
    return total


def train_vectors(
    pieces: Path,
    vocab_size: int,
    *,
    dim: int = 256,
    window: int = 5,
    epochs: int = 2,
    workers: int = 2,
    seed: int = 1,
) -> np.ndarray:
    """Train skip-gram with negative sampling over a file of `write_pieces`.

    Returns:
        float32 array [vocab_size, dim]; pieces that never occur get a small random vector, padding zeros.
    """
    from gensim.models import Word2Vec

    model = Word2Vec(
        corpus_file=str(pieces),
        vector_size=dim,
        window=window,
        sg=1,
        negative=5,
        sample=1e-4,
        min_count=3,
        epochs=epochs,
        workers=workers,
        seed=seed,
    )
    rng = np.random.default_rng(seed)
    seen = model.wv.vectors
    scale = float(np.std(seen))
    table = rng.normal(0.0, scale, size=(vocab_size, dim)).astype(np.float32)
    for piece, row in model.wv.key_to_index.items():
        table[int(piece)] = seen[row]
    table[SPECIAL_TOKENS.index("[PAD]")] = 0.0
    return table
