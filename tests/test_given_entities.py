"""Relations with gold entities: the given spans come back as they are, and the rest counts as missed and is listed."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from isnad.eval import Counts, Evaluation, bootstrap, evaluate
from isnad.eval.given_entities import GivenEntityExtractor, describe, lost_relations, takes_entities
from isnad.eval.relations import GIVEN, VIEWS
from isnad.eval.report import to_markdown
from isnad.eval.stored import load_result
from isnad.model.backends.given_spans import CERTAIN, GivenSpans, score_given
from isnad.model.backends.torch_backend import batch_tensors
from isnad.model.document import Document, Relation
from isnad.model.errors import DataError, ModelError, SchemaError
from isnad.model.inference import Extractor, load_torch
from isnad.model.modeling import IsnadModel
from isnad.model.schema import LabelSchema
from isnad.model.store import GRAPHS
from isnad.model.text import make_entity
from isnad.model.windows import WindowMaker
from isnad.training.data.seeds import load_authored
from isnad.training.examples import Unreachable

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.usefixtures("one_thread")
Head = Callable[..., GivenEntityExtractor]


def annotate(text: str, mentions: Sequence[str], relations: Sequence[str] = (), id: str = "و-1") -> Document:
    """Return a document of `name|LABEL` mentions, each at its first place, and of `T1 label T2` relations."""
    entities = []
    for n, mention in enumerate(mentions, 1):
        name, label = mention.split("|")
        at = text.index(name)
        entities.append(make_entity(text, at, at + len(name), label, id=f"T{n}"))
    entities.sort(key=lambda e: (e.start, -e.end))
    links = tuple(Relation(*link.split()) for link in relations)
    return Document(text, tuple(entities), links, id=id)


def bare(document: Document) -> list[tuple[object, ...]]:
    """Return all there is to know about the spans of a document."""
    return [
        (e.start, e.end, e.label, e.text, e.name, e.word_start, e.word_end, e.score)
        for e in document.entities
    ]


def counts(gold: Sequence[Document], given: Sequence[Document], schema: LabelSchema) -> dict[str, list[int]]:
    nothing = [Document(d.text, id=d.id) for d in gold]
    table = evaluate(gold, nothing, schema, given=given).relations[GIVEN]
    return {label: c.to_list() for label, c in table.items()}


@pytest.fixture(scope="module")
def tiny(tiny_model: Path) -> GivenEntityExtractor:
    return GivenEntityExtractor.from_pretrained(tiny_model)


@pytest.fixture
def certain(tiny_model: Path) -> Head:
    """Makes an extractor that relates every pair which a signature allows by the named relations, and by no other."""

    def make(*labels: str, **settings: Any) -> GivenEntityExtractor:
        model, tokenizer = load_torch(tiny_model)
        with torch.no_grad():
            model.relation_head.output.weight.zero_()
            model.relation_head.output.bias.fill_(-CERTAIN)
            for label in labels:
                model.relation_head.output.bias[model.schema.relation_index[label]] = CERTAIN
        # No clusters, so that each relation is written.
        for name, value in ({"coreference_threshold": 1.1, "calibration": None} | settings).items():
            setattr(model.config, name, value)
        return GivenEntityExtractor(model, tokenizer)

    return make


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


class TestUnreachable:
    @pytest.mark.parametrize(
        ("text", "mentions", "lost", "why"),
        [
            ("زار قاآني القاهرة", ["قاآني|PERS", "هرة|GPE"], {"هرة"}, "starts inside the word 'القاهرة'"),
            ("زار قاآني بغدادا", ["قاآني|PERS", "بغداد|GPE"], {"بغداد"}, "ends inside the word"),
            ("زار قاآني «بغداد»", ["قاآني|PERS", "«بغداد»|GPE"], {"«بغداد»"}, "window or its edges"),
            ("زار قاآني\nبغداد", ["قاآني|PERS", "بغداد|GPE"], set(), "ends in different windows"),
            (
                "زار قاآني مدينة بغداد القديمة",
                ["قاآني|PERS", "بغداد القديمة|GPE", "مدينة بغداد|LOC"],
                {"بغداد القديمة"},
                "crosses 'مدينة بغداد'",
            ),
        ],
    )
    def test_counts_as_missed_and_is_listed(
        self, certain: Head, schema: LabelSchema, text: str, mentions: list[str], lost: set[str], why: str
    ) -> None:
        gold = annotate(text, mentions, ["T1 visited T2"])
        listed = Unreachable()
        given = list(certain("visited", cross_sentence=True).pipe([gold], unreachable=listed))
        ((document, head, label, tail, reason),) = listed.relations
        assert (document, head, label, tail) == ("و-1", "T1", "visited", "T2") and why in reason
        assert {text[start:end] for _, start, end, _, _ in listed.entities} == lost
        assert counts([gold], given, schema)["visited"][::2] == [0, 1], "no hit, one miss"
        assert {e.text for e in given[0].entities} == {e.text for e in gold.entities} - lost
        assert lost_relations([gold], given) == ([["و-1", "T1", "visited", "T2"]] if lost else [])
        assert len(describe(listed)) == len(lost) + 1 and why in describe(listed)[-1]

    def test_two_labels_on_one_span(self, certain: Head, schema: LabelSchema) -> None:
        """The decoder writes one label: of the two relations the one of the other label is missed."""
        gold = annotate(
            "زار قاآني بيروت", ["قاآني|PERS", "بيروت|GPE", "بيروت|LOC"], ["T1 visited T2", "T1 visited T3"]
        )
        listed = Unreachable()
        (given,) = certain("visited").pipe([gold], unreachable=listed)
        first = min(("GPE", "LOC"), key=schema.entity_index.__getitem__)
        assert [(e.text, e.label) for e in given.entities] == [("قاآني", "PERS"), ("بيروت", first)]
        assert counts([gold], [given], schema) == {"visited": [1, 0, 1]}
        ((*_, label, why),) = listed.entities
        assert {label, first} == {"GPE", "LOC"} and why == "another label stands on the same span"
        assert len(listed.relations) == 1 and listed.relations[0][-1].endswith(why)

    def test_long_lists_are_cut(self) -> None:
        lost = Unreachable(
            [("d", 0, 1, "PERS", "why")] * 5, [("d", "T1", "visited", "T2", "an end cannot be reached")] * 3
        )
        lines = describe(lost, most=3)
        assert len(lines) == 7 and lines[3] == "and 2 more entities" and "counts as missed" in lines[-1]
        assert describe(Unreachable()) == []


class TestView:
    @pytest.fixture
    def gold(self) -> list[Document]:
        text = "زار قاآني بغداد"
        mentions = ["قاآني|PERS", "بغداد|GPE"]
        return [annotate(text, mentions, ["T1 visited T2"] * (n < 3), id=f"و-{n}") for n in range(4)]

    def test_survives_json_and_adds_up(
        self, gold: list[Document], certain: Head, schema: LabelSchema
    ) -> None:
        given = list(certain("visited").pipe(gold))
        whole = evaluate(gold, gold, schema, given=given)
        assert whole.relations[GIVEN].micro == Counts(tp=3, fp=1) and set(whole.relations) == {*VIEWS, GIVEN}
        again = Evaluation.from_dict(json.loads(json.dumps(whole.to_dict())))
        assert again == whole and again.summary()["relations"][GIVEN]["micro"]["support"] == 3
        parts = [evaluate(gold[n : n + 2], gold[n : n + 2], schema, given=given[n : n + 2]) for n in (0, 2)]
        assert parts[0] + parts[1] == whole
        spread = bootstrap(whole, samples=200).relations[GIVEN].micro.precision
        assert spread is not None and spread.low < 0.75 < spread.high == 1.0
        assert "### Relations (strict, gold entities)" in to_markdown(whole, samples=0)

    def test_is_absent_where_it_was_not_measured(
        self, gold: list[Document], certain: Head, schema: LabelSchema
    ) -> None:
        plain = evaluate(gold[:2], gold[:2], schema)
        shown = evaluate(gold[2:], gold[2:], schema, given=list(certain("visited").pipe(gold[2:])))
        for evaluation in (plain, plain + shown, evaluate(gold, gold, schema)):
            assert set(evaluation.relations) == set(bootstrap(evaluation, samples=5).relations) == set(VIEWS)
            assert "gold entities" not in to_markdown(evaluation, samples=0)
        assert Evaluation.from_dict(plain.to_dict()) == plain
        with pytest.raises(DataError, match="has no prediction"):
            evaluate(gold, gold, schema, given=gold[:2])

    def test_committed_results_are_still_read(self) -> None:
        paths = [
            p for p in (ROOT / "eval/results").glob("*.json") if "evaluation" in json.loads(p.read_text())
        ]
        assert len(paths) >= 4
        for path in paths:
            _, evaluation = load_result(path)
            assert {*VIEWS} <= set(evaluation.relations) <= {*VIEWS, GIVEN} and evaluation.documents


class TestModels:
    def test_which_can_be_given_entities(self, tiny_model: Path, tmp_path: Path) -> None:
        assert takes_entities(tiny_model) and takes_entities("isnad-small")
        assert not takes_entities(tmp_path) and not takes_entities("no such model")
        export = tmp_path / "onnx"
        export.mkdir()
        for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
            shutil.copy(tiny_model / name, export)
        for name in GRAPHS:
            (export / f"{name}.onnx").touch()
        assert not takes_entities(export)
        with pytest.raises(ModelError, match="cannot be run with torch"):
            GivenEntityExtractor.from_pretrained(export)

    def test_the_embedded_model_relates_gold_entities_at_least_as_well(
        self, articles: list[Document], schema: LabelSchema
    ) -> None:
        predicted = list(Extractor.from_pretrained("isnad-small").pipe((d.id, d.text) for d in articles))
        lost = Unreachable()
        given = list(GivenEntityExtractor.from_pretrained("isnad-small").pipe(articles, unreachable=lost))
        found = evaluate(articles, predicted, schema, given=given)
        assert found.relations[GIVEN].micro.f1 >= found.relations["strict"].micro.f1 > 0.6
        assert found.relations[GIVEN].micro.support == sum(len(d.relations) for d in articles)
        keys = [{row[:3] for row in bare(d)} for d in (*articles, *given)]
        missing = sum(len(a - b) for a, b in zip(keys[:5], keys[5:], strict=True))
        assert missing == len(lost.entities) and all(b <= a for a, b in zip(keys[:5], keys[5:], strict=True))


class TestCommand:
    def test_prints_and_writes_the_view(self, isnad: Callable, tiny_model: Path, tmp_path: Path) -> None:
        data = tmp_path / "gold.jsonl"
        mentions = ["قاآني|PERS", "بغداد|GPE", "هرة|GPE"]
        gold = annotate("زار قاآني بغداد والقاهرة", mentions, ["T1 visited T2", "T1 visited T3"])
        data.write_text(gold.to_json(indent=None), encoding="utf-8")
        done = isnad("eval", tiny_model, data, "-o", tmp_path / "r.json")
        assert done.exit_code == 0, done.output
        assert "counts as missed: entities 1, relations 1" in done.stderr
        assert "gold GPE [21:24] of و-1 cannot be given: starts inside the word" in done.stderr
        content = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
        assert content["summary"]["relations"][GIVEN]["micro"]["support"] == 2
        assert content["intervals"]["relations"][GIVEN]["micro"].keys() == {"precision", "recall", "f1"}
        table = isnad("eval", tiny_model, data)
        assert "Relations (strict, gold entities)" in table.stdout

    def test_is_silent_without_relations(self, isnad: Callable, tiny_model: Path, tmp_path: Path) -> None:
        data = tmp_path / "gold.jsonl"
        data.write_text(annotate("زار قاآني بغداد", ["قاآني|PERS"]).to_json(indent=None), encoding="utf-8")
        done = isnad("eval", tiny_model, data)
        assert done.exit_code == 0 and "gold entities" not in done.output
