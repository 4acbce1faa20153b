"""The cards that are committed, and what `isnad info` prints of cards."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from isnad.model.schema import LabelSchema
from isnad.model.store import EMBEDDED, embedded_models, write_manifest
from isnad.training import card as cards
from isnad.training.model_facts import ModelFacts


@pytest.mark.parametrize("name", embedded_models())
class TestCommitted:
    def test_card_is_what_the_files_give(self, name: str) -> None:
        card = cards.render(EMBEDDED / name)
        folder = EMBEDDED / name
        advice = f"write: python -m isnad.training.card {name}"
        assert (folder / "README.md").read_text(encoding="utf-8") == card.readme, advice
        chart = folder / "calibration.svg"
        assert (chart.read_text(encoding="utf-8") if chart.exists() else "") == card.chart, advice

    def test_the_card_says_what_the_model_is(self, name: str) -> None:
        facts = ModelFacts.read(EMBEDDED / name)
        text = (EMBEDDED / name / "README.md").read_text(encoding="utf-8")
        assert (
            f"# {name}\n" in text and f"{facts.parameters:,} parameters" in text and facts.schema.hash in text
        )


class TestInfo:
    def test_prints_the_key_facts(
        self, isnad, tmp_path: Path, schema: LabelSchema, place: Callable[..., cards.Card], ece: float
    ) -> None:
        card = place(dev=True)
        folder = tmp_path / "models" / "toy"
        (folder / "README.md").write_text(card.readme, encoding="utf-8")
        write_manifest(folder)
        out = isnad("info", folder).stdout
        assert "apache-2.0" in out and "6 files match manifest.json" in out
        rows = {
            line.rsplit(maxsplit=1)[0].strip(): line.split()[-1] for line in out.splitlines() if "%" in line
        }
        assert rows["Span F1"] == "83.3%" and rows["Relation F1"] == "40.0%"
        assert rows["Span ECE, cross-fitted"] == f"{100 * ece:.1f}%"
        assert (
            "seeds:authored/train" in out
            and "CC BY 4.0" in out
            and "2,100 in F32, 10 integers in tables" in out
        )
        with (folder / "README.md").open("a", encoding="utf-8") as file:
            file.write("altered")
        result = isnad("info", folder)
        assert result.exit_code == 2 and "differs from manifest.json" in result.stderr

    @pytest.mark.parametrize(
        "text",
        ["", "no front matter", "---\n: [\n---\n", "---\n- a\n---\n", "---\nmodel-index: 3\n---\n",
         "---\nmodel-index: [x, {results: [{dataset: 1, metrics: [{value: a}, 2]}]}]\n---\n"],
    )  # fmt: skip
    def test_foreign_cards_do_no_harm(
        self,
        isnad,
        tmp_path: Path,
        schema: LabelSchema,
        text: str,
        toy_run: dict[str, Any],
        model_folder: Callable[..., Path],
    ) -> None:
        folder = model_folder(tmp_path / "toy", schema, run=toy_run)
        (folder / "README.md").write_text(text, encoding="utf-8")
        result = isnad("info", folder)
        assert result.exit_code == 0 and "dev span f1" in result.stdout, result.stderr

    def test_names_from_a_card_are_no_markup(
        self,
        isnad,
        tmp_path: Path,
        schema: LabelSchema,
        toy_run: dict[str, Any],
        model_folder: Callable[..., Path],
    ) -> None:
        folder = model_folder(tmp_path / "toy", schema, run=toy_run)
        index = [
            {"results": [{"dataset": {"name": "[red]x[/]"}, "metrics": [{"type": "[b]f1", "value": 0.5}]}]}
        ]
        (folder / "README.md").write_text(
            f"---\n{yaml.safe_dump({'model-index': index})}---\n", encoding="utf-8"
        )
        out = isnad("info", folder).stdout
        assert "[red]x[/]" in out and "[b]f1" in out and "50.0%" in out
