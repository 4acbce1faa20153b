"""How differently labels are distributed in two splits, with a p-value over documents."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from .findings import Drift, Finding, Severity
from .part import DEV, TRAIN, View

# Divergence, in bits, from which a difference that is no accident is also one that matters: about one
# mention in ten (0.02) or in five (0.06) would have to change its label.
_NOTED, _STRONG = 0.02, 0.06
_ALPHA = 0.01
_ROUNDS = 999
_CELLS = 4_000_000
_SHOWN = 4

Counts = NDArray[np.float64]


def label_drift(
    train: Sequence[View], dev: Sequence[View], *, rounds: int = _ROUNDS, seed: int = 0
) -> list[Drift]:
    """Compare the labels of two splits, those of entities and those of relations.

    The measure is the Jensen-Shannon divergence (Lin, "Divergence Measures Based on the Shannon Entropy", IEEE
    Trans. Inf. Theory 37, 1991). Mentions of one document depend on each other, so that a chi-square test of
    mentions would find everything significant; the p-value is of a permutation test that deals out whole
    documents (Good, "Permutation, Parametric and Bootstrap Tests of Hypotheses", 2005).

    Args:
        train, dev: the documents of either side.
        rounds: deals drawn for the p-value, whose smallest value is 1 / (rounds + 1).
        seed: of the random generator.

    Returns:
        At most one comparison each for entities and relations; none where a side has no labels.
    """
    found = []
    for kind in ("entity", "relation"):
        bags = [[_labels(view, kind) for view in side] for side in (train, dev)]
        labels = sorted({label for side in bags for bag in side for label in bag})
        counts = [np.array([[bag[label] for label in labels] for bag in side], dtype=float) for side in bags]
        if labels and all(c.size and c.sum() for c in counts):
            found.append(_compare(kind, labels, counts[0], counts[1], rounds, seed))
    return found


def drift_findings(drifts: Sequence[Drift]) -> Iterator[Finding]:
    """Yield drifts that are no accident and large enough to matter."""
    for drift in drifts:
        if drift.p_value <= _ALPHA and drift.divergence >= _NOTED:
            severity = Severity.WARNING if drift.divergence >= _STRONG else Severity.NOTE
            yield Finding(severity, "label_drift", drift.meaning)


def divergence(left: Counts, right: Counts) -> Counts:
    """Return the Jensen-Shannon divergence, in bits, of counts [..., labels]; 0 alike, 1 nothing in common."""
    p, q = (x / np.maximum(x.sum(axis=-1, keepdims=True), 1) for x in (left, right))
    middle = (p + q) / 2
    return (_divergence_from(p, middle) + _divergence_from(q, middle)) / 2


def _divergence_from(p: Counts, q: Counts) -> Counts:
    """Return the Kullback-Leibler divergence in bits; `q` is above 0 wherever `p` is."""
    ratio = np.divide(p, q, out=np.ones_like(p), where=p > 0)
    return np.sum(p * np.log2(ratio), axis=-1)


def _compare(kind: str, labels: Sequence[str], train: Counts, dev: Counts, rounds: int, seed: int) -> Drift:
    totals = train.sum(axis=0), dev.sum(axis=0)
    observed = float(divergence(*totals))
    p_value = _p_value(np.concatenate([train, dev]), len(dev), observed, rounds, np.random.default_rng(seed))
    shares = {
        label: (float(a), float(b))
        for label, a, b in zip(labels, *(t / t.sum() for t in totals), strict=True)
    }
    # What a label adds to the divergence; a difference of shares alone would only show the frequent ones.
    adds = {label: float(_gap(a, b)) for label, (a, b) in shares.items()}
    order = sorted(shares, key=lambda label: -adds[label])
    return Drift(
        kind,
        observed,
        p_value,
        {label: shares[label] for label in order},
        _in_words(kind, observed, p_value, [(label, *shares[label]) for label in order[:_SHOWN]]),
    )


def _gap(a: float, b: float) -> float:
    middle = (a + b) / 2
    return sum(x * np.log2(x / middle) for x in (a, b) if x > 0)


def _p_value(
    documents: Counts, of_dev: int, observed: float, rounds: int, generator: np.random.Generator
) -> float:
    """Return the share of random deals whose divergence reaches the observed one, the observed one included."""
    n, total = len(documents), documents.sum(axis=0)
    reached, chunk = 0, max(1, _CELLS // n)
    for start in range(0, rounds, chunk):
        size = min(chunk, rounds - start)
        # The documents with the smallest of n random numbers are dealt to the development side.
        ranks = generator.random((size, n), dtype=np.float32)
        limit = np.partition(ranks, of_dev - 1, axis=1)[:, of_dev - 1 : of_dev]
        dealt = (ranks <= limit).astype(float) @ documents
        reached += int((divergence(total - dealt, dealt) >= observed - 1e-12).sum())
    return (reached + 1) / (rounds + 1)


def _labels(view: View, kind: str) -> Counter[str]:
    items = view.document.entities if kind == "entity" else view.document.relations
    return Counter(item.label for item in items)


def _in_words(kind: str, value: float, p: float, most: Sequence[tuple[str, float, float]]) -> str:
    what = "entity labels" if kind == "entity" else "relations"
    if p > _ALPHA:
        verdict = f"the {what} of {TRAIN} and {DEV} differ no more than chance would make them"
    elif value < _NOTED:
        verdict = f"the {what} of {TRAIN} and {DEV} differ a little, more than by chance"
    else:
        verdict = f"the {what} of {TRAIN} and {DEV} are distributed differently"
    shown = "; ".join(f"{label} is {a:.1%} of {TRAIN} and {b:.1%} of {DEV}" for label, a, b in most)
    return f"{verdict} (Jensen-Shannon divergence {value:.3f} bits, p {p:.3f}); most: {shown}"
