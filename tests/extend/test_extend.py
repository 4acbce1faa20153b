"""Plans and runs of an extension: what is decided, what is refused, and old labels that stay."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from isnad.eval.scores import development_scores
from isnad.model.configuration import IsnadConfig
from isnad.model.document import Document
from isnad.model.errors import ConfigError, DataError, ModelError
from isnad.model.inference import Extractor
from isnad.model.schema import LabelSchema
from isnad.model.store import MANIFEST
from isnad.training.average import average, schema_of
from isnad.training.data import write_documents
from isnad.training.embed import embed
from isnad.training.extend import RECORD, plan_extension
from isnad.training.extend_compare import read_old
from isnad.training.extend_cut import counts
from isnad.training.extend_run import extend


@pytest.fixture(scope="module")
def run(
    folder: Path,
    tiny_model: Path,
    tmp_path_factory: pytest.TempPathFactory,
    recipe: Callable[..., dict[str, Any]],
) -> Path:
    """A finished extension of one epoch, with renamed and new labels."""
    output = tmp_path_factory.mktemp("run")
    plan = plan_extension(recipe(tiny_model))
    extend(plan, output, score=development_scores(plan.schema))
    return output


class TestPlan:
    def test_what_is_decided(self, tiny_model: Path, recipe: Callable[..., dict[str, Any]]):
        plan = plan_extension(recipe(tiny_model))
        assert {"WEAPON", "SANCTION"} <= plan.annotates and "COMPANY" not in plan.annotates
        assert plan.config.distil.teachers == (str(tiny_model),) and plan.config.epochs == 1
        assert plan.config.keep == "last" and plan.config.name == "arms"
        text = "\n".join(plan.notes)
        for part in (
            "new: WEAPON, SANCTION, armed_with",
            "renamed: ORG → COMPANY",
            "cut off the data",
            "rehearsal 0.5",
        ):
            assert part in text
        assert any("armed_with has no example to learn from" in w for w in plan.warnings)
        assert {d.id for d in plan.new}.isdisjoint(d.id for d in plan.new_dev.documents)
        assert len({d.id for d in plan.dev}) == len(plan.dev)
        # Half of what is shown would be rehearsal, but the few old lines are not shown more than four times an epoch.
        new, rehearsal = plan.sources
        assert new.weight == 5 and rehearsal.weight == 4
        once = plan_extension(recipe(tiny_model, extend={"repeat": 1.0, "rehearsal": 0.2}))
        lines = sum(bool(line.strip()) for d in rehearsal.documents for line in d.text.splitlines())
        assert once.sources[1].weight * lines == pytest.approx(0.25 * len(once.new))
        assert len(plan_extension(recipe(tiny_model), share=0.25).new) == round(len(plan.new) / 4)

    @pytest.mark.parametrize(
        ("change", "error", "message"),
        [
            ({"data": {"train": []}}, ConfigError, "no new data; accepted: annotated documents with --data"),
            ({"augment": {"noise": 0.1}}, ConfigError, "augment is set"),
            ({"extend": {"rehersal": 1}}, ConfigError, "unknown key 'rehersal'; did you mean 'rehearsal'"),
            (
                {"extend": {"rows": "zero"}},
                ConfigError,
                "rows is 'zero'; accepted: random, description, examples",
            ),
            (
                {"extend": {"measure": ["seeds:authord"]}},
                DataError,
                "extend.measure.*unknown source 'seeds:authord'",
            ),
            ({"method": "half"}, ConfigError, "method is 'half'; accepted: full, head, lora"),
            ({"lora": {"rank": 0}}, ConfigError, "rank 0"),
        ],
    )
    def test_faults(
        self,
        tiny_model: Path,
        change: dict[str, Any],
        error: type[Exception],
        message: str,
        recipe: Callable[..., dict[str, Any]],
    ):
        settings = recipe(tiny_model)
        for key, value in change.items():
            settings[key] = {**settings.get(key, {}), **value} if isinstance(value, dict) else value
        with pytest.raises(error, match=message):
            plan_extension(settings)

    def test_no_text_is_learned_and_measured(
        self,
        folder: Path,
        tiny_model: Path,
        tmp_path: Path,
        sentences: Callable[[int], list[Document]],
        arms: LabelSchema,
        recipe: Callable[..., dict[str, Any]],
    ):
        settings = recipe(tiny_model, extend={"rehearse": [str(folder / "measure.jsonl")]})
        with pytest.raises(DataError, match=r"is measured \(measure-1-.*and learned \(rehearse-1-"):
            plan_extension(settings)
        # A line of a new document is enough, whatever stands around it.
        [first, *_] = sentences(1)
        other = replace(first, text=first.text + "\nسطر آخر", id="other")
        write_documents([other], tmp_path / "dev.jsonl", format="jsonl", schema=arms)
        settings = recipe(tiny_model)
        settings["data"] = {**settings["data"], "dev": [str(tmp_path / "dev.jsonl")]}
        with pytest.raises(DataError, match=r"is measured \(new-25\) and learned \(new-01\)"):
            plan_extension(settings)


class TestRun:
    def test_the_extended_model(self, run: Path, arms: LabelSchema, tiny_model: Path):
        model = Extractor.from_pretrained(run / "model")
        assert model.schema == arms
        assert set(model.config.entity_thresholds) == set(model.schema.entity_labels)
        metrics = json.loads((run / "model/metrics.json").read_text(encoding="utf-8"))
        assert {"new_span_f1", "old_span_f1", "span_f1"} <= metrics["dev"].keys()
        record = json.loads((run / "model/extension.json").read_text(encoding="utf-8"))
        assert record["history"]["ORG"] == ["COMPANY"] and record["sources"]["WEAPON"] == []
        saved = yaml.safe_load((run / "model/training.yaml").read_text(encoding="utf-8"))
        assert saved["extend"]["rehearsal"] == 0.5 and saved["distil"]["teachers"] == [str(tiny_model)]

    def test_the_record_is_part_of_the_model(self, run: Path, tmp_path: Path):
        """It is sealed with the model, and goes along into the package and into a mean of models."""
        record = (run / "model" / RECORD).read_text(encoding="utf-8")
        embedded = embed(run / "model", "arms", target=tmp_path)
        other = shutil.copytree(run / "model", tmp_path / "other")
        metrics = average(
            [run / "model", other], tmp_path / "mean", score=development_scores(schema_of(other))
        )
        for folder in (run / "model", embedded, tmp_path / "mean/model"):
            sealed = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["sha256"]
            assert RECORD in sealed and (folder / RECORD).read_text(encoding="utf-8") == record
        mean, one = (IsnadConfig.from_pretrained(f) for f in (tmp_path / "mean/model", other))
        assert mean.entity_thresholds == one.entity_thresholds and mean.calibration == one.calibration
        assert metrics["dev"] == json.loads((other / "metrics.json").read_text(encoding="utf-8"))["dev"]

    def test_nothing_is_written_where_a_run_is(
        self, run: Path, tiny_model: Path, recipe: Callable[..., dict[str, Any]], tmp_path: Path
    ):
        plan = plan_extension(recipe(tiny_model))
        before = {file: file.stat().st_mtime_ns for file in run.rglob("*") if file.is_file()}
        with pytest.raises(ModelError, match="pass --resume"):
            extend(plan, run, score=development_scores(plan.schema))
        assert {file: file.stat().st_mtime_ns for file in run.rglob("*") if file.is_file()} == before
        (tmp_path / "file").touch()
        with pytest.raises(ConfigError, match=r"cannot write to .*file/run: Not a directory"):
            extend(plan, tmp_path / "file/run", score=development_scores(plan.schema))

    def test_an_extension_of_an_extension(
        self,
        run: Path,
        tmp_path: Path,
        sentences: Callable[[int], list[Document]],
        recipe: Callable[..., dict[str, Any]],
    ):
        """The second one knows that the shipped ORG is COMPANY by now, and measures WEAPON nowhere on old texts."""
        (tmp_path / "more.yaml").write_text(
            f"name: more\nextends: {run / 'model'}\nentities: [{{name: CALIBRE}}, {{name: FIRM, from: COMPANY}}]\n",
            encoding="utf-8",
        )
        schema = LabelSchema.from_yaml(tmp_path / "more.yaml")
        documents = [
            replace(d, entities=tuple(replace(e, label="CALIBRE") for e in d.entities)) for d in sentences(12)
        ]
        write_documents(documents, tmp_path / "new.jsonl", format="jsonl", schema=schema)
        settings = recipe(run / "model", extend={"rehearse": [], "measure": ["seeds:authored/dev"]})
        settings["data"] = {"train": [str(tmp_path / "new.jsonl")], "schema": str(tmp_path / "more.yaml")}
        plan = plan_extension(settings)
        [old, new] = plan.measured
        assert "FIRM" in old.labels and not {"WEAPON", "CALIBRE", "COMPANY"} & old.labels
        assert new.labels == {"CALIBRE"} and plan.history["ORG"] == ("FIRM",)
        assert counts(old.documents)["FIRM"] > 20
        [unseen] = [w for w in plan.warnings if "extend.measure" in w]
        assert "annotates WEAPON, SANCTION, armed_with, which the base model knows" in unseen

    def test_before_and_after(self, run: Path, tiny_model: Path, recipe: Callable[..., dict[str, Any]]):
        plan = plan_extension(recipe(tiny_model))
        read = read_old(plan, Extractor.from_pretrained(run / "model"))
        assert "ORG→COMPANY" in read.schema.entity_labels and "WEAPON" not in read.schema.entity_labels
        assert counts(read.gold)["ORG→COMPANY"] == counts(plan.old[0].documents)["ORG"]
        base = Extractor.from_pretrained(tiny_model)
        found = counts(base.pipe((d.id, d.text) for d in plan.old[0].documents))
        before = counts(read.before)
        assert before["ORG→COMPANY"] == found["ORG"] and before["PERS"] == found["PERS"]
