"""Adapters of libraries that isnad does not need: used if installed, refused with what to install if not.

Each of them reads a limited stretch at once and drops the rest without a word; so texts are handed over in
stretches of whole sentences, and offsets are brought back to the text.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...model.document import Document, Entity
from ...model.errors import ConfigError, ModelError
from ...model.schema import EntityType, LabelSchema
from ...model.text import extend_over_marks, make_entity, paragraphs, sentence_starts, words
from ...training.data.schemes import decode
from .adapters import (
    Candidate,
    Predictor,
    code_hash,
    files_hash,
    folder_size,
    names_only,
    refuse_download,
    short_hash,
)
from .token_classifier import numbered

# Words of a stretch at most: below the limits of all three (GLiNER 384 words, CAMeL 512 pieces).
LONGEST = 120
# What GLiNER takes for a token (its `WhitespaceTokenSplitter`), and how many it reads where its model does not say.
# A combining mark is no part of a word to it: لُبْنان is five tokens.
_GLINER, _GLINER_TOKENS = re.compile(r"\w+(?:[-_]\w+)*|\S"), 384


def stretches(
    text: str, longest: float = LONGEST, size: Callable[[str], float] = lambda word: 1
) -> Iterator[list[tuple[int, int]]]:
    """Yield the words of stretches of a text, of whole sentences where they are short enough.

    Args:
        text: any text.
        longest: the sizes of the words of a stretch add up to this at most, unless it is a single word.
        size: of a word.
    """
    for lo, hi in paragraphs(text):
        spans = words(text, lo, hi)
        starts = sentence_starts(text, spans)
        at = 0
        while at < len(spans):
            end, total = at, 0.0
            while end < len(spans):
                total += size(text[slice(*spans[end])])
                if total > longest and end > at:
                    break
                end += 1
            cut = end if end == len(spans) else max((s for s in starts if at < s <= end), default=end)
            yield spans[at:cut]
            at = cut


class _Stretched:
    """Annotates stretch by stretch; subclasses say what is in one."""

    def predict(self, items: Sequence[tuple[str, str]]) -> list[Document]:
        return [
            Document(text, numbered(e for s in self._stretches(text) for e in self._find(text, s)), id=id_)
            for id_, text in items
        ]

    def _stretches(self, text: str) -> Iterator[list[tuple[int, int]]]:
        return stretches(text)

    def _find(self, text: str, spans: list[tuple[int, int]]) -> Iterator[Entity]:
        raise NotImplementedError


class _Gliner(_Stretched):
    """Zaratiana et al. 2024, "GLiNER", NAACL: labels are given in words, here the schema's English ones."""

    def __init__(self, name: str, prompts: dict[str, str], download: bool) -> None:
        from gliner import GLiNER

        self._model: Any = GLiNER.from_pretrained(name, local_files_only=not download)
        self._prompts = prompts
        self._most = getattr(getattr(self._model, "config", None), "max_len", None) or _GLINER_TOKENS

    def _stretches(self, text: str) -> Iterator[list[tuple[int, int]]]:
        """A vocalised word is many tokens to GLiNER, and it drops what is beyond its limit."""
        return stretches(
            text, LONGEST, lambda word: max(1, len(_GLINER.findall(word)) * LONGEST / self._most)
        )

    def _find(self, text: str, spans: list[tuple[int, int]]) -> Iterator[Entity]:
        lo, hi = spans[0][0], spans[-1][1]
        for found in self._model.predict_entities(text[lo:hi], list(self._prompts), flat_ner=False):
            label, score = self._prompts[found["label"]], float(found["score"])
            end = extend_over_marks(text, lo + found["end"])
            yield make_entity(text, lo + found["start"], end, label, score=score)


class _Stanza(_Stretched):
    """Qi et al. 2020, "Stanza", ACL; it gives no scores."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline

    def _find(self, text: str, spans: list[tuple[int, int]]) -> Iterator[Entity]:
        lo, hi = spans[0][0], spans[-1][1]
        for found in self._pipeline(text[lo:hi]).entities:
            yield make_entity(text, lo + found.start_char, lo + found.end_char, found.type)


class _Camel(_Stretched):
    """Obeid et al. 2020, "CAMeL Tools", LREC; it gives no scores."""

    def __init__(self, recogniser: Any) -> None:
        self._recogniser = recogniser

    def _find(self, text: str, spans: list[tuple[int, int]]) -> Iterator[Entity]:
        tags = self._recogniser.predict_sentence([text[s:e] for s, e in spans])
        if len(tags) != len(spans):
            # It leaves out words of which its tokenizer makes nothing, such as a lone mark or control character.
            pieces = self._recogniser.tokenizer.tokenize
            spans = [(s, e) for s, e in spans if pieces(text[s:e])]
            tags = self._recogniser.predict_sentence([text[s:e] for s, e in spans])
        if len(tags) != len(spans):
            raise ModelError(f"camel-tools gave {len(tags)} tags for {len(spans)} words")
        for found in decode([(tag,) for tag in tags])[0]:
            end = extend_over_marks(text, spans[found.last][1])
            yield make_entity(text, spans[found.first][0], end, found.label)


def _gliner(name: str, schema: LabelSchema, download: bool) -> Candidate:
    _need("gliner", "gliner", f"gliner:{name}")
    refuse_download(name, download)
    prompts = {(e.en.split(",")[0].split("(")[0].strip() or e.name).lower(): e.name for e in schema.entities}
    if len(prompts) < len(schema.entities):
        prompts = {e.name: e.name for e in schema.entities}
    folder = Path(name)
    content = files_hash(folder) if folder.is_dir() else name
    return Candidate(
        name=folder.name,
        spec=name,
        kind="gliner",
        schema=names_only(schema),
        hash=short_hash([content, prompts]),
        code=code_hash("eval/benchmark/libraries.py", libraries=("gliner",)),
        size=folder_size(folder) if folder.is_dir() else 0,
        load=lambda: _Gliner(name, prompts, download),
    )


def _stanza(name: str, schema: LabelSchema, download: bool) -> Candidate:
    _need("stanza", "stanza", f"stanza:{name}")
    import stanza

    method = None if not download else stanza.DownloadMethod.REUSE_RESOURCES
    try:
        pipeline = stanza.Pipeline(name, processors="tokenize,ner", download_method=method, verbose=False)
    except Exception as error:  # it raises every kind
        reason = " ".join(str(error).split())[:300]
        raise ModelError(
            f"stanza:{name} cannot be loaded ({reason}); if it is not here, write --download"
        ) from error
    recogniser = pipeline.processors["ner"]
    # A language may have several models at once; their tags come without the prefixes of IOB and BIOES.
    models = range(len(getattr(recogniser, "trainers", None) or [recogniser]))
    labels = sorted(
        {t for n in models for t in (recogniser.get_known_tags(n) if n else recogniser.get_known_tags())}
    )
    return _named("stanza", f"stanza-{name}", name, labels, "stanza", lambda: _Stanza(pipeline))


def _camel(name: str, schema: LabelSchema, download: bool) -> Candidate:
    _need("camel_tools", "camel-tools", f"camel:{name}")
    from camel_tools.ner import NERecognizer

    try:
        recogniser = NERecognizer.pretrained(name or None)
    except Exception as error:  # it raises every kind
        reason = " ".join(str(error).split())[:300]
        raise ModelError(
            f"camel:{name} cannot be loaded ({reason}); fetch it with: camel_data -i ner-{name or 'arabert'}"
        ) from error
    labels = sorted({t.partition("-")[2] for t in NERecognizer.labels()} - {""})
    return _named("camel", f"camel-{name or 'ner'}", name, labels, "camel-tools", lambda: _Camel(recogniser))


ADAPTERS: dict[str, Callable[[str, LabelSchema, bool], Candidate]] = {
    "gliner": _gliner,
    "stanza": _stanza,
    "camel": _camel,
}


def _named(
    kind: str, called: str, name: str, labels: list[str], library: str, load: Callable[[], Predictor]
) -> Candidate:
    """Return a model that is known by its name and the version of its library only."""
    return Candidate(
        name=called,
        spec=name,
        kind=kind,
        schema=LabelSchema(called, tuple(EntityType(label) for label in labels)),
        hash=short_hash([kind, name, version(library), labels]),
        code=code_hash("eval/benchmark/libraries.py", libraries=(library,)),
        size=0,
        load=load,
    )


def _need(module: str, package: str, task: str) -> None:
    try:
        found = find_spec(module)
    except ValueError:  # a module without a spec
        found = None
    if found is None:
        raise ConfigError(f"{task} needs {package}, which is not installed; write: pip install '{package}'")
