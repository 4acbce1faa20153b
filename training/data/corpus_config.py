"""CorpusConfig: what a public corpus annotates and how, one YAML file a corpus in `configs/data`."""

import math
from dataclasses import dataclass, field
from typing import Any

from ...model.errors import ConfigError, nearest
from ...model.schema import LabelSchema
from .columns import SEPARATORS
from .schemes import AUTO, SCHEMES

PROCLITICS = ("inside", "split")
NORMALISED = ("none", "alef")
_PARTS = ("train", "dev", "all")


@dataclass(frozen=True)
class CorpusConfig:
    """One corpus; every field is a key of the YAML file.

    Attributes:
        name: begins the ids of its documents, `anercorp-0001`.
        paths: its column files, relative to the working directory.
        dev_paths: files that are its development part.
        dev_share: instead of `dev_paths`, the share of its sentences, the last ones, that are development data.
        dev_excluded: instead, whether the sentences that `exclude` takes out are its development part.
        exclude: parts of corpora, `anercorp/dev`, whose sentences are left out of the training part. Of
            the corpus itself its `dev` may be named.
        separator: `space`, `tab` (exactly one between columns) or `whitespace`.
        tag_column: column of the tag, from 0; with `nested` the first of them; negative counts from the end.
        comment: what a line between sentences begins with that is to be left out; empty for none.
        scheme: `auto` (detected, faults repaired and reported) or `iob2`, `iob1`, `bioes`, `bilou` (strict).
        nested: whether a word has several tags, outermost first.
        proclitics: `inside` if words, and so entities, keep their proclitics: where a name begins in its
            word is then unknown. `split` if clitics are words of their own: they are joined back, and
            entities begin after their proclitics.
        labels: for each tag the schema labels that it may stand for. One is exact; of several it is not
            known which, so that the loss sums over them; none means an entity of no known label, where
            nothing is learned.
        annotates: schema labels that are marked wherever they occur, so that their absence is evidence. All
            that `labels` names if this is left out; `annotated` gives them either way.
        normalised: `none`, or `alef` if hamza is taken off alef.
        sentences_per_document: how many consecutive sentences make a document.
        language: language and variety of the text.
        genre: kind of text.
        origin: where the corpus is published.
        licence: its licence.
        citation: the paper to cite.
    """

    name: str
    paths: tuple[str, ...]
    labels: dict[str, Any]
    dev_paths: tuple[str, ...] = ()
    dev_share: float = 0.0
    dev_excluded: bool = False
    exclude: tuple[str, ...] = ()
    separator: str = "whitespace"
    tag_column: int = 1
    comment: str = ""
    scheme: str = AUTO
    nested: bool = False
    proclitics: str = "inside"
    annotates: tuple[str, ...] = field(default=())
    normalised: str = "none"
    sentences_per_document: int = 20
    language: str = ""
    genre: str = ""
    origin: str = ""
    licence: str = ""
    citation: str = ""

    def __post_init__(self) -> None:
        for key, accepted in _CHOICES.items():
            if getattr(self, key) not in accepted:
                raise ConfigError(f"{key} is {getattr(self, key)!r}; {nearest(getattr(self, key), accepted)}")
        self._check_labels()
        self._check_parts()
        for key in ("name", "paths", "labels"):
            if not getattr(self, key):
                raise ConfigError(f"{key} is empty; accepted: what `CorpusConfig` says about it")
        if self.tag_column == 0:
            raise ConfigError("tag_column is 0; accepted: a column after the word")
        if self.sentences_per_document < 1:
            raise ConfigError(f"sentences_per_document is {self.sentences_per_document}; accepted: 1 or more")
        if self.nested and (self.scheme not in (AUTO, "iob2") or self.proclitics == "split"):
            raise ConfigError("nested goes with scheme auto or iob2 and proclitics inside")

    def _check_labels(self) -> None:
        labels: dict[str, tuple[str, ...]] = {}
        for tag, names in self.labels.items():
            if not isinstance(tag, str) or not isinstance(names, list | tuple):
                raise ConfigError(f"labels: {tag!r} holds {names!r}; accepted: a list of schema labels")
            if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
                raise ConfigError(f"labels: {tag!r} holds {names!r}; accepted: schema labels, each once")
            labels[tag] = tuple(names)
        object.__setattr__(self, "labels", labels)

    def _check_parts(self) -> None:
        if not math.isfinite(self.dev_share) or not 0 <= self.dev_share < 1:
            raise ConfigError(f"dev_share is {self.dev_share}; accepted: a share from 0 up to 1")
        if bool(self.dev_paths) + bool(self.dev_share) + self.dev_excluded > 1:
            raise ConfigError("accepted: one of dev_paths, dev_share and dev_excluded")
        if self.dev_excluded and not self.exclude:
            raise ConfigError("dev_excluded goes with exclude")
        if twice := set(self.paths) & set(self.dev_paths):
            raise ConfigError(f"{sorted(twice)} are under paths and dev_paths; accepted: each file once")
        for name in self.exclude:
            corpus, _, part = name.rpartition("/")
            if not corpus or part not in _PARTS:
                raise ConfigError(f"exclude: {name!r}; accepted: a corpus and a part, like anercorp/dev")
            if corpus == self.name and (part != "dev" or self.dev_excluded):
                raise ConfigError(f"exclude: {name!r}; accepted: of the corpus itself only its own dev part")

    @property
    def annotated(self) -> tuple[str, ...]:
        """Schema labels whose absence is evidence."""
        mapped = dict.fromkeys(name for names in self.labels.values() for name in names)
        return self.annotates or tuple(mapped)

    def check(self, schema: LabelSchema) -> None:
        """Raise ConfigError where `labels` or `annotates` name a label that the schema lacks."""
        for tag, names in (*self.labels.items(), ("annotates", self.annotates)):
            for name in names:
                if name not in schema.entity_index:
                    raise ConfigError(
                        f"{self.name}: {tag} names {name!r}; {nearest(name, schema.entity_labels)}"
                    )


_CHOICES = {
    "separator": tuple(SEPARATORS),
    "scheme": SCHEMES,
    "proclitics": PROCLITICS,
    "normalised": NORMALISED,
}
