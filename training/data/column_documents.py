"""Sentences of tagged words as documents: what the column formats `conll` and `wojood` share."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ...model.document import Document
from ...model.errors import DataError, nearest
from ...model.schema import LabelSchema
from . import losses
from .builder import DocumentBuilder
from .columns import ColumnSentence, Repair, chunk, mend_sentence, read_columns
from .detokenise import spaced
from .files import MAX_FAULTS, Faults, log_notices, named, read_text
from .schemes import AUTO, OUTSIDE, SCHEMES, WordSpan, mend_tags

BOUNDARY = "-DOCSTART-"
SUFFIXES = (".conll", ".iob", ".iob2", ".bio", ".bioes", ".bilou", ".tsv", ".txt")
TAG = re.compile(r"O|[BIESLU]-\S+")
# A file is of columns if this share of its first lines has a tag where tags are.
_SHARE, _LOOKED_AT = 0.9, 500


def read_files(
    path: Path, read_one: Callable[[Path, Faults, Counter[str]], list[Document]]
) -> list[Document]:
    """Return the documents of a column file, or of all of a folder in the order of their names.

    Args:
        path: the file or folder.
        read_one: returns the documents of one file; what it adds to the faults is raised, to the notices logged.

    Raises:
        DataError: no column file, the faults of one, or documents of one name.
    """
    files = files_of(path)
    if not files:
        raise DataError("no column files", path=path, accepted=f"files named {', '.join(SUFFIXES)}")
    documents: list[Document] = []
    for file in files:
        faults, notices = Faults(file), Counter[str]()
        documents += read_one(file, faults, notices)
        faults.raise_any()
        log_notices(file, notices)
    named(documents)
    return documents


def read_plain(
    path: Path,
    faults: Faults,
    notices: Counter[str],
    *,
    schema: LabelSchema,
    nested: bool,
    scheme: str = AUTO,
    separator: str = AUTO,
    tag_column: int | None = None,
    sentences_per_document: int = 0,
) -> list[Document]:
    """Return the documents of one file that has nothing but words and tags; see there for the arguments.

    `read_sentences`, `chunked` and `plain_documents` in turn; documents are named after the file.
    """
    found = read_sentences(path, nested=nested, separator=separator, tag_column=tag_column, notices=notices)
    spans = chunked([s for _, s in found], schema, scheme, faults, notices)
    return plain_documents(
        found, spans, schema, faults, name=path.stem, sentences_per_document=sentences_per_document
    )


def read_sentences(
    path: Path, *, nested: bool, separator: str, tag_column: int | None, notices: Counter[str]
) -> list[tuple[bool, ColumnSentence]]:
    """Return the sentences of a column file, each with whether a new document begins with it.

    Args:
        path: the file.
        nested: whether all columns after the word are tags.
        separator: as in `columns.read_columns`; `auto` is a tab if every line has one, else any blanks.
        tag_column: as there; None for the last column that holds tags.
        notices: counts of what was changed.
    """
    rows = [line for line in read_text(path).removeprefix("\ufeff").splitlines() if line.strip()]
    if separator == AUTO:
        plain = [row for row in rows if not row.startswith((BOUNDARY, "# "))]
        separator = "tab" if plain and all("\t" in row for row in plain) and not nested else "whitespace"
    comments = [row for row in rows if row.startswith("# ") and not TAG.fullmatch(row.split()[-1])]
    if not nested and tag_column is None and several_tags(row.split() for row in rows):
        raise DataError(
            "words with several tags", path=path, accepted="one tag a word; or the format 'wojood'"
        )
    sentences = read_columns(
        path,
        separator=separator,
        tag_column=1 if nested else _tag_column(rows) if tag_column is None else tag_column,
        nested=nested,
        comment="# " if comments else "",
        notices=notices,
    )
    found: list[tuple[bool, ColumnSentence]] = []
    begins = True
    for s in sentences:
        if s.words[0] == BOUNDARY:
            begins = True
            s = ColumnSentence(s.words[1:], s.cells[1:], s.lines[1:], s.path)
        if s.words:
            found.append((begins, s))
            begins = False
    return found


def _tag_column(rows: Sequence[str]) -> int:
    """Return the last column that holds tags, counted from the end."""
    sample = [row.split() for row in rows[:_LOOKED_AT] if not row.startswith((BOUNDARY, "# "))]
    for column in (-1, -2, -3, -4):
        tags = [row[column] for row in sample if len(row) > -column]
        if tags and sum(TAG.fullmatch(t) is not None for t in tags) >= _SHARE * len(sample):
            return column
    return -1


def several_tags(rows: Iterable[Sequence[str]]) -> bool:
    """Whether lines hold nothing but tags after their words, some of them several: nested annotation.

    Chunks beside names (`B-NP O`) are not: where tags nest, none of several is O.
    """
    several = False
    for row in rows:
        tags = row[1:]
        if row[0] == BOUNDARY or (row[0] == "#" and not (tags and TAG.fullmatch(tags[-1]))):
            continue
        if not all(TAG.fullmatch(tag) for tag in tags) or (len(tags) > 1 and OUTSIDE in tags):
            return False
        several = several or len(tags) > 1
    return several


def column_file(path: Path) -> Path | None:
    """Return a file of columns itself, or the first text file of a folder if it is one; None for anything else."""
    if path.is_dir():
        path = next(iter(files_of(path)), path)
    if not path.is_file() or (path.suffix and path.suffix not in SUFFIXES):
        return None
    return path if _looks_like_columns(path) else None


def _looks_like_columns(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            text = file.read(1 << 16).decode("utf-8", "ignore")
    except OSError:
        return False
    rows = [line.split() for line in text.removeprefix("\ufeff").split("\n")[:-1] or [text]]
    rows = [r for r in rows if r and r[0] != BOUNDARY and not (r[0] == "#" and not TAG.fullmatch(r[-1]))]
    tagged = [any(TAG.fullmatch(cell) for cell in row[1:]) for row in rows[:_LOOKED_AT]]
    return bool(rows) and sum(tagged) >= _SHARE * len(tagged)


def files_of(path: Path) -> list[Path]:
    """Return a file itself, or the column files of a folder in the order of their names."""
    if not path.is_dir():
        return [path]
    return sorted(p for p in path.iterdir() if p.suffix in SUFFIXES and p.is_file() and p.name[0] != ".")


def mended(
    sentences: Sequence[ColumnSentence], schema: LabelSchema, scheme: str, faults: Faults
) -> tuple[list[ColumnSentence], list[Repair]]:
    """Return sentences with damaged tags replaced, and the repairs; unknown labels are faults, each once.

    A tag is damaged if it is rare and but a letter away from one of the schema's (`schemes.mend_tags`).
    """
    counts = Counter(tag for s in sentences for cell in s.cells for tag in cell)
    readings, unknown = mend_tags(counts, schema.entity_labels, scheme)
    told: set[str] = set()
    for s in sentences if unknown else ():
        for word, cell, line in zip(s.words, s.cells, s.lines, strict=True):
            for tag in cell:
                wrong = next((name for name in (tag, tag.partition("-")[2]) if name in unknown), "")
                if not wrong or wrong in told:
                    continue
                told.add(wrong)
                prefix = "" if wrong == tag else "a prefix and "
                accepted = f"{OUTSIDE}, or {prefix}a label of the schema {schema.name!r}; "
                faults.add(
                    f"the tag {tag!r} of {word}",
                    line=line,
                    accepted=accepted + nearest(wrong, schema.entity_labels),
                )
    repairs: list[Repair] = []
    return [mend_sentence(s, readings, repairs) for s in sentences], repairs


def chunked(
    sentences: Sequence[ColumnSentence],
    schema: LabelSchema,
    scheme: str,
    faults: Faults,
    notices: Counter[str],
) -> list[list[WordSpan]]:
    """Return the mentions of every sentence as words; what was read otherwise than written goes to `notices`."""
    if scheme not in SCHEMES:
        raise DataError(f"unknown scheme {scheme!r}", accepted=nearest(scheme, SCHEMES))
    sound, repairs = mended(sentences, schema, scheme, faults)
    faults.raise_any()
    spans, wrong, _ = chunk(sound, scheme=scheme)
    repairs = sorted([*repairs, *wrong], key=lambda r: r.line)
    for r in repairs[:MAX_FAULTS]:
        notices[f"line {r.line}: {r.word} {r.found} read as {r.read_as}"] += 1
    losses.add(
        notices, "tag repaired, not listed", len(repairs) - MAX_FAULTS if len(repairs) > MAX_FAULTS else 0
    )
    return spans


def plain_documents(
    found: Sequence[tuple[bool, ColumnSentence]],
    spans: Iterable[Sequence[WordSpan]],
    schema: LabelSchema,
    faults: Faults,
    *,
    name: str,
    sentences_per_document: int = 0,
) -> list[Document]:
    """Return documents whose text is their words with a blank between them, a line a sentence.

    Args:
        found: sentences, each with whether a document begins with it.
        spans: the mentions of each.
        schema: for the documents.
        faults: where faults go.
        name: begins their ids, `name-0001`; it is the id of a single one.
        sentences_per_document: where a document has more sentences than this it is cut; 0 for never.
    """
    groups: list[list[tuple[ColumnSentence, Sequence[WordSpan]]]] = []
    for (begins, s), its in zip(found, spans, strict=True):
        if begins or not groups or len(groups[-1]) == sentences_per_document:
            groups.append([])
        groups[-1].append((s, its))
    documents = []
    for number, group in enumerate(groups, 1):
        layouts = [spaced(s.words) for s, _ in group]
        text = "\n".join(layout.text for layout in layouts)
        builder = DocumentBuilder(text, schema, faults, f"{name}-{number:04}" if len(groups) > 1 else name)
        at = mention = 0
        for (s, its), layout in zip(group, layouts, strict=True):
            for span in its:
                mention += 1
                start, end = at + layout.tokens[span.first][0], at + layout.tokens[span.last][1]
                builder.mention(f"T{mention}", start, end, span.label, line=s.lines[span.first])
            at += len(layout.text) + 1
        documents.append(builder.build())
    return documents
