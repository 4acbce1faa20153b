"""Reading a benchmark folder: what was measured, on what, and the documents behind the numbers."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ...model.document import Document
from ...model.errors import DataError
from ..evaluation import Evaluation

_LAYOUT = "a file that `isnad benchmark` has written"


@dataclass(frozen=True)
class Result:
    """One model on one corpus.

    Attributes:
        stem: name of its files without suffix, `<model>--<data>`.
        model, data: their names, for people.
        content: the whole result file.
        evaluation: its counts.
        gold, predicted: the documents, in the same order; empty if they were not kept.
    """

    stem: str
    model: str
    data: str
    content: Mapping[str, Any]
    evaluation: Evaluation
    gold: tuple[Document, ...] = ()
    predicted: tuple[Document, ...] = ()

    @property
    def convention(self) -> str:
        """How spans were compared, in words."""
        spans = "character spans" if self.evaluation.convention == "char" else "whole words"
        return f"{spans}, {'outermost only' if self.evaluation.flat else 'nested'}"

    def interval(self, *keys: str) -> tuple[float, float] | None:
        """Return (low, high) of the stored interval at these keys of `intervals`, or None."""
        value: Any = self.content.get("intervals")
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        return bounds(value)


@dataclass(frozen=True)
class Benchmark:
    """Everything in a benchmark folder.

    Attributes:
        folder: where it is.
        settings: `benchmark.json`; empty if there is none.
        results: by corpus, then by model, in the order of the settings.
        speed: `speed.json`, or None.
        curves: mappings with `model`, `data` and `points` (as in `LearningCurve.to_dict`, or with `n` and `f1`), from
            `learning_curves.json`, the settings, or `learning_curve` of a result.
    """

    folder: Path
    settings: Mapping[str, Any]
    results: tuple[Result, ...]
    speed: Any = None
    curves: tuple[Mapping[str, Any], ...] = ()

    @cached_property
    def models(self) -> tuple[str, ...]:
        """Names of the models, in order."""
        return _ordered({r.model for r in self.results}, self.settings.get("models"))

    @cached_property
    def data(self) -> tuple[str, ...]:
        """Names of the corpora, in order."""
        return _ordered({r.data for r in self.results}, self.settings.get("data"))

    @property
    def baseline(self) -> str:
        """Name of the model that others are compared with, or an empty string."""
        name = str(self.settings.get("baseline") or "")
        return name if name in self.models else ""

    def of(self, model: str, data: str) -> Result | None:
        """Return the result of a model on a corpus, or None if it was not measured."""
        return next((r for r in self.results if (r.model, r.data) == (model, data)), None)


def load_benchmark(folder: Path) -> Benchmark:
    """Read a benchmark folder.

    Args:
        folder: with `results/*.json`; `benchmark.json`, `speed.json`, `learning_curves.json`, `gold/*.jsonl`
            and `predictions/*.jsonl` may be missing.

    Raises:
        DataError: no results, or a file that is not what its name says.
    """
    paths = sorted((folder / "results").glob("*.json"))
    if not paths:
        raise DataError(
            "no results to report" if folder.is_dir() else "no such folder",
            path=folder,
            accepted="a folder with results/*.json; write one with `isnad benchmark MODEL… --data DATA… -o FOLDER`",
        )
    settings = _json(folder / "benchmark.json") or {}
    if not isinstance(settings, Mapping):
        raise DataError("holds no mapping", path=folder / "benchmark.json", accepted=_LAYOUT)
    gold: dict[Path, tuple[Document, ...]] = {}
    results = [_result(path, folder, gold) for path in paths]
    seen: dict[tuple[str, str], str] = {}
    for r in results:
        other = seen.setdefault((r.model, r.data), r.stem)
        if other != r.stem:
            raise DataError(
                f"{r.model!r} on {r.data!r} is in {other}.json and in {r.stem}.json",
                path=folder / "results",
                accepted="one result for each model and corpus; remove the stale one",
            )
    curves = _json(folder / "learning_curves.json") or settings.get("learning_curves") or ()
    own = [(r, r.content.get("learning_curve")) for r in results]
    curves = [*curves, *({"model": r.model, "data": r.data} | c for r, c in own if isinstance(c, dict))]
    if not all(isinstance(c, Mapping) and isinstance(c.get("points"), list) for c in curves):
        raise DataError("a learning curve without 'points'", path=folder, accepted="model, data and points")
    loaded = Benchmark(folder, settings, tuple(results), _json(folder / "speed.json"), tuple(curves))
    order = {pair: n for n, pair in enumerate((m, d) for d in loaded.data for m in loaded.models)}
    ranked = tuple(sorted(results, key=lambda r: order[r.model, r.data]))
    return Benchmark(folder, settings, ranked, loaded.speed, loaded.curves)


def bounds(value: Any) -> tuple[float, float] | None:
    """Return (low, high) of `{"low": …, "high": …}` or `[low, high]`, None of anything else."""
    if isinstance(value, Mapping):
        value = [value.get("low"), value.get("high")]
    if isinstance(value, list | tuple) and len(value) == 2 and all(map(is_number, value)):
        return float(value[0]), float(value[1])
    return None


def is_number(value: Any) -> bool:
    """Whether `value` is a number; True and False are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _result(path: Path, folder: Path, gold: dict[Path, tuple[Document, ...]]) -> Result:
    content = _json(path)
    try:
        model, data = str(content["model"]), str(content["data"])
        evaluation = Evaluation.from_dict(content["evaluation"])
    except (KeyError, TypeError, DataError) as error:
        raise DataError(f"not a result file: {error}", path=path, accepted=_LAYOUT) from error
    predictions = folder / "predictions" / f"{path.stem}.jsonl"
    where = _gold_of(path.stem, folder / "gold")
    if where is None or not predictions.is_file():
        return Result(path.stem, model, data, content, evaluation)
    if where not in gold:
        gold[where] = _documents(where)
    return Result(path.stem, model, data, content, evaluation, gold[where], _documents(predictions))


def _gold_of(stem: str, folder: Path) -> Path | None:
    """Return the gold file of a result; either slug may itself hold the separator."""
    parts = stem.split("--")
    names = ("--".join(parts[n:]) for n in range(1, len(parts)))
    return next((p for p in (folder / f"{name}.jsonl" for name in names) if p.is_file()), None)


def _documents(path: Path) -> tuple[Document, ...]:
    documents = []
    # Not splitlines(): it also splits at U+2028 and U+0085, which JSON strings may hold.
    for n, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if line.strip():
            try:
                documents.append(Document.from_dict(json.loads(line)))
            except ValueError as error:  # DataError and JSONDecodeError
                raise DataError(
                    str(error), path=path, line=n, accepted="a Document.to_json() a line"
                ) from error
    return tuple(documents)


def _json(path: Path) -> Any:
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"not JSON: {error}", path=path, accepted=_LAYOUT) from error


def _ordered(found: Iterable[str], named: Any) -> tuple[str, ...]:
    """Return the names found, those that the settings list first and in their order."""
    names: list[str] = []
    if isinstance(named, list | tuple | Mapping):
        names = [str(n.get("name", "")) if isinstance(n, Mapping) else str(n) for n in named]
    rank = {name: n for n, name in reversed(list(enumerate(names)))}
    return tuple(sorted(found, key=lambda name: (rank.get(name, len(rank)), name)))
