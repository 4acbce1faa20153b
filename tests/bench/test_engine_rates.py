"""Documents a second by engine: the command as a user runs it, on few and on many documents."""

import json
from pathlib import Path

import pytest
from isnad.eval.bench import engine_rates
from isnad.eval.bench.engine_rates import WORKERS, EngineSettings
from isnad.eval.tables_speed import render_engines
from isnad.model.errors import ConfigError, ModelError


def test_the_local_engine_is_measured_and_shown(tiny_model: Path, tmp_path: Path) -> None:
    sizes = "--few 2 --many 12 --words 300 --rounds 1 --part-size 2".split()
    engine_rates.main(
        ["-o", str(tmp_path / "engines.json"), "--engines", "local", "--model", str(tiny_model), *sizes]
    )
    stored = json.loads((tmp_path / "engines.json").read_text(encoding="utf-8"))
    found = stored["engines"]["local"]
    ((few, many),) = found["seconds"]
    rate = found["documents_per_second"]
    assert rate["low"] == rate["value"] == rate["high"] == pytest.approx(10 / max(many - few, 1e-9))
    # What is left of the first run when its documents are taken off.
    assert found["start"] == pytest.approx(few - 2 / rate["value"])
    assert found["workers"] == 1
    assert found["worker_memory"] > 50 * 2**20  # numpy, tokenizers and a backend are in it
    assert stored["settings"]["model"] == str(tiny_model) and "--many 12" in stored["command"]
    assert "| local | 1 |" in render_engines(tmp_path)


def test_the_medians_are_over_rounds() -> None:
    settings = EngineSettings(few=10, many=110, workers=4)
    found = engine_rates._rates(settings, [(7.0, 27.0), (8.0, 33.0), (6.0, 16.0)], "ray", 5)
    assert found["documents_per_second"] == {"value": 5.0, "low": 4.0, "high": 10.0}
    assert found["start"] == pytest.approx(5.0)  # of 5.0, 5.5 and 5.0
    assert found["workers"] == 4 and found["worker_memory"] == 5


def test_whose_memory_counts() -> None:
    assert WORKERS["ray"]("ray::MapWorker(MapBatches(Extraction))") and not WORKERS["ray"]("ray::IDLE")
    assert WORKERS["spark"]("python3 -m pyspark.daemon") and not WORKERS["spark"]("java -cp spark")
    assert WORKERS["local"]("python -m isnad.cli extract a.jsonl")


def test_faults(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"engines .*dask.*; accepted: local, ray, spark"):
        EngineSettings(engines=("dask",))
    with pytest.raises(ConfigError, match="480 and 480 documents"):
        EngineSettings(few=480)
    settings = EngineSettings(engines=("local",), few=1, many=2, model=str(tmp_path / "none"))
    with pytest.raises(ModelError, match="ended with"):
        engine_rates.measure_engines(settings)
