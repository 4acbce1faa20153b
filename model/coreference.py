"""Coreference of names: which mentions may corefer, their string features, and clustering.

Only names corefer (a role is tied to its holder by a relation), so spelling decides most cases:
قاآني is إسماعيل قاآني, نصرالله is نصر الله, الحشد is الحشد الشعبي.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from .folding import fold

FEATURES = (
    "same",  # equal after folding
    "same_joined",  # equal after dropping blanks, with or without articles: نصر الله = نصرالله
    "suffix",  # one is the last words of the other: قاآني of إسماعيل قاآني
    "prefix",  # one is the first words of the other: الحشد of الحشد الشعبي
    "inside",  # all words of the shorter occur in the longer
    "shared",  # shared words over words of the shorter
    "jaccard",  # shared words over all words
    "spelling",  # similarity of the joined strings (difflib ratio)
    "both_multiword",  # both have two words or more
    "first_differs",  # both have two words or more and the first ones differ
    "last_differs",  # both have two words or more and the last ones differ
    "same_label",
    "person",
    "near",  # 1 / (1 + mentions between)
    "same_paragraph",
    "apposed",  # fewer than 30 characters apart
    "second_shorter",  # the later mention has fewer words, the usual direction
)
# A mention is compared with this many earlier names at most; same spelling joins without comparison of all.
_MAX_ANTECEDENTS = 50
_ARTICLES = ("ال", "لل")


@dataclass(frozen=True, slots=True)
class Mention:
    """A name to be clustered.

    Attributes:
        name: readable name.
        label: entity type.
        start, end: code points in the document.
        paragraph: number of its paragraph.
        order: number among the document's mentions.
    """

    name: str
    label: str
    start: int
    end: int
    paragraph: int
    order: int


@lru_cache(maxsize=65_536)
def name_words(name: str) -> tuple[str, ...]:
    """Return the words of a name, folded, without article and taa marbuta, أبي and أبا as أبو."""
    parts: list[str] = []
    for word in fold(name).split():
        word = word.strip("\"'«»“”().،:؛-")
        if word.startswith(_ARTICLES) and len(word) > 3 and word != "الله":
            word = word[2:]
        word = word.replace("ة", "ه").replace("ؤ", "و").replace("ئ", "ي")
        if word in ("ابي", "ابا"):
            word = "ابو"
        if word:
            parts.append(word)
    return tuple(parts)


@lru_cache(maxsize=65_536)
def joined_name(name: str) -> str:
    """Return the folded letters of a name, articles included: one string for عبد الكريم and عبدالكريم."""
    return "".join(c for c in fold(name) if c.isalnum())


@lru_cache(maxsize=65_536)
def _pair_strings(first: str, second: str) -> tuple[float, ...]:
    a, b = name_words(first), name_words(second)
    short, long = (a, b) if len(a) <= len(b) else (b, a)
    sa, sb = set(a), set(b)
    shared = len(sa & sb)
    joined_a, joined_b = "".join(a), "".join(b)
    many = len(a) > 1 and len(b) > 1
    return (
        float(a == b),
        float(joined_a == joined_b or joined_name(first) == joined_name(second)),
        float(0 < len(short) < len(long) and long[-len(short) :] == short),
        float(0 < len(short) < len(long) and long[: len(short)] == short),
        float(bool(short) and set(short) <= set(long)),
        shared / max(1, len(set(short))),
        shared / max(1, len(sa | sb)),
        SequenceMatcher(None, joined_a, joined_b, autojunk=False).ratio(),
        float(many),
        float(many and a[0] != b[0]),
        float(many and a[-1] != b[-1]),
    )


def pair_features(first: Mention, second: Mention) -> tuple[float, ...]:
    """Return the `FEATURES` of two mentions, the earlier one first."""
    return (
        *_pair_strings(first.name, second.name),
        float(first.label == second.label),
        float(first.label == "PERS"),
        1.0 / (1.0 + second.order - first.order),
        float(first.paragraph == second.paragraph),
        float(0 <= second.start - first.end < 30),
        float(len(name_words(second.name)) < len(name_words(first.name))),
    )


def candidate_pairs(mentions: Sequence[Mention]) -> list[tuple[int, int]]:
    """Return index pairs (earlier, later) that may corefer: same label, and a shared word or near spelling.

    Names in the same paragraph and label are candidates whatever their spelling (an alias introduced by
    "known as"). Of each distinct earlier spelling only the nearest mention is compared, and at most
    `_MAX_ANTECEDENTS` spellings, so the cost grows with the number of mentions, not with its square.
    """
    by_key: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    pairs: list[tuple[int, int]] = []
    for j, mention in enumerate(mentions):
        parts = name_words(mention.name)
        joined = "".join(parts)
        keys = {(mention.label, p) for p in parts} | {
            (mention.label, "=" + joined),
            (mention.label, "^" + joined[:4]),
            (mention.label, "=" + joined_name(mention.name)),
        }
        keys.add((mention.label, f"¶{mention.paragraph}"))
        nearest: dict[str, int] = {}
        for key in keys:
            for spelling, i in islice(reversed(by_key[key].items()), _MAX_ANTECEDENTS):
                nearest[spelling] = max(i, nearest.get(spelling, -1))
        latest = sorted(nearest.values())[-_MAX_ANTECEDENTS:]
        pairs.extend((i, j) for i in latest)
        for key in keys:
            by_key[key].pop(mention.name, None)
            by_key[key][mention.name] = j
    return pairs


def cluster(
    mentions: Sequence[Mention],
    score: Callable[[list[tuple[int, int]]], NDArray[np.float32]],
    *,
    threshold: float,
) -> list[list[int]]:
    """Group mentions by average-link agglomeration, best pair first.

    Args:
        mentions: in text order.
        score: maps candidate pairs to probabilities.
        threshold: groups are merged while the mean probability between their compared members reaches it.

    Returns:
        Groups of indices, singletons included, in text order.
    """
    pairs = candidate_pairs(mentions)
    probabilities = score(pairs).tolist() if pairs else []
    group = list(range(len(mentions)))
    members = [[i] for i in group]
    # links[a][b] is the sum and the number of the probabilities between groups a and b, the same list both ways.
    links: list[dict[int, list[float]]] = [{} for _ in mentions]
    for (i, j), p in zip(pairs, probabilities, strict=True):
        links[i][j] = links[j][i] = [p, 1.0]
    likely = [(-p, pair) for pair, p in zip(pairs, probabilities, strict=True) if p >= threshold]
    for _, (i, j) in sorted(likely):
        a, b = group[i], group[j]
        if a == b:
            continue
        total, count = links[a][b]
        if total / count >= threshold:
            # The side with fewer neighbours joins the other, so that every link moves a logarithm of times at most.
            keep, gone = (a, b) if len(links[a]) >= len(links[b]) else (b, a)
            _join(keep, gone, links)
            for member in members[gone]:
                group[member] = keep
            members[keep] += members[gone]
            members[gone] = []
    return sorted(sorted(m) for m in members if m)


def _join(keep: int, gone: int, links: list[dict[int, list[float]]]) -> None:
    """Add the links of the group `gone` to those of `keep`."""
    del links[keep][gone]
    for other, (total, count) in links[gone].items():
        if other == keep:
            continue
        del links[other][gone]
        if other in links[keep]:
            link = links[keep][other]
            link[0] += total
            link[1] += count
        else:
            links[keep][other] = links[other][keep] = [total, count]
    links[gone] = {}
