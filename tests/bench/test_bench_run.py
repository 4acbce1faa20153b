"""`isnad bench` from end to end with a tiny model: numbers, failures, resumption, tables, plots; no time is tested."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from isnad.eval.bench import contestants, groups, run
from isnad.eval.bench.plots import Bar, Line, bar_plot, line_plot, short
from isnad.eval.bench.report import to_html
from isnad.eval.bench.run import run_bench
from isnad.eval.bench.settings import FILE, PARTIAL, BenchSettings, Stages
from isnad.eval.bench.tables import failures, shown, throughput
from isnad.eval.benchmark.report_tables import Quantity
from isnad.eval.benchmark.speed import SpeedSettings
from isnad.model.document import Document
from isnad.model.errors import ConfigError, ModelError
from typer.testing import Result

RATE = {"value": 500.0, "low": 400.0, "high": 600.0}
POINT = {"seconds": [2.0, 4.0], "peak_memory": 2**20 * 300, "found": 3}


def contestant(rate: float, *, own: bool, ratios: dict[str, Any]) -> dict[str, Any]:
    latency = {"p50": 0.01, "p95": 0.02, "n": 5}
    return {
        "words_per_second": rate,
        "rate": {"value": rate, "low": rate * 0.9, "high": rate * 1.1},
        "ratios": ratios,
        "cold_start": {"p50": 2.5, "p95": 3.0, "n": 3},
        "first_call": latency,
        "sentence_30": latency,
        "article_500": latency,
        "peak_memory": 2**20 * 400,
        "size": 2**20 * 27,
        "hash": "abc",
        "entities": 10,
        "ours": own,
        "flops_per_word": 2e6,
    }


@pytest.fixture
def content() -> dict[str, Any]:
    """A result, as `bench.json` holds it."""
    slow, fast = "<م> pipeline, batch 1", "<م> pipeline, batch 8"
    ratio = {"value": 5.0, "low": 4.5, "high": 5.5}
    return {
        "made": "2026-01-02T03:04Z",
        "revision": "r",
        "command": "isnad bench",
        "machine": {"cpu": "<script>", "cores": 2, "threads": 2},
        "environment": {"OMP_NUM_THREADS": "2"},
        "versions": {"torch": "2"},
        "load": {"before": [0.1], "after": [0.2]},
        "settings": {
            "data": ["seeds:articles"],
            "speed": {"rounds": 5, "starts": 3},
            "seed": 0,
            "device": "cpu",
        },
        "texts": 5,
        "words": 2354,
        "peaks": {"float32": 1e11},
        "left_out": {"stanza": "stanza is not installed; write: pip install stanza"},
        "groups": [
            {
                "name": "<م>",
                "default": slow,
                "best": fast,
                "density": {"candidates": 20.0},
                "work": {"words": 100, "flops": 4_000_000, "parts": {"encoder": 3_000_000}},
                "failed": {"<م> onnx": "no <b>"},
                "contestants": {
                    "<م> torch": contestant(5000.0, own=True, ratios={slow: ratio, fast: ratio}),
                    slow: contestant(1000.0, own=False, ratios={fast: ratio}),
                    fast: contestant(1200.0, own=False, ratios={slow: ratio}),
                },
            }
        ],
        "growth": {
            "<م> torch": {
                "points": [{"words": 1000, **POINT}, {"words": 10_000, **POINT}],
                "slope": {"value": 1.01, "low": 0.99, "high": 1.03},
                "bytes_per_word": {"value": 300.0, "low": 200.0, "high": 400.0},
                "left_out": [{"words": 1_000_000, "expected_seconds": 2000.0}],
            }
        },
        "labels": {"<م>": {"points": [{"labels": n, "rate": RATE, **POINT} for n in (5, 80)]}},
    }


def test_throughput_table(content: dict[str, Any]):
    table = throughput(content["groups"][0], content["peaks"])
    assert table.columns == (
        *("model", "words a second", "× pipeline, batch 1", "× pipeline, batch 8"),
        *("GFLOP/s", "% of peak"),
    )
    ours, slow, fast = table.rows
    # 5,000 words of 2 million operations each are 10 GFLOP/s, a tenth of the peak.
    assert ours == (
        "torch",
        Quantity(5000, 4500, 5500),
        *2 * [Quantity(5, 4.5, 5.5)],
        10.0,
        pytest.approx(10.0),
    )
    assert slow[2] == "baseline" == fast[3] and fast[2] == Quantity(5, 4.5, 5.5)


def test_what_was_left_out(content: dict[str, Any]):
    table = failures(content)
    assert table is not None
    told = dict(table.rows)
    assert told["<م> onnx"] == "no <b>" and "pip install stanza" in str(told["stanza"])
    assert "1,000,000 words would take 2,000 s" in str(told["growth: <م> torch"])


def test_report(content: dict[str, Any]):
    page = to_html(content)
    assert page.count("<script>") == 1  # our own; that of the machine is escaped
    assert "<م>" not in page and "&lt;م&gt;" in page and "no <b>" not in page
    for id_ in ("leaderboard", "latency", "growth", "arithmetic", "failures", "about"):
        assert f'<section id="{id_}"' in page and f'href="#{id_}"' in page
    drawings = re.findall(r'<svg class="plot" .*?</svg>', page, re.S)
    assert len(drawings) == 4
    for drawing in drawings:
        ElementTree.fromstring(drawing)
    assert "1.01" in page and "5k · 5.0×" not in page and "5,000 · 5.0×" in page


def test_bars_are_as_long_as_their_values():
    root = ElementTree.fromstring(bar_plot("t", [Bar("a & b", 100, 50, 200, "n"), Bar("c", 50, None, None)]))
    widths = [float(r.attrib["width"]) for r in root.iter() if r.tag == "rect"]
    assert widths == [230.0, 115.0]  # 460 pixels are 200, the upper end of an interval
    assert [p.attrib["d"].split("H")[0] for p in root.iter() if p.tag == "path"] == ["M115.0 25"]
    assert [t.text for t in root.iter() if t.tag == "text"] == ["a & b", "n", "c", None]
    assert bar_plot("t", []) == ""


def test_linear_growth_is_a_straight_line():
    points = [(10.0**n, 2 * 10.0**n, None, None) for n in (1, 2, 4)]
    drawing = line_plot("t", [Line("a", points)], x_title="x", y_title="y", y_log=True)
    path = re.search(r'class="line s0" d="M([^"]*)"', drawing)
    assert path
    (x1, y1), (x2, y2), (x3, y3) = (map(float, p.split()) for p in path[1].split("L"))
    assert (y2 - y1) / (x2 - x1) == pytest.approx((y3 - y2) / (x3 - x2), rel=0.01) and y3 < y2 < y1
    assert line_plot("t", [Line("a", [])], x_title="x", y_title="y") == ""
    assert [short(v) for v in (0.01, 5, 300, 5000, 20_000, 1e6, 2.5e9)] == [
        *("0.01", "5", "300", "5,000", "20k", "1M", "2.5G"),
    ]


def test_stages_are_taken_up_where_they_were(tmp_path: Path):
    def fail() -> dict[str, Any]:
        raise ModelError("broken")

    stages = Stages(tmp_path, {"a": 1})
    assert stages.run("one", lambda: {"x": 1}) == {"x": 1}
    assert stages.run("two", fail) == {"error": "broken"}
    again = Stages(tmp_path, {"a": 1})
    assert again.run("one", fail) == {"x": 1}
    assert Stages(tmp_path, {"a": 2}).run("one", lambda: {"x": 2}) == {"x": 2}  # other facts, other results
    (tmp_path / PARTIAL).write_text("{", encoding="utf-8")
    assert Stages(tmp_path, {"a": 1}).run("one", lambda: {"x": 3}) == {"x": 3}
    again.finish()
    assert not (tmp_path / PARTIAL).exists()


def test_settings():
    with pytest.raises(ConfigError, match=r"stansa.*stanza"):
        BenchSettings(("m",), ("d",), against=("stansa",))
    with pytest.raises(ConfigError, match=r"onx.*onnx"):
        BenchSettings(("m",), ("d",), backends=("onx",))
    with pytest.raises(ConfigError, match="device 'tpu'"):
        BenchSettings(("m",), ("d",), device="tpu")
    with pytest.raises(ConfigError, match="no models"):
        BenchSettings((), ("d",))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """One batch size, and no time spent on the peak."""
    monkeypatch.setattr(contestants, "BATCH_SIZES", (1,))
    monkeypatch.setattr(run, "peaks", lambda device: {"float32": 1e9})
    monkeypatch.setattr(groups, "_COUNTED", 30)


@pytest.mark.usefixtures("small")
def test_run_from_end_to_end(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, json_lines: Callable[..., Path]
):
    plain = "زار قاآني بغداد. ثم عاد إلى طهران.\nوصل الوفد إلى لندن.\n" * 3
    text = json_lines(tmp_path / "مقال.jsonl", Document(plain, id="1").to_dict())
    spec = f"نموذج={tiny_model}"
    settings = BenchSettings(
        (spec,),
        (str(text),),
        against=("transformers", "gliner"),
        backends=("torch", "onnx"),
        lengths=(20, 40),
        labels=(3,),
        speed=SpeedSettings(rounds=1, starts=1, repeats=1, words=30),
    )
    real = contestants.backend_folder

    def broken(folder: Path, backend: str, scratch: Path) -> Path:
        if backend == "onnx":
            raise ModelError("cannot be exported")
        return real(folder, backend, scratch)

    monkeypatch.setattr(contestants, "backend_folder", broken)
    monkeypatch.setattr(contestants, "find_spec", lambda name: None)
    told: list[str] = []
    content = run_bench(settings, tmp_path / "out", command="isnad bench", progress=told.append)
    assert content == json.loads((tmp_path / "out" / FILE).read_text(encoding="utf-8"))
    assert not (tmp_path / "out" / PARTIAL).exists() and content["format"] == 1
    (group,) = content["groups"]
    assert list(group["contestants"]) == ["نموذج torch", "نموذج pipeline, batch 1"]
    assert group["failed"] == {"نموذج onnx": "cannot be exported"} and "gliner" in content["left_out"]
    ours, pipeline = group["contestants"].values()
    assert (
        ours["ours"]
        and not pipeline["ours"]
        and group["default"] == group["best"] == "نموذج pipeline, batch 1"
    )
    assert ours["ratios"][group["best"]]["value"] > 0 and not pipeline["ratios"]
    assert ours["flops_per_word"] > pipeline["flops_per_word"] > 0
    assert set(content["growth"]) == set(group["contestants"])
    for grown in content["growth"].values():
        assert [p["words"] for p in grown["points"]] == [20, 40] and grown["slope"]
    (point,) = content["labels"]["نموذج"]["points"]
    assert point["labels"] == 3 and point["rate"]["value"] > 0
    assert len(shown(content)) == 5 and "نموذج torch" in to_html(content)


def test_command(
    isnad: Callable[..., Result],
    refused: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    content: dict[str, Any],
):
    seen: list[tuple[BenchSettings, str]] = []

    def measured(settings: BenchSettings, output: Path, *, command: str, progress: Any) -> dict[str, Any]:
        seen.append((settings, command))
        return content

    monkeypatch.setattr(run, "run_bench", measured)
    out = tmp_path / "out"
    result = isnad(
        "bench", "--lengths", "", "--labels", "3, 9", "--backends", "torch", "--rounds", 2, "-o", out
    )
    assert result.exit_code == 0, (result.stderr, result.exception)
    ((settings, command),) = seen
    assert settings.models == ("isnad-small",) and settings.lengths == () and settings.labels == (3, 9)
    assert "--labels 3,9" in command and "--lengths ''" in command and "--rounds 2" in command
    assert "× pipeline, batch 8" in result.stdout and "5,000 [4,500, 5,500]" in result.stdout
    assert (out / "bench.html").is_file() and "no <b>" in result.stdout
    refused(isnad("bench", "--lengths", "1k", "-o", out), "--lengths '1k'", "whole numbers")
