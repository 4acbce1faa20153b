r"""The columns of Wojood (Jarrar et al. 2022, LREC, section 3): a word and a tag for every entity that covers it.

    رئيس        B-OCC
    بلدية       I-OCC B-ORG
    نابلس       I-OCC I-ORG B-GPE

Tags are in IOB2, outermost first, with blanks or tabs between them; a blank line ends a sentence. Entities of
one label inside one another are told apart as in `schemes.decode`. The layout has no place for anything
else: words are read with a blank between them and a line a sentence, and mentions are whole words,
proclitics included. What writing loses of that is counted; `conll` restores texts to the letter.

A line `-DOCSTART- O` begins a document where a file has several; other readers take it for a sentence of one word.
"""

import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

from ...model.document import Document
from ...model.folding import INVISIBLE_RANGES
from ...model.schema import LabelSchema
from . import losses
from .column_documents import BOUNDARY, column_file, read_files, read_plain, several_tags
from .column_sentences import Sentence, as_sentences
from .columns import format_columns
from .files import named, write_text
from .schemes import WordSpan

_INVISIBLE = re.compile(f"[{INVISIBLE_RANGES}]")
_WORDLESS_DOCUMENTS = "documents without words"


def read(path: Path, schema: LabelSchema, *, sentences_per_document: int = 0) -> list[Document]:
    """Read a file of Wojood's columns, or all of a folder in the order of their names.

    Args:
        path: the file or folder.
        schema: the labels to check against.
        sentences_per_document: cut documents of more sentences than this; 0 for never.

    Returns:
        Documents named after the file: `name`, or `name-0001` and on where it holds several. All scores are
        1.0; mentions begin where their words do, before any proclitic.

    Raises:
        DataError: lines without the columns, or labels that the schema lacks; up to 20 faults with their lines.
    """
    read_one = partial(
        read_plain,
        schema=schema,
        nested=True,
        separator="whitespace",
        sentences_per_document=sentences_per_document,
    )
    return read_files(path, read_one)


def write(documents: Sequence[Document], path: Path, schema: LabelSchema) -> Counter[str]:
    """Write one file of Wojood's columns.

    Args:
        documents: a line `-DOCSTART- O` goes before each where there are several.
        path: the file.
        schema: not needed; labels are written as they are.

    Returns:
        What is lost: spacing other than a blank between words and a line feed between sentences, edges
        inside words (proclitics go in), mentions that cross or share their words, invisible characters,
        ids, relations, clusters, scores, model names.
    """
    lost: Counter[str] = Counter()
    parts: list[tuple[Sequence[str], Sequence[WordSpan]]] = []
    for _, document in named(documents):
        sentences = as_sentences(document, lost, nested=True)
        losses.add(lost, losses.IDS, bool(document.id))
        losses.add(lost, _WORDLESS_DOCUMENTS, not sentences)
        losses.count_links(document, lost)
        losses.count_scores(document, lost)
        _count(document, sentences, lost)
        if len(documents) > 1 and sentences:
            parts.append(((BOUNDARY,), ()))
        parts += [([_word(document, place) for place in s.words], s.spans) for s in sentences]
    write_text(path, format_columns(parts, nested=True))
    return lost


def detects(path: Path) -> bool:
    """Whether `path` is a file of words of which some have several tags, or a folder whose first file is one."""
    found = column_file(path)
    if found is None:
        return False
    with found.open(encoding="utf-8", errors="ignore") as file:  # nesting may begin late in a long file
        return several_tags(line.split() for line in file if line.strip())


def _word(document: Document, place: tuple[int, int]) -> str:
    return _INVISIBLE.sub("", document.text[place[0] : place[1]])


def _count(document: Document, sentences: Sequence[Sentence], lost: Counter[str]) -> None:
    text = document.text
    places = [place for s in sentences for place in s.words]
    ends = {s.words[-1] for s in sentences}
    wrong = sum(text[a[1] : b[0]] != ("\n" if a in ends else " ") for a, b in pairwise(places))
    if places:
        wrong += places[0][0] > 0
        wrong += places[-1][1] < len(text)
    losses.add(lost, losses.SPACING, wrong)
    losses.add(lost, losses.INVISIBLE, sum(len(_INVISIBLE.findall(text, *place)) for place in places))
    for s in sentences:
        for span, e in zip(s.spans, s.entities, strict=True):
            edges = s.words[span.first][0], s.words[span.last][1]
            losses.add(lost, losses.EDGES, (e.start, e.end) != edges)
