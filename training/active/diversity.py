"""A choice that covers what there is: k-means++ seeding over vectors, weighted by how much each is worth."""

import numpy as np
from numpy.typing import NDArray

from .vectors import Floats


def spread(
    vectors: Floats,
    weights: NDArray[np.float64],
    count: int,
    *,
    seed: int,
    centres: Floats | None = None,
) -> list[int]:
    """Choose rows that are worth much and far from each other.

    Each row is drawn with a probability that grows with its weight and with its squared distance from the nearest
    one chosen (k-means++, Arthur and Vassilvitskii 2007, section 2.2), several are drawn at a time and the one is
    kept that covers the most (greedy k-means++). Ash et al. 2020 (BADGE, section 3) choose batches
    in this way because the distances alone, as in the core-set of Sener and Savarese 2018 (k-centre), pick outliers,
    and the weights alone pick the same thing over and over.

    Args:
        vectors: [rows, size], of length 1.
        weights: [rows], not negative.
        count: rows to choose.
        seed: of the draws.
        centres: [known, size], what is covered already.

    Returns:
        Row numbers in the order of the choice; any beginning of it is a good choice of that size. If the weights
        run out, the rest is filled with rows in order.
    """
    random = np.random.default_rng(seed)
    worth = np.asarray(weights, dtype=np.float64).copy()
    # Half the squared distance of unit vectors: 1 - cosine; at most 2, which stands for "nothing near yet".
    away = np.full(len(vectors), 2.0)
    if centres is not None and len(centres):
        for part in np.array_split(centres, max(1, len(centres) // 256)):
            away = np.minimum(away, 1 - (vectors @ part.T).max(axis=1))
    chosen: list[int] = []
    trials = 2 + int(np.log(max(2, count)))
    for _ in range(min(count, len(vectors))):
        mass = worth * np.clip(away, 0, None)
        total = mass.sum()
        if total <= 1e-12:
            break
        drawn = np.unique(random.choice(len(vectors), size=trials, p=mass / total))
        nearer = np.minimum(away[:, None], 1 - vectors @ vectors[drawn].T)
        best = int((worth[:, None] * np.clip(nearer, 0, None)).sum(axis=0).argmin())
        away = nearer[:, best]
        chosen.append(int(drawn[best]))
        worth[chosen[-1]] = 0.0
    taken = set(chosen)
    rest = sorted((n for n in range(len(vectors)) if n not in taken), key=lambda n: (-weights[n], n))
    return chosen + rest[: min(count, len(vectors)) - len(chosen)]
