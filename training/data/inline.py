r"""The inline format: annotation written into the text, for people (seeds/GUIDELINES.md, section 4).

    # slug | topic | origin
    زار [قائد [فيلق القدس|ORG#2]|OCC#3] [إسماعيل قاآني|PERS#1] [بغداد|GPE#4].
    > 1 has_occupation 3; 3 occupation_in 2; 1 leader_of 2; 1 visited 4

A span is `[text|LABEL]` or `[text|LABEL#n]`; mentions with one number are one entity. A line that begins
with `>` holds the relations of the text line above it; `n.k` names the k-th mention of number n in that
line. A document ends with an empty line, and its text is its lines, each ended by a line feed.

So that any text can be held to the byte, a backslash protects what the format would read otherwise:

    \[ \] \| \\     the character itself, anywhere; before another character a backslash is a backslash
    \>              `>` as the first character of a text line
    \ (line end)    nothing; keeps an empty text line, or blanks and carriage returns at the end of a line
    \c (line end)   the text ends here without a line feed; in the last text line only
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...model.document import Document
from ...model.errors import DataError
from ...model.schema import LabelSchema
from .builder import DocumentBuilder
from .files import Faults, log_notices, named, read_text, write_text
from .inline_writer import fitted, format_inline

__all__ = ["Section", "detects", "format_inline", "parse_inline", "parse_sections", "read", "write"]

_TAG = re.compile(r"\|([^\s\[\]|#\\]+)(?:#(\d{1,9}))?\]")
_LINK = re.compile(r"(\d{1,9})(?:\.(\d{1,9}))?\s+(\S+)\s+(\d{1,9})(?:\.(\d{1,9}))?")
_TAG_HINT = "[text|LABEL] or [text|LABEL#n]; a literal bracket or bar is written \\[ \\] \\|"


@dataclass(frozen=True, slots=True)
class Section:
    """A document of an inline file with the two fields of its header that a Document has no place for."""

    document: Document
    topic: str = ""
    origin: str = ""


@dataclass
class _Draft:
    """A document while its lines are read; offsets in `builder` are those of the joined text."""

    id: str
    topic: str
    origin: str
    line: int
    text: list[str] = field(default_factory=list)
    mentions: list[tuple[str, int, int, str, int]] = field(default_factory=list)
    links: list[tuple[str, str, str, int, str]] = field(default_factory=list)
    members: dict[int, list[str]] = field(default_factory=dict)
    labels: dict[int, str] = field(default_factory=dict)
    lines: int = 0
    length: int = 0
    closed: bool = False
    above: dict[int, list[str]] | None = None  # number -> ids in the text line above; None if it is faulty


def read(path: Path, schema: LabelSchema) -> list[Document]:
    """Read an inline file, or every `.txt` file of a folder in the order of their names.

    Args:
        path: the file or folder.
        schema: the labels and signatures to check against.

    Raises:
        DataError: faults of a file, up to 20 with their lines; or an id that two documents share.
    """
    paths = sorted(path.glob("*.txt")) if path.is_dir() else [path]
    if not paths:
        raise DataError("no .txt files", path=path, accepted="a folder of inline .txt files")
    documents = [d for p in paths for d in parse_inline(read_text(p), schema, path=p)]
    named(documents)
    return documents


def write(documents: Sequence[Document], path: Path, schema: LabelSchema) -> Counter[str]:
    """Write documents to one inline file.

    Returns:
        What the format cannot hold: mentions that cross others, run over a line end or repeat another, relations
        between two lines, clusters of several labels, scores, model names.

    Raises:
        DataError: an id that is used twice or cannot stand in a header (see `format_inline`).
    """
    lost: Counter[str] = Counter()
    blocks = [format_inline(fitted(document, lost), id=name) for name, document in named(documents)]
    write_text(path, "\n".join(blocks))
    return lost


def detects(path: Path) -> bool:
    """Whether `path` is a text file that begins with a `# ` header, or a folder whose first `.txt` is one."""
    if path.is_dir():
        path = next(iter(sorted(path.glob("*.txt"))), path)
    if not path.is_file() or path.suffix == ".ann":
        return False
    with path.open("rb") as file:
        return file.read(5).removeprefix("\ufeff".encode()).startswith(b"# ")


def parse_inline(source: str, schema: LabelSchema, *, path: object = "") -> list[Document]:
    """Build the documents of an inline source.

    Args:
        source: the file's text.
        schema: the labels and signatures to check against.
        path: the file, for messages.

    Returns:
        Documents with ids from their headers; mentions are `T1`, `T2`, … in text order, longer first.

    Raises:
        DataError: up to 20 faults with their lines.
    """
    return [section.document for section in parse_sections(source, schema, path=path)]


def parse_sections(source: str, schema: LabelSchema, *, path: object = "") -> list[Section]:
    """As `parse_inline`, with topic and origin of every header."""
    faults, notices = Faults(path), Counter[str]()
    drafts = _drafts(source.removeprefix("\ufeff"), faults)
    sections = [Section(_build(d, schema, faults, notices), d.topic, d.origin) for d in drafts]
    for draft in drafts:
        if not draft.lines:
            faults.add(
                f"document {draft.id!r} has no text", line=draft.line, accepted="text lines; '\\c' if empty"
            )
    for slug, n in Counter(d.id for d in drafts).items():
        if n > 1:
            line = [d.line for d in drafts if d.id == slug][1]
            faults.add(f"the slug {slug!r} is used {n} times", line=line, accepted="a slug for each document")
    faults.raise_any()
    log_notices(path or "inline", notices)
    return sections


def _drafts(source: str, faults: Faults) -> list[_Draft]:
    drafts: list[_Draft] = []
    draft: _Draft | None = None
    for number, raw in enumerate(source.split("\n"), 1):
        line = raw.rstrip()
        if not line:
            draft = None
        elif draft is None and line.startswith("# "):
            slug, topic, origin, *more = [p.strip() for p in line[2:].split("|")] + ["", ""]
            if not slug or any(more):
                faults.add(f"the header {line[:60]!r}", line=number, accepted="# slug | topic | origin")
            draft = _Draft(slug, topic, origin, number)
            drafts.append(draft)
        elif draft is None:
            accepted = (
                "a line '# slug | topic | origin' at the beginning of a document and after an empty line"
            )
            faults.add(f"{line[:40]!r} stands before any header", line=number, accepted=accepted)
            draft = _Draft("", "", "", number)  # takes the lines that follow, so that each is not a fault
        elif line.startswith(">"):
            _read_links(draft, line, number, faults)
        else:
            _read_text_line(draft, line, number, faults)
    return drafts


def _read_text_line(draft: _Draft, line: str, number: int, faults: Faults) -> None:
    draft.above = None
    draft.lines += 1
    if draft.closed:
        faults.add("text after \\c", line=number, accepted="\\c at the end of the last text line only")
        return
    try:
        text, spans, draft.closed = _scan(line)
    except DataError as error:
        header = "an empty line before the header of the next document; or " if line.startswith("# ") else ""
        faults.add(error.found, line=number, accepted=header + error.accepted)
        return
    draft.above = {}
    for start, end, label, n in spans:
        id_ = f"T{len(draft.mentions) + 1}"
        draft.mentions.append((id_, draft.length + start, draft.length + end, label, number))
        if n is None:
            continue
        known = draft.labels.setdefault(n, label)
        if known != label:
            faults.add(f"#{n} is {known} before and {label} here", line=number, accepted="one label a number")
        draft.members.setdefault(n, []).append(id_)
        draft.above.setdefault(n, []).append(id_)
    draft.text.append(text if draft.closed else text + "\n")
    draft.length += len(draft.text[-1])


def _read_links(draft: _Draft, line: str, number: int, faults: Faults) -> None:
    if not draft.lines:
        faults.add("relations before any text", line=number, accepted="a '>' line below its text line")
    if draft.above is None:  # the line above is faulty, and so reported
        return
    for item in filter(None, (part.strip() for part in line[1:].split(";"))):
        match = _LINK.fullmatch(item)
        if not match:
            accepted = "'1 visited 2' or '1.2 visited 3', separated by ';'"
            faults.add(f"the relation «{item}»", line=number, accepted=accepted)
            continue
        ends = []
        for n, k in ((int(match[1]), int(match[2] or 1)), (int(match[4]), int(match[5] or 1))):
            ids = draft.above.get(n, [])
            if 1 <= k <= len(ids):
                ends.append(ids[k - 1])
            else:
                found = f"«{item}»: the text line above has {len(ids)} mentions numbered {n}"
                numbers = ", ".join(map(str, draft.above)) or "none"
                accepted = f"its numbers: {numbers}" if not ids else f"{n} to {n}.{len(ids)}"
                faults.add(found, line=number, accepted=accepted)
        if len(ends) == 2:
            draft.links.append((ends[0], match[3], ends[1], number, item))


def _scan(line: str) -> tuple[str, list[tuple[int, int, str, int | None]], bool]:
    """Return plain text, spans (start, end, label, number) in text order, and whether `\\c` ends the line."""
    out: list[str] = []
    opened: list[int] = []
    spans: list[tuple[int, int, str, int | None, int]] = []
    closed, i, rank = False, 0, 0
    ranks: list[int] = []
    while i < len(line):
        char, after = line[i], line[i + 1 : i + 2]
        if char == "\\" and (after in {"", "[", "]", "|", "\\"} or (after == ">" and i == 0)):
            out += after  # nothing at the end of the line
            i += 2
        elif line[i:] == "\\c":
            closed, i = True, len(line)
        elif char == "[":
            opened.append(len(out))
            ranks.append(rank)
            rank, i = rank + 1, i + 1
        elif char in "|]":
            match = _TAG.match(line, i)
            if not match or not opened:
                raise DataError(
                    f"{line[max(0, i - 20) : i + 20]!r} holds a stray {char!r}", accepted=_TAG_HINT
                )
            start, end = opened.pop(), len(out)
            if start == end:
                raise DataError(f"the empty span '[{match[0]}'", accepted="a span of one character or more")
            spans.append((start, end, match[1], int(match[2]) if match[2] else None, ranks.pop()))
            i = match.end()
        else:
            out.append(char)
            i += 1
    if opened:
        shown = "".join(out)[opened[-1] :][:30]
        raise DataError(f"the span '[{shown}…' is never closed", accepted=_TAG_HINT)
    spans.sort(key=lambda s: (s[0], -s[1], s[4]))
    if len({s[:3] for s in spans}) < len(spans):
        raise DataError("one span carries the same label twice", accepted="a label once for a span")
    return "".join(out), [s[:4] for s in spans], closed


def _build(draft: _Draft, schema: LabelSchema, faults: Faults, notices: Counter[str]) -> Document:
    builder = DocumentBuilder("".join(draft.text), schema, faults, draft.id, notices)
    for id_, start, end, label, line in draft.mentions:
        builder.mention(id_, start, end, label, line=line)
    for head, label, tail, line, shown in draft.links:
        builder.relate(head, label, tail, line=line, shown=shown)
    for members in draft.members.values():
        builder.group(members)
    return builder.build()
