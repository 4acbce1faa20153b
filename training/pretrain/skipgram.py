"""Skip-gram vectors of word pieces (Mikolov et al. 2013, "Distributed Representations…", section 2).

They cost minutes on a CPU and give an encoder that is trained from scratch its initial embeddings.
"""

from pathlib import Path

import numpy as np

from .tokenizer import SPECIAL_TOKENS


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
    """Train skip-gram with negative sampling.

    Args:
        pieces: a file with a paragraph a line, as piece ids separated by blanks.
        vocab_size: rows of the table.
        dim, window, epochs, seed: of the vectors.
        workers: threads; the result is the same from run to run with one only.

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
