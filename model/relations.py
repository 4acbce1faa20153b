"""What becomes of relation scores once the entities and clusters of a document are known."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from .text import sentence_starts
from .windows import Window

# (head, relation, tail): rows of the document's entities and of the schema's relations.
Triple = tuple[int, int, int]


def sentences(text: str, window: Window, spans: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return [spans], the number of the sentence of its window that each span begins in."""
    starts = np.asarray(sentence_starts(text, window.words), dtype=np.int64)
    return np.searchsorted(starts, spans[:, 0], side="right")


def merge_directions(scores: Mapping[Triple, float], symmetric: Sequence[bool]) -> dict[Triple, float]:
    """Write symmetric relations once, the earlier mention first, with the mean of both directions."""
    merged: dict[Triple, float] = {}
    for (head, relation, tail), p in scores.items():
        if symmetric[relation]:
            key = (min(head, tail), relation, max(head, tail))
            merged[key] = merged.get(key, 0.0) + p / 2
        else:
            merged[(head, relation, tail)] = p
    return merged


def distinct(
    scores: Mapping[Triple, float], thing: Sequence[int], paragraph: Sequence[int]
) -> dict[Triple, float]:
    """Keep one relation for each pair of things and label in a paragraph, and none of a thing with itself.

    A fact is written once, between the pair of mentions that states it best (seeds/GUIDELINES.md, section 3),
    and a person does not meet himself: of 9,152 relations in the training corpus none does either.

    Args:
        scores: probabilities.
        thing: cluster of each entity; entities without a cluster have numbers of their own.
        paragraph: number of each entity's paragraph.
    """
    best: dict[tuple[int, int, int, int], Triple] = {}
    for triple in sorted(scores):
        head, relation, tail = triple
        if thing[head] == thing[tail]:
            continue
        key = (paragraph[head], thing[head], relation, thing[tail])
        if key not in best or scores[triple] > scores[best[key]]:
            best[key] = triple
    return {triple: scores[triple] for triple in sorted(best.values())}
