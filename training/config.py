"""Training configurations: frozen dataclasses read from YAML, strictly."""

import math
import types
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import yaml

from ..model.errors import ConfigError, nearest
from .extend_config import METHODS, ExtendConfig, LoraConfig

T = TypeVar("T")


@dataclass(frozen=True)
class EncoderConfig:
    """Where the encoder comes from.

    Attributes:
        path: folder or hub name of a pretrained encoder (anything AutoModel loads), or of an isnad model
            whose encoder and heads are taken over.
        download: whether `path` may be fetched from the hub.
        scratch: configuration of a fresh encoder (`model_type` and sizes); `path` then gives the tokenizer only.
    """

    path: str = "isnad-small"
    download: bool = False
    scratch: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DataConfig:
    """What is trained on and what is measured on.

    Attributes:
        train: names or paths: `seeds:authored/train`, `seeds:articles`, `corpus:anercorp/train`, or any file or
            folder of a known format; documents that are annotated by the schema.
        dev: the same, for early stopping, thresholds and calibration.
        corpora: corpora of other conventions to learn from beside `train`: name or path of a file of
            `configs/data`, and how often an epoch shows each of its sentences (0.25: every fourth epoch).
        schema: YAML file of the labels; a bare name is looked up in `configs/schemas`.
    """

    train: tuple[str, ...] = ("seeds:authored/train",)
    dev: tuple[str, ...] = ("seeds:authored/dev",)
    corpora: dict[str, float] = field(default_factory=dict)
    schema: str = "wojood"

    def __post_init__(self) -> None:
        for name, weight in self.corpora.items():
            if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < 100:
                raise ConfigError(
                    f"corpora: {name} is {weight!r}; accepted: a number above 0, for example 0.5"
                )


@dataclass(frozen=True)
class AugmentConfig:
    """Probabilities, per paragraph or per mention, of the rewritings of `augment`.

    Attributes:
        replace_mentions: share of mentions replaced by another of the same type from the training data.
        proclitics: share of mentions that gain or lose a proclitic.
        noise: share of words that are misspelt as on the web: hamza or taa marbuta dropped, a letter dropped or
            doubled, the parts of a name joined.
    """

    replace_mentions: float = 0.0
    proclitics: float = 0.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        for f in fields(self):
            if not 0 <= getattr(self, f.name) <= 1:
                raise ConfigError(f"{f.name} is {getattr(self, f.name)}; accepted: a probability from 0 to 1")


@dataclass(frozen=True)
class DistilConfig:
    """Trained models whose probabilities are learned beside the gold; see `training.distil`.

    Attributes:
        teachers: embedded models or folders of models; none: learn from the gold alone. Their tokenizer must be
            that of the model that is trained.
        weight: of the soft targets; the gold weighs 1. The loss is their weighted mean.
    """

    teachers: tuple[str, ...] = ()
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.weight < 1000:
            raise ConfigError(f"weight is {self.weight}; accepted: a number above 0, for example 1.0")


@dataclass(frozen=True)
class FinetuneConfig:
    """One fine-tuning run; every field is a key of the YAML file.

    Attributes:
        name: written into the model and the tracker.
        encoder, data, augment, distil, lora, extend: see their classes.
        model: fields of `IsnadConfig` to set, sizes and dropout.
        method: what is trained: `full`, everything; `head`, all but the encoder; `lora`, the heads and low-rank
            factors beside the encoder's weights, see `training.methods`.
        epochs: passes over the training paragraphs at most.
        batch_size: paragraphs of one step on one device.
        gradient_accumulation: steps whose gradients are added up.
        encoder_learning_rate, head_learning_rate: peak rates of AdamW.
        weight_decay: of matrices.
        warmup: share of all steps.
        patience: evaluations without a better development score before the run stops; 0 never stops.
        metric: the development score that counts.
        keep: `best`, the epoch with the best development score, or `last`, which the development data did not choose.
        seed: of everything random.
        precision: `auto` (bfloat16 where the device computes in it), `fp32` or `bf16`.
        tracker: `trackio` (a local SQLite file), `mlflow`, `tensorboard` or `none`.
        watts: power drawn by the machine while it trains, for an estimate of the energy; 0: no estimate.
        calibrate: fit calibration and thresholds on the development data.
    """

    name: str = "isnad"
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    data: DataConfig = field(default_factory=DataConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    distil: DistilConfig = field(default_factory=DistilConfig)
    model: dict[str, Any] = field(default_factory=dict)
    method: str = "full"
    lora: LoraConfig = field(default_factory=LoraConfig)
    extend: ExtendConfig = field(default_factory=ExtendConfig)
    epochs: float = 20
    batch_size: int = 32
    gradient_accumulation: int = 1
    encoder_learning_rate: float = 1e-3
    head_learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup: float = 0.05
    patience: int = 4
    metric: str = "span_f1"
    keep: str = "best"
    seed: int = 1
    precision: str = "auto"
    tracker: str = "trackio"
    watts: float = 0.0
    calibrate: bool = True

    def __post_init__(self) -> None:
        check_values(self, choices=_CHOICES, positive=_POSITIVE, not_negative=_NOT_NEGATIVE)
        known = model_fields()
        for key in self.model:
            if key not in known:
                raise ConfigError(f"model: unknown key {key!r}; {nearest(key, known)}")


_POSITIVE = ("epochs", "batch_size", "gradient_accumulation", "encoder_learning_rate", "head_learning_rate")
_NOT_NEGATIVE = ("weight_decay", "warmup", "patience", "seed", "watts")
_CHOICES = {
    "method": METHODS,
    "precision": ("auto", "fp32", "bf16"),
    "tracker": ("trackio", "mlflow", "tensorboard", "none"),
    "keep": ("best", "last"),
    "metric": ("span_f1", "relation_f1", "mean_f1"),
}


def check_values(
    config: Any,
    *,
    choices: Mapping[str, Sequence[str]],
    positive: Sequence[str],
    not_negative: Sequence[str],
) -> None:
    """Raise ConfigError for the first field outside its choices or its range; arguments name the fields."""
    for key, accepted in choices.items():
        if getattr(config, key) not in accepted:
            raise ConfigError(f"{key} is {getattr(config, key)!r}; accepted: {', '.join(accepted)}")
    for keys, low in ((positive, "above 0"), (not_negative, "from 0 on")):
        for key in keys:
            value = getattr(config, key)
            if not math.isfinite(value) or value < 0 or (value == 0 and low == "above 0"):
                raise ConfigError(f"{key} is {value}; accepted: a number {low}")


def model_fields() -> list[str]:
    """Return the fields of `IsnadConfig` that a run may set; the others follow from schema, encoder and data."""
    from ..model.configuration import IsnadConfig

    fixed = {"encoder", "labels", "entity_thresholds", "relation_thresholds", "calibration", "model_name"}
    return sorted(name for name in IsnadConfig.__annotations__ if name not in fixed and name != "model_type")


def plain(value: Any) -> Any:
    """Return a configuration (`asdict`) as YAML holds it, tuples written as lists."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list | tuple) else value


def load_config(path: str | Path, cls: type[T]) -> T:
    """Read a YAML file into a configuration class; unknown keys and wrong types raise ConfigError."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    try:
        data = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    return build(cls, data, where=str(path))


def build(cls: type[T], data: Any, *, where: str) -> T:
    """Build a dataclass from plain data, checking every key and type."""
    if not isinstance(data, Mapping):
        raise ConfigError(f"{where}: found {type(data).__name__}; accepted: a mapping")
    hints = get_type_hints(cls)
    known = {f.name for f in fields(cls)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for key, value in data.items():
        if key not in known:
            raise ConfigError(f"{where}: unknown key {key!r}; {nearest(key, sorted(known))}")
        values[key] = _convert(value, hints[key], f"{where}: {key}")
    try:
        return cls(**values)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def override(config: T, settings: Mapping[str, Any], *, where: str) -> T:
    """Return a configuration with single keys set anew, `encoder.path` for a nested one.

    Raises:
        ConfigError: an unknown key, or a value of the wrong type.
    """
    data: dict[str, Any] = asdict(config)  # type: ignore[call-overload]
    for key, value in settings.items():
        put(data, key, value, where=where)
    return build(type(config), data, where=where)


def put(data: dict[str, Any], key: str, value: Any, *, where: str) -> None:
    """Set one key of plain data, dotted if nested; ConfigError below a key that holds a single value."""
    *parents, last = key.split(".")
    place: Any = data
    for parent in parents:
        place = place.setdefault(parent, {})
        if not isinstance(place, dict):
            raise ConfigError(f"{where}: {parent!r} is a single value; accepted: {parent} itself as the key")
    place[last] = value


def _convert(value: Any, want: Any, where: str) -> Any:
    if is_dataclass(want):
        return build(want, value, where=where)  # type: ignore[arg-type]
    if isinstance(want, types.UnionType):
        options = get_args(want)
        return value if value is None and type(None) in options else _convert(value, options[0], where)
    origin = get_origin(want)
    if origin is tuple:
        if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
            raise ConfigError(f"{where} holds {value!r}; accepted: a list of strings")
        return tuple(value)
    expected = origin or want
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if (expected is not bool and isinstance(value, bool)) or not isinstance(value, expected):
        hint = (
            " (YAML reads 1e-3 as text; write 1.0e-3)" if expected is float and isinstance(value, str) else ""
        )
        raise ConfigError(f"{where} holds {value!r}; accepted: {expected.__name__}{hint}")
    return value
