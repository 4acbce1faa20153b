r"""CoNLL columns: a word and its chunk tag a line, in IOB2, IOB1, BIOES or BILOU (`schemes`).

Read: any such file. The tag stands in the last column that holds tags, a blank line ends a sentence, a
line `-DOCSTART-` begins a document. The text is made of the words, with a blank between them and a line a
sentence. Gold of such files is whole words: a mention begins where its word does, before any proclitic.

Written: three columns with tabs, which readers of two columns or more survive as long as they take the first
for the word and the last for the tag. The one between holds what the text is besides its words, in the form
of the column MISC of CoNLL-U (https://universaldependencies.org/format.html), so that this module restores text
and mentions to the letter:

    -DOCSTART-      id=خبر-1        O
    التقى           _               O
    وقاآني          Start=1         B-PERS
    ببغداد          Start=1|SpaceAfter=No   B-GPE
    .               SpacesAfter=\s\s        O

    `_`             a blank follows the word, a line feed the sentence, nothing the document
    SpaceAfter=No   nothing follows
    SpacesAfter=    these follow: \s blank, \t, \n, \r, \p for |, \\, \u{200F} for any other character
    SpacesBefore=   of `-DOCSTART-`: these stand before the first word
    Start=, End=    the mention begins, or ends, so many code points after the beginning of this word
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from ...model.document import Document
from ...model.errors import DataError, nearest
from ...model.schema import LabelSchema
from . import losses
from .builder import DocumentBuilder
from .column_documents import BOUNDARY, chunked, column_file, read_files, read_plain
from .column_sentences import as_sentences
from .columns import ColumnSentence
from .files import Faults, named, read_text, write_text
from .records import unique_name
from .schemes import AUTO, OUTSIDE, WordSpan

WRITTEN = ("iob2", "iob1", "bioes", "bilou")
_KEYS = ("id", "SpacesBefore", "SpacesAfter", "SpaceAfter", "Start", "End")
_MISC = re.compile(rf"_|(?:{'|'.join(_KEYS)})=[^\s|]*(?:\|(?:{'|'.join(_KEYS)})=[^\s|]*)*")
_OURS = re.compile(rf"\ufeff?\s*{BOUNDARY}\t({_MISC.pattern})\tO\s")
_NAMED = {" ": r"\s", "\t": r"\t", "\n": r"\n", "\r": r"\r", "|": r"\p", "\\": r"\\"}
_NAMES = {code[1]: char for char, code in _NAMED.items()}
_ESCAPE = re.compile(r"\\(?:u\{([0-9A-Fa-f]{1,6})\}|([strnp\\]))")
_ROW = "a word, a tab, '_' or key=value pairs joined by '|', a tab, and a tag"


def read(
    path: Path,
    schema: LabelSchema,
    *,
    scheme: str = AUTO,
    tag_column: int | None = None,
    separator: str = AUTO,
    sentences_per_document: int = 0,
) -> list[Document]:
    """Read a column file, or all of a folder in the order of their names.

    Args:
        path: the file or folder.
        schema: the labels to check against.
        scheme: `iob2`, `iob1`, `bioes` or `bilou`, read strictly; `auto` detects it, repairs what breaks it, and logs
            every repair with its line.
        tag_column: column of the tag from 0, negative from the end; None for the last that holds tags.
        separator: `tab` or `space` (exactly one), `whitespace` (any run); `auto` for tabs where all lines have one.
        sentences_per_document: cut documents of more sentences than this; 0 for never.

    Returns:
        Documents named after the file: `name`, or `name-0001` and on where it holds several; files that
        this module wrote have their own ids. All scores are 1.0.

    Raises:
        DataError: lines without the columns, labels that the schema lacks, tags that break a named scheme;
            up to 20 faults are listed with their lines.
    """

    def read_one(file: Path, faults: Faults, notices: Counter[str]) -> list[Document]:
        if _OURS.match(read_text(file)):
            return _read_ours(file, schema, scheme, faults, notices)
        return read_plain(
            file,
            faults,
            notices,
            schema=schema,
            nested=False,
            scheme=scheme,
            separator=separator,
            tag_column=tag_column,
            sentences_per_document=sentences_per_document,
        )

    return read_files(path, read_one)


def write(
    documents: Sequence[Document], path: Path, schema: LabelSchema, *, scheme: str = "iob2"
) -> Counter[str]:
    """Write a column file that `read` restores to the letter, but for what is counted.

    Args:
        documents: ids go to the `-DOCSTART-` lines.
        path: the file.
        schema: not needed; labels are written as they are.
        scheme: `iob2`, `iob1`, `bioes` or `bilou`.

    Returns:
        Mentions inside others (the outermost are written), mentions that share a word with another or
        hold none, relations, clusters, scores, model names.
    """
    if scheme not in WRITTEN:
        raise DataError(f"unknown scheme {scheme!r}", accepted=nearest(scheme, WRITTEN))
    lost: Counter[str] = Counter()
    blocks = [_block(name, document, scheme, lost) for name, document in named(documents)]
    for document in documents:
        losses.count_links(document, lost)
        losses.count_scores(document, lost)
    write_text(path, "\n".join(blocks))
    return lost


def detects(path: Path) -> bool:
    """Whether `path` is a file of words with one tag each, or a folder whose first text file is one."""
    return column_file(path) is not None


def tags_of(spans: Sequence[WordSpan], length: int, scheme: str) -> list[str]:
    """Return one tag a word for spans that do not overlap.

    Args:
        spans: mentions of a sentence, in order.
        length: its number of words.
        scheme: a name of `WRITTEN`.
    """
    tags = [OUTSIDE] * length
    closing = {"bioes": "E", "bilou": "L"}.get(scheme, "I")
    alone = {"bioes": "S", "bilou": "U", "iob1": "I"}.get(scheme, "B")
    before = None
    for span in spans:
        for n in range(span.first, span.last + 1):
            tags[n] = f"I-{span.label}"
        tags[span.last] = f"{closing}-{span.label}"
        adjoins = before is not None and (before.last + 1, before.label) == (span.first, span.label)
        if scheme != "iob1" or adjoins:
            tags[span.first] = f"B-{span.label}"
        if span.first == span.last:
            tags[span.first] = f"{'B' if scheme == 'iob1' and adjoins else alone}-{span.label}"
        before = span
    return tags


def _block(name: str, document: Document, scheme: str, lost: Counter[str]) -> str:
    text = document.text
    sentences = as_sentences(document, lost, nested=False)
    places = [place for s in sentences for place in s.words]
    before = text[: places[0][0]] if places else text
    head = [f"id={_escaped(name)}"] + ([f"SpacesBefore={_escaped(before)}"] if before else [])
    rows = [f"{BOUNDARY}\t{'|'.join(head)}\t{OUTSIDE}", ""]
    gaps = [text[end:start] for (_, end), (start, _) in pairwise(places)] + [
        text[places[-1][1] :] if places else ""
    ]
    at = 0
    for n, s in enumerate(sentences):
        starts = {span.first: e.start for span, e in zip(s.spans, s.entities, strict=True)}
        ends = {span.last: e.end for span, e in zip(s.spans, s.entities, strict=True)}
        tags = tags_of(s.spans, len(s.words), scheme)
        for i, (start, end) in enumerate(s.words):
            last = i == len(s.words) - 1
            usual = _usual(last, last and n == len(sentences) - 1)
            misc = [f"Start={starts[i] - start}"] if starts.get(i, start) != start else []
            misc += [f"End={ends[i] - start}"] if ends.get(i, end) != end else []
            if gaps[at] != usual:
                misc.append(f"SpacesAfter={_escaped(gaps[at])}" if gaps[at] else "SpaceAfter=No")
            rows.append(f"{text[start:end]}\t{'|'.join(misc) or '_'}\t{tags[i]}")
            at += 1
        rows.append("")
    return "\n".join(rows[:-1]) + "\n"


def _usual(ends_sentence: bool, ends_document: bool) -> str:
    return "" if ends_document else "\n" if ends_sentence else " "


def _escaped(text: str) -> str:
    return "".join(
        _NAMED.get(c) or (c if c.isalnum() or "!" <= c <= "~" else f"\\u{{{ord(c):X}}}") for c in text
    )


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda m: _NAMES[m[2]] if m[2] else chr(min(int(m[1], 16), 0x10FFFF)), text)


@dataclass
class _Draft:
    """A document of a file that this module wrote."""

    head: dict[str, str] = field(default_factory=dict)
    sentences: list[ColumnSentence] = field(default_factory=list)
    misc: list[list[dict[str, str]]] = field(default_factory=list)


def _read_ours(
    path: Path, schema: LabelSchema, scheme: str, faults: Faults, notices: Counter[str]
) -> list[Document]:
    drafts: list[_Draft] = []
    rows: list[tuple[str, dict[str, str], str, int]] = []
    for line, raw in enumerate((*read_text(path).removeprefix("\ufeff").split("\n"), ""), 1):
        cells = raw.removesuffix("\r").split("\t")
        if cells != [""] and (
            len(cells) != 3 or not cells[0] or not _MISC.fullmatch(cells[1]) or not cells[2]
        ):
            faults.add(f"found {raw!r}", line=line, accepted=_ROW)
            continue
        boundary = cells[0] == BOUNDARY
        if rows and (boundary or cells == [""]):
            words, misc, tags, lines = zip(*rows, strict=True)
            drafts[-1].sentences.append(ColumnSentence(words, tuple((t,) for t in tags), lines, str(path)))
            drafts[-1].misc.append(list(misc))
            rows = []
        if boundary:
            drafts.append(_Draft(_pairs(cells[1])))
        elif cells != [""]:
            rows.append((cells[0], _pairs(cells[1]), cells[2], line))
    spans = iter(chunked([s for d in drafts for s in d.sentences], schema, scheme, faults, notices))
    documents: dict[str, Document] = {}
    for n, draft in enumerate(drafts, 1):
        id_ = unique_name(_unescaped(draft.head.get("id", "")) or f"{path.stem}-{n:04}", documents)
        documents[id_] = _restored(draft, [next(spans) for _ in draft.sentences], schema, faults, id_)
    return list(documents.values())


def _pairs(misc: str) -> dict[str, str]:
    return (
        {} if misc == "_" else {key: value for key, _, value in (p.partition("=") for p in misc.split("|"))}
    )


def _restored(
    draft: _Draft, spans: Sequence[Sequence[WordSpan]], schema: LabelSchema, faults: Faults, id_: str
) -> Document:
    text = _unescaped(draft.head.get("SpacesBefore", ""))
    starts: list[list[int]] = []
    for n, (s, misc) in enumerate(zip(draft.sentences, draft.misc, strict=True)):
        starts.append([])
        for i, (word, its) in enumerate(zip(s.words, misc, strict=True)):
            starts[-1].append(len(text))
            last = i == len(s.words) - 1
            gap = _unescaped(its.get("SpacesAfter", _usual(last, last and n == len(draft.sentences) - 1)))
            text += word + ("" if its.get("SpaceAfter") == "No" else gap)
    builder = DocumentBuilder(text, schema, faults, id_)
    number = 0
    for s, misc, begins, found in zip(draft.sentences, draft.misc, starts, spans, strict=True):
        for span in found:
            number += 1
            line = s.lines[span.first]
            start = begins[span.first] + _offset(misc[span.first], "Start", 0, line, faults)
            length = len(s.words[span.last])
            end = begins[span.last] + _offset(misc[span.last], "End", length, s.lines[span.last], faults)
            builder.mention(f"T{number}", start, end, span.label, line=line)
    return builder.build()


def _offset(misc: Mapping[str, str], key: str, usual: int, line: int, faults: Faults) -> int:
    value = misc.get(key, str(usual))
    if not re.fullmatch(r"-?\d{1,9}", value):
        faults.add(f"{key}={value}", line=line, accepted="a whole number of code points")
        return usual
    return int(value)
