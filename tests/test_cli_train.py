"""`isnad train`, `eval`, `info` and `convert` on real annotations, with a model that trains in seconds."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from isnad.eval.evaluation import Evaluation
from isnad.model.document import Document
from isnad.model.schema import LabelSchema
from isnad.training.data import read_documents, write_documents
from isnad.training.data.sources import load_source
from typer.testing import Result

Command = Callable[..., Result]
Refused = Callable[..., None]

ROOT = Path(__file__).resolve().parents[1]


def strip(text: str) -> str:
    """Return terminal output without the invisible marks that keep Arabic cells in place."""
    return re.sub("[\u200e\u2068\u2069]", "", text)


@pytest.fixture(scope="module")
def recipe(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_encoder: Path,
    articles: list[Document],
    schema: LabelSchema,
) -> Path:
    """A configuration over two articles as brat and one as JSON lines, small enough for a few seconds."""
    folder = tmp_path_factory.mktemp("recipe")
    write_documents(articles[:2], folder / "train", format="brat", schema=schema)
    write_documents(articles[2:3], folder / "dev.jsonl", format="jsonl", schema=schema)
    config = {
        "name": "تجربة",
        "encoder": {"path": str(tiny_encoder)},
        "data": {"train": [str(folder / "train")], "dev": [str(folder / "dev.jsonl")]},
        "model": {"word_size": 16, "letter_size": 4, "span_size": 12, "pair_size": 16, "mention_size": 8}
        | {"attention_heads": 2, "max_pieces": 64, "overlap_pieces": 8},
        "epochs": 1,
        "batch_size": 8,
        "tracker": "none",
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    return path


class TestTrain:
    def test_trains_reports_and_resumes(self, isnad: Command, refused: Refused, recipe: Path, tmp_path: Path):
        run = tmp_path / "run"
        command = ("train", "--config", recipe, "-o", run)
        result = isnad(*command, "--set", "seed=7", "--set", "model.dropout=0.2")
        assert result.exit_code == 0, (result.stderr, result.exception)
        assert "training 'تجربة' on 2 documents, 1 for development" in result.stderr
        assert f"model written to {run / 'model'}" in result.stderr
        assert "تجربة on the development documents" in strip(result.stdout)
        assert "Entities (strict)" in result.stdout and "Relations (strict)" in result.stdout
        for noise in ("LOAD REPORT", "Loading weights", "Writing model shards", "PAD/BOS/EOS"):
            assert noise not in result.stderr
        settings = yaml.safe_load((run / "model/training.yaml").read_text(encoding="utf-8"))
        assert settings["seed"] == 7 and settings["model"]["dropout"] == 0.2 and settings["epochs"] == 1
        metrics = json.loads((run / "model/metrics.json").read_text(encoding="utf-8"))
        shown = re.search(r"│ micro +│.*│ +([\d.]+) │ +\d+ │ +\d+ │", result.stdout)
        assert shown and float(shown[1]) == pytest.approx(100 * metrics["dev"]["span_f1"], abs=0.05)

        again = isnad(*command)
        assert again.exit_code == 2 and "pass --resume" in again.stderr
        longer = isnad(
            *command, "--resume", "--set", "epochs=2", "--set", "seed=7", "--set", "model.dropout=0.2"
        )
        assert longer.exit_code == 0, (longer.stderr, longer.exception)
        assert json.loads((run / "model/metrics.json").read_text(encoding="utf-8"))["epochs"] == 2

    @pytest.mark.parametrize(
        ("setting", "message"),
        [
            ("epoch=3", "--set epoch=3: unknown key 'epoch'; did you mean 'epochs'?"),
            ("encoder.pth=x", "encoder: unknown key 'pth'; did you mean 'path'?"),
            ("epochs=many", "epochs holds 'many'; accepted: float"),
            ("epochs=0", "epochs is 0.0; accepted: a number above 0"),
            ("epochs.first=1", "'epochs' is a single value; accepted: epochs itself as the key"),
            ("model.dropuot=0.1", "model: unknown key 'dropuot'; did you mean 'dropout'?"),
            ("data.train=seeds:articles", "accepted: a list of strings"),
            ("epochs", "--set 'epochs'; accepted: key=value"),
            ("epochs=[", "is not valid YAML"),
            (
                "data.train=[seeds:artcles]",
                "unknown source 'seeds:artcles'; accepted: did you mean 'seeds:articles'?",
            ),
            ("data.schema=wojod", "no file 'wojod'; accepted: the path of a YAML file"),
            ("tracker=wandb", "tracker is 'wandb'; accepted: trackio, mlflow, tensorboard, none"),
        ],
    )
    def test_faulty_settings(
        self, isnad: Command, refused: Refused, recipe: Path, setting: str, message: str, tmp_path: Path
    ):
        refused(isnad("train", "-c", recipe, "-o", tmp_path / "run", "--set", setting), message)
        assert not (tmp_path / "run").exists()

    def test_faulty_files(self, isnad: Command, refused: Refused, tmp_path: Path):
        config = tmp_path / "a.yaml"
        config.write_text("epochs: 3\nbatchsize: 4\n", encoding="utf-8")
        result = isnad("train", "-c", config, "-o", tmp_path / "run")
        refused(result, f"{config}: unknown key 'batchsize'; did you mean 'batch_size'?")
        config.write_text("epochs: [3\n", encoding="utf-8")
        refused(isnad("train", "-c", config, "-o", tmp_path / "run"), "not valid YAML")
        refused(isnad("train", "-c", "sedes", "-o", tmp_path / "run"), "did you mean 'seeds'?")

    def test_development_documents_in_training(
        self, isnad: Command, refused: Refused, recipe: Path, tmp_path: Path
    ):
        result = isnad("train", "-c", recipe, "-o", tmp_path, "--set", "data.dev=[seeds:articles]")
        refused(result, "is among the training documents too")


class TestEval:
    def test_formats_say_the_same(self, isnad: Command, refused: Refused, tiny_model: Path, tmp_path: Path):
        report = tmp_path / "report.md"
        table = isnad("eval", tiny_model, "seeds:articles")
        assert table.exit_code == 0, table.stderr
        data = json.loads(isnad("eval", tiny_model, "seeds:articles", "--format", "json").stdout)
        assert isnad("eval", tiny_model, "seeds:articles", "-o", report).exit_code == 0
        evaluation = Evaluation.from_dict(data)
        assert len(evaluation.documents) == 5 and data["title"] == "tiny on seeds:articles"
        micro = evaluation.entities.micro
        assert micro.support == 392 and micro.predicted > 0
        for text in (table.stdout, report.read_text(encoding="utf-8")):
            assert "tiny on seeds:articles" in text
            row = next(line for line in text.splitlines() if "micro" in line)
            assert f"{100 * micro.f1:.1f}" in row and "392" in row
        refused(isnad("eval", tiny_model, "seeds:articles", "-o", report), "already there", "--overwrite")

    def test_conventions(self, isnad: Command, tiny_model: Path):
        def counts(*options: str) -> Evaluation:
            result = isnad("eval", tiny_model, "seeds:articles", "-f", "json", *options)
            return Evaluation.from_dict(json.loads(result.stdout))

        whole, flat, word = counts(), counts("--flat"), counts("--convention", "word")
        assert flat.flat and flat.entities.micro.support < whole.entities.micro.support
        assert word.convention == "word"

    def test_a_model_agrees_with_itself(self, isnad: Command, tiny_model: Path, tmp_path: Path):
        own = tmp_path / "own.jsonl"
        assert isnad("extract", "-m", tiny_model, ROOT / "seeds/articles", "-o", own).exit_code == 0
        # As if somebody had looked through all of it and found it right.
        found = [json.loads(line) | {"model": ""} for line in own.read_text(encoding="utf-8").splitlines()]
        own.write_text("".join(json.dumps(d) + "\n" for d in found), encoding="utf-8")
        data = json.loads(isnad("eval", tiny_model, own, "-f", "json").stdout)
        assert data["summary"]["entities"]["micro"]["f1"] == 1.0
        assert data["summary"]["relations"]["strict"]["micro"]["f1"] == 1.0
        assert data["summary"]["coreference"]["with_singletons"]["b_cubed"]["f1"] == pytest.approx(1.0)

    def test_faults(self, isnad: Command, refused: Refused, tiny_model: Path, tmp_path: Path):
        refused(isnad("eval", tiny_model, tmp_path / "none"), "no such file or folder", "seeds:articles")
        refused(isnad("eval", tiny_model, "seeds:authord/dev"), "did you mean 'seeds:authored/dev'")
        faulty = tmp_path / "a.ann"
        (tmp_path / "a.txt").write_text("بغداد", encoding="utf-8")
        faulty.write_text("T1\tGPE 0 4\tبغداد\n", encoding="utf-8")
        refused(isnad("eval", tiny_model, tmp_path), "a.ann:1:")
        for arguments in ((), (tiny_model,), (tiny_model, "seeds:articles", "--leave-one-out")):
            result = isnad("eval", *arguments)
            assert (
                result.exit_code == 2
                and "--leave-one-out" in result.stderr
                and "Traceback" not in result.output
            )
        refused(
            isnad("eval", "--leave-one-out", "-c", "seeds", "--system", "magic", "-o", tmp_path / "l"),
            "'magic'",
        )

    @pytest.mark.slow
    def test_a_base_that_has_seen_the_articles_is_refused(
        self, isnad: Command, refused: Refused, tmp_path: Path
    ):
        seen = ("--set", "encoder.path=isnad-small")
        refused(
            isnad("eval", "--leave-one-out", "-c", "articles", *seen, "-o", tmp_path / "loo"),
            "encoder.path is 'isnad-small', which was trained on seeds:articles",
            "isnad-small-authored",
        )
        assert not (tmp_path / "loo").exists()

    def test_leave_one_out(
        self, isnad: Command, refused: Refused, recipe: Path, schema: LabelSchema, tmp_path: Path
    ):
        out, dev = tmp_path / "loo", tmp_path / "dev.jsonl"
        few = load_source("seeds:authored/dev", schema)[:2]
        write_documents(few, dev, format="jsonl", schema=schema)
        sources = ("--set", "data.train=[seeds:articles]", "--set", f"data.dev=[{dev}]")
        command = ("eval", "--leave-one-out", "-c", recipe, "-o", out, *sources)
        result = isnad(*command, "-f", "json")
        assert result.exit_code == 0, (result.stderr, result.exception)
        evaluation = Evaluation.from_dict(json.loads(result.stdout))
        assert [d.id for d in evaluation.documents] == sorted(p.stem for p in (out / "predictions").iterdir())
        stored = json.loads((out / "result.json").read_text(encoding="utf-8"))
        assert Evaluation.from_dict(stored["evaluation"]) == evaluation
        assert stored["command"].startswith("isnad eval --leave-one-out --config")
        # Folds that are there are taken, unless they come from another configuration.
        assert "predicted before" in isnad(*command).stderr
        refused(isnad(*command, "--set", "epochs=2"), "folds of another configuration", "choose another -o")


class TestBaselines:
    def test_a_baseline_is_trained_and_measured_like_any_model(
        self, isnad: Command, refused: Refused, schema: LabelSchema, tmp_path: Path
    ):
        few, data = load_source("seeds:articles", schema), {}
        for part, documents in (("train", few[:2]), ("dev", few[2:3])):
            data[part] = tmp_path / f"{part}.jsonl"
            write_documents(documents, data[part], format="jsonl", schema=schema)
        settings = [f"data.{part}=[{path}]" for part, path in data.items()]
        command = ["train", "-c", "crf", "-o", tmp_path / "crf", "--set", settings[0], "--set", settings[1]]
        result = isnad(*command, "--system", "crf")
        assert result.exit_code == 0, (result.stderr, result.exception)
        out = tmp_path / "bench"
        result = isnad("benchmark", tmp_path / "crf/model", "--data", data["dev"], "-o", out)
        assert result.exit_code == 0, (result.stderr, result.exception)
        [stored] = (out / "results").glob("*.json")
        evaluation = Evaluation.from_dict(json.loads(stored.read_text(encoding="utf-8"))["evaluation"])
        assert evaluation.entities.micro.tp > 0
        refused(isnad(*command, "--system", "crf", "--resume"), "in one go")
        refused(isnad(*command, "--system", "svm"), "unknown system 'svm'")


class TestInfo:
    def test_says_what_the_model_is(self, isnad: Command, tiny_model: Path, schema: LabelSchema):
        result = isnad("info", tiny_model)
        assert result.exit_code == 0, result.stderr
        out = strip(result.stdout)
        assert "files match manifest.json" in out
        assert f"wojood {schema.version} ({schema.hash}): 21 entity types, 18 relation types" in out
        assert re.search(r"encoder +isnad-encoder \(layers 1, width 24, pieces \d+\)", out)
        assert re.search(r"dev span f1 +0\.000", out)
        for label in (*schema.entity_labels, *schema.relation_labels):
            assert re.search(rf"│ {label} +│", out)
        assert "اسم شخص دون لقبه" in out and "training.yaml" in out and "name: tiny" in out

    def test_counts_every_weight(self, isnad: Command, tiny_model: Path):
        from safetensors.numpy import load_file

        tensors = load_file(tiny_model / "model.safetensors").values()
        count = sum(tensor.size for tensor in tensors if tensor.dtype.kind == "f")
        table = sum(tensor.size for tensor in tensors if tensor.dtype.kind == "i")
        assert count > 0 < table
        out = strip(isnad("info", tiny_model).stdout)
        assert f"{count:,} in F32, {table:,} integers in tables" in out

    def test_needs_no_torch(self, tiny_model: Path):
        import subprocess
        import sys

        code = (
            "import sys\nfrom isnad.cli.info import show_model\n"
            f"show_model({str(tiny_model)!r})\nassert 'torch' not in sys.modules"
        )
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)

    def test_of_nothing(self, isnad: Command, refused: Refused, tmp_path: Path):
        refused(isnad("info", tmp_path), "config.json is missing")


class TestConvert:
    def test_round_trip_through_every_format(
        self, isnad: Command, articles: list[Document], schema: LabelSchema, tmp_path: Path
    ):
        steps = [
            ("seeds:articles", "a.jsonl", "jsonl"),
            ("a.jsonl", "b.txt", "inline"),
            ("b.txt", "c", "brat"),
        ]
        for source, target, format in steps:
            name = source if source.startswith("seeds:") else tmp_path / source
            result = isnad("convert", name, tmp_path / target, "--to", format)
            assert result.exit_code == 0, result.stderr
            assert result.stderr == f"wrote {tmp_path / target}: 5 documents, 392 entities, 148 relations\n"
        back = read_documents(tmp_path / "c", schema=schema)
        for gold, document in zip(articles, back, strict=True):
            assert (document.id, document.text) == (gold.id, gold.text)
            assert [(e.start, e.end, e.label, e.cluster) for e in document.entities] == [
                (e.start, e.end, e.label, e.cluster) for e in gold.entities
            ]
            assert len(document.relations) == len(gold.relations)

    def test_faults(self, isnad: Command, refused: Refused, tmp_path: Path):
        target = tmp_path / "a.jsonl"
        refused(isnad("convert", "seeds:articles", target, "--to", "jsnl"), "did you mean 'jsonl'?")
        assert isnad("convert", "seeds:articles", target, "--to", "jsonl").exit_code == 0
        before = target.read_bytes()
        refused(
            isnad("convert", "seeds:authored/dev", target, "--to", "jsonl"), "already there", "--overwrite"
        )
        refused(isnad("convert", target, target, "--to", "inline", "--overwrite"), "is the input")
        result = isnad("convert", target, tmp_path / "b", "--to", "brat", "--from", "inline")
        assert result.exit_code == 2 and result.stderr.startswith(f"error: {target}:1: 5 faults")
        assert not (tmp_path / "b").exists()
        assert target.read_bytes() == before
        assert isnad("convert", "seeds:authored/dev", target, "--to", "jsonl", "--overwrite").exit_code == 0
        assert target.read_bytes() != before
        assert isnad("convert", "seeds:articles", target).exit_code == 2
