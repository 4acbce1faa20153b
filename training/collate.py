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
from .data.annotation import Annotation, Source
from .examples import Example, Unreachable, build_examples, build_paragraphs

Augmentation = Callable[[Document, np.random.Generator], Document]


class ParagraphDataset(Dataset):
    """Paragraphs of gold documents; an item is the list of its windows, nearly always one.

    Args:
        sources: gold, each with the reading of its labels and its weight.
        maker: cuts windows.
        schema: the labels.
        augment: rewrites a paragraph of a source that keeps to the schema; called with a generator seeded by
            seed, epoch and index, so that a resumed run sees the same texts.
        seed: of the augmentation, and of which paragraphs an epoch shows.

    Attributes:
        lengths: pieces of the longest window of every paragraph.
        unreachable: gold that cannot be learned from.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        maker: WindowMaker,
        schema: LabelSchema,
        *,
        augment: Augmentation | None = None,
        seed: int = 0,
    ) -> None:
        self._maker, self._schema, self._augment, self._seed = maker, schema, augment, seed
        self._epoch = 0
        self._parts: list[Document] = []
        self._plain: list[list[Example]] = []
        self._readings: list[Annotation | None] = []
        self._shares: list[tuple[int, int, float]] = []
        self.unreachable = Unreachable()
        for source in sources:
            first, reading = len(self._parts), source.annotation
            for document in source.documents:
                for part, examples in build_paragraphs(
                    document, maker, schema, unreachable=self.unreachable, annotation=reading
                ):
                    self._parts.append(part)
                    self._plain.append(examples)
                    self._readings.append(reading)
            self._shares.append((first, len(self._parts), source.weight))
        self.lengths = [max((len(e.window.input_ids) for e in row), default=0) for row in self._plain]

    def set_epoch(self, epoch: int) -> None:
        """Choose which augmentation the items show."""
        self._epoch = epoch

    def shown(self, epoch: int) -> list[int]:
        """Return the paragraphs of an epoch: as many in every one, and in turn all of a source.

        A source of weight w shows a share w of its paragraphs; the next epoch goes on where this one ended.
        """
        indices: list[int] = []
        for number, (lo, hi, weight) in enumerate(self._shares):
            order = np.random.default_rng((self._seed, number)).permutation(hi - lo) + lo
            count = round(weight * len(order))
            at = (epoch * count + np.arange(count)) % max(1, len(order))
            indices += order[at].tolist()
        return indices

    def __len__(self) -> int:
        return len(self._parts)

    def __getitem__(self, index: int) -> list[Example]:
        if self._augment is None or self._readings[index] is not None:
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
        spans, types, coarse, relations = [], [], [], []
        proclitics = np.full((len(examples), words), -100, dtype=np.int64)
        owner = np.full((len(examples), words), -1, dtype=np.int64)
        offset = 0
        for number, example in enumerate(examples):
            window = np.full((len(example.spans), 1), number, dtype=np.int64)
            spans.append(np.concatenate([window, example.spans], axis=1))
            types.append(example.types)
            coarse.append(example.coarse)
            relations.append(example.relations + np.asarray([offset, 0, offset]))
            proclitics[number, : len(example.proclitics)] = example.proclitics
            owner[number, : len(example.owner)] = example.owner
            offset += len(example.spans)
        gold = {
            "spans": np.concatenate(spans),
            "types": np.concatenate(types),
            "coarse": np.concatenate(coarse),
            "owner": owner,
            "proclitics": proclitics,
            "relations": np.concatenate(relations),
            "annotated": np.stack([e.annotated for e in examples]),
            "relation_annotated": np.stack([e.relation_annotated for e in examples]),
        }
        batch["gold"] = {name: torch.from_numpy(array) for name, array in gold.items()}
        return batch
