"""What the rows of new labels begin with: nothing, a known label like them, or the words that carry them."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from ..model.backends.torch_backend import batch_tensors, window_batches
from ..model.document import Document
from ..model.modeling import IsnadModel
from ..model.schema import EntityType, LabelSchema, RelationType
from ..model.windows import Window, WindowMaker
from .examples import locate
from .transfer import ENTITY_AXES

_PIECES_A_BATCH = 4096
# A row taken from another label starts this much lower: like it, but for the new data to say where.
_LOWER = 2.0
# Logits by which the mean of marked words stands above the mean of all words, in each of first and last word.
_MARGIN = 4.0

Starter = Callable[[IsnadModel, PreTrainedTokenizerBase], None]


def row_starter(
    how: str, schema: LabelSchema, new: Sequence[str], documents: Sequence[Document]
) -> Starter | None:
    """Return a function that starts the rows of new labels in a model, or None where they stay random.

    Args:
        how: one of `extend_config.ROWS`. `description` copies the row of the label whose descriptions, in Arabic and
            English, have the nearest mean of word representations; `examples` puts the mean of the first and of the
            last words of the marked names into the weights of these words (imprinting, Qi et al. 2018, "Low-Shot
            Learning with Imprinted Weights", section 3.2). Relations know `description` only.
        schema: the labels of the extended model.
        new: labels whose rows are fresh.
        documents: new training documents.
    """
    if how == "random" or not new:
        return None

    def start(model: IsnadModel, tokenizer: PreTrainedTokenizerBase) -> None:
        maker = WindowMaker.of(tokenizer, model.config)
        reader = _Reader(model, maker, tokenizer.pad_token_id or 0)
        model.eval()
        if how == "description":
            _from_descriptions(reader, schema, new)
        else:
            _from_examples(reader, schema, new, documents)
        model.train()

    return start


class _Reader:
    """Word representations of a model."""

    def __init__(self, model: IsnadModel, maker: WindowMaker, pad_id: int) -> None:
        self.model, self._maker, self._pad_id = model, maker, pad_id

    @torch.no_grad()
    def words(self, text: str) -> Iterator[tuple[Window, Tensor]]:
        """Yield the windows of a text with [words, word_size]."""
        windows = list(self._maker.windows(text))
        for group in window_batches(windows, _PIECES_A_BATCH):
            chosen = [windows[n] for n in group]
            output = self.model(**batch_tensors(chosen, self._pad_id))
            assert output.words is not None
            for number, window in enumerate(chosen):
                yield window, output.words[number, : len(window.words)]

    def mean(self, text: str) -> Tensor:
        """Return [word_size], the mean over the words of a text."""
        return torch.cat([vectors for _, vectors in self.words(text)]).mean(dim=0)


def nearest_labels(vectors: dict[str, Tensor], known: Sequence[str], new: Sequence[str]) -> dict[str, str]:
    """Return for each new label the known one whose vector, less the mean of all, has the nearest direction."""
    if not known:
        return {}
    middle = torch.stack([vectors[label] for label in known]).mean(dim=0)
    table = torch.nn.functional.normalize(torch.stack([vectors[label] - middle for label in known]), dim=1)
    return {label: known[int((table @ (vectors[label] - middle)).argmax())] for label in new}


@torch.no_grad()
def _from_descriptions(reader: _Reader, schema: LabelSchema, new: Sequence[str]) -> None:
    model = reader.model
    kinds: tuple[tuple[Sequence[EntityType] | Sequence[RelationType], bool], ...] = (
        (schema.entities, True),
        (schema.relations, False),
    )
    for types, entity in kinds:
        said = {t.name: " ".join(part for part in (t.ar, t.en) if part) for t in types}
        vectors = {name: reader.mean(text) for name, text in said.items() if text}
        known = [name for name in vectors if name not in new]
        index = schema.entity_index if entity else schema.relation_index
        for label, near in nearest_labels(vectors, known, [n for n in vectors if n in new]).items():
            _copy(model, index[label], index[near], len(types), entity=entity)


def _copy(model: IsnadModel, row: int, near: int, count: int, *, entity: bool) -> None:
    if not entity:
        output = model.relation_head.output
        output.weight[row] = output.weight[near]
        output.bias[row] = output.bias[near] - _LOWER
        return
    state = model.state_dict()
    for name, (axis, blocks) in ENTITY_AXES.items():
        value = state[name].movedim(axis, 0)
        for block in range(blocks):
            value[block * count + row] = value[block * count + near]
    model.span_head.width.weight[:, row] -= _LOWER


@torch.no_grad()
def _from_examples(
    reader: _Reader, schema: LabelSchema, new: Sequence[str], documents: Sequence[Document]
) -> None:
    model = reader.model
    fresh = [label for label in schema.entity_labels if label in new]
    marked: dict[str, list[tuple[Tensor, Tensor]]] = {label: [] for label in fresh}
    total, count = torch.zeros(model.config.word_size), 0
    for document in documents:
        for window, vectors in reader.words(document.text):
            total, count = total + vectors.sum(dim=0), count + len(vectors)
            for entity in document.entities:
                place = locate(document.text, window, entity) if entity.label in marked else "another label"
                if not isinstance(place, str):
                    marked[entity.label].append((vectors[place[0]], vectors[place[1]]))
    types, parts = model.span_head.types, model.span_head.parts
    for label, pairs in marked.items():
        for block, side in enumerate(zip(*pairs, strict=True)):  # first words, then last words
            mean = torch.stack(side).mean(dim=0)
            away = mean - total / max(1, count)
            row = block * types + schema.entity_index[label]
            parts.weight[row] = _MARGIN * away / away.square().sum().clamp(min=1e-3)
            # The marked words stand at 0, all words on average at minus the margin.
            parts.bias[row] = -(parts.weight[row] @ mean)
