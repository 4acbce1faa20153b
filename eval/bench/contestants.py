"""Who runs in `isnad bench`: a model on each backend, the transformers pipeline on its encoder, other libraries."""

from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from ...model.errors import ConfigError, IsnadError, ModelError, nearest
from ..benchmark.adapters import files_hash, folder_size
from ..benchmark.speed_process import Contestant
from .exports import BACKENDS, backend_folder

# Batch sizes of the pipeline: 1 is the default of transformers.
BATCH_SIZES = (1, 8, 32)
LIBRARIES = ("stanza", "spacy", "gliner", "camel")
AGAINST = ("transformers", *LIBRARIES)
# Which model of a library runs where only the library was named.
_USUAL = {
    "stanza": "ar",
    "spacy": "xx_ent_wiki_sm",  # spaCy has no Arabic model of names; this one is for many languages
    "gliner": "urchade/gliner_multi-v2.1",
    "camel": "",
}


class Loaded(Protocol):
    """A contestant in its process."""

    def predict(self, items: Sequence[tuple[str, str]]) -> Sequence[Any]:
        """Annotate (id, text) pairs; an item of the result is a Document or a list of entities."""
        ...


class _Ours:
    def __init__(self, order: Mapping[str, Any]) -> None:
        from ...model.inference import Extractor

        self._extractor = Extractor.from_pretrained(
            Path(order["isnad"]), backend=order["backend"], device=order["device"]
        )

    def predict(self, items: Sequence[tuple[str, str]]) -> Sequence[Any]:
        self._extractor.forget()  # every round shows the same texts
        return list(self._extractor.pipe(items))


class _Spacy:
    """Its pipeline for names and nothing else, many texts at once, as its documentation advises."""

    def __init__(self, name: str, device: str) -> None:
        import spacy

        if device != "cpu":
            spacy.require_gpu()
        try:
            self._nlp = spacy.load(name)
        except OSError as error:
            raise ModelError(
                f"spacy:{name} is not installed; write: python -m spacy download {name}"
            ) from error
        self._nlp.select_pipes(
            enable=[n for n in self._nlp.pipe_names if n in ("tok2vec", "transformer", "ner")]
        )

    def predict(self, items: Sequence[tuple[str, str]]) -> Sequence[Any]:
        return [list(doc.ents) for doc in self._nlp.pipe([text for _, text in items])]


def ours(
    called: str, folder: Path, backends: Sequence[str], device: str, scratch: Path
) -> Iterator[Contestant | tuple[str, IsnadError]]:
    """Yield a model on each backend; where one is missing here, its name and why.

    Args:
        called: name of the model.
        folder: of a model with torch weights.
        backends: of `BACKENDS`.
        device: cpu, cuda, cuda:1.
        scratch: folder for exports.
    """
    for backend in backends:
        name = f"{called} {backend}"
        try:
            runs = backend_folder(folder, backend, scratch / called)
        except IsnadError as error:
            yield name, error
            continue
        order = {"isnad": str(runs), "backend": BACKENDS[backend].runner, "device": device}
        yield Contestant(name, order, folder_size(runs), files_hash(runs))


def pipelines(called: str, folder: Path, window: int, device: str) -> list[Contestant]:
    """Return the transformers pipeline on a token classifier, once for each of `BATCH_SIZES`.

    Args:
        called: name of the model whose encoder it has.
        folder: written by `token_pipeline.save_token_classifier`.
        window: pieces that the model reads at once.
        device: cpu, cuda, cuda:1.
    """
    return [
        Contestant(
            f"{called} pipeline, batch {size}",
            {"pipeline": str(folder), "batch_size": size, "stride": window // 4, "device": device},
            folder_size(folder),
            files_hash(folder),
        )
        for size in BATCH_SIZES
    ]


def library(wanted: str, schema: str, device: str, download: bool) -> Contestant:
    """Return another library's model.

    Args:
        wanted: `stanza`, `spacy`, `gliner` or `camel`; `:NAME` behind it chooses the model.
        schema: labels that GLiNER is asked for.
        device: cpu, cuda, cuda:1; only spaCy is told of it.
        download: whether models may be fetched.

    Raises:
        ConfigError: it is not installed.
    """
    kind, _, name = wanted.partition(":")
    name = name or _USUAL[kind]
    module = {"camel": "camel_tools"}.get(kind, kind)
    if find_spec(module) is None:
        package = {"camel": "camel-tools"}.get(kind, kind)
        raise ConfigError(f"{kind} is not installed; write: pip install {package}")
    if kind == "spacy":
        return Contestant(f"spacy {name}", {"spacy": name, "device": device})
    order = {"spec": f"{kind}:{name}", "schema": schema, "download": download}
    return Contestant(f"{kind} {name}".strip(), order)


def check_names(against: Sequence[str], backends: Sequence[str]) -> None:
    """Raise ConfigError for an unknown opponent or backend."""
    for wanted in against:
        kind = wanted.partition(":")[0]
        if kind not in AGAINST:
            raise ConfigError(f"--against {kind!r}; {nearest(kind, AGAINST)}")
    for backend in backends:
        if backend not in BACKENDS:
            raise ConfigError(f"--backends {backend!r}; {nearest(backend, tuple(BACKENDS))}")


def load_contestant(order: Mapping[str, Any]) -> Loaded:
    """Return what an order names, loaded; called in the process that times it.

    Raises:
        ModelError: it cannot be loaded.
    """
    if "isnad" in order:
        return _Ours(order)
    if "spacy" in order:
        return _Spacy(order["spacy"], order["device"])
    from .token_pipeline import TokenPipeline

    return TokenPipeline(
        Path(order["pipeline"]), order["batch_size"], stride=order["stride"], device=order["device"]
    )
