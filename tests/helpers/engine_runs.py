"""Runs on many workers: what is then in the folder, and predictors that have their workers killed."""

import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from isnad.model.predictor import Predictor
from typer.testing import Result

DEADLY = "سليماني"


class Output:
    """What a run has left in its folder.

    Attributes:
        documents: by id, scores as they were written.
        errors: what is said of bad documents, by id; without the folders of files.
        manifest: its lines.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = [json.loads(line) for line in (folder / "_manifest.jsonl").read_bytes().splitlines()]
        rows = self._rows(folder.glob("part-*.jsonl"))
        if parquet := sorted(folder.glob("part-*.parquet")):
            import pyarrow.parquet

            rows = [row for path in parquet for row in pyarrow.parquet.read_table(path).to_pylist()]
        ids = Counter(row["id"] for row in rows)
        assert set(ids.values()) <= {1}, f"twice: {ids.most_common(3)}"
        self.documents = {row["id"]: row for row in rows}
        self.errors = {row["id"]: row["error"] for row in self._rows(folder.glob("_errors-*.jsonl"))}

    def check(self, local: "Output") -> None:
        """Check that all is there once, that it is what the local engine found, and that nothing else is left."""
        assert list(self.documents) and self.documents.keys() == local.documents.keys()
        for id_, row in self.documents.items():
            assert row == almost(local.documents[id_]), id_
        assert self.errors == local.errors
        assert self.manifest[-1]["complete"] and self.manifest[-1]["counts"] == local.manifest[-1]["counts"]
        named = {name for line in self.manifest for name in line.get("files", ())}
        assert {path.name for path in self.folder.iterdir()} == {"_manifest.jsonl", *named}

    def _rows(self, paths: Iterable[Path]) -> list[dict[str, Any]]:
        return [json.loads(line) for path in sorted(paths) for line in path.read_bytes().splitlines()]


def interrupted(folder: Path) -> dict[str, int]:
    """Return when the files that an unfinished manifest names were written, by name."""
    lines = [json.loads(line) for line in (folder / "_manifest.jsonl").read_bytes().splitlines()]
    assert "complete" not in lines[-1] and len(lines) > 1
    return {name: (folder / name).stat().st_mtime_ns for line in lines[1:] for name in line["files"]}


def check_command(
    engine: str,
    isnad: Callable[..., Result],
    inputs: Sequence[Path],
    model: Path,
    local: Output,
    out: Path,
) -> None:
    """Check `isnad extract --engine` in Parquet against what the local engine found."""
    options = ("-m", model, "-o", out, "--engine", engine, "-f", "parquet", "--part-size", 10)
    result = isnad("extract", *inputs, *options)
    assert result.exit_code == 3 and result.stdout == "", result.output
    Output(out).check(local)
    assert f"wrote {len(local.documents)} documents, " in result.stderr
    assert f"to {out}\n7 bad documents are listed" in result.stderr


def almost(value: Any) -> Any:
    """Replace numbers with a point by what is equal to their like: batches differ, and so the last digits."""
    if isinstance(value, dict):
        return {key: almost(item) for key, item in value.items()}
    if isinstance(value, list):
        return [almost(item) for item in value]
    # Scores in JSON are rounded to four digits, so that a last digit may differ there.
    return (
        pytest.approx(value, abs=1.1e-4 if round(value, 4) == value else 1e-6)
        if isinstance(value, float)
        else value
    )


def deadly_predictor(folder: Path) -> type[Predictor]:
    """Return predictors that are killed at texts with `DEADLY`, once for each file in a folder."""

    # Local classes are pickled whole; those of a test module could not be imported by a worker.
    class Mortal:
        def __init__(self, extractor: Any) -> None:
            self.extractor = extractor

        def pipe(self, items: Any, **options: Any) -> Any:
            items = list(items)
            left = next(folder.iterdir(), None)
            if left is not None and any(DEADLY in text for _, text in items):
                left.unlink()
                os.kill(os.getpid(), signal.SIGKILL)
            return self.extractor.pipe(items, **options)

    class Deadly(Predictor):
        @property
        def extractor(self) -> Any:
            return Mortal(Predictor.extractor.fget(self))

    return Deadly
