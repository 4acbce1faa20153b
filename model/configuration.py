"""IsnadConfig: encoder, label schema, head sizes, thresholds and calibration in one file."""

from collections.abc import Mapping
from typing import Any

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, PreTrainedConfig

from . import encoder as _encoder  # noqa: F401  (registers the recurrent encoder with AutoConfig and AutoModel)
from .schema import LabelSchema


@strict
class IsnadConfig(PreTrainedConfig):
    """Configuration of `IsnadModel`.

    Attributes:
        encoder: configuration of the encoder, of any architecture that AutoModel knows.
        labels: the label schema as plain data (`LabelSchema.to_dict`).
        word_size: width of a word's representation.
        letter_size: width of one letter's vector.
        span_size: width of the start and end projections of the biaffine scorer.
        pair_size: width of the relation head.
        mention_size: width of the mention vectors that the coreference head compares.
        attention_heads: heads of the relation head's context attention.
        dropout: probability inside the heads.
        boundary_smoothing: share of a gold span's mass given to its neighbours (Zhu and Li 2022).
        prune_threshold: spans below this probability do not enter relation scoring.
        max_candidates: spans of one window that enter relation scoring, best first.
        max_pieces: word pieces of one window, special tokens included.
        overlap_pieces: context repeated on either side where a paragraph needs several windows.
        entity_thresholds, relation_thresholds: decision threshold by label; chosen on development data.
        coreference_threshold: two mentions are linked from this probability on.
        same_start: whether spans of one label may begin at the same place; set by training from its data.
        cross_sentence: whether relations may join mentions of different sentences; set by training likewise.
        calibration: `{"entity"|"relation": {label: [a, b, c]}}`, see `decoding.probabilities`.
        model_name: name and version shown in every document that the model makes.
    """

    model_type = "isnad"

    encoder: dict[str, Any] | PreTrainedConfig | None = None
    labels: dict[str, Any] | None = None
    word_size: int = 256
    letter_size: int = 24
    span_size: int = 192
    pair_size: int = 192
    mention_size: int = 64
    attention_heads: int = 4
    dropout: float = 0.3
    boundary_smoothing: float = 0.1
    prune_threshold: float = 0.1
    max_candidates: int = 128
    max_pieces: int = 256
    overlap_pieces: int = 64
    entity_thresholds: dict[str, float] | None = None
    relation_thresholds: dict[str, float] | None = None
    coreference_threshold: float = 0.5
    same_start: bool = False
    cross_sentence: bool = False
    calibration: dict[str, Any] | None = None
    model_name: str = ""

    def encoder_config(self) -> PreTrainedConfig:
        """Return the encoder's configuration as the class that AutoConfig knows for it."""
        if isinstance(self.encoder, PreTrainedConfig):
            return self.encoder
        if not isinstance(self.encoder, Mapping) or "model_type" not in self.encoder:
            raise ValueError(
                "IsnadConfig.encoder is missing; accepted: an encoder configuration with 'model_type'"
            )
        values = dict(self.encoder)
        # Remote code is never run, so its pointers are dropped before anything could follow them.
        values.pop("auto_map", None)
        return AutoConfig.for_model(values.pop("model_type"), **values)

    def schema(self) -> LabelSchema:
        """Return the label schema."""
        return LabelSchema.from_dict(self.labels or {}, source="the model's configuration")


AutoConfig.register("isnad", IsnadConfig, exist_ok=True)
