"""Fitting of the coreference head on gold mentions, after the rest of the model is trained.

Mention pairs span whole documents while training batches hold paragraphs; the encoder is frozen here, its
mention vectors are computed once, and the head's few thousand weights are fitted in seconds.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..model.backends.torch_backend import batch_tensors, window_batches
from ..model.coreference import candidate_pairs, pair_features
from ..model.decoding import coreference_mentions
from ..model.document import Document
from ..model.modeling import IsnadModel
from ..model.schema import LabelSchema
from ..model.windows import WindowMaker
from .examples import Example, build_examples, locate

log = logging.getLogger(__name__)

# Pieces of one batch, padding included.
_PIECES_A_BATCH = 4096


@dataclass(frozen=True)
class MentionPairs:
    """Candidate pairs of one or more documents.

    Attributes:
        features: [pairs, FEATURES].
        first, second: [pairs, pair_size], mention representations before the head's projection.
        same: [pairs], whether gold puts both in one cluster.
    """

    features: Tensor
    first: Tensor
    second: Tensor
    same: Tensor


def mention_pairs(
    model: IsnadModel, maker: WindowMaker, schema: LabelSchema, documents: Sequence[Document], pad_id: int
) -> MentionPairs | None:
    """Return the candidate pairs of gold mentions with their representations; None if there are none."""
    parts: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    for document in documents:
        vectors = _representations(model, maker, schema, document, pad_id)
        mentions, index = coreference_mentions(document.text, document.entities, schema)
        ids = [document.entities[i].id for i in index]
        pairs = [(i, j) for i, j in candidate_pairs(mentions) if ids[i] in vectors and ids[j] in vectors]
        if not pairs:
            continue
        cluster = {member: n for n, group in enumerate(document.clusters) for member in group}
        parts.append(
            (
                torch.tensor([pair_features(mentions[i], mentions[j]) for i, j in pairs]),
                torch.stack([vectors[ids[i]] for i, _ in pairs]),
                torch.stack([vectors[ids[j]] for _, j in pairs]),
                torch.tensor([float(cluster.get(ids[i], -1) == cluster.get(ids[j], -2)) for i, j in pairs]),
            )
        )
    if not parts:
        return None
    return MentionPairs(*(torch.cat(column) for column in zip(*parts, strict=True)))


def fit_coreference(
    model: IsnadModel, pairs: MentionPairs, *, steps: int = 400, learning_rate: float = 5e-3, seed: int = 1
) -> float:
    """Fit the coreference head and return its final loss (mean binary cross-entropy of all pairs)."""
    head = model.coreference_head.train()
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(head.parameters(), lr=learning_rate, weight_decay=0.05)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    loss_function = torch.nn.BCEWithLogitsLoss()
    for _ in range(steps):
        rows = torch.randint(len(pairs.same), (min(2048, len(pairs.same)),), generator=generator)
        logits = head(pairs.features[rows], head.vectors(pairs.first[rows]), head.vectors(pairs.second[rows]))
        loss = loss_function(logits, pairs.same[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
    head.eval()
    with torch.no_grad():
        logits = head(pairs.features, head.vectors(pairs.first), head.vectors(pairs.second))
        return float(loss_function(logits, pairs.same))


@torch.inference_mode()
def _representations(
    model: IsnadModel, maker: WindowMaker, schema: LabelSchema, document: Document, pad_id: int
) -> dict[str, Tensor]:
    model.eval()
    examples = list(build_examples(document, maker, schema))
    vectors: dict[str, Tensor] = {}
    for group in window_batches([e.window for e in examples], _PIECES_A_BATCH):
        vectors |= _batch_representations(model, [examples[n] for n in group], document, pad_id)
    return vectors


def _batch_representations(
    model: IsnadModel, examples: Sequence[Example], document: Document, pad_id: int
) -> dict[str, Tensor]:
    device = next(model.parameters()).device
    tensors = batch_tensors([e.window for e in examples], pad_id)
    output = model(**{k: v.to(device) for k, v in tensors.items()})
    assert output.words is not None and output.span_logits is not None
    vectors: dict[str, Tensor] = {}
    for number, example in enumerate(examples):
        core = example.window.core
        low, high = example.window.words[core[0]][0], example.window.words[core[1] - 1][1]
        for entity in document.entities:
            if not low <= entity.start < high:
                continue
            place = locate(document.text, example.window, entity)
            if isinstance(place, str):
                continue
            span = torch.tensor([[number, place[0], place[1]]], device=device)
            types = torch.sigmoid(output.span_logits[number, place[0], place[1]])[None]
            vectors[entity.id] = model.mentions(output.words, span, types)[0].float().cpu().clone()
    return vectors
