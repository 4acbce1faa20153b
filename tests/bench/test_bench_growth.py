"""Growth with length: the text, the slope, and who fails."""

import random
from pathlib import Path

import pytest
from isnad.eval.bench import growth
from isnad.eval.bench.growth import check_lengths, fits, line, long_text, measure_growth
from isnad.eval.benchmark.speed_process import Contestant
from isnad.model.errors import ConfigError, DataError
from isnad.model.text import paragraphs, sentence_starts, words

TEXTS = ["زار قاآني بغداد. ثم عاد إلى طهران؟\nوصل الوفد إلى لندن!", "قال محمد: «نعم»."]


def test_slope_of_powers():
    lengths = (10.0, 100.0, 1000.0)
    for power in (1.0, 2.0):
        points = [{"words": n, "seconds": [0.5 * n**power] * 2, "peak_memory": 7 * n + 100} for n in lengths]
        found = fits(points)
        assert found["slope"] == {
            "value": pytest.approx(power),
            "low": pytest.approx(power),
            "high": pytest.approx(power),
        }
        assert found["bytes_per_word"]["value"] == pytest.approx(7)


def test_slope_by_hand():
    # Least squares through (0, 0), (1, 1), (2, 3): slope 3/2, residuals 1/6, standard error sqrt(1/12),
    # and the 97.5% quantile of Student's t with one degree of freedom is 12.706.
    found = line([(0, 0), (1, 1), (2, 3)])
    assert found is not None
    assert found["value"] == pytest.approx(1.5) and found["high"] == pytest.approx(
        1.5 + 12.7062 / 12**0.5, rel=1e-4
    )
    assert found["low"] == pytest.approx(1.5 - 12.7062 / 12**0.5, rel=1e-4)
    assert line([(0, 1), (2, 2)]) == {"value": 0.5, "low": None, "high": None}
    assert line([(1, 1), (1, 2)]) is None and line([]) is None


def test_interval_holds_the_slope_of_noisy_times():
    draw = random.Random(3)
    held = 0
    for _ in range(200):
        found = line([(float(x), 1.1 * x + draw.gauss(0, 0.3)) for x in range(8)])
        assert found and found["low"] is not None and found["high"] is not None
        held += found["low"] <= 1.1 <= found["high"]
    assert 180 <= held <= 199  # about 190


def test_long_text():
    whole = long_text(TEXTS, 100, seed=1)
    for count in (1, 2, 7, 40, 99):
        part = long_text(TEXTS, count, seed=1)
        assert len(words(part)) == count and whole.startswith(part)
    assert whole == long_text(TEXTS, 100, seed=1) != long_text(TEXTS, 100, seed=2)
    assert len(paragraphs(whole)) > 3
    (lo, hi), *_ = paragraphs(whole)
    spans = words(whole, lo, hi)
    first = whole[spans[0][0] : spans[[*sentence_starts(whole, spans), len(spans)][1] - 1][1]]
    assert any(first in text for text in TEXTS)
    with pytest.raises(DataError, match="no words"):
        long_text(["", "\n"], 5)


def test_growth_of_a_model(tiny_model: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(growth, "_TIMES", 2)
    order = {"isnad": str(tiny_model), "backend": "torch", "device": "cpu"}
    told: list[str] = []
    found = measure_growth(Contestant("m", order), TEXTS, (40, 10, 20), progress=told.append)
    assert [p["words"] for p in found["points"]] == [10, 20, 40] and len(told) == 3
    assert all(len(p["seconds"]) == 2 and p["peak_memory"] > 50e6 for p in found["points"])
    assert found["slope"]["low"] <= found["slope"]["value"] <= found["slope"]["high"]
    assert "error" not in found and found["left_out"] == []


def test_growth_that_would_take_too_long(monkeypatch: pytest.MonkeyPatch):
    class Slow:
        def run(self, texts: list[str]) -> tuple[float, int]:
            return len(words(texts[0])) / 10, 0

        def memory(self) -> dict[str, int]:
            return {"peak_memory": 5}

        def __enter__(self) -> "Slow":
            return self

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(growth, "running", lambda contestant: Slow())
    found = measure_growth(Contestant("m", {}), TEXTS, (10, 100, 1000), limit=20)
    assert [p["words"] for p in found["points"]] == [10, 100]
    assert found["left_out"] == [{"words": 1000, "expected_seconds": 100.0}]
    # One second was time for five; ten seconds for one only.
    assert [len(p["seconds"]) for p in found["points"]] == [4, 1]
    assert found["slope"]["value"] == pytest.approx(1.0)


def test_growth_of_what_cannot_be_opened():
    found = measure_growth(
        Contestant("absent", {"isnad": "/nowhere", "backend": "torch", "device": "cpu"}), TEXTS, (5,)
    )
    assert "no model at" in found["error"] and found["points"] == [] and found["slope"] is None


def test_lengths():
    assert check_lengths((30, 5, 30)) == (5, 30)
    with pytest.raises(ConfigError, match="--lengths 0"):
        check_lengths((10, 0))
