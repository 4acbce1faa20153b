"""Units, accounts and the manifest of a run on many workers, with a cluster that is a loop in this process."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from isnad.model.engines import driver, faults, plan, run
from isnad.model.engines.worker import WORK, Extraction
from isnad.model.errors import ConfigError, ModelError
from isnad.model.predictor import Predictor
from isnad.model.stream import Keys, find_sources
from typer.testing import Result

Command = Callable[..., Result]
Refused = Callable[..., None]

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def handed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[int]]]:
    """Puts a loop in the place of Ray; what it was told to do, in backward order as clusters keep none."""
    jobs: list[tuple[str, list[int]]] = []

    @contextmanager
    def cluster(workers: int | None, device: str) -> Iterator[Any]:
        def spread(job: Callable[[int], str], numbers: Sequence[int]) -> Iterator[str]:
            jobs.append((type(job).__name__, list(numbers)))
            yield from map(job, reversed(numbers))

        yield spread

    monkeypatch.setitem(driver.ENGINES, "ray", cluster)
    return jobs


@pytest.mark.parametrize("format", ["jsonl", "parquet"])
def test_same_documents_as_locally(
    mapped: Any, handed: Any, locally: Any, format: str, tmp_path: Path
) -> None:
    output = mapped("ray", tmp_path / "out", format=format)
    output.check(locally(format))
    [(_, numbers)] = handed
    assert len(numbers) > 15 and numbers == list(range(len(numbers)))
    mapped("ray", tmp_path / "out", format=format).check(locally(format))
    assert len(handed) == 1  # complete: no cluster is asked again


def test_triples(mapped: Any, handed: Any, locally: Any, tmp_path: Path) -> None:
    local, output = locally("csv"), mapped("ray", tmp_path / "out", format="csv")
    assert output.manifest[-1]["counts"] == local.manifest[-1]["counts"]
    for kind in ("entities", "relations"):
        tables = []
        for folder in (local.folder, output.folder):
            rows: list[list[str]] = []
            for path in folder.glob(f"part-*.{kind}.csv"):
                with path.open(encoding="utf-8", newline="") as file:
                    header, *more = csv.reader(file)
                rows += more
            tables.append((header, sorted(rows)))
        assert tables[0][0] == tables[1][0] and len(tables[0][1]) == len(tables[1][1]) > 5
        assert [row[:3] for row in tables[0][1]] == [row[:3] for row in tables[1][1]]


def test_workers_find_the_cuts_of_large_inputs(
    mapped: Any, handed: Any, locally: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "_READ_HERE", 0)
    mapped("ray", tmp_path / "out").check(locally("jsonl"))
    assert [name for name, _ in handed] == ["Planner", "Extraction"]


def test_compressed_files_are_read_from_the_beginning_sixteen_times_at_most(
    mapped: Any, handed: Any, locally: Any, inputs: list[Path], tmp_path: Path
) -> None:
    sources = find_sources([str(path) for path in inputs], Keys())
    units = plan.units([plan.Planner(sources, 1)(n) for n in range(len(sources))])
    of_each = [sum(unit.source == n for unit in units) for n in range(len(sources))]
    # 19 lines, of them 3 blank; 20; 8 rows; 7 rows; 7 files.
    assert of_each == [19, 10, 8, 7, 7]
    output = mapped("ray", tmp_path / "out", part_size=1)
    output.check(locally("jsonl"))
    packed = [line["files"] for line in output.manifest if line.get("part") == 19]
    assert [list(files) for files in packed] == [["part-00019.jsonl", f"part-{19 + len(units):05d}.jsonl"]]


def test_an_interrupted_run_goes_on(
    mapped: Any, handed: Any, locally: Any, tiny_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    def interrupt(progress: Any) -> None:
        assert progress.total and progress.counts.keys() >= {"documents", "words"}
        if progress.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mapped("ray", out, watch=interrupt)
    units = plan.load(out)
    assert units is not None and len((out / "_manifest.jsonl").read_bytes().splitlines()) == 3
    # What a killed driver leaves: a unit that it has not heard of, and one that was cut short in the midst.
    sources = find_sources([str(path) for path in _inputs(out)], Keys())
    job = Extraction(Predictor(tiny_model), sources, units, out, "jsonl", 3)
    account = json.loads(job(1))
    assert account["number"] == 1 and set(account["files"]) >= {"part-00001.jsonl"}
    (out / WORK / "00002/dead").mkdir(parents=True)
    (out / WORK / "00002/dead/.part-00002.jsonl.tmp").write_text("{")
    (out / "part-00003.jsonl").write_text("{")
    mapped("ray", out).check(locally("jsonl"))
    last = len(units) - 1
    assert handed[1] == ("Extraction", [n for n in range(len(units)) if n not in (1, last, last - 1)])


def _inputs(out: Path) -> list[Path]:
    header = json.loads((out / "_manifest.jsonl").read_bytes().splitlines()[0])
    return [Path(known["path"]) for known in header["inputs"]]


def test_units_are_done_once(tiny_model: Path, inputs: list[Path], tmp_path: Path) -> None:
    sources = find_sources([str(inputs[0])], Keys())
    units = plan.units([plan.Planner(sources, 6)(0)])
    job = Extraction(Predictor(tiny_model), sources, units, tmp_path, "jsonl", 6)
    first = job(0)
    part = tmp_path / "part-00000.jsonl"
    written = part.stat().st_mtime_ns
    assert job(0) == first and part.stat().st_mtime_ns == written
    # As if another attempt had been complete first, after this one began.
    slow = Extraction(_While(lambda: job(1), tiny_model), sources, units, tmp_path, "jsonl", 6)
    second = slow(1)
    assert second == job(1) and not [p for p in (tmp_path / WORK / "00001").iterdir() if p.is_dir()]


class _While(Predictor):
    """Has something happen when the model is asked for."""

    def __init__(self, happens: Callable[[], object], model: Path) -> None:
        super().__init__(model)
        self._happens = happens

    @property
    def extractor(self) -> Any:
        self._happens()
        return super().extractor


def test_units_that_kill_their_workers(tiny_model: Path, inputs: list[Path], tmp_path: Path) -> None:
    sources = find_sources([str(inputs[0])], Keys())
    units = plan.units([plan.Planner(sources, 6)(0)])
    for attempt in "abc":
        (tmp_path / WORK / "00001" / attempt).mkdir(parents=True)
    job = Extraction(Predictor(tiny_model), sources, units, tmp_path, "jsonl", 6)
    with pytest.raises(
        ModelError, match=r"3 workers died on news.jsonl from line or row 6.* the same command goes on"
    ):
        job(1)


def test_what_is_refused(
    isnad: Command,
    refused: Refused,
    handed: Any,
    mapped: Any,
    inputs: list[Path],
    tiny_model: Path,
    tmp_path: Path,
) -> None:
    many = ("extract", "--engine", "ray", inputs[0], "-m", tiny_model)
    refused(isnad(*many), "the engine ray writes in parts; name a folder with -o")
    refused(isnad(*many, "-o", tmp_path / "out", "--max-errors", 3), "--max-errors with the engine ray")
    refused(isnad(*many, "-o", tmp_path / "out.json"), "is a file, and many documents are written in parts")
    refused(
        isnad(*many, "-o", tmp_path / "out", "-f", "html"), "accepted for data files: jsonl, parquet, csv"
    )
    refused(isnad(*many, "-o", inputs[0].parent), "holds the input")
    refused(
        isnad("extract", "--engine", "ray", "-", "-o", tmp_path / "out"),
        "standard input cannot be read twice",
    )
    table = ("extract", "--engine", "ray", inputs[3], "-m", tiny_model, "-o", tmp_path / "out")
    refused(isnad(*table, "--text-key", "body"), "no column 'body'")
    local = isnad("extract", inputs[0], "--workers", 2, "-o", tmp_path / "out")
    assert local.exit_code == 2 and "--workers is for --engine ray" in local.output
    assert not handed and not (tmp_path / "out").exists()
    with pytest.raises(ConfigError, match="the unknown engine 'rey'; did you mean 'ray'"):
        run([str(inputs[0])], tmp_path / "out", engine="rey")
    with pytest.raises(ConfigError, match="the unknown option 'treshold'"):
        run([str(inputs[0])], tmp_path / "out", engine="ray", treshold=0.5)
    mapped("ray", tmp_path / "out", names=inputs[:1])
    refused(isnad(*many, "-o", tmp_path / "out"), "part_size is 5000 and was 3")
    local = isnad("extract", inputs[0], "-m", tiny_model, "-o", tmp_path / "out", "--part-size", 3)
    refused(local, "engine is None and was 'ray or spark'")


@pytest.mark.parametrize(("engine", "package"), [("ray", "ray"), ("spark", "pyspark"), ("spark", "pandas")])
def test_what_is_not_installed(
    isnad: Command,
    refused: Refused,
    engine: str,
    package: str,
    inputs: list[Path],
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(faults, "find_spec", lambda name: None if name == package else object())
    command = ("extract", "--engine", engine, inputs[0], "-m", tiny_model, "-o", tmp_path / "out")
    refused(isnad(*command), f"needs {package}, which is not installed; write: pip install 'isnad[{engine}]'")
    assert not (tmp_path / "out").exists()
