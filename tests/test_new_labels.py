"""The table of the tutorial: new labels measured on test data, old ones taken from the runs."""

import json
from pathlib import Path

import pytest
from isnad.eval.new_labels import main, measure_runs, render
from isnad.model.document import Document, Entity
from isnad.model.errors import DataError
from isnad.model.schema import LabelSchema
from isnad.training.data import write_documents


@pytest.fixture
def run(tiny_model: Path, tmp_path: Path) -> Path:
    """A finished run of which only what is read here is made: the model folder and two records."""
    folder = tmp_path / "runs/40"
    (folder / "model").mkdir(parents=True)
    for file in tiny_model.iterdir():
        if file.name != "manifest.json":
            (folder / "model" / file.name).write_bytes(file.read_bytes())
    metrics = json.loads((folder / "model/metrics.json").read_text(encoding="utf-8")) | {"seconds": 3.0}
    (folder / "model/metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    record = {"base": "isnad-small", "examples": {"GPE": 40}, "annotates": ["GPE"]}
    (folder / "model/extension.json").write_text(json.dumps(record), encoding="utf-8")
    change = {"a": 0.8, "b": 0.79, "difference": -0.01, "interval": None, "p_value": 0.5, "p_adjusted": 0.5}
    forgetting = {"spans": {"change": change}, "relations": {"change": change}, "lost": ["ORG"]}
    (folder / "forgetting.json").write_text(json.dumps(forgetting), encoding="utf-8")
    return folder


def test_only_what_the_test_annotates_counts(run: Path, schema: LabelSchema, tmp_path: Path) -> None:
    text = "وصل قاآني إلى بغداد."
    entities = (
        Entity("T1", 4, 9, "PERS", "قاآني", "قاآني", word_start=4, word_end=9),
        Entity("T2", 14, 19, "GPE", "بغداد", "بغداد", word_start=14, word_end=19),
    )
    path = tmp_path / "test.jsonl"
    write_documents([Document(text, entities, id="a")], path, format="jsonl", schema=schema)
    content = measure_runs([run], [str(path)])
    row = content["runs"][0]
    assert set(row["new"]) == {"GPE"} and row["new"]["GPE"]["support"] == 1
    assert row["lost"] == ["ORG"] and row["old"]["spans"]["after"] == 0.79
    assert content["test_documents"] == 1
    output = tmp_path / "result.json"
    assert main([str(run), "--test", str(path), "-o", str(output)]) == 0
    stored = json.loads(output.read_text(encoding="utf-8"))
    assert stored["runs"] == content["runs"] and stored["command"].endswith(str(output))
    table = render(stored).splitlines()
    assert table[0].startswith("| run | GPE F1 |") and "| 80.0 → 79.0 |" in table[2] and "| ORG |" in table[2]


def test_a_folder_without_a_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DataError, match="isnad train --base"):
        measure_runs([tmp_path], ["seeds:articles"])
    assert main([str(tmp_path), "--test", "seeds:articles", "-o", str(tmp_path / "x.json")]) == 2
    assert "error: " in capsys.readouterr().err
