"""Fresh encoders of any architecture that AutoModel knows, their initial vectors, and weights taken over."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import CONFIG_MAPPING, AutoConfig, AutoModel, PreTrainedModel, PreTrainedTokenizerBase

from ...model.encoder import IsnadEncoderModel, char_table
from ...model.errors import ConfigError, ModelError, nearest

RECURRENT = "isnad-encoder"


def vocabulary(tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """Return the pieces of a tokenizer in the order of their ids."""
    return [str(p) for p in tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))]


def check_sizes(sizes: Mapping[str, Any], *, where: str, model_type: str | None = None) -> None:
    """Raise ConfigError unless `sizes` are fields of an architecture's configuration.

    Args:
        sizes: `model_type` and fields of its configuration class.
        where: the key that is named in the message.
        model_type: of sizes that do not name one themselves.
    """
    kind = model_type or sizes.get("model_type", RECURRENT)
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        raise ConfigError(f"{where}: model_type is {kind!r}; {nearest(str(kind), sorted(CONFIG_MAPPING))}")
    fields = set(AutoConfig.for_model(kind).to_dict()) - {"model_type"}
    for key in sizes:
        if key not in fields and not (key == "model_type" and model_type is None):
            raise ConfigError(f"{where}: unknown key {key!r} of {kind}; {nearest(key, sorted(fields))}")


def fresh_encoder(sizes: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    """Return an encoder of random weights for the vocabulary of a tokenizer.

    Args:
        sizes: `model_type` (the recurrent encoder if absent) and fields of its configuration; the vocabulary is
            the tokenizer's.
        tokenizer: gives the vocabulary and the characters of its pieces.

    Raises:
        ConfigError: the sizes do not go together.
    """
    values: dict[str, Any] = {
        "model_type": RECURRENT,
        **sizes,
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
    }
    table = char_table(vocabulary(tokenizer)) if values["model_type"] == RECURRENT else None
    if table is not None and values.get("char_vocab_size") != 0:
        values["char_vocab_size"] = len(table.alphabet) + 1
    try:
        encoder: PreTrainedModel = AutoModel.from_config(
            AutoConfig.for_model(values.pop("model_type"), **values)
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"encoder: {str(error).splitlines()[0]}") from error
    if isinstance(encoder, IsnadEncoderModel) and table is not None:
        encoder.set_characters(table)
    return encoder


def piece_table(encoder: PreTrainedModel) -> Tensor:
    """Return the piece vectors [vocabulary, embedding size] of an encoder."""
    return cast(Tensor, encoder.get_input_embeddings().weight)


def embedding_size(encoder: PreTrainedModel) -> int:
    """Return the width of the piece vectors, which may differ from the width of the layers."""
    return int(piece_table(encoder).shape[1])


@torch.no_grad()
def set_vectors(encoder: PreTrainedModel, vectors: NDArray[np.floating]) -> None:
    """Make skip-gram vectors [vocabulary, embedding size] the initial piece embeddings of an encoder.

    Raises:
        ConfigError: the vectors have another shape than the embeddings.
    """
    weight = piece_table(encoder)
    if vectors.shape != tuple(weight.shape):
        raise ConfigError(
            f"the vectors have the shape {vectors.shape} and the embeddings of the encoder {tuple(weight.shape)}; "
            "accepted: vectors whose 'dim' is the embedding size of the encoder, or 'warm_start: false'"
        )
    weight.copy_(torch.from_numpy(np.asarray(vectors, dtype=np.float32)))


def take_over(model: nn.Module, folder: Path) -> list[str]:
    """Load into a pretraining model what another checkpoint holds, and return the names that stay fresh.

    The encoder is taken over whole or not at all; heads where there is one of the same name and shape.

    Args:
        model: an objective of `objectives`, with the encoder in its attribute `encoder`.
        folder: a checkpoint of this package's pretraining, a masked language model or an encoder.

    Raises:
        ModelError: the folder holds no weights of this encoder.
    """
    try:
        found = load_file(folder / "model.safetensors")
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"continue_from: cannot read {folder / 'model.safetensors'} ({error}); accepted: a checkpoint folder"
        ) from error
    if all(name in found for name in model.encoder.state_dict()):  # type: ignore[union-attr]
        # A bare encoder, whose names lack the prefix. A BERT has an `encoder.` of its own, so ask for all of them.
        found = {f"encoder.{name}": value for name, value in found.items()}
    own = model.state_dict()
    fits = {k: v for k, v in found.items() if k in own and own[k].shape == v.shape}
    lacking = [k for k in own if k.startswith("encoder.") and k not in fits]
    if lacking:
        raise ModelError(
            f"continue_from: {folder} has no {lacking[0]!r} of the shape {tuple(own[lacking[0]].shape)} "
            f"({len(lacking)} such names); accepted: a checkpoint with the same encoder sizes"
        )
    model.load_state_dict(fits, strict=False)
    shared = {t.data_ptr() for k, t in model.state_dict().items() if k in fits}
    return [k for k, t in model.state_dict().items() if k not in fits and t.data_ptr() not in shared]
