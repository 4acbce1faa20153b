"""The model that a training starts from: continued, on a pretrained encoder, or from scratch."""

import json
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedTokenizerBase

from ..model.errors import ConfigError, ModelError
from ..model.modeling import IsnadModel
from ..model.schema import LabelSchema
from ..model.store import resolve
from .config import EncoderConfig, FinetuneConfig, model_fields
from .relabel import label_changes
from .transfer import transfer_heads


def load_model(config: FinetuneConfig, schema: LabelSchema) -> tuple[IsnadModel, PreTrainedTokenizerBase]:
    """Return the model to train and its tokenizer: continued, on a pretrained encoder, or from scratch."""
    source = config.encoder
    folder, kind = _encoder_folder(source)
    tokenizer = AutoTokenizer.from_pretrained(
        folder, local_files_only=not source.download, trust_remote_code=False
    )
    if not getattr(tokenizer, "is_fast", False):
        raise ModelError(
            f"{folder}: its tokenizer has no fast version; accepted: a folder with tokenizer.json"
        )
    if kind == "isnad":
        model = _continued(folder, config.model)
        changes = label_changes(model.schema, schema, strict=False)
        if model.schema == schema and changes.exact.items() == {(n, n) for n in changes.heirs}:
            _reset_decisions(model)
            return model, tokenizer
        extended = IsnadModel.from_encoder(model.encoder, schema, **(_sizes(model) | config.model))
        transfer_heads(model, extended, changes.sources)
        return extended, tokenizer
    encoder: Any
    if source.scratch:
        values = dict(source.scratch)
        try:
            encoder = AutoModel.from_config(AutoConfig.for_model(values.pop("model_type"), **values))
        except (KeyError, ValueError) as error:
            raise ConfigError(f"encoder.scratch: {str(error).splitlines()[0]}") from error
        if encoder.get_input_embeddings().num_embeddings < len(tokenizer):
            raise ConfigError(
                f"encoder.scratch: vocab_size {encoder.get_input_embeddings().num_embeddings} is below the "
                f"tokenizer's {len(tokenizer)}; write vocab_size: {len(tokenizer)}"
            )
    else:
        encoder = folder
    limit = _position_limit(encoder, source)
    sizes = {"max_pieces": min(256, limit), **config.model}
    if sizes["max_pieces"] > limit:
        raise ConfigError(
            f"model.max_pieces is {sizes['max_pieces']}, but the encoder has positions for {limit}; "
            f"write max_pieces: {limit} or less"
        )
    return IsnadModel.from_encoder(encoder, schema, local_files_only=not source.download, **sizes), tokenizer


def _sizes(model: IsnadModel) -> dict[str, Any]:
    """Return the fields of a model's configuration that a run may set."""
    return {name: getattr(model.config, name) for name in model_fields()}


def _continued(folder: str, settings: dict[str, Any]) -> IsnadModel:
    """Return a trained model with some fields of its configuration set anew."""
    try:
        return IsnadModel.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, use_safetensors=True, **settings
        )
    except RuntimeError as error:
        raise ConfigError(
            f"the weights in {folder} do not fit the sizes under 'model' ({', '.join(settings)}); accepted: the "
            "sizes that the model was trained with, which may be left out"
        ) from error


def _encoder_folder(source: EncoderConfig) -> tuple[str, str]:
    """Return (folder or hub name, model_type) of the encoder to start from."""
    path = Path(source.path)
    if (path / "config.json").is_file():
        return str(path), str(
            json.loads((path / "config.json").read_text(encoding="utf-8")).get("model_type")
        )
    if path.is_dir() and source.scratch:
        return str(path), ""
    if source.download:
        return source.path, str(AutoConfig.from_pretrained(source.path, trust_remote_code=False).model_type)
    try:
        return str(resolve(source.path if not path.is_dir() else path)), "isnad"
    except ModelError as error:
        raise ModelError(
            f"encoder.path is {source.path!r}, which is no local folder with a config.json; accepted: such a folder, "
            "an embedded model, or a hub name with 'download: true'"
        ) from error


def _position_limit(encoder: Any, source: EncoderConfig) -> int:
    config = (
        AutoConfig.from_pretrained(encoder, local_files_only=not source.download, trust_remote_code=False)
        if isinstance(encoder, str)
        else encoder.config
    )
    # RoBERTa-like models count positions from pad_token_id + 1; two are kept back for that.
    return int(getattr(config, "max_position_embeddings", 512) or 512) - 2


def _reset_decisions(model: IsnadModel) -> None:
    model.config.calibration = None
    model.config.entity_thresholds = model.config.relation_thresholds = None
