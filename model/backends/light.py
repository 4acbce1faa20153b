"""Configuration and tokenizer of an exported model, read without transformers."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NoReturn

from ..errors import ModelError
from ..schema import LabelSchema
from .choice import installed

# What a value of config.json may be, by field; the calibration is checked where it is used.
_MAPPING = (dict, type(None))
_KINDS: dict[str, tuple[type, ...]] = {
    "labels": (dict,),
    "max_pieces": (int,),
    "overlap_pieces": (int,),
    "max_candidates": (int,),
    "prune_threshold": (float, int),
    "entity_thresholds": _MAPPING,
    "relation_thresholds": _MAPPING,
    "calibration": _MAPPING,
    "coreference_threshold": (float, int),
    "same_start": (bool,),
    "cross_sentence": (bool,),
    "model_name": (str,),
}


@dataclass
class LightConfig:
    """The fields of `IsnadConfig` that inference needs; see there for what they mean."""

    labels: dict[str, Any]
    max_pieces: int
    overlap_pieces: int
    max_candidates: int
    prune_threshold: float
    entity_thresholds: dict[str, float] | None
    relation_thresholds: dict[str, float] | None
    calibration: dict[str, Any] | None
    coreference_threshold: float
    same_start: bool
    cross_sentence: bool
    model_name: str

    @classmethod
    def read(cls, path: Path) -> "LightConfig":
        """Read `config.json`; ModelError where a field is missing or of another type."""
        values = read_object(path)
        for name, kinds in _KINDS.items():
            found = values.get(name)
            # To Python, True is an int.
            if (
                name not in values
                or not isinstance(found, kinds)
                or (type(found) is bool) != (kinds == (bool,))
            ):
                what = f"{name} is {found!r}"[:100] if name in values else f"{name} is missing"
                accepted = " or ".join("null" if kind is type(None) else kind.__name__ for kind in kinds)
                raise ModelError(
                    f"{path}: {what}; accepted: {accepted}. Export the model again: isnad export"
                )
        return cls(**{field.name: values[field.name] for field in fields(cls)})

    def schema(self) -> LabelSchema:
        """Return the label schema."""
        return LabelSchema.from_dict(self.labels, source="the model's configuration")

    def encoder_config(self) -> NoReturn:
        """Raise ModelError: what was exported has no encoder to train."""
        raise ModelError(
            f"{self.model_name or 'the model'} is an export, which cannot be trained; accepted: the folder that "
            "it was exported from"
        )


class LightTokenizer:
    """The part of a fast tokenizer of transformers that `WindowMaker` uses.

    Args:
        path: of `tokenizer.json`.
        special: the special pieces `pad`, `unk` and `mask`, or their ids; None for what the vocabulary lacks.

    Raises:
        ModelError: the file is no tokenizer.
    """

    is_fast = True

    def __init__(self, path: Path, special: Mapping[str, int | str | None]) -> None:
        from tokenizers import Tokenizer

        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # tokenizers raises bare Exception
            reason = " ".join(str(error).split())[:300]
            raise ModelError(
                f"{path} is no tokenizer ({reason}); export the model again: isnad export"
            ) from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.pad_token_id, self.unk_token_id, self.mask_token_id = (
            self._tokenizer.token_to_id(piece) if isinstance(piece, str) else piece
            for piece in (special.get(name) for name in ("pad", "unk", "mask"))
        )

    def __call__(
        self,
        text: str | Sequence[str] | Sequence[Sequence[str]],
        *,
        is_split_into_words: bool = False,
        add_special_tokens: bool = True,
    ) -> "Pieces":
        """Cut one text, the words of one, or the words of several."""
        options = {"is_pretokenized": is_split_into_words, "add_special_tokens": add_special_tokens}
        if is_split_into_words and text and not isinstance(text[0], str):
            return Pieces(self._tokenizer.encode_batch(text, **options))
        return Pieces(self._tokenizer.encode(text, **options))


def load_tokenizer(folder: Path) -> Any:
    """Return the tokenizer of a model folder: as transformers reads it, without transformers a `LightTokenizer`.

    Raises:
        ModelError: the folder holds no tokenizer, a damaged one, or one without a fast version.
    """
    if not installed("transformers"):
        path = folder / "tokenizer_config.json"
        named = read_object(path) if path.is_file() else {}
        return LightTokenizer(
            folder / "tokenizer.json",
            {kind: _piece(named.get(f"{kind}_token")) for kind in ("pad", "unk", "mask")},
        )
    from transformers import AutoTokenizer

    from .. import configuration  # noqa: F401  (registers the model's type, which AutoTokenizer looks at)

    try:
        # Said outright: left unset, code named in a tokenizer's files would be asked about on the terminal.
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # transformers and tokenizers raise every kind, bare Exception included
        raise unreadable(folder, error) from error
    if not getattr(tokenizer, "is_fast", False):
        raise ModelError(f"{folder}: its tokenizer has no fast version; accepted: one with tokenizer.json")
    return tokenizer


def unreadable(folder: Path, error: Exception) -> ModelError:
    """Return what to raise for files of a model that a library stumbled over."""
    reason = " ".join(str(error).split())[:300]
    return ModelError(f"{folder}: cannot be loaded ({type(error).__name__}: {reason})")


def _piece(named: Any) -> str | None:
    """Return a special piece of tokenizer_config.json, which is a text or an object with its properties."""
    content = named.get("content") if isinstance(named, dict) else named
    return content if isinstance(content, str) else None


class Pieces:
    """One encoding, or several, with the two ways to look at them that transformers offers.

    Args:
        encoding: an Encoding of tokenizers, or a list of them.
    """

    def __init__(self, encoding: Any) -> None:
        self._encoding = encoding

    def __getitem__(self, key: str) -> list[Any]:
        name = {"input_ids": "ids", "attention_mask": "attention_mask"}[key]
        if isinstance(self._encoding, list):
            return [getattr(encoding, name) for encoding in self._encoding]
        return list(getattr(self._encoding, name))

    def word_ids(self, batch_index: int = 0) -> list[int | None]:
        """Return the number of the word that each piece of an encoding belongs to."""
        encoding = self._encoding[batch_index] if isinstance(self._encoding, list) else self._encoding
        return list(encoding.word_ids)


def read_object(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file of a model, or raise ModelError."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as JSON ({error})") from error
    if not isinstance(data, dict):
        raise ModelError(f"{path} holds {type(data).__name__}; accepted: a JSON object")
    return data
