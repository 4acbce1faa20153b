"""Models of every kind behind one face: ours, saved baselines, token classifiers, other libraries."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from ...model.document import Document
from ...model.errors import ConfigError, ModelError, nearest
from ...model.schema import LabelSchema
from ...model.store import embedded_models, resolve, sha256
from ...training.baselines.folder import HEADER
from ...training.model_facts import ModelFacts, read_json
from .data import slug

HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
PACKAGE = Path(__file__).resolve().parents[2]
_WEIGHTS = ("*.safetensors", "*.onnx", "*.xml", "*.bin", "*.crfsuite")
_SETTINGS = ("config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt", HEADER)


class Predictor(Protocol):
    """A loaded model."""

    def predict(self, items: Sequence[tuple[str, str]]) -> list[Document]:
        """Annotate (id, text) pairs, in order; documents carry the ids."""
        ...


@dataclass(frozen=True)
class Candidate:
    """A model that is to be measured; its weights are loaded when `load` is called.

    Attributes:
        name: in tables and files.
        spec: what names it on the command line.
        kind: `isnad`, `crf`, `flat`, `hf`, `gliner`, `stanza` or `camel`.
        schema: its labels; a model of names has no relations.
        hash: 12 hex digits of what decides its answers, code aside.
        code: 12 hex digits of the code that runs it.
        size: bytes of its files; 0 if they are not known.
        load: returns it ready to run.
        folder: of an isnad model; None for all others.
    """

    name: str
    spec: str
    kind: str
    schema: LabelSchema
    hash: str
    code: str
    size: int
    load: Callable[[], Predictor]
    folder: Path | None = None


class _Ours:
    def __init__(self, folder: Path) -> None:
        from ...model.inference import Extractor

        self._extractor = Extractor.from_pretrained(folder)

    def predict(self, items: Sequence[tuple[str, str]]) -> list[Document]:
        self._extractor.forget()  # the rounds of a speed measurement show the same texts
        return list(self._extractor.pipe(items))


class _Shown:
    """Our model, shown the entities of some documents."""

    def __init__(self, folder: Path, documents: Sequence[Document]) -> None:
        from ..given_entities import GivenEntityExtractor

        self._extractor = GivenEntityExtractor.from_pretrained(folder)
        self._documents = {d.id: d for d in documents}

    def predict(self, items: Sequence[tuple[str, str]]) -> list[Document]:
        return list(self._extractor.pipe(self._documents[id_] for id_, _ in items))


class _Baseline:
    def __init__(self, folder: Path, kind: str) -> None:
        from ...training.baselines.crf import CrfTagger
        from ...training.baselines.flat import FlatTagger

        self._tagger = CrfTagger.load(folder) if kind == "crf" else FlatTagger.load(folder)

    def predict(self, items: Sequence[tuple[str, str]]) -> list[Document]:
        return list(self._tagger.predict([Document(text, id=id_) for id_, text in items]))


def open_models(specs: Sequence[str], *, schema: LabelSchema, download: bool = False) -> list[Candidate]:
    """Return the models that are named, each under a name of its own.

    Args:
        specs: see `open_model`. Two that call themselves alike get their hashes behind their names.
        schema: the labels that open-label models are asked for.
        download: whether hub names may be fetched.

    Raises:
        ConfigError: no models, or one twice.
    """
    if not specs:
        raise ConfigError("no models; accepted: embedded names, folders, hub names, or ADAPTER:NAME")
    found = [open_model(spec, schema=schema, download=download) for spec in specs]
    names = [c.name for c in found]
    found = [replace(c, name=f"{c.name}@{c.hash[:6]}") if names.count(c.name) > 1 else c for c in found]
    slugs = [slug(c.name) for c in found]
    for candidate, short in zip(found, slugs, strict=True):
        if slugs.count(short) > 1:
            raise ConfigError(
                f"{candidate.name!r} is named {slugs.count(short)} times; accepted: each model once, told apart by "
                "NAME=MODEL where two share a name"
            )
    return found


def open_model(spec: str, *, schema: LabelSchema, download: bool = False) -> Candidate:
    """Return one model by what names it.

    Args:
        spec: an embedded model, the folder of an isnad model or of a saved baseline, a hub name, or
            `ADAPTER:NAME` with `hf`, `gliner`, `stanza` or `camel`; `CALLED=` before it gives it a name.
        schema: the labels that open-label models are asked for.
        download: whether hub names may be fetched.

    Raises:
        ModelError: there is no such model, or its files are faulty.
        ConfigError: an unknown adapter, a package that is not installed, or a hub name without `download`.
    """
    called, equals, rest = spec.partition("=")
    if not equals or "/" in called or ":" in called:
        called, rest = "", spec
    adapter, colon, name = rest.partition(":")
    if not colon or Path(rest).exists():
        candidate = _folder(rest, download)
    elif adapter == "hf":
        from .token_classifier import open_token_classifier

        candidate = open_token_classifier(name, download=download)
    else:
        from .libraries import ADAPTERS

        if adapter not in ADAPTERS:
            raise ConfigError(f"unknown adapter {adapter!r}; {nearest(adapter, ('hf', *ADAPTERS))}")
        candidate = ADAPTERS[adapter](name, schema, download)
    return replace(candidate, spec=rest, name=called or candidate.name)


def _folder(name: str, download: bool) -> Candidate:
    path = Path(name)
    if (path / HEADER).is_file():
        return _baseline(path)
    if path.is_dir() and name not in embedded_models():
        kind = read_json(path / "config.json").get("model_type")
        if kind is not None and kind != "isnad":
            raise ModelError(
                f"{name} is no isnad model but {kind!r}; accepted: hf:{name}, if it is a token classifier"
            )
    else:
        refuse_download(name, download)
    folder = resolve(name)
    facts = ModelFacts.read(folder)
    return Candidate(
        name=facts.name,
        spec=name,
        kind="isnad",
        schema=facts.schema,
        hash=files_hash(folder),
        code=code_hash(),
        size=facts.size,
        load=lambda: _Ours(folder),
        folder=folder,
    )


def with_entities(candidate: Candidate, documents: Sequence[Document]) -> Candidate | None:
    """Return a model that is shown the entities of documents and finds relations between them.

    Args:
        candidate: any model.
        documents: with unique ids, in the labels of the model; nothing else can be predicted.

    Returns:
        None for a model that is no joint model, or whose weights torch does not run here.
    """
    from ..given_entities import takes_entities

    folder = candidate.folder
    if folder is None or not takes_entities(folder):
        return None
    return replace(
        candidate,
        kind=f"{candidate.kind}, gold entities",
        code=code_hash("eval/given_entities.py", "training/examples.py"),
        load=lambda: _Shown(folder, documents),
    )


def _baseline(folder: Path) -> Candidate:
    header: dict[str, Any] = read_json(folder / HEADER)
    kind = header.get("kind")
    if kind not in ("crf", "flat"):
        raise ModelError(f"{folder / HEADER} names the kind {kind!r}; accepted: crf, flat")
    modules = ("training/baselines/*.py", f"training/baselines/{kind}.py")
    return Candidate(
        name=folder.resolve().name,
        spec=str(folder),
        kind=kind,
        schema=names_only(LabelSchema.from_dict(header.get("schema") or {}, source=str(folder / HEADER))),
        hash=files_hash(folder),
        code=code_hash(*modules),
        size=folder_size(folder),
        load=lambda: _Baseline(folder, kind),
    )


def names_only(schema: LabelSchema) -> LabelSchema:
    """Return the schema of a model that finds entities and nothing else."""
    return LabelSchema(schema.name, schema.entities, (), schema.version)


def refuse_download(name: str, download: bool) -> None:
    """Raise ConfigError for a hub name that may not be fetched."""
    known = name in embedded_models() or Path(name).exists() or Path(name).parent.is_dir()
    if HUB_NAME.fullmatch(name) and not known and not download:
        raise ConfigError(f"{name!r} is no folder here; if it is a hub name, write --download")


def files_hash(folder: Path) -> str:
    """Return 12 hex digits of the weights, settings and tokenizer in a folder."""
    files = sorted({p for pattern in (*_WEIGHTS, *_SETTINGS) for p in folder.glob(pattern)})
    return short_hash({p.name: sha256(p) for p in files})


def folder_size(folder: Path) -> int:
    """Return the bytes of all files in a folder."""
    return sum(p.stat().st_size for p in folder.iterdir() if p.is_file())


def code_hash(*patterns: str, libraries: Iterable[str] = ()) -> str:
    """Return 12 hex digits of the code that inference runs.

    Args:
        patterns: further files below the package, besides `model/**/*.py` without its renderers.
        libraries: packages whose version matters too.
    """
    from importlib.metadata import version

    chosen = {p for p in (PACKAGE / "model").rglob("*.py") if "render" not in p.parts}
    chosen |= {p for pattern in patterns for p in PACKAGE.glob(pattern)}
    content = {p.relative_to(PACKAGE).as_posix(): sha256(p) for p in sorted(chosen)}
    return short_hash(content | {name: version(name) for name in libraries})


def short_hash(content: object) -> str:
    """Return 12 hex digits of plain data."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:12]
