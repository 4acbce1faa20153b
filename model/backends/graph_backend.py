"""What backends that run exported graphs share: all but how a graph is opened and called.

The graphs are those of `training.export_graphs`; what lies between them is NumPy.
"""

import itertools
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..processes import threads
from ..scores import Floats, Integers, WindowScores
from ..store import EXPORT
from ..windows import Window
from .batches import batch_arrays, rounded_up, score_batches, split_scores, window_batches
from .light import LightConfig, LightTokenizer
from .onnx_files import Export

# Pairs times words of one call of the relation graph: what bounds its memory.
_PAIR_CELLS = 2**20
Graphs = Mapping[str, Any]
# Number of outputs of each graph.
OUTPUTS = {"encode": 4, "mentions": 2, "relations": 1, "coreference": 1}


def read_export(folder: Path, name: str = EXPORT) -> tuple[Export, LightConfig, LightTokenizer]:
    """Return notes, configuration and tokenizer of a folder written by `isnad export`.

    Args:
        folder: of the model.
        name: of the notes, as the manifest has it.

    Raises:
        ModelError: one of them is missing, not sealed by the manifest, or not what this version writes.
    """
    export = Export.read(folder, name=name)
    config = LightConfig.read(folder / "config.json")
    return export, config, LightTokenizer(folder / "tokenizer.json", export.special)


class GraphBackend(ABC):
    """Runs the graphs of an exported model.

    Args:
        config: the model's configuration; `prune_threshold` and `max_candidates` are looked up at every call.
        pad_id: piece id that pads.

    A few batches are scored one after another, each on all threads; as many as there are threads are scored at the
    same time, each on one, as threads that share a batch wait for each other. The graphs are opened once for the
    former, and once more when the latter is first wanted.

    A backend can be pickled and used in threads; a forked process opens the graphs anew, as the threads of their
    runtime do not survive a fork.
    """

    # Pieces of a batch. Less than of torch: what a graph computes in between stays in the caches of one core.
    _budget = 512
    # Lengths and numbers of words, spans and pairs are padded to multiples of it, for runtimes that compile anew for
    # every shape.
    _multiple = 1
    # Whether batches may be scored at the same time.
    _concurrent = True

    def __init__(self, config: LightConfig, pad_id: int) -> None:
        self._config, self._pad_id = config, pad_id
        schema = config.schema()
        mask = np.asarray(schema.signature_mask(), dtype=bool)
        types = len(schema.entities)
        # Whether any relation at all joins two types.
        self._joined = mask.reshape(-1, types, types).any(axis=0).astype(np.float32)
        self._relations = max(1, len(schema.relations))
        self._open()

    @abstractmethod
    def _load(self, calls: int, threads: int) -> Graphs:
        """Return the opened graphs by name; what can be pickled was set before `__init__`.

        Args:
            calls: made at the same time.
            threads: of each call.
        """

    @abstractmethod
    def _call(self, graph: Any, inputs: Mapping[str, NDArray[Any]]) -> list[Any]:
        """Return the outputs of an opened graph, in its order; threads may call at the same time."""

    def _open(self) -> None:
        self._process, self._threads = os.getpid(), threads()
        self._lock = Lock()
        self._opened = {1: self._load(1, self._threads)}
        self._abandoned: list[Any] = getattr(self, "_abandoned", [])

    def __getstate__(self) -> dict[str, Any]:
        own = ("_opened", "_lock", "_process", "_threads", "_abandoned")
        return {k: v for k, v in vars(self).items() if k not in own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._open()

    def _graphs(self, calls: int = 1) -> Graphs:
        """Return the graphs, opened for so many calls at the same time."""
        if self._process != os.getpid():
            # Closing the old graphs would wait for threads that only the parent process has.
            self._abandoned = [*self._abandoned, self._opened]
            self._open()
        with self._lock:
            if calls not in self._opened:
                self._opened[calls] = self._load(calls, 1)
            return self._opened[calls]

    def score(self, windows: Sequence[Window]) -> list[WindowScores]:
        """Return the scores of each window, in order; windows are batched by length."""
        groups = window_batches(windows, self._budget)
        graphs, calls = self._graphs(), 1
        if self._concurrent and len(groups) >= self._threads > 1:
            graphs, calls = self._graphs(self._threads), self._threads
        return score_batches(windows, groups, lambda batch: self._batch(batch, graphs), at_once=calls)

    def coreference(self, features: Floats, first: Floats, second: Floats) -> Floats:
        """Return probabilities [pairs]."""
        inputs = {"features": features, "first": first, "second": second}
        arrays = {
            name: np.ascontiguousarray(self._padded(array), dtype=np.float32)
            for name, array in inputs.items()
        }
        return self._call(self._graphs()["coreference"], arrays)[0][: len(features)]

    def _padded(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return an array with its first row repeated behind the last until its length is a multiple."""
        lacking = rounded_up(len(array), self._multiple) - len(array)
        return np.concatenate([array, np.repeat(array[:1], lacking, axis=0)]) if lacking else array

    def _batch(self, windows: list[Window], graphs: Graphs) -> list[WindowScores]:
        arrays = batch_arrays(windows, self._pad_id, multiple=self._multiple)
        words, span_logits, best, proclitics = self._call(graphs["encode"], arrays)
        floor = logit(self._config.prune_threshold)
        spans, over = candidates(best, floor, self._config.max_candidates)
        window, first, last = spans.T
        logits = np.ascontiguousarray(span_logits[window, first, :, last])
        del span_logits
        mentions, vectors = np.zeros((2, 0, 1), dtype=np.float32)
        if len(spans):
            of_spans = {"spans": self._padded(spans), "logits": self._padded(logits)}
            mentions, vectors = self._call(graphs["mentions"], {"words": words} | of_spans)
        pairs = self._pairs(spans, logits > floor)
        relate = graphs["relations"]
        pair_logits = self._relate(relate, words, arrays["word_mask"], mentions, spans, pairs)
        return split_scores(
            len(windows), spans, logits, vectors, proclitics[window, first], pairs, pair_logits, over
        )

    def _pairs(self, spans: Integers, likely: NDArray[np.bool_]) -> Integers:
        """Return [pairs, 2]: different spans of one window with likely types that some relation joins.

        Args:
            spans: [spans, 3], sorted by window.
            likely: [spans, types].
        """
        found = [np.zeros((0, 2), dtype=np.int64)]
        for lo, hi in _runs(spans[:, 0]):
            types = likely[lo:hi].astype(np.float32)
            possible = (types @ self._joined @ types.T) > 0
            np.fill_diagonal(possible, False)
            found.append(np.argwhere(possible) + lo)
        return np.concatenate(found)

    def _relate(
        self,
        graph: Any,
        words: Floats,
        word_mask: NDArray[Any],
        mentions: Floats,
        spans: Integers,
        pairs: Integers,
    ) -> Floats:
        """Return [pairs, relations]; windows with about as many pairs are scored together."""
        logits = np.zeros((len(pairs), self._relations), dtype=np.float32)
        if not len(pairs):
            return logits
        most = max(64, _PAIR_CELLS // words.shape[1])
        window_of = spans[pairs[:, 0], 0]
        # The pairs of one window each, or a share of them where they are very many.
        parts = [(at, min(at + most, hi)) for lo, hi in _runs(window_of) for at in range(lo, hi, most)]
        for group in _alike([hi - lo for lo, hi in parts], most):
            chosen = [parts[i] for i in group]
            rows = window_of[[lo for lo, _ in chosen]]
            longest = rounded_up(max(hi - lo for lo, hi in chosen), self._multiple)
            sides = np.zeros((2, len(chosen), longest), dtype=np.int64)
            for row, (lo, hi) in enumerate(chosen):
                sides[:, row, : hi - lo] = pairs[lo:hi].T
            # Only the mentions at hand; the padding points to one of them.
            used, index = np.unique(sides, return_inverse=True)
            used = self._padded(used)
            head, tail = index.reshape(sides.shape).astype(np.int64)
            result = self._call(
                graph,
                {
                    "words": words[rows],
                    "word_mask": word_mask[rows],
                    "mentions": mentions[used],
                    "spans": np.ascontiguousarray(spans[used, 1:]),
                    "head": head,
                    "tail": tail,
                },
            )[0]
            for row, (lo, hi) in enumerate(chosen):
                logits[lo:hi] = result[row, : hi - lo]
        return logits


def _alike(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Group indices as `budget_batches` does, but so that hardly a third of a group is padding."""
    groups: list[list[int]] = []
    shortest = 0
    for index in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        length = lengths[index]
        if groups and (len(groups[-1]) + 1) * length <= budget and length <= 1.5 * shortest + 16:
            groups[-1].append(index)
        else:
            groups.append([index])
            shortest = length
    return groups


def _runs(values: Integers) -> list[tuple[int, int]]:
    """Return (first, last + 1) of every run of equal values."""
    if not len(values):
        return []
    starts = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist(), len(values)]
    return list(itertools.pairwise(starts))


def logit(probability: float) -> float:
    """Return the logit of a probability, infinite for 0 and 1."""
    with np.errstate(divide="ignore"):
        return float(np.log(probability) - np.log1p(-probability))


def candidates(best: Floats, floor: float, limit: int) -> tuple[Integers, Integers]:
    """Return the spans worth a look, as `IsnadModel.candidates` does.

    Args:
        best: [windows, words, words], the highest logit of each span.
        floor: logit that a span must exceed.
        limit: spans of one window, best first.

    Returns:
        Spans [spans, 3] (window, first word, last word), sorted, and for each window the number of spans above
        the threshold.
    """
    spans = np.argwhere(best > floor)
    over = np.bincount(spans[:, 0], minlength=len(best))
    keep = np.ones(len(spans), dtype=bool)
    ends = np.cumsum(over)
    for window in np.flatnonzero(over > limit):
        rows = slice(ends[window] - over[window], ends[window])
        values = best[tuple(spans[rows].T)]
        keep[rows] = False
        keep[rows.start + np.argsort(-values, kind="stable")[:limit]] = True
    return spans[keep], over
