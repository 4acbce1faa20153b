"""What model cards are put together from: the diagram, the lineage of a model, the commands that remake it."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from isnad.model.errors import ModelError
from isnad.model.schema import LabelSchema
from isnad.training import card as cards
from isnad.training.card_chart import Panel, reliability_svg, wilson
from isnad.training.card_data import cell, duration
from isnad.training.config import FinetuneConfig, load_config, plain
from isnad.training.lineage import LINEAGE, stages, write_lineage

SVG = "{http://www.w3.org/2000/svg}"


BINS = [
    {"low": 0.0, "high": 0.5, "n": 40, "score_sum": 10.0, "correct": 8},
    {"low": 0.5, "high": 0.9, "n": 0, "score_sum": 0.0, "correct": 0},
    {"low": 0.9, "high": 1.0, "n": 1234, "score_sum": 1200.0, "correct": 1221},
]


class TestChart:
    def test_is_well_formed_and_escapes(self) -> None:
        text = reliability_svg(
            [Panel('كيانات <b> & "اسم"', "ECE 3.1% </text><script>", BINS)], description="a < b & c"
        )
        root = ET.fromstring(text)
        texts = [t.text for t in root.iter(f"{SVG}text")]
        assert 'كيانات <b> & "اسم"' in texts and "ECE 3.1% </text><script>" in texts
        assert not list(root.iter(f"{SVG}script")) and "http" not in text.replace(
            "http://www.w3.org/2000/svg", ""
        )
        assert (
            "40" in texts
            and "1,234" in texts
            and "0" not in [t.text for t in root.iter(f"{SVG}text") if t.get("class") == "count"]
        )
        assert {"share correct", "score", "number in each bin"} <= set(texts)
        assert "prefers-color-scheme: dark" in text

    def test_draws_where_the_numbers_are(self) -> None:
        root = ET.fromstring(reliability_svg([Panel("a", "b", BINS)]))
        dots = [(float(c.get("cx", "")), float(c.get("cy", ""))) for c in root.iter(f"{SVG}circle")]
        assert len(dots) == 2, "an empty bin has no accuracy to show"
        ideal = next(line for line in root.iter(f"{SVG}line") if line.get("class") == "ideal")
        x0, y0, x1, y1 = (float(ideal.get(key, "")) for key in ("x1", "y1", "x2", "y2"))
        for (x, y), b in zip(dots, (BINS[0], BINS[2]), strict=True):
            assert (x - x0) / (x1 - x0) == pytest.approx(b["score_sum"] / b["n"], abs=0.002)
            assert (y0 - y) / (y0 - y1) == pytest.approx(b["correct"] / b["n"], abs=0.002)

    def test_of_nothing(self) -> None:
        ET.fromstring(reliability_svg([]))
        ET.fromstring(reliability_svg([Panel("a", "b", [])]))

    def test_wilson_interval(self) -> None:
        # Wilson score interval of 8 of 10 at 95%: 0.490 to 0.943 (Brown, Cai & DasGupta 2001).
        assert wilson(8, 10) == (pytest.approx(0.490, abs=1e-3), pytest.approx(0.943, abs=1e-3))
        assert wilson(0, 0) == (0, 1)
        assert wilson(0, 5)[0] == 0 and wilson(5, 5)[1] == 1


class TestLineage:
    def test_follows_the_runs_and_keeps_them(
        self,
        tmp_path: Path,
        schema: LabelSchema,
        monkeypatch,
        toy_run: dict[str, Any],
        pretraining: dict[str, Any],
        model_folder: Callable[..., Path],
    ) -> None:
        encoder = tmp_path / "runs" / "pretrain" / "encoder"
        encoder.mkdir(parents=True)
        (encoder / "config.json").write_text("{}")
        (encoder / "pretraining.json").write_text(json.dumps(pretraining), encoding="utf-8")
        base = model_folder(tmp_path / "runs" / "corpora" / "model", schema, run=toy_run | {"name": "base"})
        last = toy_run | {"name": "last", "encoder": {"path": "runs/corpora/model"}}
        source = model_folder(tmp_path / "runs" / "last" / "model", schema, run=last)
        target = model_folder(tmp_path / "embedded" / "last", schema, run=last)
        assert [s.name for s in stages(target)] == ["last"]
        monkeypatch.chdir(tmp_path)
        assert write_lineage(source, target) == target / LINEAGE
        monkeypatch.undo()
        (base / "training.yaml").unlink()
        found = stages(target)
        assert [(s.kind, s.name) for s in found] == [
            ("pretraining", "pretraining"), ("finetuning", "base"), ("finetuning", "last"),
        ]  # fmt: skip
        assert found[0].record["tokens"] == 3_686_400 and found[0].settings["seed"] == 3
        assert "loss_history" not in (target / LINEAGE).read_text(encoding="utf-8")
        assert found[1].record["train_documents"] == 1234
        # Whoever continues that model has its lineage too.
        again = toy_run | {"name": "again", "encoder": {"path": "last"}}
        third = model_folder(tmp_path / "embedded" / "again", schema, run=again)
        assert [s.name for s in stages(third)] == ["pretraining", "base", "last", "again"]
        write_lineage(third, third)
        assert [s.name for s in stages(third)] == ["pretraining", "base", "last", "again"]

    def test_a_circle_ends(
        self,
        tmp_path: Path,
        schema: LabelSchema,
        monkeypatch,
        toy_run: dict[str, Any],
        model_folder: Callable[..., Path],
    ) -> None:
        for name, start in (("one", "two"), ("two", "one"), ("self", "self")):
            model_folder(tmp_path / name, schema, run=toy_run | {"name": name, "encoder": {"path": start}})
        monkeypatch.chdir(tmp_path)
        for name in ("one", "self"):
            assert stages(tmp_path / name)[-1].name == name
            write_lineage(tmp_path / name, tmp_path / name)

    def test_nothing_outside_is_read_for_a_card(
        self, tmp_path: Path, schema: LabelSchema, toy_run: dict[str, Any], model_folder: Callable[..., Path]
    ) -> None:
        model_folder(tmp_path / "secret", schema, run=toy_run | {"name": "secret"})
        for path in (str(tmp_path / "secret"), "../secret"):
            folder = model_folder(
                tmp_path / "models" / f"m{len(path)}", schema, run=toy_run | {"encoder": {"path": path}}
            )
            assert [s.name for s in stages(folder)] == ["toy"]

    def test_nothing_known(
        self, tmp_path: Path, schema: LabelSchema, model_folder: Callable[..., Path]
    ) -> None:
        folder = model_folder(tmp_path / "toy", schema)
        assert write_lineage(folder, folder) is None and not (folder / LINEAGE).exists()
        assert [s.kind for s in stages(folder)] == ["finetuning"]

    def test_a_faulty_record_is_named(
        self, tmp_path: Path, schema: LabelSchema, toy_run: dict[str, Any], model_folder: Callable[..., Path]
    ) -> None:
        folder = model_folder(tmp_path / "toy", schema, run=toy_run)
        for content in ("[]", "{}", '{"stages": [{"kind": "x"}]}', "{"):
            (folder / LINEAGE).write_text(content)
            with pytest.raises(ModelError, match=r"lineage\.json"):
                stages(folder)


class TestReproduce:
    def test_names_the_configuration_that_was_run(
        self, tmp_path: Path, schema: LabelSchema, root: Path, model_folder: Callable[..., Path]
    ) -> None:

        config = root / "configs" / "finetune" / "authored.yaml"
        run = plain(asdict(load_config(config, FinetuneConfig)))
        folder = model_folder(tmp_path / "toy", schema, run=run)
        command = "isnad train --config configs/finetune/authored.yaml -o runs/"
        assert command in cards.render(folder, results=tmp_path).readme
        # A record of an older version lacks keys that had no other value then; another value is another run.
        (folder / "training.yaml").write_text(
            yaml.safe_dump({k: v for k, v in run.items() if k != "tracker"})
        )
        assert command in cards.render(folder, results=tmp_path).readme
        (folder / "training.yaml").write_text(yaml.safe_dump(run | {"epochs": 99.0}))
        text = cards.render(folder, results=tmp_path).readme
        assert command not in text and "--config model/pretrained/toy/training.yaml" in text


def test_small_forms() -> None:
    assert [duration(s) for s in (0.4, 82, 1579.5, 8280)] == ["0 s", "82 s", "26 min", "2.3 h"]
    assert cell("a|b\n<i>&") == "a\\|b &lt;i>&amp;"
