"""Model cards: made from files only, whatever is missing, and equal to what is committed."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from isnad.eval.evaluate import evaluate
from isnad.eval.model_results import calibration_of, headline, model_details, sets
from isnad.eval.stored import save_result
from isnad.model.document import Document, Relation
from isnad.model.errors import DataError
from isnad.model.schema import LabelSchema
from isnad.model.store import EMBEDDED, embedded_models, verify, write_manifest
from isnad.model.text import make_entity
from isnad.training import card as cards
from isnad.training.model_facts import ModelFacts
from safetensors.numpy import save_file

TEXT = "زار عبد اللهيان بيروت ثم التقى نصرالله في لبنان."
SVG = "{http://www.w3.org/2000/svg}"


def annotated(id_: str, *labels: str, scores: tuple[float, ...] = (), visited: bool = True) -> Document:
    """Return TEXT with its four names; other labels than right ones make mistakes."""
    names = ("عبد اللهيان", "بيروت", "نصرالله", "لبنان")
    entities = [
        replace(
            make_entity(TEXT, TEXT.index(name), TEXT.index(name) + len(name), label, score=score), id=f"T{n}"
        )
        for n, (name, label, score) in enumerate(
            zip(names, labels or RIGHT, scores or (1.0,) * 4, strict=True), 1
        )
    ]
    relations = [Relation("T1", "visited", "T2", 0.7 if scores else 1.0)] if visited else []
    return Document(TEXT, tuple(entities), tuple(relations), id=id_)


RIGHT = ("PERS", "GPE", "PERS", "GPE")
GOLD = [annotated("siyasa-001"), annotated("siyasa-002"), annotated("alaqat-001", visited=False)]
FOUND = [
    annotated("siyasa-001", scores=(0.95, 0.9, 0.85, 0.8)),
    annotated("siyasa-002", "PERS", "LOC", "PERS", "GPE", scores=(0.9, 0.6, 0.8, 0.7)),
    annotated("alaqat-001", "PERS", "GPE", "ORG", "GPE", scores=(0.9, 0.9, 0.5, 0.9)),
]
RUN = {
    "name": "toy",
    "encoder": {"path": "runs/pretrain/encoder"},
    "data": {"train": ["seeds:authored/train", "seeds:authored/train"], "dev": ["seeds:authored/dev"]},
    "seed": 7,
}
METRICS = {
    "dev": {"span_f1": 0.5},
    "seconds": 90.0,
    "epochs": 2.0,
    "train_documents": 1234,
    "dev_documents": 3,
    "seed": 7,
}
PRETRAINING = {
    "objective": "electra",
    "steps": 1000,
    "tokens": 3_686_400,
    "seconds": 7200.0,
    "machine": {"cpu": "Xeon", "cores": 2, "threads": 2},
    "energy_estimate": {"method": "estimate", "watts": 60.0, "kilowatt_hours": 0.12},
    "loss_history": [{"step": 1, "loss": 9.9}],
    "data": {
        "texts": {
            "tokenizer": [{"file": "news.txt.zst", "weight": 1.0, "sha256": "ab" * 32}],
            "stream": [
                {"file": "news.txt.zst", "weight": 0.5, "sha256": "ab" * 32},
                {"file": "poems.txt", "weight": 1},
            ],
        }
    },
    "config": {"name": "pretraining", "objective": "electra", "seed": 3},
}


def model_folder(folder: Path, schema: LabelSchema, *, run: dict[str, Any] | None = None) -> Path:
    """Make a folder with the files of a model, small and without sense."""
    folder.mkdir(parents=True)
    config = {
        "model_type": "isnad",
        "model_name": folder.name,
        "labels": schema.to_dict(),
        "encoder": {"model_type": "x"},
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    save_file(
        {"w": np.zeros((300, 7), np.float32), "letters": np.zeros((2, 5), np.int16)},
        folder / "model.safetensors",
    )
    if run is not None:
        (folder / "training.yaml").write_text(yaml.safe_dump(run, allow_unicode=True), encoding="utf-8")
        (folder / "metrics.json").write_text(json.dumps(METRICS), encoding="utf-8")
    return folder


@pytest.fixture
def place(tmp_path: Path, schema: LabelSchema) -> Callable[..., cards.Card]:
    """Renders the card of a toy model with results and root of its own."""
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "CITATION.cff").write_text(
        "title: 'isnad: toy'\nlicense: Apache-2.0\nversion: 9.8.7\n"
        "authors: [{given-names: ليلى, family-names: Haddad}]\n",
        encoding="utf-8",
    )

    def render(*, run: dict[str, Any] | None = RUN, dev: bool = False) -> cards.Card:
        folder = tmp_path / "models" / "toy"
        if not folder.exists():
            model_folder(folder, schema, run=run)
        if dev:
            store_result(tmp_path / "results" / "toy_dev.json", folder, schema)
        return cards.render(folder, results=tmp_path / "results", root=tmp_path / "root")

    return render


def store_result(path: Path, folder: Path, schema: LabelSchema) -> None:
    evaluation = evaluate(GOLD, FOUND, schema)
    views = calibration_of(GOLD, {"returned": FOUND, "candidates": FOUND}, schema)
    calibration = {
        "folds": 3,
        "floor": 0.05,
        "in_sample": views,
        "cross_fitted": views,
        "cross_fitted_scores": headline(evaluation),
    }
    save_result(
        path,
        evaluation,
        system="toy",
        data="seeds:authored/dev",
        documents=GOLD,
        command="python -m isnad.eval.model_results toy -o eval/results/toy_dev.json",
        seed=7,
        details=model_details(folder) | {"sets": sets(evaluation), "calibration": calibration},
    )


def front(card: cards.Card) -> dict[str, Any]:
    return yaml.safe_load(card.readme.split("---\n")[1])


class TestCard:
    def test_shows_the_stored_scores(self, place: Callable[..., cards.Card]) -> None:
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
        ece = evaluate_ece()
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
        self, place: Callable[..., cards.Card], tmp_path: Path, schema
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

        assert "gold, articles" in shown(RUN) and "--leave-one-out --config toy.yaml" in shown(RUN)
        assert "gold, articles" in shown(RUN | {"newer_key": 1})
        assert "gold, articles" not in shown(RUN | {"seed": 8})
        assert "gold, articles" not in shown(RUN, system="other")
        assert "`other`, which continues it, is" in shown({"encoder": {"path": "toy"}}, system="other")

    def test_corpora_come_with_licence_and_citation(
        self, place: Callable[..., cards.Card], tmp_path: Path
    ) -> None:
        data = tmp_path / "root" / "configs" / "data"
        data.mkdir(parents=True)
        (data / "anercorp.yaml").write_text(
            "licence: CC BY-SA 4.0\norigin: '<script>alert(1)</script> | CAMeL'\ngenre: news\n"
            "citation: 'Benajiba, Rosso and Benedí Ruiz 2007'\n",
            encoding="utf-8",
        )
        train = ["corpus:anercorp/train", "corpus:gone/train", "/home/me/own-data"]
        run = RUN | {"data": {"train": train, "corpora": {"anercorp": 0.5, "runs/silver.jsonl": 2.0}}}
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
        self, place: Callable[..., cards.Card], tmp_path: Path, schema
    ) -> None:
        folder = model_folder(tmp_path / "models" / "toy", schema, run=RUN)
        (folder / "pretraining.json").write_text(json.dumps(PRETRAINING), encoding="utf-8")
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

    def test_writing_seals_the_folder_again(self, tmp_path: Path, schema: LabelSchema) -> None:
        folder = model_folder(tmp_path / "toy", schema, run=RUN)
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


def evaluate_ece() -> float:
    """Return the calibration error of FOUND, from its scores as they stand there, over 15 bins."""
    wrong = {(1, 1), (2, 2)}
    items = [
        (e.score, (d, n) not in wrong) for d, found in enumerate(FOUND) for n, e in enumerate(found.entities)
    ]
    total = 0.0
    for b in range(15):
        inside = [(s, c) for s, c in items if b / 15 < s <= (b + 1) / 15]
        total += abs(sum(c for _, c in inside) - sum(s for s, _ in inside))
    return total / len(items)


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
        self, isnad, tmp_path: Path, schema: LabelSchema, place: Callable[..., cards.Card]
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
        assert rows["Span ECE, cross-fitted"] == f"{100 * evaluate_ece():.1f}%"
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
    def test_foreign_cards_do_no_harm(self, isnad, tmp_path: Path, schema: LabelSchema, text: str) -> None:
        folder = model_folder(tmp_path / "toy", schema, run=RUN)
        (folder / "README.md").write_text(text, encoding="utf-8")
        result = isnad("info", folder)
        assert result.exit_code == 0 and "dev span f1" in result.stdout, result.stderr

    def test_names_from_a_card_are_no_markup(self, isnad, tmp_path: Path, schema: LabelSchema) -> None:
        folder = model_folder(tmp_path / "toy", schema, run=RUN)
        index = [
            {"results": [{"dataset": {"name": "[red]x[/]"}, "metrics": [{"type": "[b]f1", "value": 0.5}]}]}
        ]
        (folder / "README.md").write_text(
            f"---\n{yaml.safe_dump({'model-index': index})}---\n", encoding="utf-8"
        )
        out = isnad("info", folder).stdout
        assert "[red]x[/]" in out and "[b]f1" in out and "50.0%" in out
