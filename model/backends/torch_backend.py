"""The PyTorch backend."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..modeling import IsnadModel, same_window_pairs
from ..scores import Floats, WindowScores
from ..windows import Window
from .batches import (
    PIECES_A_BATCH,
    PIECES_A_BATCH_GPU,
    batch_arrays,
    budget_batches,
    score_batches,
    split_scores,
    window_batches,
)

__all__ = ["TorchBackend", "batch_tensors", "budget_batches", "window_batches"]


def batch_tensors(windows: Sequence[Window], pad_id: int) -> dict[str, Tensor]:
    """Return the padded tensors of `IsnadModel.forward` for some windows."""
    return {name: torch.from_numpy(array) for name, array in batch_arrays(windows, pad_id).items()}


def computes_bf16(device: torch.device) -> bool:
    """Whether a device has instructions for bf16: AMX or AVX512-BF16 of processors, any GPU since Ampere."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    checks = (
        getattr(torch.cpu, name, None) for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    )
    return device.type == "cpu" and any(check() for check in checks if check is not None)


class TorchBackend:
    """Runs an `IsnadModel` on one device.

    Args:
        model: the model; it is put into evaluation mode.
        pad_id: piece id that pads.
        device: where to run.
        precision: one of `choice.PRECISIONS`; `auto` is bf16 where the device has instructions for it.
    """

    def __init__(
        self, model: IsnadModel, pad_id: int, device: torch.device | str = "cpu", *, precision: str = "fp32"
    ) -> None:
        self._model = model.eval().to(device)
        self._pad_id = pad_id
        self._device = torch.device(device)
        self._bf16 = computes_bf16(self._device) if precision == "auto" else precision == "bf16"

    @torch.inference_mode()
    def score(self, windows: Sequence[Window]) -> list[WindowScores]:
        """Return the scores of each window, in order; windows are batched by length."""
        budget = PIECES_A_BATCH if self._device.type == "cpu" else PIECES_A_BATCH_GPU
        return score_batches(windows, window_batches(windows, budget), self._batch)

    @torch.inference_mode()
    def coreference(self, features: Floats, first: Floats, second: Floats) -> Floats:
        """Return probabilities [pairs]."""
        tensors = (
            torch.from_numpy(np.ascontiguousarray(x)).to(self._device) for x in (features, first, second)
        )
        return torch.sigmoid(self._model.coreference_head(*tensors)).cpu().numpy()

    def _batch(self, windows: list[Window]) -> list[WindowScores]:
        # Products of matrices in bf16, sums and what is near a decision in fp32, as in training.
        with torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=self._bf16):
            return self._scores(windows)

    def _scores(self, windows: list[Window]) -> list[WindowScores]:
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
        return split_scores(
            len(windows),
            spans.cpu().numpy(),
            found.logits.float().cpu().numpy(),
            vectors.float().cpu().numpy(),
            proclitics.cpu().numpy(),
            pairs.cpu().numpy(),
            pair_logits.float().cpu().numpy(),
            over.cpu().numpy(),
        )
