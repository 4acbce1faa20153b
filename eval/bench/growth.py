"""How cost grows with the length of one text: seconds and peak memory, and the slope between them."""

import random
from collections.abc import Sequence
from math import log, sqrt
from typing import Any

from ...model.errors import ConfigError, DataError, IsnadError
from ...model.text import paragraphs, sentence_starts, words
from ..benchmark.speed import Progress
from ..benchmark.speed_process import Contestant, Worker, running
from ..spread import t_quantile

LENGTHS = (1_000, 3_000, 10_000, 30_000, 100_000)
# Sentences of a paragraph, as in the articles.
_PARAGRAPH = (2, 5)
# Short texts are timed several times: until so many seconds have gone by, but no oftener than so many times.
_SECONDS, _TIMES = 5.0, 5


def long_text(texts: Sequence[str], count: int, seed: int = 0) -> str:
    """Return one text of exactly `count` words: the sentences of texts, in a new random order each time round.

    Args:
        texts: with sentences.
        count: words.
        seed: the same seed gives the same text, and a shorter text is the beginning of a longer one.

    Raises:
        DataError: no words in the texts.
    """
    sentences = [s for text in texts for s in _sentences(text)]
    if not sentences:
        raise DataError("no words to make a long text of", accepted="data with text")
    draw = random.Random(seed)
    parts: list[str] = []
    left, open_for = count, draw.randint(*_PARAGRAPH)
    while left > 0:
        for sentence in draw.sample(sentences, len(sentences)):
            spans = words(sentence)
            parts.append(sentence if len(spans) <= left else sentence[: spans[left - 1][1]])
            left -= len(spans)
            if left <= 0:
                break
            open_for -= 1
            parts.append(" " if open_for else "\n")
            open_for = open_for or draw.randint(*_PARAGRAPH)
    return "".join(parts)


def _sentences(text: str) -> list[str]:
    found = []
    for lo, hi in paragraphs(text):
        spans = words(text, lo, hi)
        starts = sentence_starts(text, spans)
        for first, last in zip(starts, [*starts[1:], len(spans)], strict=True):
            found.append(text[spans[first][0] : spans[last - 1][1]])
    return found


def measure_growth(
    contestant: Contestant,
    texts: Sequence[str],
    lengths: Sequence[int],
    *,
    seed: int = 0,
    limit: float = 900.0,
    progress: Progress = lambda message: None,
) -> dict[str, Any]:
    """Time one text of growing length in one process.

    Args:
        contestant: what is timed.
        texts: that the text is made of, see `long_text`.
        lengths: in words.
        seed: of the text.
        limit: seconds; a length that would take longer, by the one before it, is left out.
        progress: told what is measured.

    Returns:
        Plain data: `points` (`words`, `seconds` of each time, `peak_memory` of the process up to then, `found`
        entities), `slope` of the logarithms of seconds over words (1 is linear), `bytes_per_word` by which the peak
        grows, both with their 95% interval; `left_out` lengths; `error` if one came up, with the points before it.
    """
    points: list[dict[str, Any]] = []
    result: dict[str, Any] = {"points": points, "left_out": []}
    try:
        with running(contestant) as worker:
            worker.run([long_text(texts, min(lengths), seed)])
            result["memory_before"] = worker.memory()["peak_memory"]
            for count in sorted(lengths):
                likely = min(points[-1]["seconds"]) * count / points[-1]["words"] if points else 0.0
                if likely > limit:
                    result["left_out"].append({"words": count, "expected_seconds": round(likely, 1)})
                    continue
                progress(f"one text of {count:,} words: {contestant.name}")
                points.append(_point(worker, long_text(texts, count, seed), count))
    except IsnadError as error:
        result["error"] = str(error)
    return result | fits(points)


def _point(worker: Worker, text: str, count: int) -> dict[str, Any]:
    seconds: list[float] = []
    found = 0
    while len(seconds) < _TIMES and (not seconds or sum(seconds) + seconds[-1] < _SECONDS):
        took, found = worker.run([text])
        seconds.append(took)
    return {"words": count, "seconds": seconds, "found": found, **worker.memory()}


def fits(points: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return `slope` and `bytes_per_word` of the points of `measure_growth`; None where there are too few."""
    pairs = [(log(p["words"]), log(s)) for p in points for s in p["seconds"]]
    peaks = [(float(p["words"]), float(p["peak_memory"])) for p in points]
    return {"slope": line(pairs), "bytes_per_word": line(peaks)}


def line(points: Sequence[tuple[float, float]], level: float = 0.95) -> dict[str, float | None] | None:
    """Return the slope of the least-squares line with its interval by Student's t.

    Args:
        points: (x, y); fewer than two different x give None, and two points give no interval.
        level: of the interval.
    """
    n = len(points)
    if len({x for x, _ in points}) < 2:
        return None
    mean_x, mean_y = sum(x for x, _ in points) / n, sum(y for _, y in points) / n
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    if n < 3:
        return {"value": slope, "low": None, "high": None}
    residual = sum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in points)
    half = t_quantile(0.5 + level / 2, n - 2) * sqrt(residual / (n - 2) / spread)
    return {"value": slope, "low": slope - half, "high": slope + half}


def check_lengths(lengths: Sequence[int]) -> tuple[int, ...]:
    """Return the lengths in order; ConfigError if one is below 1."""
    for count in lengths:
        if count < 1:
            raise ConfigError(f"--lengths {count}; accepted: numbers of words such as 1000,10000,100000")
    return tuple(sorted(set(lengths)))
