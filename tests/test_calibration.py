"""Beta calibration and thresholds on synthetic scores whose right answer is known, and what is observed of a model."""

from pathlib import Path

import numpy as np
import pytest
from isnad.model.backends.torch_backend import TorchBackend
from isnad.model.decoding import IDENTITY, probabilities
from isnad.model.document import Document
from isnad.model.modeling import IsnadModel
from isnad.model.schema import LabelSchema
from isnad.model.scores import WindowScores
from isnad.model.windows import Window, WindowMaker
from isnad.training.calibrate import Observations, best_threshold, calibrate, observe
from isnad.training.examples import build_examples
from transformers import AutoTokenizer

pytestmark = pytest.mark.usefixtures("one_thread")


def drawn(scale: float, bias: float, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and outcomes drawn with the probability sigmoid(scale * logit + bias)."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, count)
    p = 1 / (1 + np.exp(-(scale * logits + bias)))
    return logits, random.random(count) < p


def observations(*columns: tuple[np.ndarray, np.ndarray]) -> Observations:
    logits = np.stack([c[0] for c in columns], axis=1).astype(np.float32)
    correct = np.stack([c[1] for c in columns], axis=1)
    return Observations(logits, correct, np.ones_like(correct), correct.sum(axis=0))


def test_scaling_finds_the_probabilities_that_made_the_data() -> None:
    logits = np.linspace(-5, 5, 41)[:, None]
    # Straight lines over the logits (a = b), and a curve that no line fits.
    for number, true in enumerate(([0.5, 0.5, -1.0], [2.0, 2.0, 0.5], [0.6, 2.0, -0.4])):
        random = np.random.default_rng(number)
        drawn_at = random.normal(0, 2, 40_000)
        truth = np.asarray([true], dtype=np.float32)
        correct = random.random(len(drawn_at)) < probabilities(drawn_at[:, None], truth)[:, 0]
        found = calibrate(observations((drawn_at, correct))).scaling
        assert probabilities(logits, found) == pytest.approx(probabilities(logits, truth), abs=0.03)


def test_probabilities_are_the_formula_of_beta_calibration() -> None:
    logits = np.linspace(-6, 6, 25)[:, None]
    s = 1 / (1 + np.exp(-logits[:, 0]))
    assert probabilities(logits, np.asarray([IDENTITY]))[:, 0] == pytest.approx(s, rel=1e-5)
    by_hand = 1 / (1 + np.exp(-(0.7 * np.log(s) - 1.4 * np.log(1 - s) + 0.3)))
    assert probabilities(logits, np.asarray([[0.7, 1.4, 0.3]]))[:, 0] == pytest.approx(by_hand, rel=1e-5)
    far = probabilities(np.asarray([[-1e4], [1e4]]), np.asarray([[0.7, 1.4, 0.3]]))
    assert np.isfinite(far).all() and far[0, 0] < 1e-9 and far[1, 0] > 1 - 1e-6


def test_calibrated_probabilities_mean_what_they_say() -> None:
    logits, correct = drawn(0.4, 0.8, 20_000)
    fitted = calibrate(observations((logits, correct)))
    p = probabilities(logits[:, None].astype(np.float32), fitted.scaling)[:, 0]
    bins = [(p >= low) & (p < low + 0.1) for low in np.arange(0.1, 0.9, 0.1)]
    assert sum(chosen.sum() > 300 for chosen in bins) >= 6
    for chosen in bins:
        if chosen.sum() > 300:  # fewer say nothing
            assert correct[chosen].mean() == pytest.approx(p[chosen].mean(), abs=0.05)


def test_a_label_with_few_examples_leans_on_all() -> None:
    many = drawn(1.0, 0.0, 4000)
    few = (many[0], np.zeros(4000, dtype=bool))
    few[1][:10] = True
    fitted = calibrate(observations(many, few))
    assert fitted.scaling[1] == pytest.approx(calibrate(observations(many, few)).scaling[1])
    assert fitted.thresholds[1] != 0.0
    # What is not valid teaches nothing.
    seen = observations(many, drawn(-1.0, 3.0, 4000, seed=5))
    alone = Observations(seen.logits, seen.correct, seen.valid & [True, False], seen.gold)
    assert calibrate(alone).scaling[0] == pytest.approx(calibrate(observations(many)).scaling[0], abs=1e-3)


@pytest.mark.parametrize("correct", [np.zeros(50, dtype=bool), np.ones(50, dtype=bool)])
def test_one_sided_data_changes_nothing(correct: np.ndarray) -> None:
    fitted = calibrate(observations((np.linspace(-3, 3, 50), correct)))
    assert fitted.scaling.tolist() == [list(IDENTITY)]


def test_separable_data_stays_finite() -> None:
    logits = np.r_[np.full(100, -4.0), np.full(100, 4.0)]
    fitted = calibrate(observations((logits, logits > 0)))
    assert np.isfinite(fitted.scaling).all() and fitted.scaling[0, 0] < 10
    assert 0.1 <= fitted.thresholds[0] <= 0.9


def test_nothing_observed_gives_the_identity() -> None:
    empty = np.zeros((0, 3))
    fitted = calibrate(Observations(empty.astype(np.float32), empty > 0, empty > 0, np.asarray([4, 0, 30])))
    assert fitted.scaling.tolist() == [list(IDENTITY)] * 3 and fitted.thresholds.tolist() == [0.5] * 3


def test_the_best_threshold_is_the_one_of_a_search() -> None:
    random = np.random.default_rng(3)
    for _ in range(20):
        p = random.random(200)
        correct = random.random(200) < p**2
        gold = int(correct.sum()) + int(random.integers(0, 40))  # some gold is no candidate at all

        def f1(threshold: float, p: np.ndarray = p, correct: np.ndarray = correct, gold: int = gold) -> float:
            taken = p >= threshold
            return 2 * (taken & correct).sum() / (taken.sum() + gold)

        found = best_threshold(p, correct, gold)
        assert f1(found) == pytest.approx(max(f1(t) for t in p if 0.1 <= t <= 0.9))
    assert best_threshold(np.asarray([0.95, 0.99, 0.02]), np.asarray([True, True, False]), 2) == 0.5


class Exact:
    """A backend that scores the gold of one document high, and one wrong span of each window a little."""

    def __init__(self, document: Document, schema: LabelSchema) -> None:
        self._document, self._schema = document, schema

    def score(self, windows: list[Window]) -> list[WindowScores]:
        maker = type("Fixed", (), {"windows": lambda _, text: windows})()
        results = []
        for example in build_examples(self._document, maker, self._schema):
            spans = np.concatenate([example.spans, [[0, 0]]])
            types = np.concatenate([example.types, np.zeros((1, example.types.shape[1]), bool)])
            pairs = np.asarray(
                [(h, t) for h in range(len(example.spans)) for t in range(len(example.spans)) if h != t]
            )
            pairs = pairs.reshape(-1, 2)
            logits = np.full((len(pairs), len(self._schema.relations)), -5.0, dtype=np.float32)
            row = {tuple(p): n for n, p in enumerate(pairs.tolist())}
            for head, label, tail in example.relations.tolist():
                logits[row[head, tail], label] = 5.0
            letters = np.concatenate([example.proclitics[example.spans[:, 0]], [0]])
            vectors = np.zeros((len(spans), 2), np.float32)
            scores = np.where(types, 5.0, -5.0).astype(np.float32)
            results.append(WindowScores(spans, scores, letters, vectors, pairs, logits))
        return results

    def coreference(self, *_: object) -> np.ndarray:
        raise AssertionError


def test_what_is_observed_of_a_perfect_model(
    tiny_encoder: Path, articles: list[Document], schema: LabelSchema
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder, local_files_only=True)
    maker = WindowMaker(tokenizer, max_pieces=512)
    document = articles[0]
    spans, pairs = observe(Exact(document, schema), maker, schema, [document])
    assert spans.gold.sum() == len(document.entities) == (spans.correct & (spans.logits > 0)).sum()
    symmetric = sum(schema.relation(r.label).symmetric for r in document.relations)
    assert pairs.gold.sum() == len(document.relations) + symmetric
    assert (pairs.correct & (pairs.logits > 0)).sum() == pairs.gold.sum() and not (
        pairs.correct & ~pairs.valid
    ).any()
    assert not (spans.correct & (spans.logits < 0)).any()
    for observed in (spans, pairs):
        fitted = calibrate(observed)
        p = np.where(observed.valid, probabilities(observed.logits, fitted.scaling), 0)
        assert ((p >= fitted.thresholds) == observed.correct).all()


def test_observing_a_random_model_counts_every_core_span_once(
    tiny_model: Path, articles: list[Document], schema: LabelSchema
) -> None:
    model = IsnadModel.from_pretrained(tiny_model)
    model.config.max_candidates = 8
    tokenizer = AutoTokenizer.from_pretrained(tiny_model, local_files_only=True)
    maker, backend = WindowMaker(tokenizer, max_pieces=64, overlap_pieces=12), TorchBackend(model, 0)
    text = " ".join(articles[0].text.split())
    document = Document(text)
    spans, pairs = observe(backend, maker, schema, [document])
    windows = list(maker.windows(text))
    owned = sum(
        int(((s.spans[:, 0] >= w.core[0]) & (s.spans[:, 0] < w.core[1])).sum())
        for w, s in zip(windows, backend.score(windows), strict=True)
    )
    assert len(windows) > 3 and len(spans.logits) == owned > 0
    assert not spans.correct.any() and not pairs.correct.any() and not spans.gold.any()
