"""A toy model with its records, its stored results on three short texts, and the card that is made of them."""

import json
from collections.abc import Callable
from copy import deepcopy
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
from isnad.model.schema import LabelSchema
from isnad.model.text import make_entity
from isnad.training import card as cards
from safetensors.numpy import save_file

TEXT = "زار عبد اللهيان بيروت ثم التقى نصرالله في لبنان."

RIGHT = ("PERS", "GPE", "PERS", "GPE")


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


@pytest.fixture
def toy_run() -> dict[str, Any]:
    """The configuration that the toy model was trained with."""
    return deepcopy(RUN)


@pytest.fixture
def pretraining() -> dict[str, Any]:
    """The record of a pretraining."""
    return {
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


@pytest.fixture(scope="session")
def model_folder() -> Callable[..., Path]:
    """Makes a folder with the files of a model, small and without sense: `model_folder(path, schema, run=…)`."""

    def make(folder: Path, schema: LabelSchema, *, run: dict[str, Any] | None = None) -> Path:
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

    return make


@pytest.fixture(scope="session")
def store_result() -> Callable[..., None]:
    """Stores the evaluation of a toy model on the development texts: `store_result(path, folder, schema)`."""

    def store(path: Path, folder: Path, schema: LabelSchema) -> None:
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

    return store


@pytest.fixture
def place(
    tmp_path: Path, schema: LabelSchema, model_folder: Callable[..., Path], store_result: Callable[..., None]
) -> Callable[..., cards.Card]:
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


@pytest.fixture(scope="session")
def ece() -> float:
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
