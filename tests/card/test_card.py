"""Model cards: made from files only, whatever is missing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from isnad.model.errors import DataError
from isnad.model.schema import LabelSchema
from isnad.model.store import verify, write_manifest
from isnad.training import card as cards


def front(card: cards.Card) -> dict[str, Any]:
    return yaml.safe_load(card.readme.split("---\n")[1])


class TestCard:
    def test_shows_the_stored_scores(self, place: Callable[..., cards.Card], ece: float) -> None:
        card = place(dev=True)
        # 12 names: 10 right, LOC and ORG wrong. PERS: tp 5 of 6; GPE: tp 5 of 6.
        assert "| PERS | 6 | 100.0 | 83.3 | 90.9 [" in card.readme
        assert "| **micro** | 12 | 83.3 | 83.3 | 83.3 [" in card.readme
        assert "| visited | 2 | 33.3 | 50.0 | 40.0 [" in card.readme
        assert "| alaqat (hard negatives) | 1 | 75.0 | 0.0 | 0.0 | 0.0 |" in card.readme
        assert "1 of 1 found relations are wrong: precision 0.0 against 50.0 elsewhere" in card.readme
        assert "(3 documents," in card.readme and "with them span F1 is 83.3 [" in card.readme
        for text in (
            "2,100 parameters in F32, and 10 integers in tables",
            "version = {9.8.7}",
            "{ليلى Haddad}",
            "Seeds: toy 7.",
        ):
            assert text in card.readme, text
        metrics = {
            m["name"]: m["value"] for r in front(card)["model-index"][0]["results"] for m in r["metrics"]
        }
        assert metrics["Span F1"] == 0.8333 and metrics["Relation F1"] == 0.4
        assert metrics["Span ECE, cross-fitted"] == round(ece, 4)
        assert f"| spans | all candidates from 5% on | 12 | {100 * ece:.1f} [" in card.readme
        assert f"ECE {100 * ece:.1f}% [" in card.chart

    def test_front_matter_is_what_a_model_hub_reads(self, place: Callable[..., cards.Card]) -> None:
        from huggingface_hub import ModelCard

        data = ModelCard(place(dev=True).readme).data
        assert (data.language, data.license, data.library_name) == (["ar"], "apache-2.0", "isnad")
        assert data.pipeline_tag == "token-classification" and "arabic" in data.tags
        found = {(r.task_type, r.metric_type, r.dataset_name): r.metric_value for r in data.eval_results}
        assert found["relation-extraction", "f1", "isnad authored corpus, development part"] == 0.4
        assert len(found) == 9

    def test_names_the_weakest_from_the_numbers(self, place: Callable[..., cards.Card], monkeypatch) -> None:
        from isnad.training import card_weaknesses

        assert "Too rare to tell: PERS (6), GPE (6)." in place(dev=True).readme
        monkeypatch.setattr(card_weaknesses, "_ENOUGH", 6)
        text = place(dev=True).readme
        assert "Weakest entity types by F1: GPE 90.9" in text and "PERS 90.9" in text
        assert "Too rare to tell: visited (2)." in text
        # LOC for GPE and ORG for PERS.
        assert "Most common of the 2 entity errors: right span with another label (100%)" in text
        assert "Weakest kind of text: `alaqat` for entities (F1 75.0)" in text

    def test_with_nothing_but_the_model(self, place: Callable[..., cards.Card]) -> None:
        card = place(run=None)
        assert card.chart == "" and "calibration.svg" not in card.readme
        assert "model-index" not in front(card) and front(card)["license"] == "apache-2.0"
        assert (
            "`python -m isnad.eval.model_results toy -o eval/results/toy_dev.json` makes one" in card.readme
        )
        assert "do not record its raw texts" in card.readme and "no figure of energy" in card.readme
        for word in ("None", "nan", "{", "%s"):
            assert word not in card.readme.partition("```bibtex")[0].replace("{name}", ""), word

    def test_a_result_of_other_weights_is_not_shown(
        self, place: Callable[..., cards.Card], tmp_path: Path
    ) -> None:
        assert "| PERS |" in place(dev=True).readme
        folder = tmp_path / "models" / "toy"
        (folder / "tokenizer.json").write_text('{"added": 1}', encoding="utf-8")
        card = place()
        assert "| PERS |" not in card.readme and card.chart == ""
        assert "| span f1 | 50.0 |" in card.readme

    def test_leave_one_out_of_the_same_recipe_only(
        self, place: Callable[..., cards.Card], tmp_path: Path, schema, toy_run: dict[str, Any]
    ) -> None:
        place(dev=True)
        stored = json.loads((tmp_path / "results" / "toy_dev.json").read_text(encoding="utf-8"))
        stored["command"] = "isnad eval --leave-one-out --config toy.yaml -o runs/loo"
        path = tmp_path / "results" / "leave_one_out_joint.json"

        def shown(config: dict[str, Any], system: str = "toy") -> str:
            path.write_text(
                json.dumps(stored | {"system": system, "details": {"config": config}}), encoding="utf-8"
            )
            return place().readme

        assert "gold, articles" in shown(toy_run) and "--leave-one-out --config toy.yaml" in shown(toy_run)
        assert "gold, articles" in shown(toy_run | {"newer_key": 1})
        assert "gold, articles" not in shown(toy_run | {"seed": 8})
        assert "gold, articles" not in shown(toy_run, system="other")
        assert "`other`, which continues it, is" in shown({"encoder": {"path": "toy"}}, system="other")

    def test_corpora_come_with_licence_and_citation(
        self, place: Callable[..., cards.Card], tmp_path: Path, toy_run: dict[str, Any]
    ) -> None:
        data = tmp_path / "root" / "configs" / "data"
        data.mkdir(parents=True)
        (data / "anercorp.yaml").write_text(
            "licence: CC BY-SA 4.0\norigin: '<script>alert(1)</script> | CAMeL'\ngenre: news\n"
            "citation: 'Benajiba, Rosso and Benedí Ruiz 2007'\n",
            encoding="utf-8",
        )
        train = ["corpus:anercorp/train", "corpus:gone/train", "/home/me/own-data"]
        run = toy_run | {"data": {"train": train, "corpora": {"anercorp": 0.5, "runs/silver.jsonl": 2.0}}}
        text = place(run=run).readme
        assert (
            "| toy | `anercorp` | 0.5 | news | CC BY-SA 4.0 | &lt;script>alert(1)&lt;/script> \\| CAMeL |"
            in text
        )
        assert "| toy | `corpus:anercorp/train` | 1 | news | CC BY-SA 4.0 |" in text
        assert "- `anercorp`: Benajiba, Rosso and Benedí Ruiz 2007" in text
        assert (
            "| toy | `silver.jsonl` | 2 | raw text annotated by a model (self-training) | not stated |"
            in text
        )
        assert "`own-data`" in text and "/home/me" not in text
        assert "of the annotated training data: CC BY-SA 4.0." in text

    def test_pretraining_is_told_from_its_record(
        self,
        place: Callable[..., cards.Card],
        tmp_path: Path,
        schema,
        toy_run: dict[str, Any],
        pretraining: dict[str, Any],
        model_folder: Callable[..., Path],
    ) -> None:
        folder = model_folder(tmp_path / "models" / "toy", schema, run=toy_run)
        (folder / "pretraining.json").write_text(json.dumps(pretraining), encoding="utf-8")
        text = place().readme
        assert (
            "| pretraining | electra | 1,000 steps, 3,686,400 tokens | 2.0 h | Xeon, 2 cores | 0.12 kWh |"
            in text
        )
        assert (
            "| toy | fine-tuning | 2 epochs of 1,234 documents | 90 s | not recorded | not estimated |"
            in text
        )
        assert "training time × an assumed power of 60 W; nothing was metered" in text
        assert (
            "`news.txt.zst` | tokenizer ×1, stream ×0.5 | Arabic news" in text and "`abababababab…`" in text
        )
        assert "| `poems.txt` | stream ×1 |  | not stated |" in text
        assert "Several of the news sources state no licence" in text

    def test_writing_seals_the_folder_again(
        self,
        tmp_path: Path,
        schema: LabelSchema,
        toy_run: dict[str, Any],
        model_folder: Callable[..., Path],
        store_result: Callable[..., None],
    ) -> None:
        folder = model_folder(tmp_path / "toy", schema, run=toy_run)
        (folder / "calibration.svg").write_text("of an older result", encoding="utf-8")
        write_manifest(folder)
        card = cards.write(folder, results=tmp_path)
        assert verify(folder) == folder and (folder / "README.md").read_text(encoding="utf-8") == card.readme
        assert not (folder / "calibration.svg").exists()
        store_result(tmp_path / "toy_dev.json", folder, schema)
        card = cards.write(folder, results=tmp_path)
        assert (folder / "calibration.svg").read_text(encoding="utf-8") == card.chart != ""
        verify(folder)
        assert cards.write(folder, results=tmp_path) == card, "the card has no part in what it describes"

    def test_faulty_files_are_named(self, place: Callable[..., cards.Card], tmp_path: Path) -> None:
        place(dev=True)
        path = tmp_path / "results" / "toy_dev.json"
        path.write_text("{", encoding="utf-8")
        with pytest.raises(DataError, match=r"toy_dev\.json: not JSON"):
            place()
        path.write_text("{}", encoding="utf-8")
        with pytest.raises(DataError, match="system, data, details, intervals, evaluation missing"):
            place()
        assert cards.main(["no-such-model"]) == 2
