"""Speed: what is timed and how it is summed up; how long anything takes is not tested."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from isnad.eval.benchmark import speed
from isnad.eval.benchmark.adapters import open_models
from isnad.eval.benchmark.speed import (
    SpeedSettings,
    excerpt,
    measure_speed,
    percentiles,
    ratio_interval,
    time_rounds,
    time_starts,
)
from isnad.eval.benchmark.speed_process import Contestant, running
from isnad.model.errors import ConfigError, DataError, IsnadError, ModelError
from isnad.model.schema import LabelSchema
from isnad.model.text import words
from typer.testing import Result


def test_excerpts_have_so_many_words():
    texts = ["زار قاآني بغداد، ثم عاد.", "وصل الوفد إلى لندن"]
    for count in (1, 3, 7, 8, 11, 30, 500):
        text = excerpt(texts, count)
        assert len(words(text)) == count
    assert excerpt(texts, 3) == "زار قاآني بغداد"
    assert excerpt(texts, 12).startswith("زار قاآني بغداد، ثم عاد.\nوصل الوفد إلى لندن\nزار")
    with pytest.raises(DataError, match="no words"):
        excerpt(["", " \n"], 3)


def test_percentiles():
    assert percentiles([3.0, 1.0, 2.0]) == {"p50": 2.0, "p95": pytest.approx(2.9), "n": 3}


def test_ratio_of_interleaved_rounds():
    random = np.random.default_rng(0)
    # Twice as fast in every round, though the machine itself was five times slower in the last one.
    found = ratio_interval([2.0, 2.2, 10.0], [1.0, 1.1, 5.0], random)
    assert found == {"value": pytest.approx(2.0), "low": pytest.approx(2.0), "high": pytest.approx(2.0)}
    found = ratio_interval([1.0, 1.0, 1.0, 1.0], [0.5, 2.0, 0.5, 2.0], random)
    assert found["value"] == pytest.approx(0.8) and found["low"] == pytest.approx(0.5)
    assert found["low"] < found["value"] < found["high"]
    assert ratio_interval([2.0], [1.0], random) == {"value": 2.0, "low": None, "high": None}


def test_settings():
    with pytest.raises(ConfigError, match="rounds is 0"):
        SpeedSettings(rounds=0)


def test_two_models_side_by_side(tiny_model: Path, schema: LabelSchema):
    candidates = open_models([f"a={tiny_model}", f"b={tiny_model}"], schema=schema)
    told: list[str] = []
    found = measure_speed(
        candidates,
        ["زار قاآني بغداد ثم عاد إلى طهران."] * 3,
        baseline="a",
        settings=SpeedSettings(rounds=2, starts=1, repeats=1, words=10),
        progress=told.append,
    )
    assert told == ["start 1 of 1: a", "start 1 of 1: b", "warming up", "round 1 of 2", "round 2 of 2"]
    assert (found["baseline"], found["rounds"], found["texts"], found["words"]) == ("a", 2, 2, 16)
    a, b = found["models"]["a"], found["models"]["b"]
    assert a["ratio"] is None and b["ratio"]["low"] <= b["ratio"]["value"] <= b["ratio"]["high"]
    for m in (a, b):
        assert m["words_per_second"] > 0 and m["size"] == candidates[0].size
        # Of a process with torch, in bytes; not that of this one, which holds every test's model.
        assert 50e6 < m["peak_memory"] < 4e9
        assert m["cold_start"]["p50"] >= m["first_call"]["p50"] and m["sentence_30"]["n"] == 2
    assert [len(v) for v in found["round_seconds"].values()] == [2, 2]


def test_a_model_that_cannot_be_loaded(tmp_path: Path, tiny_model: Path, schema: LabelSchema):
    import shutil

    folder = shutil.copytree(tiny_model, tmp_path / "broken")
    (candidate,) = open_models([str(folder)], schema=schema)
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    broken = Contestant("broken", {"spec": candidate.spec, "schema": "wojood", "download": False})
    with pytest.raises(ModelError, match="differs from"), running(broken):
        pass


def test_who_fails_is_left_out_and_the_others_go_on(tiny_model: Path):
    good = Contestant("good", {"isnad": str(tiny_model), "backend": "torch", "device": "cpu"})
    absent = Contestant("absent", {"isnad": "/nowhere/قاآني", "backend": "torch", "device": "cpu"})
    settings = SpeedSettings(rounds=1, starts=1, repeats=1, words=10)
    why: dict[str, str] = {}

    def failed(name: str, error: IsnadError) -> None:
        why[name] = str(error)

    starts = time_starts([absent, good], ["زار قاآني بغداد"], settings, failed=failed)
    assert list(starts) == ["good"] and len(starts["good"]) == 1 and "no model at" in why.pop("absent")
    timed = time_rounds([absent, good], {"all": ["زار قاآني بغداد"]}, settings, failed=failed)
    assert list(timed) == ["good"] and len(timed["good"].seconds["all"]) == 1 and list(why) == ["absent"]
    with pytest.raises(ModelError, match="no model at"):
        time_rounds([good, absent], {"all": ["زار"]}, settings)


@pytest.mark.slow
def test_command_times_models_and_the_report_shows_it(
    isnad: Callable[..., Result], tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ISNAD_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(speed, "SpeedSettings", partial(SpeedSettings, starts=1, repeats=2, words=10))
    out = tmp_path / "out"
    command = (
        "benchmark",
        f"نموذج={tiny_model}",
        f"b={tiny_model}",
        "--baseline",
        "b",
        "-d",
        "seeds:articles",
        "-o",
        out,
    )
    result = isnad(*command, "--speed-only", "--rounds", "2")
    assert result.exit_code == 0, (result.stderr, result.exception)
    assert f"wrote {out / 'speed.json'}" in result.stderr and not (out / "report.html").exists()
    stored = json.loads((out / "speed.json").read_text(encoding="utf-8"))
    ratio, latency = stored["models"]["نموذج"]["ratio"], stored["models"]["b"]["sentence_30"]
    assert stored["models"]["b"]["ratio"] is None and latency["n"] == 4 and latency["p50"] <= latency["p95"]
    row = next(line for line in result.stdout.splitlines() if "times as fast as b" in line)
    assert f"{ratio['value']:.2f} [{ratio['low']:.2f}, {ratio['high']:.2f}]" in row and "baseline" in row
    assert "sentence of 30 words" in result.stdout and "fresh process to first answer" in result.stdout
    # Measured later with the same models: the times stand in the report, single rounds do not.
    assert isnad(*command).exit_code == 0
    page = (out / "report.html").read_text(encoding="utf-8")
    assert 'id="speed"' in page and "sentence 30 p95, ms" in page and "round seconds" not in page
