"""Relations with gold entities in the benchmark: measured for our models, a dash for the others, and cached."""

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from isnad.eval.benchmark.adapters import Candidate, with_entities
from isnad.eval.benchmark.compare import GIVEN_TOTAL, SAME, compare_models
from isnad.eval.benchmark.predict import predict_given
from isnad.eval.benchmark.registry import Registry
from isnad.eval.benchmark.report import write_report
from isnad.eval.benchmark.report_data import load_benchmark
from isnad.eval.benchmark.report_numbers import GIVEN_RELATION, change, table_of
from isnad.eval.benchmark.run import Plan, Settings, prepare, run_benchmark
from isnad.eval.benchmark.store import load_stored, store_results
from isnad.eval.benchmark.stored_tables import render_benchmark
from isnad.eval.evaluation import Evaluation
from isnad.eval.given_entities import GivenEntityExtractor
from isnad.eval.relations import GIVEN
from isnad.model.document import Document

ROOT = Path(__file__).resolve().parents[2]


class Silent:
    """A model of another kind, which finds nothing."""

    def predict(self, items: Sequence[tuple[str, str]]) -> list[Document]:
        return [Document(text, id=id_) for id_, text in items]


@pytest.fixture(scope="module")
def plan(tiny_model: Path) -> Plan:
    """Our model under two names and one that cannot be shown entities, on two articles."""
    settings = Settings(models=(f"أ={tiny_model}", f"b={tiny_model}"), data=("seeds:articles",), samples=20)
    made = prepare(settings)
    (data,) = made.data
    other = Candidate("other", "other", "hf", data.schema, "m0", "c0", 1, Silent)
    translations = made.translations | {("other", data.name): made.translations["b", data.name]}
    data = replace(data, documents=data.documents[:2])
    return replace(made, candidates=(*made.candidates, other), data=(data,), translations=translations)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, plan: Plan) -> Path:
    """The folder of the benchmark."""
    out = tmp_path_factory.mktemp("given") / "run"
    run_benchmark(plan, out, registry=Registry(out.parent / "r.sqlite"))
    return out


class TestMeasured:
    def test_for_our_models_only(self, folder: Path, plan: Plan, tiny_model: Path) -> None:
        contents = {
            m: json.loads((folder / f"results/{m}--seeds-articles.json").read_text(encoding="utf-8"))
            for m in ("أ", "b", "other")
        }
        found = {m: Evaluation.from_dict(c["evaluation"]).relations for m, c in contents.items()}
        assert [GIVEN in relations for relations in found.values()] == [True, True, False]
        gold = plan.data[0].documents
        given = list(GivenEntityExtractor.from_pretrained(tiny_model).pipe(gold))
        assert found["b"][GIVEN].micro.predicted == sum(len(d.relations) for d in given)
        assert found["b"][GIVEN].micro.support == sum(len(d.relations) for d in gold)
        assert contents["b"]["scores"]["relations_gold_entities"]["f1"] == found["b"][GIVEN].micro.f1
        assert "relations_gold_entities" not in contents["other"]["scores"]
        assert contents["other"]["not_given"] is None and isinstance(contents["b"]["not_given"], list)
        assert contents["b"]["intervals"]["relations"][GIVEN]["micro"]["f1"]["low"] >= 0

    def test_taken_from_the_cache(self, folder: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object) -> None:
            raise AssertionError("loaded again")

        monkeypatch.setattr(GivenEntityExtractor, "from_pretrained", refuse)
        (data,), (first, *_) = plan.data, plan.candidates
        labels = plan.translations[first.name, data.name]
        again = predict_given(first, data, labels, folder / "cache", None)
        assert again is not None and [d.id for d in again] == [d.id for d in data.documents]
        with pytest.raises(AssertionError, match="loaded again"):
            predict_given(replace(first, hash="m1"), data, labels, folder / "cache", None)

    def test_left_out_where_it_means_nothing(self, plan: Plan, tmp_path: Path) -> None:
        (data,), (first, *_, other) = plan.data, plan.candidates
        labels = plan.translations[first.name, data.name]
        unrelated = replace(data, documents=tuple(replace(d, relations=()) for d in data.documents))
        assert predict_given(first, unrelated, labels, tmp_path, None) is None
        renamed = replace(labels, class_of=dict(labels.class_of) | {"GPE": "LOC"})
        assert predict_given(first, data, renamed, tmp_path, None) is None, "labels are not the model's own"
        assert with_entities(other, data.documents) is None
        assert with_entities(replace(first, folder=tmp_path), data.documents) is None
        assert not list(tmp_path.iterdir())


class TestShown:
    def test_in_every_report(self, folder: Path, page: Callable) -> None:
        md, table = write_report(folder, formats=("md", "csv"))
        text = md.read_text(encoding="utf-8")
        rows = text[text.index("## Relations with gold entities: seeds:articles") :].splitlines()
        head = next(line for line in rows if line.startswith("| Relation"))
        micro = next(line for line in rows if line.startswith("| **micro**"))
        assert head == "| Relation | Gold | أ | b | other |" and micro.endswith("| – |") and "[" in micro
        lines = text.splitlines()
        at = next(n for n, line in enumerate(lines) if line.startswith("| Model | Data"))
        column = lines[at].split(" | ").index("Relation F1, gold entities")
        cells = {row[0]: row[column] for row in (line.split(" | ") for line in lines[at + 2 : at + 5])}
        assert cells["| other"] == "–" and cells["| b"] == cells["| أ"] != "–"
        with table.open(encoding="utf-8", newline="") as file:
            kinds = {(row["model"], row["kind"]) for row in csv.DictReader(file)}
        assert ("b", GIVEN_RELATION) in kinds and ("b", f"{GIVEN_RELATION} average") in kinds
        assert ("other", GIVEN_RELATION) not in kinds
        source, _ = page(folder)
        assert "<h3>With gold entities</h3>" in source and "Shown the gold spans and their types" in source

    def test_differences_need_both(self, folder: Path) -> None:
        benchmark = load_benchmark(folder)
        first, second, other = (benchmark.of(m, "seeds:articles") for m in ("أ", "b", "other"))
        assert first and second and other and not table_of(other.evaluation, GIVEN_RELATION)
        same = change(second, first, GIVEN_RELATION)
        assert same is not None and same.difference == 0 and same.p_value == 1
        assert change(other, first, GIVEN_RELATION) is None is change(first, other, GIVEN_RELATION)

    def test_in_committed_results(self, folder: Path, tmp_path: Path) -> None:
        store_results(folder, tmp_path)
        stored = {r["model"]: r["summary"]["relations"] for r in load_stored(tmp_path)}
        assert GIVEN in stored["b"] and GIVEN not in stored["other"]
        text = render_benchmark(tmp_path)
        after = text[text.index("with gold entities") :].splitlines()
        row = next(line for line in after if line.startswith("| seeds:articles"))
        f1 = f"{100 * stored['b'][GIVEN]['micro']['f1']:.1f}"
        assert f"| {f1}" in row and row.endswith("| – |")

    def test_nowhere_in_results_without_it(self) -> None:
        """Those that were committed before the view was there."""
        kept = ROOT / "eval/results/benchmark"
        if not any(GIVEN in r["summary"]["relations"] for r in load_stored(kept)):
            assert "with gold entities" not in render_benchmark(kept)

    def test_compared(self, folder: Path) -> None:
        registry = Registry(folder.parent / "r.sqlite")
        (found,) = compare_models(registry, "أ", "b", rounds=99)
        last = found.changes[-1]
        assert (last.label, last.verdict, last.difference.difference) == (GIVEN_TOTAL, SAME, 0)
        assert found.to_dict()["relations_gold_entities"]["support"] == last.difference.support > 0
        (unlike,) = compare_models(registry, "أ", "other", rounds=99)
        assert GIVEN_TOTAL not in {c.label for c in unlike.changes}
        assert unlike.to_dict()["relations_gold_entities"] is None
