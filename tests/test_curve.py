"""`isnad curve`: growing parts of the training documents, stored, resumed, and drawn in a report."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from isnad.cli.curve import read_seeds, read_sizes
from isnad.eval.curves import FILE, NamedCurve, curve_scores, read_curves, write_curves
from isnad.eval.learning_curve import CurvePoint, LearningCurve
from isnad.model.document import Document
from isnad.model.errors import ConfigError, DataError
from isnad.model.schema import LabelSchema
from isnad.training.data import write_documents
from isnad.training.data.sources import load_source
from typer.testing import Result

Command = Callable[..., Result]


def curve(*scores: float, model: str = "CRF") -> NamedCurve:
    points = tuple(CurvePoint(10 * n, 1, 70 * n, {"span_f1": s}) for n, s in enumerate(scores, 1))
    return NamedCurve(model, "seeds:authored/dev", LearningCurve(points), {"unit": "training documents"})


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory, schema: LabelSchema) -> tuple[object, ...]:
    """`isnad curve` on eight short documents, of which one is listed twice."""
    folder = tmp_path_factory.mktemp("data")
    few = sorted(load_source("seeds:authored/dev", schema), key=lambda d: len(d.text))[:11]
    write_documents(few[:8], folder / "train.jsonl", format="jsonl", schema=schema)
    write_documents(few[:1], folder / "again.jsonl", format="jsonl", schema=schema)
    write_documents(few[8:], folder / "dev.jsonl", format="jsonl", schema=schema)
    train = f"data.train=[{folder / 'train.jsonl'}, {folder / 'again.jsonl'}]"
    dev = f"data.dev=[{folder / 'dev.jsonl'}]"
    return ("curve", "-c", "crf", "--system", "crf", "--set", train, "--set", dev)


class TestFile:
    def test_curves_come_back(self, tmp_path: Path):
        curves = [curve(0.25, 0.5), curve(0.75, model="نموذج")]
        write_curves(tmp_path / FILE, curves)
        assert read_curves(tmp_path) == read_curves(tmp_path / FILE) == curves
        stored = json.loads((tmp_path / FILE).read_text(encoding="utf-8"))
        assert stored[0]["model"] == "CRF" and stored[0]["unit"] == "training documents"
        assert stored[0]["points"][1] == {"size": 20, "seed": 1, "mentions": 140, "scores": {"span_f1": 0.5}}

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("{}", "holds dict"),
            ("[", "not learning curves"),
            ('[{"points": []}]', "without names"),
            ('[{"model": "a", "data": "b", "points": [{}]}]', "not a learning curve"),
            (
                '[{"model": "a", "data": "b", "points": []}, {"model": "a", "data": "b", "points": []}]',
                "two learning",
            ),
        ],
    )
    def test_faults(self, tmp_path: Path, text: str, message: str):
        (tmp_path / FILE).write_text(text, encoding="utf-8")
        with pytest.raises(DataError, match=message):
            read_curves(tmp_path)

    def test_absent_file_and_doubled_names(self, tmp_path: Path):
        with pytest.raises(DataError, match="no such file"):
            read_curves(tmp_path)
        with pytest.raises(DataError, match="two learning curves of 'CRF'"):
            write_curves(tmp_path / FILE, [curve(0.5), curve(0.6)])
        assert not list(tmp_path.iterdir())


def test_sizes_and_seeds():
    assert read_sizes("50, 100,12.5%,all") == [50, 100, 0.125, 1.0]
    assert read_seeds("1, 20") == [1, 20]
    for wrong in ("", "0", "-5", "0%", "101%", "half", "1.5", "nan%", "50,,100"):
        with pytest.raises(ConfigError, match="--sizes has"):
            read_sizes(wrong)
    for wrong in ("", "a", "-1", "1,", "١"):
        with pytest.raises(ConfigError, match="--seeds is"):
            read_seeds(wrong)


def test_scores_of_labels_that_gold_has(schema: LabelSchema, articles: list[Document]):
    score = curve_scores(schema)
    found = score(articles, articles)
    assert found["span_f1"] == found["entity:PERS"] == 1.0 and any(k.startswith("relation:") for k in found)
    assert found.keys() >= {f"entity:{e.label}" for d in articles for e in d.entities}
    nothing = score(articles, [Document(d.text, id=d.id) for d in articles])
    assert nothing.keys() == found.keys() and nothing["entity:PERS"] == 0.0


class TestCommand:
    def test_curve_is_stored_and_goes_on(self, isnad: Command, command: tuple[object, ...], tmp_path: Path):
        out = tmp_path / "out"
        result = isnad(*command, "-o", out, "--sizes", "2,50%", "--seeds", "1,2", "--show", "PERS")
        assert result.exit_code == 0, (result.stderr, result.exception)
        assert "2 documents, seed 1: training" in result.stderr and "PERS" in result.stdout
        (first,) = read_curves(out)
        assert first.curve.sizes == (2, 4) and len(first.curve.points) == 4
        assert first.facts["system"] == "crf" and first.facts["hashes"].keys() == {
            "train",
            "scored",
            "schema",
        }
        shown = f"{100 * first.curve.summary('span_f1')[4].mean:.1f}"
        assert shown in result.stdout, "the table shows the mean over the seeds"
        # Larger sizes and other seeds are added; what is there is not made again.
        result = isnad(*command, "-o", out, "--sizes", "4,all", "--seeds", "1")
        assert "4 documents, seed 1: done before" in result.stderr, result.stderr
        assert "8 documents, seed 1: training" in result.stderr, "a text that is listed twice is one document"
        (second,) = read_curves(out)
        assert second.curve.sizes == (2, 4, 8) and all(p in second.curve.points for p in first.curve.points)
        assert second.curve.summary("span_f1")[8].mean > 0
        # A second curve beside it.
        result = isnad(*command, "-o", out, "--sizes", "2", "--seeds", "1", "--name", "[b]other[/b]")
        assert result.exit_code == 0 and "[b]other[/b]" in result.stdout
        assert [c.model for c in read_curves(out)] == ["CRF", "[b]other[/b]"]

    def test_a_joint_model_is_trained_for_each_run(
        self,
        isnad: Command,
        tmp_path: Path,
        tiny_encoder: Path,
        articles: list[Document],
        schema: LabelSchema,
    ):
        write_documents(articles[:2], tmp_path / "train", format="brat", schema=schema)
        write_documents(articles[2:3], tmp_path / "dev.jsonl", format="jsonl", schema=schema)
        content = {
            "name": "منحنى",
            "encoder": {"path": str(tiny_encoder)},
            "data": {"train": [str(tmp_path / "train")], "dev": [str(tmp_path / "dev.jsonl")]},
            "model": {"word_size": 16, "letter_size": 4, "span_size": 12, "pair_size": 16, "mention_size": 8}
            | {"attention_heads": 2, "max_pieces": 64, "overlap_pieces": 8},
            "epochs": 1,
            "batch_size": 8,
            "tracker": "none",
        }
        config, out = tmp_path / "mine.yaml", tmp_path / "out"
        config.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
        result = isnad(
            "curve", "-c", config, "-o", out, "--sizes", "1,all", "--seeds", "3", "-d", "seeds:authored/dev"
        )
        assert result.exit_code == 0, (result.stderr, result.exception)
        (found,) = read_curves(out)
        assert found.key == ("منحنى", "seeds:authored/dev") and found.curve.sizes == (1, 2)
        assert (
            found.facts["config"]["epochs"] == 1 and "coreference_b_cubed_f1" in found.curve.points[0].scores
        )
        (runs,) = (p for p in out.iterdir() if p.is_dir())
        assert [p.name for p in runs.iterdir()] == ["config.yaml"], "models are not kept"

    def test_faults(
        self, isnad: Command, refused: Callable[..., None], command: tuple[object, ...], tmp_path: Path
    ):
        out = tmp_path / "out"
        for options, message in (
            (("--sizes", "9"), "size 9 of 8 training documents"),
            (("--sizes", "x"), "--sizes has 'x'"),
            (("--seeds", "1,1"), "seeds [1, 1]"),
            (("--system", "magic"), "unknown system 'magic'"),
            (("--show", "PRS"), "did you mean 'PERS'"),
            (("--data", "seeds:artcles"), "did you mean 'seeds:articles'"),
            (("--set", "epoch=1"), "did you mean 'epochs'"),
        ):
            result = isnad(*command, "-o", out, *options)
            assert result.exit_code == 2 and message in result.stderr, (options, result.stderr)
        assert not (out / FILE).exists()
        assert isnad(*command, "-o", out, "--sizes", "2", "--seeds", "1").exit_code == 0
        refused(isnad(*command, "-o", out, "--set", "epochs=3"), "runs of another configuration", "--name")
