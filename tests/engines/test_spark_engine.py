"""Spark: a real session on this machine, its Python workers killed, its failed jobs gone on with."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from engine_runs import almost, check_command, interrupted
from isnad.model.engines import plan, spark_engine
from isnad.model.errors import ConfigError, ModelError
from isnad.model.inference import Extractor
from isnad.model.predictor import Predictor
from typer.testing import Result

if not all(map(find_spec, ("pyspark", "pandas", "pyarrow"))):
    pytest.skip("needs Spark: pip install 'isnad[spark]'", allow_module_level=True)
if not os.environ.get("JAVA_HOME") and shutil.which("java") is None:
    pytest.skip("needs Java 17 or newer", allow_module_level=True)

pytestmark = [pytest.mark.spark, pytest.mark.usefixtures("one_thread", "session")]


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    """A session of two cores, made and stopped as a run without one does it; the runs of all tests take it."""
    from pyspark.sql import SparkSession

    with spark_engine.cluster(2, "cpu"):
        active = SparkSession.getActiveSession()
        assert active is not None
        yield active
    assert SparkSession.getActiveSession() is None


def test_killed_workers(mapped: Any, deadly: Callable[[int], Path], locally: Any, tmp_path: Path) -> None:
    left = deadly(1)
    mapped("spark", tmp_path / "out").check(locally("jsonl"))
    assert not any(left.iterdir())  # a worker was killed


def test_a_failed_run_goes_on(
    mapped: Any, deadly: Callable[[int], Path], locally: Any, tmp_path: Path
) -> None:
    out, left = tmp_path / "out", deadly(99)
    with pytest.raises(
        ModelError, match=r"3 workers died on .*; complete parts stay, and the same command goes on"
    ):
        mapped("spark", out, part_size=10)
    before, units = interrupted(out), plan.load(out)
    assert units is not None and len((out / "_manifest.jsonl").read_bytes().splitlines()) <= len(units)
    for path in left.iterdir():
        path.unlink()
    mapped("spark", out, part_size=10).check(locally("jsonl"))
    assert {name: (out / name).stat().st_mtime_ns for name in before} == before


def test_the_command(
    isnad: Callable[..., Result], inputs: list[Path], tiny_model: Path, locally: Any, tmp_path: Path
) -> None:
    check_command("spark", isnad, inputs, tiny_model, locally("parquet"), tmp_path / "out")


def test_what_is_refused(mapped: Any, inputs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^threshold for the unknown label 'PERSON'"):
        mapped("spark", tmp_path / "out", names=inputs[:1], thresholds={"PERSON": 0.5})
    with pytest.raises(ConfigError, match="2 workers with a session of Spark that is there already"):
        mapped("spark", tmp_path / "out", workers=2)
    with pytest.raises(ConfigError, match="the device 'cuda' with the engine spark; accepted: cpu"):
        mapped("spark", tmp_path / "out", device="cuda")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("as_json", [False, True])
def test_predictor_in_map_in_pandas(tiny_model: Path, session: Any, as_json: bool) -> None:
    texts = [
        "التقى إسماعيل قاآني في بغداد قادة الحشد الشعبي 🇮🇶",
        "",
        None,
        "وصل وزير الخارجية الإيراني إلى دمشق",
    ]
    frame = session.createDataFrame(
        [(n, text) for n, text in enumerate(texts)], "id long, text string"
    ).coalesce(1)
    predictor = Predictor(tiny_model, as_json=as_json, threads=1)
    rows = frame.mapInPandas(predictor.frames, predictor.spark_schema(frame.schema)).collect()
    assert [(row.id, row.text) for row in rows] == list(enumerate(texts))
    assert [row.error for row in rows] == [None, None, "the text is null; accepted: a string", None]
    expected = Extractor.from_pretrained(tiny_model).pipe(
        [(str(n), t) for n, t in enumerate(texts) if t is not None]
    )
    for row, document in zip((row for row in rows if row.text is not None), expected, strict=True):
        if as_json:
            assert json.loads(row.document) == almost(document.to_dict())
            continue
        found = row.asDict(recursive=True)
        assert found["entities"] == almost(
            [{key: getattr(e, key) for key in e.__slots__} for e in document.entities]
        )
        assert found["clusters"] == [list(cluster) for cluster in document.clusters]
        assert len(found["relations"]) == len(document.relations)
