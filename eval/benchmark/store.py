"""Results of a benchmark to commit: one small file for each model and data set, without texts and predictions.

A file holds what a table needs and what says how to make it again: the scores with their counts and intervals, for
each label, each slice and each error class, the difference from the baseline, hashes, versions, and the command.
The counts of single documents, the bins of reliability diagrams and the predictions stay in the benchmark's folder.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...model.errors import DataError
from ...training.data.files import read_text, write_text
from ..counts import Counts
from ..stored import to_lines
from .report import result_dict
from .report_data import Benchmark, load_benchmark

FORMAT_VERSION = 1
# Digits after the point of what is stored: a score of 0.8765432 is 87.7%.
DIGITS = 6
_OF_RUN = ("made", "revision", "versions", "machine", "left_out")


def store_results(folder: Path, target: Path, *, command: str = "") -> list[Path]:
    """Write the results of a benchmark folder as small files, each whole or not at all.

    Files of other models and data are left as they are, so that a machine which lacks a corpus does not take its
    results away.

    Args:
        folder: that `isnad benchmark` wrote.
        target: folder of the small files; made if it is not there.
        command: what to type to make the results again.

    Returns:
        The files, by data, then by model.

    Raises:
        DataError: no results in the folder, or the target cannot be written.
    """
    benchmark = load_benchmark(folder)
    written = []
    for result in benchmark.results:
        path = target / f"{result.stem}.json"
        content = _compact(result_dict(benchmark, result)) | {"run": _run(benchmark, command)}
        write_text(path, to_lines({"format_version": FORMAT_VERSION} | content))
        written.append(path)
    return written


def load_stored(target: Path) -> list[dict[str, Any]]:
    """Read the small files of a folder, sorted by data, then as they were listed in the run.

    Raises:
        DataError: a file that `store_results` did not write, or one of another version.
    """
    found = []
    for path in sorted(target.glob("*.json")):
        try:
            content = json.loads(read_text(path))
            if content["format_version"] != FORMAT_VERSION:
                raise ValueError(f"format_version {content['format_version']!r}")
            Counts.from_list([int(content["summary"]["entities"]["micro"][k]) for k in ("tp", "fp", "fn")])
            order = (
                content["run"]["data"].index(content["data"]),
                content["run"]["models"].index(content["model"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"not a stored result: {error}", path=path, accepted="a file of isnad benchmark --store"
            ) from error
        found.append((order, content))
    return [content for _, content in sorted(found, key=lambda pair: pair[0])]


def _run(benchmark: Benchmark, command: str) -> dict[str, Any]:
    settings = benchmark.settings
    facts = {"command": command} if command else {}
    return facts | {
        "models": list(benchmark.models),
        "data": list(benchmark.data),
        "baseline": benchmark.baseline or None,
        **{k: settings[k] for k in _OF_RUN if settings.get(k)},
        "settings": settings.get("settings", {}),
    }


def _compact(content: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what fills a file, and round."""
    kept = {k: v for k, v in content.items() if v not in (None, {}, [])}
    if isinstance(kept.get("calibration"), Mapping):
        kept["calibration"] = {
            k: _without(v, ("bins", "curve", "thresholds")) for k, v in kept["calibration"].items()
        }
    return {k: _rounded(v) for k, v in kept.items()}


def _without(value: Any, keys: Sequence[str]) -> Any:
    return {k: v for k, v in value.items() if k not in keys} if isinstance(value, Mapping) else value


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DIGITS) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {k: _rounded(v) for k, v in value.items()}
    return [_rounded(v) for v in value] if isinstance(value, list | tuple) else value
