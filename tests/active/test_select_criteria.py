"""What a sentence is chosen for: the errors expected in it, and a spread over all kinds of sentences."""

import numpy as np
import pytest
from isnad.model.document import Document, Relation
from isnad.model.text import make_entity
from isnad.training.active import doubts, gain, spread

LIMITS = {"PERS": 0.5, "GPE": 0.3, "visited": 0.4}


class TestUncertainty:
    def document(self) -> Document:
        text = "زار قاآني بغداد. ثم عاد سليم إلى بيروت."
        found = (
            ("قاآني", "PERS", 0.9),
            ("بغداد", "GPE", 0.35),
            ("سليم", "PERS", 0.2),
            ("بيروت", "GPE", 0.05),
        )
        entities = [
            make_entity(text, text.index(w), text.index(w) + len(w), label, id=f"T{n}", score=p)
            for n, (w, label, p) in enumerate(found, 1)
        ]
        return Document(text, tuple(entities), (Relation("T1", "visited", "T2", 0.38),))

    def test_expected_errors_by_hand(self) -> None:
        # قاآني is reported, wrong with 0.1; بغداد is reported at 0.35 >= 0.3, wrong with 0.65; سليم is left out,
        # wrong with 0.2; بيروت is left out, wrong with 0.05; the relation is left out, wrong with 0.38.
        found = doubts(self.document(), LIMITS, {"PERS", "GPE"})
        assert [d.text for d in found] == ["بغداد", "سليم", "قاآني", "بيروت"]
        assert [d.wrong for d in found] == pytest.approx([0.65, 0.2, 0.1, 0.05])
        both = doubts(self.document(), LIMITS, {"PERS", "GPE", "visited"})
        assert sum(d.wrong for d in both) == pytest.approx(1.38)
        assert both[1].text == "قاآني → بغداد"

    def test_a_part_of_a_document(self) -> None:
        document = self.document()
        second = document.text.index("ثم")
        assert [d.text for d in doubts(document, LIMITS, {"PERS"}, 0, second)] == ["قاآني"]
        assert [d.text for d in doubts(document, LIMITS, {"PERS", "visited"}, second)] == ["سليم"]

    def test_gain_favours_neither_fragments_nor_long_sentences(self) -> None:
        assert gain(0.5, 2) < gain(1.5, 20), "a fragment of two words with half an error"
        assert gain(2.0, 90) < gain(1.5, 20), "a long sentence with a few more errors"


class TestSpread:
    def clusters(self) -> np.ndarray:
        random = np.random.default_rng(3)
        centres = np.eye(4)[[0] * 40 + [1] * 40 + [2] * 5]
        made = centres + random.normal(scale=0.02, size=centres.shape)
        return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)

    def test_one_of_each_kind(self) -> None:
        vectors = self.clusters()
        for seed in range(10):
            chosen = spread(vectors, np.ones(len(vectors)), 3, seed=seed)
            assert {n // 40 for n in chosen} == {0, 1, 2}

    def test_what_is_covered_is_not_chosen_again(self) -> None:
        vectors = self.clusters()
        chosen = spread(
            vectors, np.ones(len(vectors)), 1, seed=1, centres=np.eye(4, dtype=np.float32)[[0, 2]]
        )
        assert 40 <= chosen[0] < 80

    def test_weights_count(self) -> None:
        vectors = self.clusters()
        weights = np.zeros(len(vectors))
        weights[[3, 50]] = 1.0
        assert set(spread(vectors, weights, 2, seed=1)) == {3, 50}
        # More than there is weight for: filled up, each row once.
        assert sorted(spread(vectors, weights, 85, seed=1)) == list(range(85))
        assert len(spread(vectors, weights, 100, seed=1)) == 85

    def test_the_same_seed_gives_the_same_choice(self) -> None:
        vectors, weights = self.clusters(), np.linspace(0.1, 1, 85)
        assert spread(vectors, weights, 10, seed=5) == spread(vectors, weights, 10, seed=5)
        assert len({tuple(spread(vectors, weights, 10, seed=s)) for s in range(5)}) > 1
