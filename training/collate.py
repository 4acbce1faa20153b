"""Batches of examples for `IsnadModel.forward`, and the dataset that makes them anew every epoch."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from ..model.backends.torch_backend import batch_tensors
from ..model.document import Document
from ..model.schema import LabelSchema
from ..model.windows import WindowMaker
from .examples import Example, build_examples, split_paragraphs

Augmentation = Callable[[Document, np.random.Generator], Document]


class ParagraphDataset(Dataset):
    """Paragraphs of gold documents; an item is the list of its windows, nearly always one.

    Args:
        documents: gold.
        maker: cuts windows.
        schema: the labels.
        augment: rewrites a paragraph; called with a generator seeded by seed, epoch and index, so that a
            resumed run sees the same texts.
        seed: of the augmentation.
    """

    def __init__(
        self,
        documents: Sequence[Document],
        maker: WindowMaker,
        schema: LabelSchema,
        *,
        augment: Augmentation | None = None,
        seed: int = 0,
    ) -> None:
        self._parts = [part for document in documents for part in split_paragraphs(document)]
        self._maker, self._schema, self._augment, self._seed = maker, schema, augment, seed
        self._epoch = 0
        self._plain = [list(build_examples(part, maker, schema)) for part in self._parts]
        self.lengths = [max((len(e.window.input_ids) for e in row), default=0) for row in self._plain]

    def set_epoch(self, epoch: int) -> None:
        """Choose which augmentation the items show."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._parts)

    def __getitem__(self, index: int) -> list[Example]:
        if self._augment is None:
            return self._plain[index]
        random = np.random.default_rng((self._seed, self._epoch, index))
        changed = self._augment(self._parts[index], random)
        if changed is self._parts[index]:
            return self._plain[index]
        return list(build_examples(changed, self._maker, self._schema))


class Collator:
    """Pads examples into one batch with a `gold` dictionary of targets.

    Args:
        pad_id: piece id that pads.
    """

    def __init__(self, pad_id: int) -> None:
        self._pad_id = pad_id

    def __call__(self, rows: Sequence[list[Example]]) -> dict[str, Any]:
        """Return the arguments of `IsnadModel.forward`; see `losses` for the shapes in `gold`."""
        examples = [example for row in rows for example in row]
        batch: dict[str, Any] = batch_tensors([e.window for e in examples], self._pad_id)
        words = batch["word_mask"].shape[1]
        spans, types, relations = [], [], []
        proclitics = np.full((len(examples), words), -100, dtype=np.int64)
        offset = 0
        for number, example in enumerate(examples):
            window = np.full((len(example.spans), 1), number, dtype=np.int64)
            spans.append(np.concatenate([window, example.spans], axis=1))
            types.append(example.types)
            relations.append(example.relations + np.asarray([offset, 0, offset]))
            proclitics[number, : len(example.proclitics)] = example.proclitics
            offset += len(example.spans)
        gold = {
            "spans": np.concatenate(spans),
            "types": np.concatenate(types),
            "proclitics": proclitics,
            "relations": np.concatenate(relations),
            "annotated": np.stack([e.annotated for e in examples]),
            "relation_annotated": np.asarray([e.relation_annotated for e in examples]),
        }
        batch["gold"] = {name: torch.from_numpy(array) for name, array in gold.items()}
        return batch
