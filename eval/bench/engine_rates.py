"""Documents a second and memory of a worker, by engine: what the plan of a large run follows from.

`python -m isnad.eval.bench.engine_rates` runs the command `isnad extract --engine …` on few and on many documents. Two
runs of one command differ by the documents alone, so the rate is the slope between them, and what is left is what it
costs to start a cluster and to load the model.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from ...model.errors import ConfigError, ModelError
from ...training.compute import machine, versions
from ...training.data.files import write_text
from ...training.data.sources import load_texts
from ..stored import revision, to_lines
from .growth import long_text

# How the processes that extract call themselves, by engine; the local one is the command itself.
WORKERS: dict[str, Callable[[str], bool]] = {
    "local": lambda line: "isnad.cli" in line,
    "ray": lambda line: line.startswith("ray::") and "IDLE" not in line,
    "spark": lambda line: "pyspark.daemon" in line,
}
_SAMPLE = 0.2  # seconds between two looks at the memory


@dataclass(frozen=True)
class EngineSettings:
    """What is measured.

    Attributes:
        engines: of `WORKERS`.
        workers: of ray and spark; the local engine is one process.
        few, many: documents of the two runs.
        words: of a document.
        part_size: documents that a worker takes at a time.
        rounds: repetitions, interleaved.
        model: as `isnad extract --model` takes it.
        data: whose sentences the documents are made of.
    """

    engines: tuple[str, ...] = ("local", "ray", "spark")
    workers: int = 2
    few: int = 120
    many: int = 480
    words: int = 400
    part_size: int = 20
    rounds: int = 3
    model: str = "isnad-small"
    data: str = "seeds:articles"

    def __post_init__(self) -> None:
        unknown = [name for name in self.engines if name not in WORKERS]
        if unknown or not self.engines:
            raise ConfigError(f"engines {self.engines}; accepted: {', '.join(WORKERS)}")
        if not 0 < self.few < self.many or min(self.workers, self.words, self.part_size, self.rounds) < 1:
            raise ConfigError(
                f"{self.few} and {self.many} documents, {self.workers} workers; accepted: numbers from 1 on, the first "
                "number of documents below the second"
            )


def measure_engines(
    settings: EngineSettings, progress: Callable[[str], None] = lambda message: None
) -> dict[str, Any]:
    """Return, for each engine, the documents a second, the seconds beside them and the memory of a worker.

    Args:
        settings: what to measure.
        progress: told what is measured.

    Returns:
        Plain data by engine: `documents_per_second` (median of the rounds, with the least and the most), `start`
        (seconds that do not depend on the documents), `worker_memory` (bytes, the most that one worker had
        resident), `workers`, and the seconds of every run.

    Raises:
        ModelError: a run failed; its last line of standard error is told.
    """
    seconds: dict[str, list[tuple[float, float]]] = {engine: [] for engine in settings.engines}
    memory = dict.fromkeys(settings.engines, 0)
    with tempfile.TemporaryDirectory(prefix="isnad-engines-") as name:
        folder = Path(name)
        inputs = {n: _documents(settings, n, folder / f"{n}.jsonl") for n in (settings.few, settings.many)}
        for number in range(settings.rounds):
            for engine in settings.engines:
                took = []
                for count, path in inputs.items():
                    progress(f"round {number + 1} of {settings.rounds}: {engine}, {count} documents")
                    spent, most = _run(engine, settings, path, folder / f"{engine} {number} {count}")
                    took.append(spent)
                    memory[engine] = max(memory[engine], most)
                seconds[engine].append((took[0], took[1]))
    return {engine: _rates(settings, seconds[engine], engine, memory[engine]) for engine in settings.engines}


def _rates(
    settings: EngineSettings, seconds: Sequence[tuple[float, float]], engine: str, memory: int
) -> dict[str, Any]:
    more = settings.many - settings.few
    rates = [more / max(many - few, 1e-9) for few, many in seconds]
    return {
        "documents_per_second": {"value": median(rates), "low": min(rates), "high": max(rates)},
        "start": median(few - settings.few * (many - few) / more for few, many in seconds),
        "worker_memory": memory,
        "workers": 1 if engine == "local" else settings.workers,
        "seconds": [list(pair) for pair in seconds],
    }


def _documents(settings: EngineSettings, count: int, path: Path) -> Path:
    """Write documents of different sentences as JSON lines."""
    texts = load_texts(settings.data)
    lines = (
        json.dumps({"id": str(n), "text": long_text(texts, settings.words, seed=n)}, ensure_ascii=False)
        for n in range(count)
    )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _run(engine: str, settings: EngineSettings, source: Path, target: Path) -> tuple[float, int]:
    """Return the seconds of one command, and the most memory of one of its workers in bytes."""
    order = ["extract", str(source), "-o", str(target), "--model", settings.model]
    order += ["--part-size", str(settings.part_size), "--engine", engine]
    if engine != "local":
        order += ["--workers", str(settings.workers)]
    begun = time.perf_counter()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "isnad.cli", *order],
            stdout=subprocess.DEVNULL,
            stderr=log,
            env=os.environ | {"OMP_NUM_THREADS": "1"},  # as the workers of a cluster have it
        )
        with _watched(process.pid, WORKERS[engine]) as most:
            code = process.wait()
        spent = time.perf_counter() - begun
        if code:
            log.seek(0)
            said = (log.read().strip().splitlines() or ["no message"])[-1]
            raise ModelError(f"isnad {' '.join(order)} ended with {code} ({said[:300]})")
    return spent, most[0]


@contextmanager
def _watched(pid: int, extracts: Callable[[str], bool]) -> Iterator[list[int]]:
    """Yield a list whose one number grows to the most bytes that one process below `pid` had resident."""
    import psutil

    most, over = [0], threading.Event()

    def look() -> None:
        while not over.wait(_SAMPLE):
            with suppress(psutil.Error):
                root = psutil.Process(pid)
                for process in (root, *root.children(recursive=True)):
                    with suppress(psutil.Error):
                        if extracts(" ".join(process.cmdline())):
                            most[0] = max(most[0], process.memory_info().rss)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield most
    finally:
        over.set()
        thread.join()


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and store: `python -m isnad.eval.bench.engine_rates -o FILE [--engines local,ray,spark] …`."""
    import argparse

    base = EngineSettings()
    parser = argparse.ArgumentParser(prog="python -m isnad.eval.bench.engine_rates", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--engines", default=",".join(base.engines), help="comma-separated")
    for name in ("workers", "few", "many", "words", "rounds"):
        parser.add_argument(f"--{name}", type=int, default=getattr(base, name))
    parser.add_argument("--part-size", type=int, default=base.part_size)
    parser.add_argument("--model", default=base.model)
    given = vars(parser.parse_args(arguments))
    output, engines = given.pop("output"), tuple(given.pop("engines").split(","))
    settings = EngineSettings(engines=engines, **given)
    found = measure_engines(settings, lambda message: print(message, file=sys.stderr))
    words = " ".join(sys.argv[1:] if arguments is None else arguments)
    content = {
        "kind": "isnad engine rates",
        "made": datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        "revision": revision(),
        "command": f"python -m isnad.eval.bench.engine_rates {words}",
        "settings": vars(settings) | {"engines": list(engines)},
        "machine": machine(),
        "versions": versions(),
        "engines": found,
    }
    write_text(output, to_lines(content))


if __name__ == "__main__":
    main()
