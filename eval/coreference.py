"""Coreference metrics over clusters of mentions: B-cubed, MUC, CEAF-e, LEA and the CoNLL average.

All of them are end to end: predicted mentions need not be gold mentions. They follow the reference
implementation of the CoNLL scorer (Pradhan et al., "Scoring Coreference Partitions of Predicted Mentions",
ACL 2014), which leaves both sides as they are: a gold mention that was not predicted earns no
recall, a predicted mention that is not gold earns no precision, and no mention is added to or taken from
either side as in Cai & Strube (2010).
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from math import comb, fsum
from typing import Self

from ..model.document import Document
from .assignment import best_assignment
from .counts import Prf, harmonic, ratio
from .spans import Span

Clusters = Sequence[AbstractSet[Hashable]]


@dataclass(frozen=True, slots=True)
class ClusterCounts:
    """Numerators and denominators of a cluster metric, which are summed over documents as CoNLL scorers do.

    Attributes:
        p_part, p_whole: precision is p_part / p_whole.
        r_part, r_whole: recall is r_part / r_whole.
    """

    p_part: float = 0.0
    p_whole: float = 0.0
    r_part: float = 0.0
    r_whole: float = 0.0

    def __add__(self, other: Self) -> Self:
        return type(self)(*map(float.__add__, self.to_list(), other.to_list()))

    @classmethod
    def total(cls, counts: Iterable["ClusterCounts"]) -> "ClusterCounts":
        """Add any number of counts, exactly rounded, so that the order does not matter."""
        columns = zip(*(c.to_list() for c in counts), strict=True)
        return cls(*map(fsum, columns))

    @property
    def precision(self) -> float:
        """Share of the predicted links or mentions that are right; 0.0 for 0/0."""
        return ratio(self.p_part, self.p_whole)

    @property
    def recall(self) -> float:
        """Share of the gold links or mentions that were found; 0.0 for 0/0."""
        return ratio(self.r_part, self.r_whole)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return harmonic(self.precision, self.recall)

    def to_list(self) -> list[float]:
        """Return [p_part, p_whole, r_part, r_whole]."""
        return [float(self.p_part), float(self.p_whole), float(self.r_part), float(self.r_whole)]

    @classmethod
    def from_list(cls, data: Iterable[float]) -> Self:
        """Rebuild counts from `to_list`; ValueError unless there are four numbers."""
        p_part, p_whole, r_part, r_whole = map(float, data)
        return cls(p_part, p_whole, r_part, r_whole)


def b_cubed(gold: Clusters, predicted: Clusters) -> ClusterCounts:
    """B-cubed: for every mention, how much of its cluster is right; the mean over mentions.

    Bagga & Baldwin, "Algorithms for Scoring Coreference Chains" (1998), with predicted mentions as in
    Pradhan et al. (2014): a mention that exists on one side only scores 0 there.
    """

    def side(keys: Clusters, others: Clusters) -> tuple[float, int]:
        shared = _intersections(keys, others)
        part = fsum(n * n / len(keys[i]) for (i, _), n in sorted(shared.items()))
        return part, sum(map(len, keys))

    return ClusterCounts(*side(predicted, gold), *side(gold, predicted))


def muc(gold: Clusters, predicted: Clusters) -> ClusterCounts:
    """MUC: links that would have to be added; singletons count nothing.

    Vilain et al., "A Model-Theoretic Coreference Scoring Scheme" (MUC-6, 1995).
    """

    def side(keys: Clusters, others: Clusters) -> tuple[float, int]:
        # A cluster shared between k others keeps size - k links: of every share of n mentions, n - 1.
        part = sum(n - 1 for n in _intersections(keys, others).values())
        return part, sum(len(k) - 1 for k in keys)

    return ClusterCounts(*side(predicted, gold), *side(gold, predicted))


def ceaf_e(gold: Clusters, predicted: Clusters) -> ClusterCounts:
    """Entity-based CEAF: similarity (phi 4) of clusters aligned one to one as well as possible.

    Luo, "On Coreference Resolution Performance Metrics" (EMNLP 2005).
    """
    shared = _intersections(gold, predicted)
    similarity = {(i, j): 2 * n / (len(gold[i]) + len(predicted[j])) for (i, j), n in shared.items()}
    best = fsum(similarity[pair] for pair in best_assignment(similarity))
    return ClusterCounts(best, len(predicted), best, len(gold))


def lea(gold: Clusters, predicted: Clusters) -> ClusterCounts:
    """LEA: the share of a cluster's links that are found, weighted by the cluster's size.

    Moosavi & Strube, "Which Coreference Evaluation Metric Do You Trust?" (ACL 2016). A singleton
    has one link, to itself, which is found if it is a singleton on the other side too.
    """

    def side(keys: Clusters, others: Clusters) -> tuple[float, int]:
        found: dict[int, int] = {}
        for (i, j), n in _intersections(keys, others).items():
            alone = len(keys[i]) == 1
            found[i] = found.get(i, 0) + (len(others[j]) == 1 if alone else comb(n, 2))
        parts = (len(keys[i]) * n / max(1, comb(len(keys[i]), 2)) for i, n in sorted(found.items()))
        return fsum(parts), sum(map(len, keys))

    return ClusterCounts(*side(predicted, gold), *side(gold, predicted))


METRICS = {"b_cubed": b_cubed, "muc": muc, "ceaf_e": ceaf_e, "lea": lea}
CONLL = ("muc", "b_cubed", "ceaf_e")


def conll_average(scores: Mapping[str, ClusterCounts]) -> Prf:
    """The mean of MUC, B-cubed and CEAF-e, as in the CoNLL-2012 shared task (its score is the F1).

    A metric with nothing to count on either side (MUC where gold and prediction have singletons only) is
    left out, where the CoNLL scorer would average in a 0.
    """
    parts = [scores[name] for name in CONLL if scores[name].p_whole or scores[name].r_whole]
    means = (
        ratio(fsum(getattr(p, field) for p in parts), len(parts)) for field in ("precision", "recall", "f1")
    )
    return Prf(*means)


def score_clusters(
    gold: Clusters, predicted: Clusters, *, singletons: bool = True
) -> dict[str, ClusterCounts]:
    """Score two partitions with every metric in `METRICS`.

    Args:
        gold, predicted: disjoint sets of mentions.
        singletons: keep clusters of one mention; without them both sides lose theirs before anything is
            compared, as in CoNLL-2012, whose corpus does not annotate them.
    """
    if not singletons:
        gold, predicted = ([c for c in side if len(c) > 1] for side in (gold, predicted))
    return {name: metric(gold, predicted) for name, metric in METRICS.items()}


def mention_clusters(
    gold: Document,
    predicted: Document,
    gold_spans: Mapping[str, Span],
    predicted_spans: Mapping[str, Span],
    labels: AbstractSet[str],
) -> tuple[list[frozenset[Hashable]], list[frozenset[Hashable]]]:
    """Return the clusters of both sides over mentions that can be compared, singletons included.

    A mention is an entity whose label is in `labels` (the schema's `coreferent_labels`); mentions in no
    cluster are singletons. As in the CoNLL scorer a mention is identified by its boundaries, so that a wrong
    entity type does not count twice; only where one span carries several of these labels (a place that is
    also an organisation) does the label tell its mentions apart.

    Args:
        gold, predicted: two annotations of one text.
        gold_spans, predicted_spans: the compared entities keyed by id, from `spans.project`.
        labels: entity types that are clustered.
    """
    mentions = [
        {id_: s for id_, s in spans.items() if s.label in labels} for spans in (gold_spans, predicted_spans)
    ]
    crowded = _crowded(mentions[0]) | _crowded(mentions[1])
    sides = []
    for document, spans in zip((gold, predicted), mentions, strict=True):
        keys: dict[str, Hashable] = {
            id_: s.key if (s.start, s.end) in crowded else (s.start, s.end) for id_, s in spans.items()
        }
        sides.append(_partition(document, keys))
    return sides[0], sides[1]


def _crowded(spans: Mapping[str, Span]) -> set[tuple[int, int]]:
    labels: dict[tuple[int, int], set[str]] = {}
    for s in spans.values():
        labels.setdefault((s.start, s.end), set()).add(s.label)
    return {boundaries for boundaries, on_it in labels.items() if len(on_it) > 1}


def _partition(document: Document, keys: Mapping[str, Hashable]) -> list[frozenset[Hashable]]:
    """Group mention keys by cluster; a key seen before (a doubled mention) stays where it was first."""
    seen: set[Hashable] = set()
    groups = [*document.clusters, *((id_,) for id_ in keys)]
    clusters = []
    for group in groups:
        cluster = frozenset(keys[id_] for id_ in group if id_ in keys) - seen
        seen |= cluster
        if cluster:
            clusters.append(cluster)
    return clusters


def _intersections(keys: Clusters, others: Clusters) -> dict[tuple[int, int], int]:
    """Return {(i, j): mentions shared by keys[i] and others[j]}, only where there are any."""
    home = {mention: j for j, cluster in enumerate(others) for mention in cluster}
    shared: dict[tuple[int, int], int] = {}
    for i, cluster in enumerate(keys):
        for mention in cluster:
            if mention in home:
                pair = i, home[mention]
                shared[pair] = shared.get(pair, 0) + 1
    return shared
