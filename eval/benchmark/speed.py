"""Speed of models side by side: throughput, latency, start, memory, size on disk.

Every model runs in a process of its own, and only one of them works at a time. Rounds are interleaved (A B A B …),
so that what slows the machine down for a while slows all models down; the ratio to the baseline is taken over
whole rounds, its interval by a bootstrap over them (Kalibera and Jones 2013, "Rigorous Benchmarking in Reasonable
Time", ISMM, on repeated and interleaved executions).
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np

from ...model.errors import ConfigError, DataError, ModelError
from ...model.text import words
from ...training.compute import machine
from .adapters import Candidate

SENTENCE, ARTICLE = 30, 500  # words
_SAMPLES, _LEVEL = 2000, 0.95


@dataclass(frozen=True)
class SpeedSettings:
    """How speed is measured.

    Attributes:
        rounds: timed rounds; one more goes before, untimed.
        starts: fresh processes whose first call is timed, for each model.
        repeats: of a sentence and of an article in each round.
        words: texts of the data are taken until there are so many words.
    """

    rounds: int = 5
    starts: int = 3
    repeats: int = 3
    words: int = 5000

    def __post_init__(self) -> None:
        for key in ("rounds", "starts", "repeats", "words"):
            if getattr(self, key) < 1:
                raise ConfigError(f"{key} is {getattr(self, key)}; accepted: 1 or more")


class Worker:
    """A process that holds a model; see `speed_worker`.

    Args:
        candidate: the model.
        schema: labels that open-label models are asked for, by name or path.
        download: whether hub names may be fetched.

    Attributes:
        started: seconds from the start of the process until the model was loaded.
    """

    def __init__(self, candidate: Candidate, schema: str, download: bool) -> None:
        self._name = candidate.name
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
            self._ask({"spec": candidate.spec, "schema": schema, "download": download})
        except BaseException:
            self.close()
            raise
        self.started = time.perf_counter() - begun

    def seconds(self, texts: Sequence[str]) -> float:
        """Return how long the model takes for texts."""
        return float(self._ask({"texts": list(texts)})["seconds"])

    def memory(self) -> int:
        """Return the most memory that the process ever held, in bytes."""
        return int(self._ask({"memory": True})["memory"])

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
def running(candidate: Candidate, schema: str, download: bool) -> Iterator[Worker]:
    """Yield a worker and end it."""
    worker = Worker(candidate, schema, download)
    try:
        yield worker
    finally:
        worker.close()


def measure_speed(
    candidates: Sequence[Candidate],
    texts: Sequence[str],
    *,
    baseline: str,
    settings: SpeedSettings | None = None,
    schema: str = "wojood",
    download: bool = False,
    seed: int = 0,
    progress: Callable[[str], None] = lambda message: None,
) -> dict[str, Any]:
    """Time models on the same texts in the same run.

    Args:
        candidates: the models.
        texts: of the data.
        baseline: name of the model that ratios refer to.
        settings: rounds and sizes.
        schema: labels that open-label models are asked for.
        download: whether hub names may be fetched.
        seed: of the bootstrap.
        progress: told what is measured.

    Returns:
        Plain data: for each model `words_per_second`, `ratio` to the baseline (above 1 is faster) with its
        interval, `cold_start` (a process from nothing to its first answer) and `first_call` (of these, the
        answer alone), latency of a sentence and an article, all in seconds as p50 and p95; `peak_memory` and
        `size` in bytes.
    """
    settings = settings or SpeedSettings()
    sample = _sample(texts, settings.words)
    count = sum(len(words(t)) for t in sample)
    sentence = " ".join(excerpt(texts, SENTENCE).split())
    article = excerpt(texts, ARTICLE)
    starts = _starts(candidates, sentence, settings, schema, download, progress)
    texts_of = {"all": sample, "sentence": [sentence], "article": [article]}
    times, memory = _rounds(candidates, texts_of, settings, schema, download, progress)
    random = np.random.default_rng(seed)
    models = {}
    for c in candidates:
        own = times[c.name]
        against = None if c.name == baseline else ratio_interval(times[baseline]["all"], own["all"], random)
        models[c.name] = {
            "words_per_second": count * settings.rounds / sum(own["all"]),
            "ratio": against,
            "cold_start": percentiles([a + b for a, b in starts[c.name]]),
            "first_call": percentiles([b for _, b in starts[c.name]]),
            f"sentence_{SENTENCE}": percentiles(own["sentence"]),
            f"article_{ARTICLE}": percentiles(own["article"]),
            "peak_memory": memory[c.name],
            "size": c.size,
        }
    threads = os.environ.get("OMP_NUM_THREADS")
    return {
        "baseline": baseline,
        "rounds": settings.rounds,
        "texts": len(sample),
        "words": count,
        "machine": machine() | ({"OMP_NUM_THREADS": threads} if threads else {}),
        "hashes": {c.name: c.hash for c in candidates},
        "round_seconds": {name: found["all"] for name, found in times.items()},
        "models": models,
    }


def excerpt(texts: Sequence[str], count: int) -> str:
    """Return the first `count` words of texts as one text; texts that hold fewer are repeated.

    Raises:
        DataError: no words in them.
    """
    if not any(words(t) for t in texts):
        raise DataError("no words to time models on", accepted="data with text")
    parts: list[str] = []
    left = count
    for text in cycle(texts):
        spans = words(text)
        if len(spans) >= left:
            parts.append(text[: spans[left - 1][1]])
            return "\n".join(parts)
        parts.append(text)
        left -= len(spans)
    raise AssertionError  # a cycle does not end


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Return the median and the 95th percentile of times, with their number."""
    p50, p95 = np.percentile(seconds, [50, 95])
    return {"p50": float(p50), "p95": float(p95), "n": len(seconds)}


def ratio_interval(
    baseline: Sequence[float], own: Sequence[float], random: np.random.Generator
) -> dict[str, float | None]:
    """Return how many times as fast as the baseline a model is, with a percentile interval over rounds.

    Args:
        baseline, own: seconds of each round; the same round side by side.
        random: draws the rounds. With a single round there is no interval.
    """
    pairs = np.asarray([baseline, own])
    value = float(pairs[0].sum() / pairs[1].sum())
    if pairs.shape[1] < 2:
        return {"value": value, "low": None, "high": None}
    drawn = pairs[:, random.integers(pairs.shape[1], size=(_SAMPLES, pairs.shape[1]))].sum(axis=2)
    low, high = np.percentile(drawn[0] / drawn[1], [50 * (1 - _LEVEL), 50 * (1 + _LEVEL)])
    return {"value": value, "low": float(low), "high": float(high)}


def _rounds(
    candidates: Sequence[Candidate],
    texts: Mapping[str, Sequence[str]],
    settings: SpeedSettings,
    schema: str,
    download: bool,
    progress: Callable[[str], None],
) -> tuple[dict[str, dict[str, list[float]]], dict[str, int]]:
    """Return, for each model, the seconds of each kind of text, round after round; and its memory."""
    times: dict[str, dict[str, list[float]]] = {c.name: {kind: [] for kind in texts} for c in candidates}
    with ExitStack() as stack:
        workers = {c.name: stack.enter_context(running(c, schema, download)) for c in candidates}
        for number in range(settings.rounds + 1):
            progress(f"round {number} of {settings.rounds}" if number else "warming up")
            for name, worker in workers.items():
                for kind, chosen in texts.items():
                    repeats = 1 if kind == "all" else settings.repeats
                    found = [worker.seconds(chosen) for _ in range(repeats)]
                    times[name][kind] += found if number else []
        return times, {name: worker.memory() for name, worker in workers.items()}


def _starts(
    candidates: Sequence[Candidate],
    sentence: str,
    settings: SpeedSettings,
    schema: str,
    download: bool,
    progress: Callable[[str], None],
) -> dict[str, list[tuple[float, float]]]:
    """Return, for each model, the seconds of loading and of the first call in fresh processes."""
    found: dict[str, list[tuple[float, float]]] = {c.name: [] for c in candidates}
    for number in range(settings.starts):
        for c in candidates:
            progress(f"start {number + 1} of {settings.starts}: {c.name}")
            with running(c, schema, download) as worker:
                found[c.name].append((worker.started, worker.seconds([sentence])))
    return found


def _sample(texts: Sequence[str], count: int) -> list[str]:
    """Return the first texts that together have `count` words."""
    chosen: list[str] = []
    left = count
    for text in texts:
        if left <= 0:
            break
        chosen.append(text)
        left -= len(words(text))
    return chosen
