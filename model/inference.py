"""Extractor and `extract`: text in, documents out."""

import logging
import threading
from collections.abc import Iterable, Iterator, Mapping
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from .batching import BATCH_CHARACTERS, batches
from .decoding import Decisions, Decoder
from .document import Document
from .errors import ConfigError, IsnadError, ModelError, nearest
from .processes import after_fork, tell_torch
from .schema import LabelSchema
from .store import resolve
from .windows import WindowMaker

if TYPE_CHECKING:
    from .backends.light import LightConfig
    from .configuration import IsnadConfig
    from .modeling import IsnadModel
    from .scores import Backend

log = logging.getLogger(__name__)


class Extractor:
    """A loaded model with its tokenizer, thresholds and decoder.

    Args:
        backend: runs the model.
        config: the model's configuration.
        tokenizer: a fast tokenizer.
        thresholds: overrides; see `from_pretrained`.
    """

    def __init__(
        self,
        backend: "Backend",
        config: "IsnadConfig | LightConfig",
        tokenizer: Any,
        *,
        thresholds: float | Mapping[str, float] | None = None,
    ) -> None:
        self.schema: LabelSchema = config.schema()
        self.name = config.model_name or "unnamed"
        self.config = config
        self._backend = backend
        self._maker = WindowMaker.of(tokenizer, config)
        self._decoder = Decoder(self.schema, _decisions(config, self.schema, thresholds))

    @classmethod
    def from_pretrained(
        cls,
        model: str | Path | None = None,
        *,
        thresholds: float | Mapping[str, float] | None = None,
        device: str = "cpu",
        backend: str = "auto",
        precision: str = "fp32",
    ) -> "Extractor":
        """Load a model.

        Args:
            model: a folder, or the name of a model on the hub (only then is the network used); the embedded
                model if absent.
            thresholds: one probability for every label, or probabilities by entity or relation label; labels
                that are not named keep the thresholds stored in the model.
            device: a device of the backend: cpu; with torch and onnx also cuda, cuda:1.
            backend: `torch`; `onnx` or `openvino` for a folder written by `isnad export`, which need neither torch
                nor transformers; `auto` takes the first of them that the folder has files for and whose packages
                are installed.
            precision: of torch: `fp32`; `bf16`; `auto`, as `extract`, `isnad extract` and `Predictor` have it, is bf16
                where the device has instructions for it (AMX, AVX512-BF16), unless ISNAD_PRECISION says otherwise.
                In bf16 scores differ by about 0.01. Other backends compute in the precision of their export.

        Raises:
            ModelError: the folder is missing, incomplete, altered, not an isnad model or not for this backend.
            ConfigError: a threshold is outside [0, 1] or names an unknown label; an unknown backend, device or
                precision, or a backend that is not installed.
        """
        from .backends.choice import choose, choose_precision, load_exported

        after_fork()
        folder = resolve(model)
        chosen, precision = choose(folder, backend), choose_precision(precision)
        if chosen != "torch":
            runner, config, pieces = load_exported(folder, chosen, device)
            return cls(runner, config, pieces, thresholds=thresholds)
        loaded, tokenizer = load_torch(folder)
        from .backends.torch_backend import TorchBackend

        pad_id = tokenizer.pad_token_id or 0
        runs = TorchBackend(loaded, pad_id, device, precision=precision)
        return cls(runs, loaded.config, tokenizer, thresholds=thresholds)

    @overload
    def __call__(self, text: str) -> Document: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, text: Iterable[str]) -> list[Document]: ...
    def __call__(self, text: str | Iterable[str]) -> Document | list[Document]:
        """Extract from one text, or from several."""
        if isinstance(text, str):
            return next(self.pipe([text]))
        if isinstance(text, bytes) or not isinstance(text, Iterable):
            raise _no_text(text)
        return list(self.pipe(text))

    def pipe(
        self,
        texts: Iterable[str | tuple[str, str]],
        *,
        batch_size: int = 32,
        batch_chars: int = BATCH_CHARACTERS,
    ) -> Iterator[Document]:
        """Extract from a stream of texts, in order; of an endless one too, as one batch is in memory at a time.

        Args:
            texts: texts, or (id, text) pairs whose id is written into the document.
            batch_size: number of texts scored together; of their windows, those of like length are.
            batch_chars: a batch ends with the text that brings it to so many characters.
        """
        named = (_named(item) for item in texts)
        for batch in batches(
            named, size=batch_size, characters=batch_chars, length=lambda item: len(item[1])
        ):
            yield from self._batch(batch)

    def forget(self) -> None:
        """Drop what is kept of earlier texts to be faster; for measurements that show the same texts again."""
        self._maker.forget()

    def _batch(self, items: list[tuple[str, str]]) -> Iterator[Document]:
        after_fork()
        windows = self._maker.batch([text for _, text in items])
        scores = self._backend.score([w for group in windows for w in group])
        cut = sum(s.cut for s in scores)
        if cut:
            log.warning(
                "%d candidate spans beyond max_candidates=%d a window entered no scoring; raise max_candidates "
                "or prune_threshold in the model's config",
                cut,
                self.config.max_candidates,
            )
        at = 0
        for (name, text), group in zip(items, windows, strict=True):
            part = scores[at : at + len(group)]
            at += len(group)
            yield self._decoder.decode(text, group, part, self._backend, id=name, model=self.name)

    def __repr__(self) -> str:
        return (
            f"Extractor({self.name!r}, {len(self.schema.entities)} entity types, "
            f"{len(self.schema.relations)} relation types)"
        )


def load_torch(folder: Path) -> "tuple[IsnadModel, Any]":
    """Return the model and the tokenizer of a folder; whatever its files lack or hide raises ModelError."""
    import torch

    from .backends.light import load_tokenizer, unreadable
    from .modeling import IsnadModel

    tell_torch()

    try:
        loaded: Any = IsnadModel.from_pretrained(
            folder,
            dtype=torch.float32,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are reported below, by name
        )
        model, report = loaded
    except IsnadError:
        raise
    except Exception as error:  # the libraries below raise every kind, bare Exception included
        raise unreadable(folder, error) from error
    # Loaded all the same, these would be random numbers.
    absent = sorted({*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])})
    if absent:
        raise ModelError(
            f"{folder}: {len(absent)} weights are missing from its safetensors or do not have the sizes that "
            f"config.json says, {absent[0]} among them"
        )
    return model, load_tokenizer(folder)


def _named(item: str | tuple[str, str]) -> tuple[str, str]:
    if isinstance(item, str):
        return "", item
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise _no_text(item)
    name, text = item
    if not isinstance(text, str):
        raise _no_text(text)
    if not isinstance(name, str):
        raise IsnadError(f"found the id {name!r} of type {type(name).__name__}; accepted: str")
    return name, text


def _no_text(found: object) -> IsnadError:
    return IsnadError(
        f"found a text of type {type(found).__name__}; accepted: str (decode bytes first), several of them, or "
        "(id, text) pairs"
    )


def _decisions(
    config: "IsnadConfig | LightConfig", schema: LabelSchema, thresholds: float | Mapping[str, float] | None
) -> Decisions:
    entity = dict(config.entity_thresholds or {})
    relation = dict(config.relation_thresholds or {})
    labels = (*schema.entity_labels, *schema.relation_labels)
    if isinstance(thresholds, Mapping):
        overrides = dict(thresholds)
    else:
        overrides = {} if thresholds is None else dict.fromkeys(labels, thresholds)
    for label, value in overrides.items():
        if label not in labels:
            raise ConfigError(f"threshold for the unknown label {label!r}; {nearest(label, labels)}")
        if not isinstance(value, Real) or isinstance(value, bool) or not 0 <= float(value) <= 1:
            raise ConfigError(f"threshold {value!r} for {label}; accepted: a probability from 0 to 1")
        (entity if label in schema.entity_index else relation)[label] = float(value)
    return Decisions.build(
        schema,
        entity_thresholds=entity,
        relation_thresholds=relation,
        calibration=config.calibration,
        coreference_threshold=config.coreference_threshold,
        same_start=config.same_start,
        cross_sentence=config.cross_sentence,
    )


_default: Extractor | None = None
_default_lock = threading.Lock()


def default_extractor() -> Extractor:
    """Return the extractor of the embedded model, loaded at the first call."""
    global _default  # noqa: PLW0603  (one shared instance is the point)
    with _default_lock:
        if _default is None:
            _default = Extractor.from_pretrained(precision="auto")
        return _default


@overload
def extract(text: str) -> Document: ...  # type: ignore[overload-overlap]
@overload
def extract(text: Iterable[str]) -> list[Document]: ...
def extract(text: str | Iterable[str]) -> Document | list[Document]:
    """Extract entities, relations and coreference with the embedded model, offline.

    Args:
        text: a text, or several.

    Returns:
        A Document, or a list of them in the order of the texts.
    """
    return default_extractor()(text)
