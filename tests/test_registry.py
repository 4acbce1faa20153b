"""The registry: results come back, replace older ones, survive several writers, and faults are named."""

import json
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from isnad.eval.benchmark.registry import VERSION, Record, Registry, default_registry
from isnad.eval.evaluate import evaluate
from isnad.eval.evaluation import Evaluation
from isnad.model.document import Document
from isnad.model.errors import ConfigError, DataError
from isnad.model.schema import LabelSchema


@pytest.fixture(scope="module")
def record(articles: list[Document], schema: LabelSchema) -> Record:
    evaluation: Evaluation = evaluate(articles, articles, schema)
    return Record(
        model="النموذج",
        model_hash="0123456789ab",
        spec="runs/a/model",
        kind="isnad",
        data="seeds:articles",
        data_hash="d0",
        schema_hash=schema.hash,
        labels_hash="l0",
        code_hash="c0",
        convention="char",
        flat=False,
        revision="abc",
        made="2026-01-01T00:00:00Z",
        scores={"entities": {"f1": 1.0}},
        evaluation=evaluation,
    )


def test_results_come_back(tmp_path: Path, record: Record):
    registry = Registry(tmp_path / "a/b/r.sqlite")
    assert registry.records() == [] and not registry.path.exists()
    registry.add(record)
    (listed,) = registry.records()
    assert listed == replace(record, evaluation=None)
    assert registry.with_counts(listed) == record
    assert json.loads(json.dumps(listed.to_dict()))["scores"] == {"entities": {"f1": 1.0}}


def test_measured_again(tmp_path: Path, record: Record):
    """The same model, data, labels, code and convention: the newer result stays. Anything else is a new one."""
    registry = Registry(tmp_path / "r.sqlite")
    registry.add(record)
    registry.add(replace(record, scores={"entities": {"f1": 0.5}}, made="2026-01-02T00:00:00Z"))
    (only,) = registry.records()
    assert only.scores == {"entities": {"f1": 0.5}}
    others = [
        {"code_hash": "c1"},
        {"flat": True},
        {"convention": "word"},
        {"data_hash": "d1"},
        {"model_hash": "m1"},
        {"model": "again"},
    ]
    for change in others:
        registry.add(replace(record, **change))  # type: ignore[arg-type]
    assert len(registry.records()) == 1 + len(others)
    assert [r.made for r in registry.records()] == sorted(r.made for r in registry.records())


def test_default_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("ISNAD_HOME", str(tmp_path))
    assert default_registry() == tmp_path / "registry.sqlite"
    monkeypatch.delenv("ISNAD_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert default_registry() == tmp_path / "data/isnad/registry.sqlite"


WRITER = """
import sys
from pathlib import Path
from isnad.eval.benchmark.registry import Record, Registry
from isnad.eval.evaluation import Evaluation

evaluation = Evaluation((), {"name": "s", "version": "1", "hash": "h"}, ("PERS",), ())
registry = Registry(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for n in range(25):
    registry.add(Record("m", f"{sys.argv[2]}{n}", "m", "isnad", "d", "d", "s", "l", "c", "char", False, "r",
                        "2026-01-01T00:00:00Z", {}, evaluation))
"""


def test_two_writers(tmp_path: Path):
    """Both begin on a file that is not there yet, and nothing of either is lost."""
    path = tmp_path / "r.sqlite"
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in "ab"
    ]
    for run in runs:
        assert run.stdout and run.stdout.readline() == "ready\n"
    for run in runs:
        assert run.stdin
        run.stdin.write("go\n")
        run.stdin.flush()
    faults = [run.communicate(timeout=60)[1] for run in runs]
    assert faults == ["", ""] and all(run.returncode == 0 for run in runs)
    assert len(Registry(path).records()) == 50


def test_faulty_files(tmp_path: Path, record: Record):
    text = tmp_path / "text.sqlite"
    text.write_text("no database, but long enough to be read as one " * 20, encoding="utf-8")
    with pytest.raises(DataError, match="not a registry"):
        Registry(text).records()
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE songs (name TEXT)")
    with pytest.raises(DataError, match=r"another database \(songs\)"):
        Registry(other).add(record)
    newer = tmp_path / "newer.sqlite"
    with sqlite3.connect(newer) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    for act in (Registry(newer).records, lambda: Registry(newer).add(record)):
        with pytest.raises(DataError, match=f"accepted: a registry of version {VERSION}"):
            act()
    with pytest.raises(ConfigError, match="name another --registry"):
        Registry(text / "below.sqlite").add(record)
    with pytest.raises(DataError, match="without its evaluation"):
        Registry(tmp_path / "r.sqlite").add(replace(record, evaluation=None))


def test_damaged_counts(tmp_path: Path, record: Record):
    registry = Registry(tmp_path / "r.sqlite")
    registry.add(record)
    with sqlite3.connect(registry.path) as db:
        db.execute("UPDATE results SET evaluation = x'00'")
    with pytest.raises(DataError, match="damaged counts"):
        registry.with_counts(registry.records()[0])
    with pytest.raises(DataError, match="is gone"):
        registry.with_counts(replace(record, code_hash="c9"))
