"""Public column corpora as documents, mapped to the schema by `configs/data/*.yaml`."""

import logging
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...model.document import Document
from ...model.errors import ConfigError, DataError, nearest
from ...model.text import make_entity
from ..config import load_config
from .columns import ColumnSentence, Repair, chunk, mend, read_columns
from .corpus_config import CorpusConfig
from .detokenise import Detokeniser, Layout, spaced
from .overlap import overlapping
from .schemes import Cell, WordSpan, encode

log = logging.getLogger(__name__)

PARTS = ("train", "dev", "all")
# Repairs that are listed in the log; the report holds them all.
SHOWN = 10

Tokens = tuple[tuple[tuple[int, int], ...], ...]


@dataclass
class CorpusReport:
    """What reading a corpus found and changed.

    Attributes:
        name, part: of the corpus.
        scheme: the scheme that the tags were read in.
        documents, sentences, tokens: how many there are; clitics that the corpus splits off are tokens.
        entities: how many of each tag.
        repairs: every tag that was read otherwise than it is written, in the whole corpus.
        notices: other changes, in the whole corpus.
        inside: entities that begin inside a word, after a proclitic.
        unsplit: of these, the ones whose proclitic the corpus left on the token.
        widened: entities whose end or beginning was moved to the edge of a word.
        excluded: sentences left out because another corpus has them.
    """

    name: str = ""
    part: str = ""
    scheme: str = ""
    documents: int = 0
    sentences: int = 0
    tokens: int = 0
    entities: Counter[str] = field(default_factory=Counter)
    repairs: tuple[Repair, ...] = ()
    notices: Counter[str] = field(default_factory=Counter)
    inside: int = 0
    unsplit: int = 0
    widened: int = 0
    excluded: int = 0

    def __str__(self) -> str:
        parts = [
            f"{self.name}/{self.part}: {self.documents} documents, {self.sentences} sentences, "
            f"{self.tokens} tokens, {self.entities.total()} entities ({self.scheme})"
        ]
        parts += [f"{self.inside} begin inside a word ({self.unsplit} after an unsplit clitic)"] * bool(
            self.inside
        )
        parts += [f"{self.widened} widened to whole words"] * bool(self.widened)
        parts += [f"{self.excluded} sentences excluded"] * bool(self.excluded)
        parts += [f"{len(self.repairs)} tags repaired"] * bool(self.repairs)
        parts += [f"{n} × {what}" for what, n in sorted(self.notices.items())]
        return "; ".join(parts)


@dataclass(frozen=True)
class Corpus:
    """One part of a corpus.

    Attributes:
        config: what its labels mean.
        part: `train`, `dev` or `all`.
        documents: one sentence a line; labels are the corpus's own tags, see `CorpusConfig.labels`.
        tokens: for each document and sentence (line), the (start, end) of the corpus's tokens in the document.
        report: counts and repairs.
    """

    config: CorpusConfig
    part: str
    documents: tuple[Document, ...]
    tokens: tuple[Tokens, ...]
    report: CorpusReport

    def tagged(self) -> Iterator[tuple[tuple[str, ...], tuple[Cell, ...]]]:
        """Yield the tokens of every sentence as they stand in the text, with their gold tags in IOB2.

        Nested corpora give several tags a token. An entity that begins inside a token has its B there.
        """
        for document, sentences in zip(self.documents, self.tokens, strict=True):
            starts = [s[0][0] for s in sentences]
            spans: list[list[WordSpan]] = [[] for _ in sentences]
            for e in document.entities:
                number = bisect_right(starts, e.start) - 1
                begins = [lo for lo, _ in sentences[number]]
                first = bisect_right(begins, e.start) - 1
                last = bisect_right(begins, e.end - 1) - 1
                spans[number].append(WordSpan(first, last, e.label))
            for sentence, found in zip(sentences, spans, strict=True):
                words = tuple(document.text[lo:hi] for lo, hi in sentence)
                yield words, tuple(encode(found, len(words), nested=self.config.nested))


@dataclass(frozen=True)
class _Laid:
    """A sentence ready to be put into a document; spans are (start, end, tag) in its own text."""

    path: str
    text: str
    tokens: tuple[tuple[int, int], ...]
    spans: tuple[tuple[int, int, str], ...]
    unsplit: int = 0
    widened: int = 0


def corpus_config(name: str | Path) -> CorpusConfig:
    """Return the configuration of a corpus by name or path; see `CorpusConfig` for what it holds."""
    from .sources import find_config  # which itself reads corpora

    return load_config(find_config(name, "data"), CorpusConfig)


def load_corpus(name: str | Path, part: str = "train") -> Corpus:
    """Read one part of a corpus.

    Args:
        name: a name of `configs/data`, or the path of a YAML file of `CorpusConfig`.
        part: `train`, `dev`, or `all`. Sentences of a corpus under `exclude` are left out of `train` only.

    Raises:
        ConfigError: an unknown corpus or part, or a faulty configuration.
        DataError: missing or faulty files, or tags without a mapping.
    """
    if part not in PARTS:
        raise ConfigError(f"{part!r} is no part of a corpus; {nearest(part, PARTS)}")
    config = corpus_config(name)
    report = CorpusReport(config.name, part)
    sentences = _read(config, report)
    laid = _lay_out(config, sentences, report)
    chosen = _choose(config, part, sentences, laid, report)
    documents, tokens = _documents(config, chosen, report)
    log.info("%s", report)
    if report.repairs:
        rest = f"\n  and {len(report.repairs) - SHOWN} more" if len(report.repairs) > SHOWN else ""
        shown = "".join(f"\n  {repair}" for repair in report.repairs[:SHOWN])
        log.warning("%d tags of the corpus %s repaired:%s%s", len(report.repairs), config.name, shown, rest)
    return Corpus(config, part, documents, tokens, report)


def _read(config: CorpusConfig, report: CorpusReport) -> list[ColumnSentence]:
    """Return the mended sentences of all files, the development files last."""
    sentences: list[ColumnSentence] = []
    for path in (*config.paths, *config.dev_paths):
        if not Path(path).is_file():
            raise DataError(
                f"no file of the corpus {config.name}",
                path=path,
                accepted=f"the column file of {config.origin} put there (licence: {config.licence}; cite "
                f"{config.citation}), or its place under `paths` of the configuration",
            )
        sentences += read_columns(
            path,
            separator=config.separator,
            tag_column=config.tag_column,
            nested=config.nested,
            comment=config.comment,
            notices=report.notices,
        )
    mended, repairs = mend(sentences, config.labels, scheme=config.scheme)
    report.repairs = tuple(repairs)
    return mended


def _lay_out(config: CorpusConfig, sentences: Sequence[ColumnSentence], report: CorpusReport) -> list[_Laid]:
    spans, repairs, report.scheme = chunk(sentences, scheme=config.scheme)
    report.repairs = tuple(sorted((*report.repairs, *repairs), key=lambda r: (r.path, r.line)))
    if config.proclitics == "inside":
        return [_place(s, spaced(s.words), found, None) for s, found in zip(sentences, spans, strict=True)]
    tags = [[cell[0] for cell in encode(f, len(s.words))] for s, f in zip(sentences, spans, strict=True)]
    detokeniser = Detokeniser.learn((s.words, t) for s, t in zip(sentences, tags, strict=True))
    return [
        _place(s, detokeniser.join(s.words, t), found, detokeniser)
        for s, t, found in zip(sentences, tags, spans, strict=True)
    ]


def _place(
    sentence: ColumnSentence, layout: Layout, found: Sequence[WordSpan], detokeniser: Detokeniser | None
) -> _Laid:
    """Give spans of words their characters: after proclitics, and to the end of the word."""
    spans: list[tuple[int, int, str]] = []
    unsplit = widened = 0
    for span in found:
        first, last = span.first, span.last
        while first and layout.glued[first - 1] and not layout.proclitic[first - 1]:
            first -= 1
        while layout.glued[last] and not layout.proclitic[last]:
            last += 1
        start, end = layout.tokens[first][0], layout.tokens[last][1]
        cut = detokeniser.letters_outside(sentence.words[first]) if detokeniser else 0
        widened += (first, last) != (span.first, span.last)
        unsplit += bool(cut)
        spans.append((start + cut, end, span.label))
    return _Laid(sentence.path, layout.text, layout.tokens, tuple(spans), unsplit, widened)


def _choose(
    config: CorpusConfig,
    part: str,
    sentences: Sequence[ColumnSentence],
    laid: list[_Laid],
    report: CorpusReport,
) -> list[_Laid]:
    """Return the sentences of a part."""
    if part == "all":
        return laid
    of_dev_files = [s.path in config.dev_paths for s in sentences]
    cut = len(laid) - round(len(laid) * config.dev_share)
    dev = {n for n in range(len(laid)) if of_dev_files[n] or n >= cut}
    shared: set[int] = set()
    if config.exclude and (part == "train" or config.dev_excluded):
        own = [laid[n].text for n in sorted(dev)]
        others = [line for name in config.exclude for line in _lines(name, config, own)]
        shared = overlapping([s.text for s in laid], others) - dev
    if part == "dev":
        dev |= shared if config.dev_excluded else set()
        if not dev:
            raise ConfigError(f"the corpus {config.name} has no development part; set dev_paths or dev_share")
        return [s for n, s in enumerate(laid) if n in dev]
    report.excluded = len(shared)
    return [s for n, s in enumerate(laid) if n not in dev | shared]


def _lines(name: str, config: CorpusConfig, own: list[str]) -> list[str]:
    """Return the sentences of `corpus/part`, as under `exclude`; `own` are those of this corpus's own `dev`."""
    other, _, part = name.rpartition("/")
    if other == config.name:
        return own
    if config.dev_excluded and corpus_config(other).dev_excluded:
        raise ConfigError(
            f"{config.name} and {other} both take their development part from what they exclude; "
            "accepted: dev_excluded in one of them"
        )
    return [line for document in load_corpus(other, part).documents for line in document.text.split("\n")]


def _documents(
    config: CorpusConfig, laid: Sequence[_Laid], report: CorpusReport
) -> tuple[tuple[Document, ...], tuple[Tokens, ...]]:
    """Group sentences into documents; a document never crosses from one file to the next."""
    groups: list[list[_Laid]] = []
    for s in laid:
        full = not groups or len(groups[-1]) == config.sentences_per_document
        if full or groups[-1][0].path != s.path:
            groups.append([])
        groups[-1].append(s)
    documents, tokens = [], []
    for number, group in enumerate(groups, 1):
        document, offsets = _document(f"{config.name}-{number:04}", group)
        documents.append(document)
        tokens.append(offsets)
    report.documents, report.sentences = len(documents), len(laid)
    report.tokens = sum(len(s.tokens) for s in laid)
    report.entities.update(e.label for d in documents for e in d.entities)
    report.inside = sum(e.word_start < e.start for d in documents for e in d.entities)
    report.unsplit = sum(s.unsplit for s in laid)
    report.widened = sum(s.widened for s in laid)
    return tuple(documents), tuple(tokens)


def _document(name: str, group: Sequence[_Laid]) -> tuple[Document, Tokens]:
    text = "\n".join(s.text for s in group)
    spans: list[tuple[int, int, str]] = []
    tokens: list[tuple[tuple[int, int], ...]] = []
    at = 0
    for s in group:
        spans += [(at + lo, at + hi, tag) for lo, hi, tag in s.spans]
        tokens.append(tuple((at + lo, at + hi) for lo, hi in s.tokens))
        at += len(s.text) + 1
    spans.sort(key=lambda span: (span[0], -span[1]))
    entities = tuple(make_entity(text, lo, hi, tag, id=f"T{n}") for n, (lo, hi, tag) in enumerate(spans, 1))
    return Document(text, entities, id=name), tuple(tokens)


def mapped_counts(entities: Mapping[str, int], config: CorpusConfig) -> Counter[str]:
    """Return how many entities stand for each label of the schema, alternatives joined by `|`, none as `-`."""
    counts: Counter[str] = Counter()
    for tag, n in entities.items():
        counts["|".join(config.labels[tag]) or "-"] += n
    return counts
