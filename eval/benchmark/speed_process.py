"""Processes that hold one model each and time it; `speed_worker` is what runs in them."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ...model.errors import ModelError


@dataclass(frozen=True)
class Contestant:
    """What is timed beside others, in a process of its own.

    Attributes:
        name: in tables; tells the contestants of a run apart.
        order: what its process is told to open; see `speed_worker`.
        size: bytes of its files; 0 if they are not known.
        hash: of what decides its answers; empty if that is not known.
    """

    name: str
    order: Mapping[str, Any]
    size: int = 0
    hash: str = ""


class Worker:
    """A process that holds a model; see `speed_worker`.

    Args:
        contestant: what to open.

    Attributes:
        started: seconds from the start of the process until the model was loaded.

    Raises:
        ModelError: the model cannot be opened.
    """

    def __init__(self, contestant: Contestant) -> None:
        self._name = contestant.name
        self._log = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        begun = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "isnad.eval.benchmark.speed_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            encoding="utf-8",
        )
        try:
            self._ask(dict(contestant.order))
        except BaseException:
            self.close()
            raise
        self.started = time.perf_counter() - begun

    def run(self, texts: Sequence[str]) -> tuple[float, int]:
        """Return how many seconds the model takes for texts, and how many entities it finds."""
        answer = self._ask({"texts": list(texts)})
        return float(answer["seconds"]), int(answer["found"])

    def seconds(self, texts: Sequence[str]) -> float:
        """Return how long the model takes for texts."""
        return self.run(texts)[0]

    def memory(self) -> dict[str, int]:
        """Return `peak_memory`, the most that the process ever held, in bytes; on a GPU `peak_gpu_memory` too."""
        return {key: int(value) for key, value in self._ask({"memory": True})["memory"].items()}

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin and self._process.stdout
        try:
            print(json.dumps(order), file=self._process.stdin, flush=True)
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self._log.seek(0)
            last = (self._log.read().strip().splitlines() or ["no message"])[-1]
            raise ModelError(f"{self._name}: the process that times it ended ({last[:300]})")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ModelError(answer["error"])
        return answer


@contextmanager
def running(contestant: Contestant) -> Iterator[Worker]:
    """Yield a worker and end it."""
    worker = Worker(contestant)
    try:
        yield worker
    finally:
        worker.close()
