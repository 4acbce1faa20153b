"""Column files: one word a line with its tags, a blank line between sentences.

They hold neither offsets nor the text as it was written; `corpora` makes documents of them.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...model.errors import DataError
from ...model.folding import INVISIBLE_RANGES
from .files import Faults, read_text
from .schemes import AUTO, OUTSIDE, Cell, WordSpan, decode, detect_scheme, encode, mend_tags

SEPARATORS = {"space": " ", "tab": "\t", "whitespace": None}

_INVISIBLE = re.compile(f"[{INVISIBLE_RANGES}\x00-\x08\x0e-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class ColumnSentence:
    """One sentence of a column file.

    Attributes:
        words: as written, invisible characters removed; never empty.
        cells: the tags of each word; one where annotation is flat, outermost first where it is nested.
        lines: the line of each word, from 1.
        path: the file.
    """

    words: tuple[str, ...]
    cells: tuple[Cell, ...]
    lines: tuple[int, ...]
    path: str = ""


@dataclass(frozen=True, slots=True)
class Repair:
    """One place where a file was read otherwise than it is written.

    Attributes:
        path, line: where.
        word: the word there.
        found: what is written.
        read_as: what it was read as.
    """

    path: str
    line: int
    word: str
    found: str
    read_as: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.word} {self.found} read as {self.read_as}"


def read_columns(
    path: str | Path,
    *,
    separator: str = "whitespace",
    tag_column: int = 1,
    nested: bool = False,
    comment: str = "",
    notices: Counter[str] | None = None,
) -> list[ColumnSentence]:
    """Read the sentences of a column file; the first column holds the words.

    A byte-order mark, CRLF line ends, and invisible characters in words and tags (U+200E, zero-width marks,
    controls) are removed. Words that consist of nothing else are left out.

    Args:
        path: a UTF-8 file.
        separator: `space` or `tab` (exactly one between columns), or `whitespace` (any run of blanks).
        tag_column: the column of the tag, from 0; negative ones count from the end. Where `nested` is set,
            the first of the tag columns.
        nested: whether all columns from `tag_column` on are tags of the word.
        comment: lines between sentences that begin with this are left out; empty for none.
        notices: counts of what was changed or left out are added here.

    Raises:
        DataError: an unreadable file, no sentence in it, or lines without the columns, up to 20 of them.
    """
    notices = Counter() if notices is None else notices
    faults = Faults(path)
    sentences: list[ColumnSentence] = []
    rows: list[tuple[str, Cell, int]] = []
    text = read_text(Path(path)).removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    for line, raw in enumerate((*text.split("\n"), ""), 1):
        if not _clean(raw).strip():
            if rows:
                sentences.append(_sentence(rows, str(path)))
                rows = []
            continue
        if not rows and comment and raw.startswith(comment):
            continue
        columns = _columns(raw, separator, tag_column, nested)
        if columns is None:
            faults.add(f"found {raw!r}", line=line, accepted=_layout(separator, tag_column, nested))
            continue
        word = _clean(columns[0]).strip()
        if word != columns[0]:
            notices["word with invisible characters, removed"] += 1
        if not word:
            notices["word of invisible characters only, left out"] += 1
            continue
        rows.append((word, tuple(_clean(tag) for tag in columns[1:]), line))
    faults.raise_any()
    if not sentences:
        raise DataError("no sentence", path=path, accepted=_layout(separator, tag_column, nested))
    return sentences


def mend(
    sentences: Sequence[ColumnSentence], known: Iterable[str], *, scheme: str = AUTO
) -> tuple[list[ColumnSentence], list[Repair]]:
    """Return sentences with damaged tags replaced, as in `schemes.mend_tags`, and what was replaced.

    Args:
        sentences: all of a corpus, so that rare labels can be told from unknown ones.
        known: labels of the corpus.
        scheme: a name of `schemes.SCHEMES`; any but `auto` mends nothing.

    Raises:
        DataError: labels that are not known, each with its first line.
    """
    known = sorted(set(known))
    counts: Counter[str] = Counter()
    first: dict[str, tuple[str, int]] = {}
    for s in sentences:
        for cell, line in zip(s.cells, s.lines, strict=True):
            counts.update(cell)
            for tag in cell:
                first.setdefault(tag, (s.path, line))
    readings, unknown = mend_tags(counts, known, scheme)
    if scheme != AUTO:
        unknown += [tag for tag in readings if tag not in unknown]
    if unknown:
        place = next(first[tag] for tag in counts if tag in unknown or tag.partition("-")[2] in unknown)
        raise DataError(
            f"tags without a mapping: {', '.join(unknown[:20])}",
            path=place[0],
            line=place[1],
            accepted=f"{OUTSIDE}, or a prefix and one of {', '.join(known)}; add what is missing to `labels`",
        )
    repairs: list[Repair] = []
    mended = [mend_sentence(s, readings, repairs) if readings else s for s in sentences]
    return mended, repairs


def chunk(
    sentences: Sequence[ColumnSentence], *, scheme: str = AUTO
) -> tuple[list[list[WordSpan]], list[Repair], str]:
    """Return the spans of every sentence, the repairs, and the scheme the tags were read in.

    Args:
        sentences: with sound tags, see `mend`.
        scheme: a name of `schemes.SCHEMES`. `auto` detects it and repairs; the others are read strictly.

    Raises:
        DataError: tags that break a scheme that is named, up to 20 of them.
    """
    chosen = detect_scheme(s.cells for s in sentences) if scheme == AUTO else scheme
    spans: list[list[WordSpan]] = []
    repairs: list[Repair] = []
    for s in sentences:
        found, wrong = decode(s.cells, chosen)
        unique = list(dict.fromkeys(found))
        spans.append(unique)
        repairs += [Repair(s.path, s.lines[f.word], s.words[f.word], f.found, f.read_as) for f in wrong]
        repairs += [
            Repair(s.path, s.lines[x.first], s.words[x.first], f"{x.label} twice", "once")
            for x, n in Counter(found).items()
            if n > 1
        ]
    if scheme != AUTO and repairs:
        faults = Faults(repairs[0].path)
        for r in repairs:
            faults.add(
                f"{r.word} {r.found}", line=r.line, accepted=f"{r.read_as}; or scheme: auto, which repairs"
            )
        faults.raise_any()
    return spans, repairs, chosen


def format_columns(
    sentences: Iterable[tuple[Sequence[str], Sequence[WordSpan]]],
    *,
    nested: bool = False,
    separator: str = "space",
    ids: Sequence[str] = (),
) -> str:
    """Return sentences as a column file in IOB2, which `read_columns` and `chunk` read back.

    Args:
        sentences: words and spans of each; sentences without words are left out.
        nested: whether a word may have several tags, outermost first (the layout of Wojood).
        separator: `space` or `tab`.
        ids: if given, one a sentence, written as a `# id` line before it (read with `comment="# "`).

    Raises:
        DataError: a word that holds a blank, a line end or an invisible character, or spans that IOB2 cannot hold.
    """
    gap = SEPARATORS[separator] or " "
    blocks: list[str] = []
    for n, (words, spans) in enumerate(sentences):
        for word in words:
            if not word or word != _clean(word) or any(c.isspace() for c in word):
                raise DataError(
                    f"the word {word!r}", accepted="visible characters without blanks between them"
                )
        cells = encode(spans, len(words), nested=nested)
        head = [f"# {ids[n]}"] if ids else []
        rows = [gap.join((word, *cell)) for word, cell in zip(words, cells, strict=True)]
        if rows:
            blocks.append("\n".join((*head, *rows)) + "\n")
    return "\n".join(blocks)


def _columns(raw: str, separator: str, tag_column: int, nested: bool) -> tuple[str, ...] | None:
    parts = raw.split(SEPARATORS[separator])
    at = tag_column if tag_column >= 0 else len(parts) + tag_column
    if not 0 < at < len(parts):
        return None
    # A file of two columns that has three in one line has a blank in a word, or a missing line end.
    tags = parts[at:] if nested else parts[at : at + 1]
    if not nested and at == 1 and tag_column == 1 and len(parts) > 2:
        return None
    return (parts[0], *tags) if all(_clean(t) for t in tags) else None


def _layout(separator: str, tag_column: int, nested: bool) -> str:
    gap = {"space": "a single space", "tab": "a tab", "whitespace": "blanks"}[separator]
    tags = "its tags, outermost first," if nested else "its tag"
    where = "" if tag_column == 1 else f" in column {tag_column}"
    return f"a word and {tags}{where} with {gap} between them, and a blank line after a sentence"


def _clean(text: str) -> str:
    return _INVISIBLE.sub("", text)


def _sentence(rows: Sequence[tuple[str, Cell, int]], path: str) -> ColumnSentence:
    words, cells, lines = zip(*rows, strict=True)
    return ColumnSentence(tuple(words), tuple(cells), tuple(lines), path)


def mend_sentence(s: ColumnSentence, readings: Mapping[str, str], repairs: list[Repair]) -> ColumnSentence:
    """Return a sentence with other tags, O left out where a word has others too.

    Args:
        s: the sentence.
        readings: for every damaged tag what it is read as, see `schemes.mend_tags`.
        repairs: what is replaced is added here.
    """
    cells: list[Cell] = []
    for word, cell, line in zip(s.words, s.cells, s.lines, strict=True):
        for tag in cell:
            if tag in readings:
                repairs.append(Repair(s.path, line, word, tag, readings[tag]))
        kept = tuple(readings.get(tag, tag) for tag in cell)
        cells.append(tuple(t for t in kept if t != OUTSIDE) or (OUTSIDE,))
    return replace(s, cells=tuple(cells))
