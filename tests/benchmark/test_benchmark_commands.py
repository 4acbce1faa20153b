"""`isnad benchmark`, `isnad models` and `isnad compare`, one after the other on a model that takes no training."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest


class TestCommand:
    def test_benchmark_models_compare(
        self, isnad: Callable, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("ISNAD_HOME", str(tmp_path / "home"))
        out = tmp_path / "out"
        done = isnad("benchmark", f"a={tiny_model}", "-d", "seeds:articles", "-o", out)
        assert done.exit_code == 0, (done.stderr, done.exception)
        assert "seeds:articles: 5 documents" in done.stdout and (out / "report.html").is_file()
        listed = json.loads(isnad("models", "-f", "json").stdout)
        (result,) = listed["results"]
        assert result["model"] == "a" and result["scores"]["documents"] == 5
        assert set(listed["embedded"]) == {"isnad-small", "isnad-small-authored"}
        assert result["model_hash"] in isnad("models").stdout
        same = isnad("compare", "a", result["model_hash"][:6], "--fail-on-regression")
        assert same.exit_code == 0 and "all entities" in same.stdout and "worse" not in same.stdout

    def test_faults(
        self,
        isnad: Callable,
        refused: Callable,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        tiny_model: Path,
    ):
        monkeypatch.setenv("ISNAD_HOME", str(tmp_path / "home"))
        out = tmp_path / "out"
        refused(
            isnad("benchmark", "isnad-smal", "-d", "seeds:articles", "-o", out), "no model at 'isnad-smal'"
        )
        refused(isnad("benchmark", tiny_model, "-d", "nowhere", "-o", out), "no such file or folder")
        refused(
            isnad("benchmark", tiny_model, "-d", "corpus:anercorps/dev", "-o", out), "did you mean 'anercorp'"
        )
        text = tmp_path / "text"
        text.write_text("x", encoding="utf-8")
        command = ("benchmark", tiny_model, "-d", "seeds:articles", "-o", out)
        refused(
            isnad(*command, "--registry", text / "r.sqlite"), "cannot open the registry", "another --registry"
        )
        refused(isnad("compare", "a", "b"), "'a' is not in the registry", "it is empty")
        assert not out.exists()
