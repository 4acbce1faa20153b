"""Token classifiers on any encoder: from a folder, from the hub, or of random weights."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForTokenClassification, AutoTokenizer

from ...model import encoder as _encoder  # noqa: F401  (registers the recurrent encoder with the Auto classes)
from ...model.errors import ConfigError, ModelError
from ..config import EncoderConfig


def load_encoder(source: EncoderConfig, tags: Sequence[str]) -> tuple[nn.Module, Any, int]:
    """Return a token classifier, its tokenizer, and how many pieces it can read at once.

    Args:
        source: an encoder folder, a hub name with `download`, a saved token classifier, or `scratch` sizes
            with the folder of a tokenizer.
        tags: names of the classes, in order.

    Raises:
        ModelError: there is no encoder there, or no fast tokenizer, or it is a joint model of isnad.
        ConfigError: `scratch` names an unknown architecture or too small a vocabulary.
    """
    local = not source.download
    _refuse(source)
    labels = {"id2label": dict(enumerate(tags)), "label2id": {t: n for n, t in enumerate(tags)}}
    try:
        tokenizer = AutoTokenizer.from_pretrained(source.path, local_files_only=local)
        if source.scratch:
            model = _fresh(source, labels)
        else:
            model = AutoModelForTokenClassification.from_pretrained(
                source.path, local_files_only=local, use_safetensors=True, dtype=torch.float32, **labels
            )
    except (OSError, ValueError, RuntimeError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ModelError(f"cannot load the encoder {source.path!r}: {str(error).splitlines()[0]}") from error
    if not getattr(tokenizer, "is_fast", False):
        raise ModelError(
            f"{source.path}: its tokenizer has no fast version; accepted: a folder with tokenizer.json"
        )
    size = model.get_input_embeddings().num_embeddings
    if size < len(tokenizer):
        raise ConfigError(
            f"the encoder has vectors for {size} pieces and the tokenizer {len(tokenizer)} pieces; accepted: "
            f"vocab_size {len(tokenizer)} or more"
        )
    # RoBERTa-like models count positions from pad_token_id + 1; two are kept back for that.
    limit = int(getattr(model.config, "max_position_embeddings", 512) or 512) - 2
    return model, tokenizer, limit


def _fresh(source: EncoderConfig, labels: dict[str, Any]) -> Any:
    values = dict(source.scratch)
    try:
        config = AutoConfig.for_model(values.pop("model_type"), **values, **labels)
        return AutoModelForTokenClassification.from_config(config)
    except (KeyError, ValueError, TypeError) as error:
        raise ConfigError(f"encoder.scratch: {str(error).splitlines()[0]}") from error


def _refuse(source: EncoderConfig) -> None:
    path = Path(source.path)
    if not path.is_dir():
        if source.download:
            return
        raise ModelError(
            f"encoder.path is {source.path!r}, which is no local folder; accepted: the folder of an encoder, or a "
            "hub name with 'download: true'"
        )
    config = path / "config.json"
    try:
        kind = json.loads(config.read_text(encoding="utf-8")).get("model_type") if config.is_file() else ""
    except (ValueError, AttributeError) as error:
        raise ModelError(f"{config} is not a JSON object") from error
    if kind == "isnad":
        # Its encoder has been fine-tuned on annotated texts, perhaps the very ones that are held out.
        raise ModelError(
            f"{source.path} is a joint model; accepted: the encoder that it was trained from, since a baseline "
            "must not start from weights that have seen the annotation"
        )
