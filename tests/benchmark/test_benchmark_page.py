"""The page of a benchmark: well-formed, escaped, closed to the network, and drawn from what is there."""

import base64
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from isnad.eval.benchmark.report import write_report
from isnad.eval.benchmark.report_numbers import Score
from isnad.eval.benchmark.report_plots import Curve, curve_plot, reliability_plot
from isnad.eval.calibration import judge_spans
from isnad.eval.calibration_scores import measure_calibration
from isnad.model.document import Document
from isnad.model.schema import LabelSchema


def test_page_is_well_formed_and_reaches_for_nothing(
    folder: Path, page: Callable[[Path], tuple[str, Any]]
) -> None:
    source, parsed = page(folder)
    assert not re.search(r"https?:|//[a-z]|url\(|@import", re.sub(r"(?m)^\s*//.*$", "", source))
    assert not {tag for tag, _ in parsed.tags} & {"link", "img", "iframe", "object", "base"}
    assert not [k for _, named in parsed.tags for k in named if k.startswith("on") or k == "src"]
    policy = next(v["content"] for t, v in parsed.tags if t == "meta" and "http-equiv" in v)
    run = [text for named, text in parsed.scripts if named.get("type") != "application/json"]
    digest = base64.b64encode(hashlib.sha256(run[0].encode()).digest()).decode()
    assert len(run) == 1 and f"script-src 'sha256-{digest}'" in policy and "default-src 'none'" in policy
    ids = [named["id"] for _, named in parsed.tags if "id" in named]
    assert len(ids) == len(set(ids))
    assert {"leaderboard", "entities", "relations", "confusion", "errors", "about"} <= set(ids)
    linked = {v["href"][1:].split("?")[0] for t, v in parsed.tags if t == "a"}
    assert linked <= set(ids)
    scores = [c.split()[0] for c in parsed.cells if c.strip()]
    assert {"90.9", "50.0", "66.7", "+40.9"} <= set(scores)


def test_names_labels_and_texts_are_escaped(
    tmp_path: Path,
    annotate: Callable[..., Document],
    write_folder: Callable[..., Path],
    page: Callable[[Path], tuple[str, Any]],
) -> None:
    evil = '"><script>alert(1)</script>'
    text = "قال </script><script>alert(2)</script> محمد <!-- شيئا."
    schema = LabelSchema.from_dict({"name": "evil", "entities": [{"name": evil}]})
    gold = [annotate("<b>d|1</b>", text, ("محمد", evil))]
    found = [annotate("<b>d|1</b>", text, ("شيئا", evil))]
    write_folder(
        tmp_path,
        {evil: found, "|[x](y)": gold},
        gold=gold,
        schema=schema,
        baseline=evil,
        slices={evil: {evil: [1, 2, 3]}},
    )
    (tmp_path / "speed.json").write_text(json.dumps({"machine": evil, "models": {evil: {evil: 1.5}}}))
    source, parsed = page(tmp_path)
    assert "<script>alert" not in source and "<b>" not in source and "<!-- " not in source
    assert len([1 for named, _ in parsed.scripts if named.get("type") != "application/json"]) == 1
    ((_, stored),) = [s for s in parsed.scripts if s[0].get("type") == "application/json"]
    assert json.loads(stored)["sentences"][0][1] == text
    assert evil in parsed.cells
    (path,) = write_report(tmp_path, formats=["md"])
    assert "<script" not in path.read_text(encoding="utf-8") and r"\|\[x\](y)" in path.read_text(
        encoding="utf-8"
    )


def test_optional_parts_may_be_missing(
    tmp_path: Path,
    write_folder: Callable[..., Path],
    page: Callable[[Path], tuple[str, Any]],
    toy_old: list[Document],
) -> None:
    folder = write_folder(tmp_path, {"old": toy_old}, keep=False)
    (folder / "benchmark.json").unlink()
    source, parsed = page(folder)
    assert "No predictions were kept" in source and "errors" in parsed.ids()
    assert not {"speed", "slices", "robustness", "calibration", "curves", "browser"} & parsed.ids()
    assert not [named for named, _ in parsed.scripts if named.get("type") == "application/json"]
    for name in ("md", "json", "csv"):
        assert write_report(folder, formats=[name])[0].stat().st_size > 100


def test_optional_parts_show_when_they_are_there(
    tmp_path: Path,
    write_folder: Callable[..., Path],
    page: Callable[[Path], tuple[str, Any]],
    toy_gold: list[Document],
    toy_old: list[Document],
    toy_new: list[Document],
) -> None:
    spread = {"low": 0.1, "high": 0.3}
    folder = write_folder(
        tmp_path,
        {"old": toy_old, "new": toy_new},
        slices={
            "denied": {
                "support": 6,
                "entities": [3, 3, 3],
                "relations": [0, 0, 0],
                "false_pairs": 1,
                "pairs": 4,
            }
        },
        robustness={
            "ocr": {
                "f1": 0.3,
                "clean_f1": 0.5,
                "drop": 0.2,
                "interval": spread,
                "p_value": 0.01,
                "p_adjusted": 0.01,
                "relations": {"f1": 0.125, "clean_f1": 0.25, "drop": 0.125, "interval": None, "p_value": 0.5},
            }
        },
        calibration={"spans": measure_calibration(judge_spans(toy_gold, toy_old), samples=10).to_dict()},
    )
    points = [
        {"size": n, "seed": s, "mentions": 9, "scores": {"span_f1": 0.1 * n + 0.01 * s}}
        for n in (1, 2)
        for s in (1, 2)
    ]
    (folder / "learning_curves.json").write_text(
        json.dumps([{"model": "new", "data": "x", "points": points}])
    )
    timed = {
        "words_per_second": 900.0,
        "ratio": {"value": 1.25, "low": 1.1, "high": 1.4},
        "size": 2**21,
        "cold_start": {"p50": 0.5, "p95": 0.75, "n": 3},
    }
    (folder / "speed.json").write_text(json.dumps({"rounds": 5, "models": {"new": timed}}))
    _, parsed = page(folder)
    assert {"speed", "slices", "robustness", "calibration", "curves"} <= parsed.ids()
    cells = [" ".join(c.split()) for c in parsed.cells]
    for cell in (
        "50.0 50.0 50.0",
        "25.0",
        "-12.5 p = 0.500",
        "-20.0 [-30.0, -10.0] p = 0.010",
        "1.25 [1.1, 1.4]",
        "500",
        "750",
        "2",
    ):
        assert cell in cells, cell
    text = write_report(folder, formats=["md"])[0].read_text(encoding="utf-8")
    assert "-20.0 [-30.0, -10.0], p = 0.010" in text and "1.25 [1.1, 1.4]" in text


def test_plots(parse: Callable[[str], Any]) -> None:
    bins = [
        {"low": 0.0, "high": 0.5, "n": 0, "score_sum": 0.0, "correct": 0},
        {"low": 0.5, "high": 1.0, "n": 4, "score_sum": 3.0, "correct": 2},
    ]
    drawn = reliability_plot("<مثال>", bins)
    parse(drawn)
    assert drawn.count('class="bin"') == 1 and "<مثال>" not in drawn
    assert 'cx="220.0" cy="128.0"' in drawn  # mean score 0.75, half of them right, in 232 x 232 at (46, 12)
    lines = [Curve("a", [(10, Score(0.2, 0.1, 0.3)), (100, Score(0.4))]), Curve("b", [(10, Score(0.3))], 1)]
    assert curve_plot("t", lines, x_title="n").count('class="mark s0"') == 2
    assert curve_plot("t", [Curve("a", [])], x_title="n") == ""
