"""Adapter `hf:`: any token classifier of transformers, its word pieces brought back to words and characters.

The first piece of every word is classified (Devlin et al. 2019, "BERT", NAACL, section 5.3). A text is read whole:
long paragraphs go through overlapping windows, and every word is taken from the window whose core holds it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...model.document import Document, Entity
from ...model.errors import ModelError
from ...model.schema import EntityType, LabelSchema
from ...model.text import extend_over_marks, make_entity, paragraphs, words
from ...model.windows import Window, WindowMaker
from ...training.data.schemes import OUTSIDE, decode
from ...training.model_facts import read_json
from .adapters import Candidate, code_hash, files_hash, folder_size, refuse_download

_PREFIXED = re.compile(r"([BIESLU])[-_](.+)")
_UNNAMED = re.compile(r"LABEL_\d+")
_PATTERNS = ["*.json", "*.safetensors", "*.txt", "*.model"]
# Pieces of a window at most; few token classifiers were trained on more.
_LONGEST, _OVERLAP, _BATCH = 512, 64, 16


@dataclass(frozen=True)
class TagScheme:
    """The classes of a token classifier, read as chunk tags.

    Attributes:
        tags: of each row of its output, `O` or `B-label` and the like; bare labels are read as `I-label`.
        labels: the entity labels, in the order of their first tags.
        name: `bioes`, `bilou`, or `iob2` for everything that B and I write (IOB1 decodes the same way).
    """

    tags: tuple[str, ...]
    labels: tuple[str, ...]
    name: str

    @classmethod
    def read(cls, names: Sequence[str], where: str) -> "TagScheme":
        """Read the names of the classes; ModelError where they are no tags."""
        if not names or all(_UNNAMED.fullmatch(n) for n in names):
            raise ModelError(
                f"{where}: its classes have no names ({', '.join(names[:3]) or 'none'}); accepted: id2label in "
                "config.json with tags such as O, B-PERS, I-PERS"
            )
        inside = [n for n in names if n != OUTSIDE]
        matches = [_PREFIXED.fullmatch(n) for n in inside]
        if any(matches) and not all(matches):
            bare = next(n for n, m in zip(inside, matches, strict=True) if not m)
            raise ModelError(
                f"{where}: the class {bare!r} has no prefix and others have; accepted: O and tags of IOB1, IOB2, "
                "BIOES or BILOU, or bare labels throughout"
            )
        read = {n: f"{m[1]}-{m[2]}" if m else f"I-{n}" for n, m in zip(inside, matches, strict=True)}
        if OUTSIDE not in names or not read:
            raise ModelError(f"{where}: the classes are {', '.join(names)}; accepted: O and some tags")
        prefixes = {tag[0] for tag in read.values()}
        scheme = "bioes" if prefixes & {"E", "S"} else "bilou" if prefixes & {"L", "U"} else "iob2"
        labels = tuple(dict.fromkeys(tag[2:] for tag in read.values()))
        return cls(tuple(read.get(n, OUTSIDE) for n in names), labels, scheme)

    def entities(
        self, text: str, spans: Sequence[tuple[int, int]], rows: Sequence[tuple[int, float]]
    ) -> Iterator[Entity]:
        """Yield the entities of a paragraph, ids left empty.

        Args:
            text: of the document.
            spans: (start, end) of the words.
            rows: class and probability of each word. The score of an entity is the least of its words'.
        """
        cells = [(self.tags[n],) for n, _ in rows]
        for found in decode(cells, self.name)[0]:
            start, end = spans[found.first][0], extend_over_marks(text, spans[found.last][1])
            score = min(p for _, p in rows[found.first : found.last + 1])
            yield make_entity(text, start, end, found.label, score=score)


def open_token_classifier(name: str, *, download: bool = False) -> Candidate:
    """Return a token classifier by folder or, with `download`, by hub name.

    Raises:
        ModelError: no folder, no weights in safetensors, or classes that are no tags.
    """
    folder = _fetch(name) if download and not Path(name).is_dir() else Path(name)
    if not folder.is_dir():
        refuse_download(name, download)
        raise ModelError(f"no folder {name!r}; accepted: hf:FOLDER, or hf:OWNER/NAME with --download")
    config = read_json(folder / "config.json")
    if not config:
        raise ModelError(f"{folder}: config.json is missing; accepted: the folder of a token classifier")
    if not list(folder.glob("*.safetensors")):
        raise ModelError(
            f"{folder}: no weights in safetensors, the only format that is loaded; accepted: a folder that "
            "save_pretrained of transformers wrote"
        )
    scheme = TagScheme.read(_class_names(config), str(folder))
    # A fetched folder is named after its revision.
    called = folder.resolve().name if Path(name).is_dir() else name.rpartition("/")[2]
    schema = LabelSchema(called, tuple(EntityType(label) for label in scheme.labels))
    return Candidate(
        name=called,
        spec=name,
        kind="hf",
        schema=schema,
        hash=files_hash(folder),
        code=code_hash("eval/benchmark/token_classifier.py", libraries=("transformers",)),
        size=folder_size(folder),
        load=lambda: TokenClassifier(folder, scheme),
    )


class TokenClassifier:
    """A token classifier that annotates texts.

    Args:
        folder: with config.json, safetensors and a fast tokenizer.
        scheme: how its classes are read.
    """

    def __init__(self, folder: Path, scheme: TagScheme) -> None:
        self._scheme = scheme
        self._model, self._tokenizer, limit = _load(folder)
        try:
            self._maker = WindowMaker(
                self._tokenizer, max_pieces=min(_LONGEST, limit), overlap_pieces=_OVERLAP
            )
        except ValueError as error:
            raise ModelError(f"{folder}: {error}") from error

    def predict(self, items: Sequence[tuple[str, str]]) -> list[Document]:
        """Annotate (id, text) pairs."""
        windows = [(n, w) for n, (_, text) in enumerate(items) for w in self._maker.windows(text)]
        rows: list[dict[tuple[int, int], tuple[int, float]]] = [{} for _ in items]
        # Windows of like length together, so that little is padding.
        windows.sort(key=lambda pair: len(pair[1].input_ids))
        for at in range(0, len(windows), _BATCH):
            batch = windows[at : at + _BATCH]
            for (n, _), found in zip(batch, self._score([w for _, w in batch]), strict=True):
                rows[n] |= found
        return [self._document(id_, text, r) for (id_, text), r in zip(items, rows, strict=True)]

    def _document(self, id_: str, text: str, rows: Mapping[tuple[int, int], tuple[int, float]]) -> Document:
        entities: list[Entity] = []
        for lo, hi in paragraphs(text):
            spans = words(text, lo, hi)
            entities += self._scheme.entities(text, spans, [rows[s] for s in spans])
        return Document(text, numbered(entities), id=id_)

    def _score(self, windows: Sequence[Window]) -> Iterator[dict[tuple[int, int], tuple[int, float]]]:
        """Yield class and probability of the words in the core of each window."""
        import torch

        from ...training.baselines.fitting import pad

        inputs = pad([{"input_ids": w.input_ids} for w in windows], self._tokenizer.pad_token_id or 0)
        with torch.inference_mode():
            best = self._model(**inputs).logits.float().softmax(dim=-1).max(dim=-1)
        for row, w in enumerate(windows):
            first = [w.first[n] for n in range(*w.core)]
            found = zip(best.indices[row, first].tolist(), best.values[row, first].tolist(), strict=True)
            yield dict(zip(w.words[slice(*w.core)], found, strict=True))


def numbered(entities: Iterable[Entity]) -> tuple[Entity, ...]:
    """Return entities in text order with ids T1, T2 and so on."""
    from dataclasses import replace

    ordered = sorted(entities, key=lambda e: (e.start, -e.end))
    return tuple(replace(e, id=f"T{n}") for n, e in enumerate(ordered, 1))


def _class_names(config: Mapping[str, Any]) -> list[str]:
    found = config.get("id2label") or {}
    try:
        return [str(found[key]) for key in sorted(found, key=int)]
    except (TypeError, ValueError):
        return []


def _load(folder: Path) -> tuple[Any, Any, int]:
    """Return model, tokenizer and the number of pieces that it reads at once."""
    import torch
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    from ...model import encoder as _encoder  # noqa: F401  (registers our own encoder with the Auto classes)

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model, report = AutoModelForTokenClassification.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except Exception as error:  # the libraries below raise every kind, bare Exception included
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"{folder}: cannot be loaded ({type(error).__name__}: {reason})") from error
    if absent := sorted(report["missing_keys"]):
        raise ModelError(
            f"{folder}: {len(absent)} weights are missing, {absent[0]} among them; accepted: a fine-tuned token "
            "classifier, not a bare encoder"
        )
    if not getattr(tokenizer, "is_fast", False):
        raise ModelError(f"{folder}: its tokenizer has no fast version; accepted: one with tokenizer.json")
    # RoBERTa-like models count positions from pad_token_id + 1; two are kept back for that.
    limit = int(getattr(model.config, "max_position_embeddings", 0) or _LONGEST + 2) - 2
    return model.eval(), tokenizer, limit


def _fetch(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=_PATTERNS))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"cannot fetch the model {name!r} from the hub: {reason}") from error
