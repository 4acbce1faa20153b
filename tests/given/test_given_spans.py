"""Given spans come back as they are, and the relation head sees them as in training."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from given_documents import Head, annotate, bare, counts
from isnad.eval.given_entities import GivenEntityExtractor, lost_relations
from isnad.model.backends.given_spans import CERTAIN, GivenSpans, score_given
from isnad.model.backends.torch_backend import batch_tensors
from isnad.model.document import Document, Relation
from isnad.model.errors import SchemaError
from isnad.model.inference import load_torch
from isnad.model.modeling import IsnadModel
from isnad.model.schema import LabelSchema
from isnad.model.windows import WindowMaker
from isnad.training.data.seeds import load_authored
from isnad.training.examples import Unreachable

pytestmark = pytest.mark.usefixtures("one_thread")


class TestSpansComeBack:
    @pytest.mark.parametrize(
        ("text", "mentions", "names"),
        [
            (
                "وصل قائد فيلق القدس إسماعيل قاآني إلى بغداد",
                ["قائد فيلق القدس|OCC", "فيلق القدس|ORG", "القدس|GPE", "إسماعيل قاآني|PERS", "بغداد|GPE"],
                ["قائد فيلق القدس", "فيلق القدس", "القدس", "إسماعيل قاآني", "بغداد"],
            ),
            (
                "زار وزراء خارجية العراق وللبنان وبالقاهرة",
                ["خارجية العراق|ORG", "العراق|GPE", "لبنان|GPE", "القاهرة|GPE"],
                ["خارجية العراق", "العراق", "لبنان", "القاهرة"],
            ),
            ("وصل الوفد للعراق", ["لعراق|GPE"], ["العراق"]),
            (
                "التقى حسن نصرالله وحسن نصر الله",
                ["حسن نصرالله|PERS", "حسن نصر الله|PERS"],
                ["حسن نصرالله", "حسن نصر الله"],
            ),
            ("ﻭﺻﻞ ﻣﺤﻤﺪ ﺇﻟﻰ ﺑﻐﺪاﺩ", ["ﻣﺤﻤﺪ|PERS", "ﺑﻐﺪاﺩ|GPE"], ["محمد", "بغداد"]),
            (
                "وَصَلَ مُحَمَّدٌ إلى وَبَغـــدَادَ 🇮🇶",
                ["مُحَمَّدٌ|PERS", "بَغـــدَادَ|GPE"],
                ["محمد", "بغداد"],
            ),
            (
                "🚀محمد🚀 في «بغداد» و(بيروت)، ٩٠ ألف ليرة",
                ["محمد|PERS", "بغداد|GPE", "بيروت|GPE", "٩٠|CARDINAL"],
                ["محمد", "بغداد", "بيروت", "٩٠"],
            ),
        ],
    )
    def test_exactly(
        self, tiny: GivenEntityExtractor, text: str, mentions: list[str], names: list[str]
    ) -> None:
        gold = annotate(text, mentions)
        lost = Unreachable()
        (given,) = tiny.pipe([gold], unreachable=lost)
        assert bare(given) == bare(gold) and [e.name for e in given.entities] == names
        assert lost == Unreachable() and (given.id, given.text, given.model) == (gold.id, text, "tiny")

    def test_of_all_seed_texts_in_small_windows(
        self, tiny: GivenEntityExtractor, articles: list[Document], schema: LabelSchema
    ) -> None:
        gold = [*articles, *load_authored(schema, "dev")]
        lost = Unreachable()
        given = list(tiny.pipe(gold, unreachable=lost, batch_size=3))
        assert [(d.id, d.text) for d in given] == [(d.id, d.text) for d in gold]
        gone = {(id_, start, end, label) for id_, start, end, label, _ in lost.entities}
        assert len(gone) < 20, "nearly everything can be given"
        for wanted, found in zip(gold, given, strict=True):
            kept = [row for row in bare(wanted) if (wanted.id, *row[:3]) not in gone]
            assert sorted(map(str, bare(found))) == sorted({str(row) for row in kept})
        assert any(d.relations for d in given) and any(d.clusters for d in given)
        assert len(lost_relations(gold, given)) <= len(lost.relations)
        told = {tuple(relation[:4]) for relation in lost.relations}
        assert told >= {tuple(relation) for relation in lost_relations(gold, given)}

    def test_whatever_entities_are_calibrated_to(self, certain: Head) -> None:
        text = "زار قاآني بغداد"
        gold = annotate(text, ["قاآني|PERS", "بغداد|GPE"])
        hard = {label: [0.05, 0.05, -20.0] for label in ("PERS", "GPE")}
        extractor = certain(
            "visited", entity_thresholds=dict.fromkeys(hard, 0.9), calibration={"entity": hard}
        )
        (given,) = extractor.pipe([gold])
        assert bare(given) == bare(gold) and given.relations == (Relation("T1", "visited", "T2", 1.0),)

    def test_of_texts_without_any(self, tiny: GivenEntityExtractor) -> None:
        texts = ["", " \n ", "زار قاآني بغداد", "…"]
        found = list(tiny.pipe(Document(text) for text in texts))
        assert [(d.text, d.entities, d.relations) for d in found] == [(text, (), ()) for text in texts]
        assert list(tiny.pipe([])) == []

    def test_unknown_labels_are_refused(self, tiny: GivenEntityExtractor) -> None:
        with pytest.raises(SchemaError, match="HERO"):
            list(tiny.pipe([annotate("زار قاآني بغداد", ["قاآني|HERO"])]))


class TestRelations:
    TEXT = "زار قاآني بغداد وبيروت. والتقى الكاظمي ماكرون في باريس."
    MENTIONS = ("قاآني|PERS", "بغداد|GPE", "بيروت|GPE", "الكاظمي|PERS", "ماكرون|PERS", "باريس|GPE")

    def test_counted_by_hand(self, certain: Head, schema: LabelSchema) -> None:
        """Of the legal pairs of a sentence all are written: four visits of which two are gold, and one meeting."""
        gold = [annotate(self.TEXT, self.MENTIONS, ["T1 visited T2", "T1 visited T3", "T5 met_with T4"])]
        (given,) = certain("visited", "met_with", cross_sentence=False).pipe(gold)
        assert {(r.head, r.label, r.tail) for r in given.relations} == {
            ("T1", "visited", "T2"),
            ("T1", "visited", "T3"),
            ("T4", "visited", "T6"),
            ("T5", "visited", "T6"),
            ("T4", "met_with", "T5"),
        }
        assert counts(gold, [given], schema) == {"visited": [2, 2, 0], "met_with": [1, 0, 0]}

    def test_across_sentences_if_the_model_may(self, certain: Head, schema: LabelSchema) -> None:
        gold = [annotate(self.TEXT, self.MENTIONS, ["T1 visited T2"])]
        given = list(certain("visited", cross_sentence=True).pipe(gold))
        # Three persons and three places, wherever they stand.
        assert counts(gold, given, schema) == {"visited": [1, 8, 0]}

    def test_thresholds_and_calibration_of_relations_are_those_of_the_model(
        self, certain: Head, schema: LabelSchema
    ) -> None:
        gold = [annotate(self.TEXT, self.MENTIONS, ["T1 visited T2", "T4 met_with T5"])]
        shifted = {"relation": {"visited": [1.0, 1.0, -CERTAIN]}}  # a probability of one half
        for threshold, visited in ((0.4, [1, 3, 0]), (0.6, [0, 0, 1])):
            extractor = certain(
                "visited", "met_with", calibration=shifted, relation_thresholds={"visited": threshold}
            )
            found = counts(gold, list(extractor.pipe(gold)), schema)
            assert found == {"visited": visited, "met_with": [1, 0, 0]}

    def test_predicted_clusters_are_no_part_of_matching(self, certain: Head, schema: LabelSchema) -> None:
        gold = [annotate(self.TEXT, self.MENTIONS, ["T1 visited T2", "T4 met_with T5"])]
        (given,) = certain("visited", "met_with").pipe(gold)
        clustered = replace(given, clusters=(("T1", "T4"), ("T2", "T6")))
        assert counts(gold, [clustered], schema) == counts(gold, [given], schema)

    def test_the_heads_see_the_gold_types(self, tiny_model: Path, maker: WindowMaker) -> None:
        """Against the heads called by hand; a window's scores do not depend on what stands beside it."""
        model, _ = load_torch(tiny_model)
        model.eval()
        texts = ["زار قاآني بغداد", "التقى رئيس وزراء العراق مصطفى الكاظمي قاآني في بغداد", "لا شيء هنا"]
        windows = [next(maker.windows(text)) for text in texts]
        index = model.schema.entity_index
        person, city = index["PERS"], index["GPE"]
        spans = [[[1, 1], [2, 2]], [[3, 3], [4, 5], [8, 8]], []]
        labels = [[person, city], [city, person, city], []]
        given = [
            GivenSpans(
                np.asarray(s, dtype=np.int64).reshape(-1, 2),
                np.asarray(k, dtype=np.int64),
                np.zeros(len(k), np.int64),
            )
            for s, k in zip(spans, labels, strict=True)
        ]
        together = score_given(model, windows, given, pad_id=0)
        with pytest.raises(ValueError, match="3 windows and 2 sets"):
            score_given(model, windows, given[:2], pad_id=0)
        for window, one, scores in zip(windows, given, together, strict=True):
            (alone,) = score_given(model, [window], [one], pad_id=0)
            for name in ("spans", "logits", "proclitics", "vectors", "pairs", "pair_logits"):
                np.testing.assert_allclose(getattr(scores, name), getattr(alone, name), atol=1e-4)
            assert np.array_equal(scores.spans, one.spans) and scores.cut == 0
            assert ((scores.logits > 0).sum(axis=1) == 1).all() and set(np.abs(scores.logits).ravel()) <= {
                CERTAIN
            }
        assert together[0].pairs.tolist() == [[0, 1], [1, 0]], "both orders: some relation joins them"
        self._by_hand(model, windows[0], given[0], together[0].pair_logits)
        other = replace(given[0], labels=np.asarray([city, person]))
        (swapped,) = score_given(model, windows[:1], [other], pad_id=0)
        assert np.abs(swapped.pair_logits - together[0].pair_logits).max() > 1e-3, "types are seen"

    @staticmethod
    @torch.inference_mode()
    def _by_hand(model: IsnadModel, window: Any, given: GivenSpans, logits: np.ndarray) -> None:
        tensors = batch_tensors([window], 0)
        words = model(**tensors).words
        types = torch.zeros(2, len(model.schema.entities))
        types[[0, 1], given.labels.tolist()] = 1.0
        spans = torch.tensor([[0, *row] for row in given.spans.tolist()])
        mentions = model.mentions(words, spans, types)
        wanted = model.relate(words, tensors["word_mask"], mentions, spans, torch.tensor([[0, 1], [1, 0]]))
        np.testing.assert_allclose(logits, wanted.numpy(), atol=1e-4)
