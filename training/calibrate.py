"""Calibration and thresholds from development data.

Beta calibration (Kull et al. 2017, "Beta calibration: a well-founded and easily implemented improvement on
logistic calibration", section 3) per label, drawn towards one calibration for all labels where a label has few
examples; then the threshold of each label that gives the best F1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..model.configuration import IsnadConfig
from ..model.decoding import IDENTITY, probabilities, span_offsets
from ..model.document import Document
from ..model.relations import sentences
from ..model.schema import LabelSchema
from ..model.scores import Backend, WindowScores
from ..model.windows import Window, WindowMaker

# A label with fewer gold examples than this uses the threshold of all labels together.
_ENOUGH = 25


@dataclass(frozen=True)
class Observations:
    """Scored candidates of one kind on development data.

    Attributes:
        logits: [candidates, labels].
        correct: [candidates, labels], True where gold has exactly this span (or pair) and label.
        valid: [candidates, labels], False where the label cannot apply.
        gold: [labels], number of gold items, found among the candidates or not.
    """

    logits: NDArray[np.float32]
    correct: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    gold: NDArray[np.int64]

    @classmethod
    def joined(cls, parts: Sequence["Observations"]) -> "Observations":
        """Return the observations of several sets of documents together."""
        return cls(
            logits=np.concatenate([p.logits for p in parts]),
            correct=np.concatenate([p.correct for p in parts]),
            valid=np.concatenate([p.valid for p in parts]),
            gold=np.sum([p.gold for p in parts], axis=0),
        )


@dataclass(frozen=True)
class Calibration:
    """What is fitted, by label.

    Attributes:
        scaling: [labels, 3], see `decoding.probabilities`.
        thresholds: [labels].
    """

    scaling: NDArray[np.float32]
    thresholds: NDArray[np.float32]


def observe(
    backend: Backend,
    maker: WindowMaker,
    schema: LabelSchema,
    documents: Sequence[Document],
    *,
    cross_sentence: bool = True,
) -> tuple[Observations, Observations]:
    """Return the span candidates and the pair candidates of gold documents.

    Pairs count as correct if both spans are gold spans with the relation; what is observed is therefore the
    end-to-end probability.

    Args:
        backend, maker, schema: the model.
        documents: gold.
        cross_sentence: whether pairs of different sentences can be relations, as in `Decisions`.
    """
    spans, pairs = _Collector(len(schema.entities)), _Collector(len(schema.relations))
    signature = np.asarray(schema.signature_mask(), dtype=bool)
    for document in documents:
        windows = list(maker.windows(document.text))
        gold = {(e.start, e.end, schema.entity_index[e.label]) for e in document.entities}
        by_id = document.by_id()
        links = {
            (_span(by_id[a]), schema.relation_index[r.label], _span(by_id[b]))
            for r in document.relations
            for a, b in (
                [(r.head, r.tail), (r.tail, r.head)]
                if schema.relation(r.label).symmetric
                else [(r.head, r.tail)]
            )
        }
        spans.gold += np.bincount([label for *_, label in gold], minlength=len(schema.entities))
        pairs.gold += np.bincount([r for _, r, _ in links], minlength=len(schema.relations))
        for window, scores in zip(windows, backend.score(windows), strict=True):
            _observe_window(
                document.text, window, scores, gold, links, signature, spans, pairs, cross_sentence
            )
    return spans.done(), pairs.done()


def calibrate(observed: Observations) -> Calibration:
    """Fit scaling and thresholds for every label."""
    labels = observed.logits.shape[1]
    shared = fit_beta(observed.logits[observed.valid], observed.correct[observed.valid])
    scaling = np.tile(shared, (labels, 1)).astype(np.float32)
    for label in range(labels):
        valid = observed.valid[:, label]
        correct = observed.correct[valid, label]
        if correct.sum() >= _ENOUGH:
            own = fit_beta(observed.logits[valid, label], correct)
            share = correct.sum() / (correct.sum() + _ENOUGH)
            scaling[label] = share * own + (1 - share) * shared
    probability = np.where(observed.valid, probabilities(observed.logits, scaling), 0.0)
    overall = best_threshold(probability.ravel(), observed.correct.ravel(), int(observed.gold.sum()))
    thresholds = np.full(labels, overall, dtype=np.float32)
    for label in range(labels):
        if observed.gold[label] >= _ENOUGH:
            best = best_threshold(
                probability[:, label], observed.correct[:, label], int(observed.gold[label])
            )
            # The best point of a small sample is a lucky one: half of the way to it is kept.
            thresholds[label] = (best + overall) / 2
    return Calibration(scaling, thresholds)


def set_decisions(config: IsnadConfig, schema: LabelSchema, spans: Observations, pairs: Observations) -> None:
    """Fit calibration and thresholds to what was observed, and write them into a model's configuration."""
    config.calibration = {}
    for kind, labels, observed in (
        ("entity", schema.entity_labels, spans),
        ("relation", schema.relation_labels, pairs),
    ):
        write_decisions(config, kind, labels, calibrate(observed))


def write_decisions(config: IsnadConfig, kind: str, labels: Sequence[str], fitted: Calibration) -> None:
    """Write what was fitted for the labels of a kind, "entity" or "relation", into a model's configuration."""
    scaling = {
        label: [round(float(x), 4) for x in row] for label, row in zip(labels, fitted.scaling, strict=True)
    }
    thresholds = {label: round(float(t), 4) for label, t in zip(labels, fitted.thresholds, strict=True)}
    config.calibration = {**(config.calibration or {}), kind: scaling}
    setattr(config, f"{kind}_thresholds", thresholds)


def best_threshold(probability: NDArray[np.floating], correct: NDArray[np.bool_], gold: int) -> float:
    """Return the probability from which on accepting gives the best F1, within [0.1, 0.9]."""
    order = np.argsort(-probability, kind="stable")
    hits = np.cumsum(correct[order])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + max(gold, 1))
    ranked = probability[order]
    usable = (ranked >= 0.1) & (ranked <= 0.9)
    if not usable.any():
        return 0.5
    return float(ranked[np.argmax(np.where(usable, f1, -1.0))])


def fit_beta(
    logits: NDArray[np.floating], correct: NDArray[np.bool_], *, steps: int = 60
) -> NDArray[np.float64]:
    """Return [3], the calibration of one logit: a logistic regression on ln s and -ln(1 - s) by Newton steps."""
    z = np.clip(logits.astype(np.float64), -15, 15)
    y = correct.astype(np.float64)
    identity = np.asarray(IDENTITY)
    if not 0 < y.sum() < len(y):
        return identity
    weights = identity.copy()
    x = np.stack([-np.logaddexp(0, -z), np.logaddexp(0, z), np.ones_like(z)], axis=1)
    for _ in range(steps):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        # A weak prior towards the identity keeps separable data finite.
        gradient = x.T @ (p - y) + (weights - identity)
        hessian = (x * (p * (1 - p))[:, None]).T @ x + np.eye(3)
        step = np.linalg.solve(hessian, gradient)
        weights = weights - np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-6:
            break
    # Above 0, so that a higher score never becomes a lower probability.
    weights[:2] = np.maximum(weights[:2], 0.05)
    return weights


class _Collector:
    def __init__(self, labels: int) -> None:
        self.gold = np.zeros(labels, dtype=np.int64)
        self._rows: list[tuple[NDArray, NDArray, NDArray]] = []
        self._labels = labels

    def add(self, logits: NDArray, correct: NDArray, valid: NDArray) -> None:
        self._rows.append((logits, correct, valid))

    def done(self) -> Observations:
        if not self._rows:
            empty = np.zeros((0, self._labels))
            return Observations(empty.astype(np.float32), empty.astype(bool), empty.astype(bool), self.gold)
        logits, correct, valid = (np.concatenate(column) for column in zip(*self._rows, strict=True))
        return Observations(logits.astype(np.float32), correct, valid, self.gold)


def _span(entity: object) -> tuple[int, int]:
    return entity.start, entity.end  # type: ignore[attr-defined]


def _observe_window(
    text: str,
    window: Window,
    scores: WindowScores,
    gold: set[tuple[int, int, int]],
    links: set[tuple[tuple[int, int], int, tuple[int, int]]],
    signature: NDArray[np.bool_],
    spans: _Collector,
    pairs: _Collector,
    cross_sentence: bool,
) -> None:
    if not len(scores.spans):
        return
    offsets = [span_offsets(text, window, scores, row) for row in range(len(scores.spans))]
    labels = range(scores.logits.shape[1])
    correct = np.asarray([[(*o, label) in gold for label in labels] for o in offsets])
    owned = (scores.spans[:, 0] >= window.core[0]) & (scores.spans[:, 0] < window.core[1])
    spans.add(scores.logits[owned], correct[owned], np.ones_like(correct[owned]))
    if len(scores.pairs):
        best = scores.logits.argmax(axis=1)
        accepted = scores.logits.max(axis=1) > 0
        head, tail = scores.pairs.T
        valid = signature[:, best[head], best[tail]].T & (accepted[head] & accepted[tail])[:, None]
        if not cross_sentence:
            sentence = sentences(text, window, scores.spans)
            valid &= (sentence[head] == sentence[tail])[:, None]
        linked = np.asarray(
            [[(offsets[h], r, offsets[t]) in links for r in range(len(signature))] for h, t in scores.pairs]
        )
        pairs.add(scores.pair_logits, linked, valid)
