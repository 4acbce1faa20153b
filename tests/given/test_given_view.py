"""What cannot be given counts as missed and is listed; relations with gold entities in evaluations and the command."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from given_documents import Head, annotate, bare, counts
from isnad.eval import Counts, Evaluation, bootstrap, evaluate
from isnad.eval.given_entities import GivenEntityExtractor, describe, lost_relations, takes_entities
from isnad.eval.relations import GIVEN, VIEWS
from isnad.eval.report import to_markdown
from isnad.eval.stored import load_result
from isnad.model.document import Document
from isnad.model.errors import DataError, ModelError
from isnad.model.inference import Extractor
from isnad.model.schema import LabelSchema
from isnad.model.store import GRAPHS
from isnad.training.examples import Unreachable

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("one_thread")


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
