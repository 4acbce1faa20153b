"""The baseline: `pipeline("token-classification")` of transformers on the very encoder of a model.

The weights of its classifier are random, as a trained one costs the same. A random one would call most pieces
entities, and grouping these costs time in Python; so the bias of `O` is set such that it finds about as many
entities in the texts as the model does.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.errors import ModelError
from ...model.text import paragraphs

_SEED = 17


def save_token_classifier(source: Path, target: Path, texts: Sequence[str], entities: int) -> Path:
    """Write a token classifier with the encoder, the tokenizer and as many labels as a model has, in BIO.

    Args:
        source: folder of an isnad model.
        target: folder to write.
        texts: on which the bias of `O` is set.
        entities: that are to be found in them, about.

    Raises:
        ModelError: the model cannot be loaded, or transformers has no token classifier for its encoder.
    """
    import torch
    from transformers import AutoConfig, AutoModelForTokenClassification

    from ...model.inference import load_torch

    model, tokenizer = load_torch(source)
    values = model.config.encoder_config().to_dict()
    tags = ["O", *(f"{p}-{label}" for label in model.schema.entity_labels for p in "BI")]
    values |= {"id2label": dict(enumerate(tags)), "label2id": {t: n for n, t in enumerate(tags)}}
    config = AutoConfig.for_model(values.pop("model_type"), **values)
    with torch.random.fork_rng():
        torch.manual_seed(_SEED)
        try:
            classifier: Any = AutoModelForTokenClassification.from_config(config).eval()
        except ValueError as error:
            raise ModelError(
                f"{source}: transformers has no token classifier for {config.model_type!r}"
            ) from error
    base = getattr(classifier, classifier.base_model_prefix)
    # A token classifier of BERT has no pooler.
    absent = base.load_state_dict(model.encoder.state_dict(), strict=False).missing_keys
    if absent:
        raise ModelError(f"{source}: its encoder lacks {absent[0]}, which a token classifier needs")
    tokenizer.model_max_length = model.config.max_pieces
    with torch.no_grad():
        classifier.classifier.bias[0] += outside_bias(_logits(classifier, tokenizer, texts), entities)
    classifier.save_pretrained(target)
    tokenizer.save_pretrained(target)
    return target


class TokenPipeline:
    """The pipeline as its users run it, as well as they do: paragraphs in a list, in the order of the text.

    Args:
        folder: of a token classifier.
        batch_size: of the pipeline.
        stride: pieces by which the parts of a paragraph overlap that is longer than the model's window.
        device: cpu, cuda, cuda:1.
    """

    def __init__(self, folder: Path, batch_size: int, *, stride: int, device: str) -> None:
        import torch
        from transformers import pipeline
        from transformers.utils import logging

        from ...model import encoder as _encoder  # noqa: F401  (registers our own encoder)

        logging.set_verbosity_error()
        self._pipe: Any = pipeline(
            "token-classification",
            model=str(folder),
            tokenizer=str(folder),
            aggregation_strategy="simple",
            stride=stride,
            batch_size=batch_size,
            device=device,
            dtype=torch.float32,
        )

    def predict(self, items: Sequence[tuple[str, str]]) -> list[list[Any]]:
        """Return the entities of each paragraph of the texts of (id, text) pairs, as the pipeline gives them."""
        parts = [text[lo:hi] for _, text in items for lo, hi in paragraphs(text)]
        return list(self._pipe(parts)) if parts else []


def _logits(classifier: Any, tokenizer: Any, texts: Sequence[str]) -> NDArray[np.float32]:
    """Return [pieces, classes], the pieces of all paragraphs one after another."""
    import torch

    from ...model.windows import WindowMaker

    maker = WindowMaker(tokenizer, max_pieces=tokenizer.model_max_length)
    rows = []
    with torch.inference_mode():
        for window in (w for text in texts for w in maker.windows(text)):
            ids = torch.tensor([window.input_ids])
            rows.append(classifier(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0].numpy())
    return np.concatenate(rows)


def outside_bias(logits: NDArray[np.float32], entities: int) -> float:
    """Return what to add to the logits of `O` so that there are about so many entities.

    Entities are counted as the strategy `simple` groups them: pieces of one label in a row, a `B` begins anew.

    Args:
        logits: [pieces, 1 + 2 * labels], `O` first, then `B` and `I` of each label.
        entities: wanted; with more than there could be, `O` gets the bias that gives the most.
    """
    best = logits[:, 1:].argmax(axis=1)
    margin = logits[:, 1:].max(axis=1) - logits[:, 0]
    order = np.sort(margin)[::-1]

    def count(pieces: int) -> int:
        inside = margin > order[pieces] if pieces < len(order) else np.ones(len(margin), dtype=bool)
        label, begins = best // 2, best % 2 == 0
        same = inside[1:] & inside[:-1] & (label[1:] == label[:-1]) & ~begins[1:]
        return int(inside.sum() - same.sum())

    low, high = 0, len(order)
    while low < high:  # the fewest pieces that give enough entities
        middle = (low + high) // 2
        low, high = (low, middle) if count(middle) >= entities else (middle + 1, high)
    if low >= len(order):
        return float(order[-1]) - 1.0
    return float(order[low])
