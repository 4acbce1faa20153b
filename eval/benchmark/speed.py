"""Speed of models side by side: throughput, latency, start, memory, size on disk.

Every model runs in a process of its own, and only one of them works at a time. Rounds are interleaved (A B A B …),
so that what slows the machine down for a while slows all models down; the ratio to the baseline is taken over
whole rounds, its interval by a bootstrap over them (Kalibera and Jones 2013, "Rigorous Benchmarking in Reasonable
Time", ISMM, on repeated and interleaved executions).
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import numpy as np

from ...model.errors import ConfigError, DataError, IsnadError
from ...model.text import words
from ...training.compute import machine
from .adapters import Candidate
from .speed_process import Contestant, Worker, running

Progress = Callable[[str], None]
# Told the name of a contestant that failed and why; it is left out from then on.
Failed = Callable[[str, IsnadError], None]

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


@dataclass
class Timings:
    """What the rounds of one contestant gave.

    Attributes:
        seconds: of each kind of text, round after round.
        found: entities that it found in the texts `all`.
        memory: see `Worker.memory`.
    """

    seconds: dict[str, list[float]]
    found: int = 0
    memory: dict[str, int] = field(default_factory=dict)


def _raise(name: str, error: IsnadError) -> None:
    raise error


def measure_speed(
    candidates: Sequence[Candidate],
    texts: Sequence[str],
    *,
    baseline: str,
    settings: SpeedSettings | None = None,
    schema: str = "wojood",
    download: bool = False,
    seed: int = 0,
    progress: Progress = lambda message: None,
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
    orders = [
        Contestant(c.name, {"spec": c.spec, "schema": schema, "download": download}, c.size, c.hash)
        for c in candidates
    ]
    kinds = sample_texts(texts, settings.words)
    starts = time_starts(orders, kinds["sentence"], settings, progress)
    timed = time_rounds(orders, kinds, settings, progress)
    random = np.random.default_rng(seed)
    models = {}
    for c in orders:
        own = timed[c.name].seconds["all"]
        against = None if c.name == baseline else ratio_interval(timed[baseline].seconds["all"], own, random)
        facts = summary(timed[c.name], starts[c.name], sum(len(words(t)) for t in kinds["all"]))
        models[c.name] = {
            "words_per_second": facts.pop("words_per_second"),
            "ratio": against,
            **facts,
            "size": c.size,
        }
    threads = os.environ.get("OMP_NUM_THREADS")
    return {
        "baseline": baseline,
        "rounds": settings.rounds,
        "texts": len(kinds["all"]),
        "words": sum(len(words(t)) for t in kinds["all"]),
        "machine": machine() | ({"OMP_NUM_THREADS": threads} if threads else {}),
        "hashes": {c.name: c.hash for c in candidates},
        "round_seconds": {name: found.seconds["all"] for name, found in timed.items()},
        "models": models,
    }


def sample_texts(texts: Sequence[str], count: int) -> dict[str, list[str]]:
    """Return the texts that are timed, by kind: `all` (about `count` words), one `sentence`, one `article`."""
    return {
        "all": _sample(texts, count),
        "sentence": [" ".join(excerpt(texts, SENTENCE).split())],
        "article": [excerpt(texts, ARTICLE)],
    }


def summary(timed: Timings, starts: Sequence[tuple[float, float]], count: int) -> dict[str, Any]:
    """Return the numbers of one contestant.

    Args:
        timed: its rounds.
        starts: seconds of loading and of the first call, in each fresh process.
        count: number of words of the texts `all`.
    """
    rounds = timed.seconds["all"]
    return {
        "words_per_second": count * len(rounds) / sum(rounds),
        "cold_start": percentiles([a + b for a, b in starts]),
        "first_call": percentiles([b for _, b in starts]),
        f"sentence_{SENTENCE}": percentiles(timed.seconds["sentence"]),
        f"article_{ARTICLE}": percentiles(timed.seconds["article"]),
        **timed.memory,
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


def time_rounds(
    contestants: Sequence[Contestant],
    texts: Mapping[str, Sequence[str]],
    settings: SpeedSettings,
    progress: Progress = lambda message: None,
    failed: Failed = _raise,
) -> dict[str, Timings]:
    """Return the times of each contestant, round after round; all of them hold their models meanwhile.

    Args:
        contestants: whose names differ.
        texts: by kind, see `sample_texts`; `all` is timed once a round, the others `settings.repeats` times.
        settings: number of rounds.
        progress: told what is measured.
        failed: told of contestants that fail, which are then left out; by default the error is raised.
    """
    times = {c.name: Timings({kind: [] for kind in texts}) for c in contestants}
    with ExitStack() as stack:
        workers: dict[str, Worker] = {}
        for c in contestants:
            try:
                workers[c.name] = stack.enter_context(running(c))
            except IsnadError as error:
                failed(c.name, error)
        for number in range(settings.rounds + 1):
            progress(f"round {number} of {settings.rounds}" if number else "warming up")
            for name, worker in list(workers.items()):
                try:
                    found = _round(worker, texts, settings.repeats)
                    times[name].memory = worker.memory()
                except IsnadError as error:
                    failed(name, error)
                    workers.pop(name).close()
                    continue
                for kind in texts if number else ():
                    times[name].seconds[kind] += [seconds for seconds, _ in found[kind]]
                times[name].found = found["all"][0][1]
        return {name: times[name] for name in workers}


def _round(
    worker: Worker, texts: Mapping[str, Sequence[str]], repeats: int
) -> dict[str, list[tuple[float, int]]]:
    return {
        kind: [worker.run(chosen) for _ in range(1 if kind == "all" else repeats)]
        for kind, chosen in texts.items()
    }


def time_starts(
    contestants: Sequence[Contestant],
    sentence: Sequence[str],
    settings: SpeedSettings,
    progress: Progress = lambda message: None,
    failed: Failed = _raise,
) -> dict[str, list[tuple[float, float]]]:
    """Return, for each contestant, the seconds of loading and of the first call in fresh processes.

    Args:
        contestants, settings, progress, failed: as for `time_rounds`.
        sentence: the texts of the first call.
    """
    found: dict[str, list[tuple[float, float]]] = {c.name: [] for c in contestants}
    for number in range(settings.starts):
        for c in contestants:
            if c.name not in found:
                continue
            progress(f"start {number + 1} of {settings.starts}: {c.name}")
            try:
                with running(c) as worker:
                    found[c.name].append((worker.started, worker.seconds(sentence)))
            except IsnadError as error:
                failed(c.name, error)
                del found[c.name]
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
