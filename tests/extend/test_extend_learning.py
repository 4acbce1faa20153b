"""What an extension learns with: losses, thresholds and the first rows of new labels."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from isnad.model.configuration import IsnadConfig
from isnad.model.document import Document, Relation
from isnad.model.modeling import IsnadModel
from isnad.model.schema import LabelSchema
from isnad.model.text import make_entity
from isnad.model.windows import WindowMaker
from isnad.training.calibrate import Calibration, Observations
from isnad.training.collate import Collator
from isnad.training.config import EncoderConfig, FinetuneConfig
from isnad.training.data.annotation import Annotation
from isnad.training.examples import build_examples
from isnad.training.extend_finish import calibrate_apart, inherited_decisions, masked, with_inherited
from isnad.training.loading import load_model
from isnad.training.relabel import label_changes
from isnad.training.rows import nearest_labels, row_starter


class TestLoss:
    def test_silence_gives_no_gradient(self, tiny_model: Path, schema: LabelSchema, arms: LabelSchema):
        """A label that a corpus does not annotate, entity or relation, is neither learned nor unlearned from it."""
        model, tokenizer = load_model(FinetuneConfig(encoder=EncoderConfig(path=str(tiny_model))), arms)
        maker = WindowMaker(tokenizer, max_pieces=96, overlap_pieces=16)
        text = "سلّح قاآني حزب الله صواريخ كروز في بغداد"
        entities = (make_entity(text, 5, 10, "PERS", id="T1"), make_entity(text, 20, 31, "WEAPON", id="T2"))
        document = Document(text, entities, (Relation("T1", "armed_with", "T2"),), id="d")
        assert [e.text for e in entities] == ["قاآني", "صواريخ كروز"]
        annotation = Annotation(
            {label: (label,) for label in arms.entity_labels},
            frozenset({"WEAPON"}),
            nested=True,
            proclitics=True,
            relations=frozenset({"armed_with"}),
        )
        [example] = build_examples(document, maker, arms, annotation=annotation)
        assert np.flatnonzero(example.relation_annotated).tolist() == [arms.relation_index["armed_with"]]
        output = model(**Collator(0)([[example]]))
        output.loss.backward()
        spans = model.span_head.biaffine.grad.abs().amax(dim=(1, 2))
        index = arms.entity_index
        learned = {label for label in arms.entity_labels if spans[index[label]] > 0}
        assert learned == {"WEAPON", "PERS"}  # PERS at the one marked span only
        rows = model.relation_head.output.weight.grad.abs().amax(dim=1)
        assert {arms.relation_labels[i] for i in rows.nonzero().flatten().tolist()} == {"armed_with"}


class TestThresholds:
    def test_what_is_unknown_does_not_count(self):
        draw = np.random.default_rng(0)
        correct = draw.random((400, 2)) < 0.3
        logits = np.where(correct, 2.0, -2.0) + draw.normal(size=(400, 2))
        seen = Observations(
            logits.astype(np.float32), correct, np.ones((400, 2), dtype=bool), correct.sum(axis=0)
        )
        blind = replace(seen, correct=np.zeros_like(correct), gold=np.zeros(2, dtype=np.int64))
        half = masked(blind, ("A", "B"), frozenset({"A"}))
        assert half.valid[:, 0].all() and not half.valid[:, 1].any()
        both = Observations.joined([masked(seen, ("A", "B"), frozenset({"B"})), half])
        assert both.gold.tolist() == [0, correct[:, 1].sum()] and len(both.logits) == 800
        # B is judged by the documents that annotate it: the 400 others, where it is never right, change nothing.
        apart, alone = calibrate_apart(both, [True, False]), calibrate_apart(seen, [True, False])
        np.testing.assert_allclose(apart.thresholds[1], alone.thresholds[1])
        np.testing.assert_allclose(apart.scaling[1], alone.scaling[1])

    def test_few_examples_stay_near_one_half(self):
        logits = np.asarray([[6.0], [5.0], [-1.5], [-2.0]], dtype=np.float32)
        correct = np.asarray([[True], [True], [True], [False]])
        seen = Observations(logits, correct, np.ones((4, 1), dtype=bool), np.asarray([3]))
        drawn, free = (
            calibrate_apart(seen, [True]).thresholds[0],
            calibrate_apart(seen, [False]).thresholds[0],
        )
        assert abs(drawn - 0.5) < abs(free - 0.5)
        assert calibrate_apart(replace(seen, gold=np.asarray([0])), [True]).thresholds[0] == 0.5

    def test_labels_without_examples_keep_what_they_had(self, schema: LabelSchema, arms: LabelSchema):
        config = IsnadConfig(
            calibration={"entity": {"ORG": [1.5, 0.5, -1.0], "PERS": [1.0, 1.0, 0.0]}, "relation": {}},
            entity_thresholds={"ORG": 0.3, "PERS": 0.6},
        )
        inherited = inherited_decisions(config, label_changes(schema, arms).sources)
        assert inherited == {"COMPANY": ((1.5, 0.5, -1.0), 0.3), "PERS": ((1.0, 1.0, 0.0), 0.6)}
        fitted = Calibration(np.ones((3, 3), dtype=np.float32), np.full(3, 0.5, dtype=np.float32))
        labels = ("PERS", "COMPANY", "WEAPON")
        kept = with_inherited(fitted, np.asarray([7, 0, 0]), labels, inherited)
        np.testing.assert_allclose(kept.thresholds, [0.5, 0.3, 0.5])
        np.testing.assert_allclose(kept.scaling[1], [1.5, 0.5, -1.0])


class TestRows:
    def test_nearest_descriptions(self):
        vectors = {
            "A": torch.tensor([1.0, 5.0]),
            "B": torch.tensor([-1.0, 5.0]),
            "N": torch.tensor([0.4, 5.0]),
        }
        assert nearest_labels(vectors, ["A", "B"], ["N"]) == {"N": "A"}
        assert nearest_labels(vectors, [], ["N"]) == {}

    def test_rows_that_are_started_know_something(
        self, sentences: Callable[[int], list[Document]], arms: LabelSchema
    ):
        """Before the first step they rank the marked spans of unseen sentences above most others."""
        documents = sentences(24)
        ranks = {}
        for how in ("random", "description", "examples"):
            torch.manual_seed(3)
            model, tokenizer = load_model(FinetuneConfig(encoder=EncoderConfig(path="isnad-small")), arms)
            start = row_starter(how, arms, ("WEAPON", "SANCTION", "armed_with"), documents[:16])
            assert (start is None) == (how == "random")
            before = model.relation_head.output.weight[arms.relation_index["visited"]].clone()
            if start is not None:
                start(model, tokenizer)
            assert torch.equal(before, model.relation_head.output.weight[arms.relation_index["visited"]])
            ranks[how] = _rank(model.eval(), tokenizer, arms, documents[16:])
        assert ranks["description"] < 0.5 * ranks["random"] and ranks["examples"] < 0.1 * ranks["random"], (
            ranks
        )
        assert row_starter("examples", arms, (), documents) is None


@torch.no_grad()
def _rank(model: IsnadModel, tokenizer: Any, schema: LabelSchema, documents: Sequence[Document]) -> float:
    """Return the mean share of spans that score above a gold WEAPON."""
    maker = WindowMaker(tokenizer, max_pieces=96, overlap_pieces=16)
    row, shares = schema.entity_index["WEAPON"], []
    for document in documents:
        for example in build_examples(document, maker, schema):
            batch = Collator(0)([[example]])
            batch.pop("gold")
            logits = model(**batch).span_logits[0, ..., row]
            possible = logits[logits > -9e3]
            for (first, last), types in zip(example.spans, example.types, strict=True):
                if types[row]:
                    shares.append(float((possible > logits[first, last]).float().mean()))
    return float(np.mean(shares))
