"""The PyTorch backend."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..modeling import IsnadModel, same_window_pairs
from ..scores import Floats, WindowScores
from ..windows import LETTER_SLOTS, Window

# Pieces of one batch, padding included: enough to fill the cores, little enough for the caches.
_PIECES_A_BATCH = 4096


def batch_tensors(windows: Sequence[Window], pad_id: int) -> dict[str, Tensor]:
    """Return the padded tensors of `IsnadModel.forward` for some windows."""
    pieces, count = max(len(w.input_ids) for w in windows), max(len(w.words) for w in windows)
    ids = np.full((len(windows), pieces), pad_id, dtype=np.int64)
    attention = np.zeros((len(windows), pieces), dtype=np.int64)
    first, last = np.zeros((2, len(windows), count), dtype=np.int64)
    mask = np.zeros((len(windows), count), dtype=bool)
    letters = np.zeros((len(windows), count, LETTER_SLOTS), dtype=np.int64)
    for row, window in enumerate(windows):
        n, w = len(window.input_ids), len(window.words)
        ids[row, :n], attention[row, :n] = window.input_ids, 1
        first[row, :w], last[row, :w], mask[row, :w] = window.first, window.last, True
        letters[row, :w] = window.letters
    arrays = {
        "input_ids": ids,
        "attention_mask": attention,
        "word_first": first,
        "word_last": last,
        "word_letters": letters,
        "word_mask": mask,
    }
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def budget_batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Group indices by length so that no group's padded size exceeds `budget` (one item may)."""
    groups: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if groups and (len(groups[-1]) + 1) * lengths[index] <= budget:
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups


class TorchBackend:
    """Runs an `IsnadModel` on one device.

    Args:
        model: the model; it is put into evaluation mode.
        pad_id: piece id that pads.
        device: where to run.
    """

    def __init__(self, model: IsnadModel, pad_id: int, device: torch.device | str = "cpu") -> None:
        self._model = model.eval().to(device)
        self._pad_id = pad_id
        self._device = torch.device(device)

    @torch.inference_mode()
    def score(self, windows: Sequence[Window]) -> list[WindowScores]:
        """Return the scores of each window, in order; windows are batched by length."""
        scores: dict[int, WindowScores] = {}
        for group in budget_batches([len(w.input_ids) for w in windows], _PIECES_A_BATCH):
            for index, result in zip(group, self._batch([windows[i] for i in group]), strict=True):
                scores[index] = result
        return [scores[i] for i in range(len(windows))]

    @torch.inference_mode()
    def coreference(self, features: Floats, first: Floats, second: Floats) -> Floats:
        """Return probabilities [pairs]."""
        tensors = (
            torch.from_numpy(np.ascontiguousarray(x)).to(self._device) for x in (features, first, second)
        )
        return torch.sigmoid(self._model.coreference_head(*tensors)).cpu().numpy()

    def _batch(self, windows: list[Window]) -> list[WindowScores]:
        model = self._model
        tensors = {k: v.to(self._device) for k, v in batch_tensors(windows, self._pad_id).items()}
        output = model(**tensors)
        assert (
            output.span_logits is not None
            and output.words is not None
            and output.proclitic_logits is not None
        )
        found = model.candidates(output.span_logits)
        spans, types = found.spans, torch.sigmoid(found.logits).to(output.words.dtype)
        mentions = model.mentions(output.words, spans, types)
        pairs = same_window_pairs(spans)
        likely = types > model.config.prune_threshold
        pairs = pairs[model.possible(likely[pairs[:, 0]], likely[pairs[:, 1]]).any(dim=1)]
        pair_logits = model.relate(output.words, tensors["word_mask"], mentions, spans, pairs)
        proclitics = output.proclitic_logits.argmax(dim=-1)[spans[:, 0], spans[:, 1]]
        vectors = model.coreference_head.vectors(mentions)
        over = (torch.sigmoid(output.span_logits.amax(-1)) > model.config.prune_threshold).flatten(1).sum(1)
        return _split(
            len(windows),
            spans.cpu().numpy(),
            [x.float().cpu().numpy() for x in (found.logits, vectors)],
            proclitics.cpu().numpy(),
            pairs.cpu().numpy(),
            pair_logits.cpu().numpy(),
            over.cpu().numpy(),
        )


def _split(
    count: int,
    spans: np.ndarray,
    floats: list[np.ndarray],
    proclitics: np.ndarray,
    pairs: np.ndarray,
    pair_logits: np.ndarray,
    over: np.ndarray,
) -> list[WindowScores]:
    """Cut the arrays of a batch into windows; spans are sorted by window, so each is one slice."""
    bounds = np.searchsorted(spans[:, 0], np.arange(count + 1))
    pair_bounds = np.searchsorted(spans[pairs[:, 0], 0] if len(pairs) else np.zeros(0), np.arange(count + 1))
    results = []
    for w in range(count):
        lo, hi = bounds[w], bounds[w + 1]
        p, q = pair_bounds[w], pair_bounds[w + 1]
        results.append(
            WindowScores(
                spans=spans[lo:hi, 1:],
                logits=floats[0][lo:hi],
                vectors=floats[1][lo:hi],
                proclitics=proclitics[lo:hi],
                pairs=pairs[p:q] - lo,
                pair_logits=pair_logits[p:q],
                cut=int(max(0, over[w] - (hi - lo))),
            )
        )
    return results
