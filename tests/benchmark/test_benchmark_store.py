"""Benchmarks from a configuration, corpora that are not here, and the small files that are committed."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml
from isnad.eval import tables
from isnad.eval.benchmark.config import BenchmarkConfig, benchmark_names, load_benchmark_config
from isnad.eval.benchmark.data import missing_files
from isnad.eval.benchmark.report import write_report
from isnad.eval.benchmark.run import Settings, prepare, run_benchmark
from isnad.eval.benchmark.store import load_stored, store_results
from isnad.eval.benchmark.stored_tables import render_benchmark
from isnad.eval.curves import FILE, NamedCurve, write_curves
from isnad.eval.evaluation import Evaluation
from isnad.eval.learning_curve import CurvePoint, LearningCurve
from isnad.eval.slices import slice_counts
from isnad.eval.stored import to_lines
from isnad.model.document import Document
from isnad.model.errors import ConfigError, DataError
from isnad.model.schema import LabelSchema
from typer.testing import Result

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 100_000


@pytest.fixture
def absent(tmp_path: Path) -> str:
    """The name of a corpus whose file is not here."""
    config = {
        "name": "absent",
        "paths": [str(tmp_path / "nowhere.txt")],
        "labels": {"PER": ["PERS"]},
        "dev_share": 0.5,
        "origin": "the release of its authors",
        "licence": "CC BY 4.0",
        "citation": "Somebody 2020",
    }
    (tmp_path / "absent.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return f"corpus:{tmp_path / 'absent.yaml'}/dev"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A benchmark of two models on the articles."""
    out = tmp_path_factory.mktemp("bench")
    settings = Settings(
        models=(f"نموذج أ={tiny_model}", f"b_2={tiny_model}"),
        data=("seeds:articles",),
        slices=True,
        seen=("seeds:articles",),
        samples=50,
    )
    run_benchmark(prepare(settings), out)
    return out


class TestConfig:
    def test_the_baseline_set(self):
        assert benchmark_names() == ["baselines"]
        settings = load_benchmark_config("baselines").settings()
        assert settings == load_benchmark_config(ROOT / "configs/benchmark/baselines.yaml").settings()
        assert settings.models[0] == "CRF=runs/baseline-crf/model" and settings.slices
        assert settings.data == (
            "seeds:authored/dev",
            "seeds:articles",
            "corpus:anercorp/dev",
            "corpus:wikifane/dev",
        )

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"models": {}}, "models is empty"),
            ({"models": {"a/b": "x"}}, "no = / : in the name"),
            ({"data": []}, "data is empty"),
            ({"data": "seeds:articles"}, "accepted: a list of strings"),
            ({"baseline": "B"}, "known: a"),
            ({"convention": "wrd"}, "did you mean 'word'"),
            ({"samples": 0}, "samples is 0"),
            ({"flat": "yes"}, "flat holds 'yes'"),
            ({"slice": True}, "did you mean 'slices'"),
        ],
    )
    def test_faults(self, tmp_path: Path, change: dict[str, object], message: str):
        path = tmp_path / "mine.yaml"
        content: dict[str, object] = {
            "models": {"a": "isnad-small"},
            "data": ["seeds:articles"],
            "flat": None,
        }
        path.write_text(yaml.safe_dump(content | change), encoding="utf-8")
        with pytest.raises(ConfigError, match=message):
            load_benchmark_config(path)

    def test_files_of_another_kind(self, tmp_path: Path):
        with pytest.raises(ConfigError, match="did you mean 'baselines'"):
            load_benchmark_config("baseline")
        with pytest.raises(ConfigError, match="is a label map; accepted: a benchmark here"):
            load_benchmark_config(ROOT / "configs/benchmark/conll-on-anercorp.yaml")
        assert BenchmarkConfig({"a": "x"}, ("y",), flat=False).settings().flat is False


class TestMissing:
    def test_an_error_or_left_out(self, absent: str, tiny_model: Path, tmp_path: Path):
        assert missing_files(absent) == (str(tmp_path / "nowhere.txt"),)
        assert missing_files("seeds:articles") == missing_files("no/such/file") == ()
        settings = Settings(models=(f"a={tiny_model}",), data=("seeds:articles", absent))
        with pytest.raises(
            DataError, match=r"nowhere\.txt: no file of the corpus absent.*the release of its authors"
        ):
            prepare(settings)
        plan = prepare(Settings(settings.models, settings.data, skip_missing=True))
        assert [d.name for d in plan.data] == ["seeds:articles"] and plan.left_out == (absent,)
        with pytest.raises(ConfigError, match=r"the files of corpus:.* are not here"):
            prepare(Settings(settings.models, (absent,), skip_missing=True))
        # A path that is not there is a slip, not a corpus to be fetched.
        with pytest.raises(DataError, match="no such file or folder"):
            prepare(Settings(settings.models, ("seeds:articles", "mine.jsonl"), skip_missing=True))


class TestStore:
    def test_small_files_with_all_that_tables_need(self, folder: Path, tmp_path: Path):
        files = store_results(folder, tmp_path / "kept", command="isnad benchmark …")
        assert [p.name for p in files] == ["نموذج-أ--seeds-articles.json", "b_2--seeds-articles.json"]
        assert all(p.stat().st_size < LIMIT for p in files)
        first, second = load_stored(tmp_path / "kept")
        assert (first["model"], second["model"]) == ("نموذج أ", "b_2"), "in the order of the run"
        whole = json.loads((folder / "results" / files[0].name).read_text(encoding="utf-8"))
        micro = Evaluation.from_dict(whole["evaluation"]).entities.micro
        assert first["summary"]["entities"]["micro"]["tp"] == micro.tp
        assert first["summary"]["entities"]["micro"]["f1"] == pytest.approx(micro.f1, abs=1e-6)
        assert first["intervals"]["entities"]["micro"].keys() == {"precision", "recall", "f1"}
        assert first["slices"]["all"]["entities"] == micro.to_list()
        assert "documents" not in first.get("evaluation", {}) and "bins" not in first["calibration"]["spans"]
        assert first["run"]["command"] == "isnad benchmark …" and first["run"]["baseline"] == "نموذج أ"
        assert second["versus_baseline"]["entity"]["difference"] == 0 and first["hashes"] == second["hashes"]
        assert "بغداد" not in files[0].read_text(encoding="utf-8"), "no texts"

    def test_tables(self, folder: Path, tmp_path: Path):
        store_results(folder, tmp_path)
        text = render_benchmark(tmp_path)
        stored = load_stored(tmp_path)[1]["summary"]["entities"]
        rows = [line for line in text.splitlines() if line.startswith("| seeds:articles | 5 | 392 |")]
        assert len(rows) == 1 and f"| {100 * stored['micro']['f1']:.1f} [" in rows[0]
        assert r"| data | documents | names | نموذج أ | b\_2 |" in text and "| Δ |" in text
        assert (
            f"| PERS | {stored['labels']['PERS']['support']} |" in text and "Relations, F1 end to end" in text
        )
        assert "PERS" not in render_benchmark(tmp_path, labels=False)
        readme = tables.update("<!-- benchmark: begin -->\n<!-- benchmark: end -->", text, name="benchmark")
        assert tables.update(readme, text, name="benchmark") == readme

    def test_faults(self, tmp_path: Path):
        with pytest.raises(DataError, match="no stored results"):
            render_benchmark(tmp_path)
        with pytest.raises(DataError, match="no results to report"):
            store_results(tmp_path, tmp_path / "kept")
        (tmp_path / "x.json").write_text('{"format_version": 9}', encoding="utf-8")
        with pytest.raises(DataError, match=r"x\.json: not a stored result: format_version 9"):
            load_stored(tmp_path)

    def test_what_is_committed(self):
        """The stored results of the baseline set are small; test_loo.py compares them with README.md."""
        files = list((tables.RESULTS / "benchmark").glob("*.json"))
        assert files and all(p.stat().st_size < LIMIT for p in files), "see isnad benchmark --store"


def test_slices_have_intervals_over_documents(folder: Path, schema: LabelSchema, articles: list[Document]):
    content = json.loads((folder / "results/b_2--seeds-articles.json").read_text(encoding="utf-8"))
    lines = (folder / "predictions/b_2--seeds-articles.jsonl").read_text(encoding="utf-8").split("\n")
    predicted = [Document.from_dict(json.loads(line)) for line in lines if line]
    for name, part in slice_counts(articles, predicted, schema).items():
        if part.rows:
            stored, wanted = content["slices"][name]["intervals"], asdict(part.intervals(samples=50))
            assert stored == {k: v for k, v in wanted.items() if k in stored}, name
            assert stored["entities"]["f1"] or part.support < 2 or len(part.rows) < 2
    assert content["slices"]["denied"]["intervals"].keys() == {"entities", "relations", "false_positive_rate"}
    page, text = (p.read_text(encoding="utf-8") for p in write_report(folder, formats=["html", "md"]))
    assert '(<bdi dir="rtl">لم، لن، نفى، يعتزم …</bdi>)' in page, "the dots stand to the left of the words"
    spread = content["slices"]["clitic_initial"]["intervals"]["entities"]["f1"]
    row = next(line for line in text.splitlines() if line.startswith("| clitic initial |"))
    assert f"[{100 * spread['low']:.1f}, {100 * spread['high']:.1f}]" in row
    assert "distance 6–15" in text and "distance 16+" in text
    assert "source:other" not in text, "of one source only there is nothing to compare"


class TestCommand:
    def test_configuration_curves_and_store(
        self,
        isnad: Callable[..., Result],
        tmp_path: Path,
        tiny_model: Path,
        absent: str,
        monkeypatch: pytest.MonkeyPatch,
    ):
        monkeypatch.setenv("ISNAD_HOME", str(tmp_path / "home"))
        config = tmp_path / "mine.yaml"
        content = {"models": {"أ": str(tiny_model)}, "data": ["seeds:articles", absent], "samples": 20}
        config.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
        points = tuple(
            CurvePoint(n, s, 9, {"span_f1": 0.1 * s, "relation_f1": 0.0}) for n in (5, 50) for s in (1, 2)
        )
        write_curves(tmp_path / FILE, [NamedCurve("<أ>", "seeds:authored/dev", LearningCurve(points))])
        out, kept = tmp_path / "out", tmp_path / "kept"
        command = ("benchmark", "--config", config, "-o", out, "--curves", tmp_path, "--store", kept)
        result = isnad(*command)
        assert result.exit_code == 2 and "no file of the corpus absent" in result.stderr
        assert not out.exists()
        result = isnad(*command, "--skip-missing")
        assert result.exit_code == 0, (result.stderr, result.exception)
        assert f"left out: {absent}" in result.stderr and "wrote 1 results to commit" in result.stderr
        (stored,) = load_stored(kept)
        assert stored["run"]["left_out"] == [absent]
        assert stored["run"]["command"] == f"isnad benchmark --config {config} --store {kept}"
        page = (out / "report.html").read_text(encoding="utf-8")
        assert 'id="curves"' in page and "Span F1 on seeds:authored/dev" in page and "<أ>" not in page
        assert "Relation F1 on seeds" not in page, "a curve that is 0 throughout is not drawn"
        assert "| 50 | 15.0 [0.0, 78.5] |" in (out / "report.md").read_text(encoding="utf-8")
        # What is typed goes before the configuration.
        again = isnad("benchmark", f"b={tiny_model}", "-c", config, "-d", "seeds:articles", "-o", out)
        assert again.exit_code == 0 and [p.stem for p in (out / "results").iterdir()] == ["b--seeds-articles"]

    def test_faults(
        self, isnad: Callable[..., Result], refused: Callable[..., None], tmp_path: Path, tiny_model: Path
    ):
        refused(isnad("benchmark"), "no data")
        refused(isnad("benchmark", "-d", "seeds:articles"), "no models")
        refused(isnad("benchmark", "-c", "baselin"), "did you mean 'baselines'")
        data = ("benchmark", tiny_model, "-d", "seeds:articles", "-o", tmp_path / "out")
        refused(isnad(*data, "--curves", tmp_path), "no such file", FILE)
        assert not (tmp_path / "out").exists()


def test_json_in_lines():
    content = {
        "ä": [],
        "documents": [{"id": "م" * 200}, {"id": "b"}],
        "long": {str(n): [n, 0.1] for n in range(30)},
    }
    nested = {"x": content, "y": [content, None, True], 3: 'e\u2028\n"', "documents": "none"}
    text = to_lines(nested)
    assert json.loads(text) == json.loads(json.dumps(nested)) and text.endswith("}\n")
    lines = text.split("\n")
    assert sum("م" * 200 in line for line in lines) == 2 and all(
        len(line) < 130 or "م" in line for line in lines
    )
    assert '   {"id": "b"}' in lines and ' "documents": "none"' in text
    assert to_lines([]) == "[]\n" and to_lines({"documents": []}) == '{"documents": []}\n'
