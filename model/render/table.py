"""Documents for terminals and spreadsheets: a summary, rich tables, CSV."""

import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from ..document import Document, Entity
from ..folding import INVISIBLE_RANGES
from .characters import has_rtl, one_line

ENTITY_COLUMNS = (
    *("doc", "id", "start", "end", "label", "text", "name", "score", "cluster"),
    *("word_start", "word_end"),
)
RELATION_COLUMNS = (
    *("doc", "head", "head_start", "head_end", "head_label", "head_name", "relation"),
    *("tail", "tail_start", "tail_end", "tail_label", "tail_name", "score"),
)
# What draws nothing is left out of cells: terminals and versions of rich disagree about its width.
_INVISIBLE = re.compile(f"[{INVISIBLE_RANGES}]")
_SURROGATE = re.compile("[\ud800-\udfff]")

# How terminals lay out a line that mixes directions differs. Those without bidi (xterm, tmux, Windows
# Terminal) put every character down in the order of the text; the marks below draw nothing there. Those with
# bidi (GNOME's VTE, Konsole, mlterm, mintty, macOS) reorder whole lines, and would swap two Arabic cells
# along with the border and the digits between them. A left-to-right mark (U+200E) on both sides of the
# Arabic stands between it and its neighbours, so that all of them keep their place. Where a cell holds Latin
# or digits too, or begins or ends in punctuation, a first strong isolate (U+2068 … U+2069) inside the marks
# lets it run from right to left as a whole. Only there, because some terminals give an isolate a column
# (mlterm 3.9) or a box (Windows Terminal until 2025). Neither takes a column, and rich agrees from
# 13.7.1 on; before that it counts one for an isolate, which is then left out.
_MARK, _ISOLATE, _END_ISOLATE = "\u200e", "\u2068", "\u2069"
_ISOLATES_HAVE_WIDTH = cell_len(_ISOLATE + _END_ISOLATE) > 0


class Cell:
    """A table cell whose every line keeps its direction to itself.

    The marks are put on after wrapping: rich cuts text that is too long, and an isolate whose end is cut off
    would swallow the rest of the terminal's line.

    Args:
        text: any string; control characters (escape sequences among them) and line breaks are made harmless.
        style: a rich style.
    """

    def __init__(self, text: str, style: str = "") -> None:
        self.text = Text(one_line(_INVISIBLE.sub("", text)), style)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self.text.wrap(console, options.max_width, no_wrap=False, overflow="fold"):
            line.rstrip()
            yield isolated(line)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement.get(console, options, self.text)


def isolated(line: Text) -> Text:
    """Return a line with marks around it that keep its direction to itself, if it has any Arabic."""
    if not has_rtl(line.plain):
        return line
    classes = [unicodedata.bidirectional(c) for c in line.plain.strip()]
    plain = {classes[0], classes[-1]} <= {"R", "AL", "NSM"} and not {"L", "EN", "AN"} & set(classes)
    if plain or _ISOLATES_HAVE_WIDTH:
        return Text.assemble(_MARK, line, _MARK)
    return Text.assemble(_MARK + _ISOLATE, line, _END_ISOLATE + _MARK)


def entity_table(document: Document) -> Table:
    """Return the mentions as a table: id, name, label, offsets, score, cluster, the mention around it."""
    table = _table("entities", len(document.entities))
    for column in ("id", "name", "label"):
        table.add_column(column, overflow="fold")
    for column in ("start", "end", "score", "cluster"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("inside", overflow="fold")
    around = _innermost_around(document.entities)
    for entity, outer in zip(document.entities, around, strict=True):
        cluster = "" if entity.cluster is None else str(entity.cluster)
        table.add_row(
            Cell(entity.id, "dim"),
            Cell(entity.name or entity.text, "bold"),
            Cell(entity.label, "cyan"),
            str(entity.start),
            str(entity.end),
            f"{entity.score:.2f}",
            cluster,
            Cell(outer.id if outer else "", "dim"),
        )
    return table


def relation_table(document: Document) -> Table:
    """Return the relations as a table: head, relation, tail, score."""
    table = _table("relations", len(document.relations))
    for column in ("head", "type", "relation", "tail", "type"):
        table.add_column(column, overflow="fold")
    table.add_column("score", justify="right", no_wrap=True)
    entities = document.by_id()
    for relation in document.relations:
        head, tail = entities[relation.head], entities[relation.tail]
        table.add_row(
            Cell(head.name or head.text, "bold"),
            Cell(head.label, "cyan"),
            Cell(relation.label, "magenta"),
            Cell(tail.name or tail.text, "bold"),
            Cell(tail.label, "cyan"),
            f"{relation.score:.2f}",
        )
    return table


def cluster_table(document: Document) -> Table:
    """Return the clusters as a table: index, longest name, label, mentions, all names with their counts."""
    table = _table("clusters", len(document.clusters))
    table.add_column("cluster", justify="right", no_wrap=True)
    for column in ("name", "label"):
        table.add_column(column, overflow="fold")
    table.add_column("mentions", justify="right", no_wrap=True)
    table.add_column("names", overflow="fold")
    entities = document.by_id()
    for number, members in enumerate(document.clusters):
        mentions = [entities[m] for m in members]
        names = Counter(m.name or m.text for m in mentions)
        label = Counter(m.label for m in mentions).most_common(1)[0][0]
        table.add_row(
            str(number),
            Cell(max(names, key=len), "bold"),
            Cell(label, "cyan"),
            str(len(members)),
            Cell("، ".join(f"{name} ×{count}" for name, count in names.most_common())),
        )
    return table


def to_csv(documents: Iterable[Document], *, spreadsheet: bool = False) -> str:
    """Return all mentions as CSV: RFC 4180 quoting, one header line, lines that end in LF.

    Write it to a file opened with `encoding="utf-8", newline=""`, or the CR of a CRLF in a cell is doubled.

    Columns: doc, id, start, end, label, text, name, score, cluster, word_start, word_end. Offsets are code
    points; cluster counts from 0 as in `Document.clusters` and is empty where there is none. Only what UTF-8
    cannot carry is replaced, by U+FFFD.

    Args:
        documents: any number of documents.
        spreadsheet: write for Excel and LibreOffice instead of for programs. The text then starts with a byte
            order mark, without which Excel garbles Arabic, and a cell that a spreadsheet would run as a
            formula (it begins with = + - @, tab or CR) gets an apostrophe in front, as OWASP advises
            against CSV injection. It is off by default because the apostrophe changes the data: `text`
            would no longer equal the text between the offsets.
    """
    rows = (
        (
            *(document.id, e.id, e.start, e.end, e.label, e.text, e.name, f"{e.score:.4f}"),
            *("" if e.cluster is None else e.cluster, e.word_start, e.word_end),
        )
        for document in documents
        for e in document.entities
    )
    return _csv(ENTITY_COLUMNS, rows, spreadsheet)


def relations_to_csv(documents: Iterable[Document], *, spreadsheet: bool = False) -> str:
    """Return all relations as CSV: doc, both ends with id, offsets, label and name, the relation, its score.

    Args:
        documents: any number of documents.
        spreadsheet: as for `to_csv`.
    """
    return _csv(RELATION_COLUMNS, _relation_rows(documents), spreadsheet)


def _relation_rows(documents: Iterable[Document]) -> Iterable[Sequence[object]]:
    for document in documents:
        entities = document.by_id()
        for relation in document.relations:
            head, tail = entities[relation.head], entities[relation.tail]
            yield (
                *(document.id, head.id, head.start, head.end, head.label, head.name, relation.label),
                *(tail.id, tail.start, tail.end, tail.label, tail.name, f"{relation.score:.4f}"),
            )


def _csv(columns: Sequence[str], rows: Iterable[Sequence[object]], spreadsheet: bool) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_csv_cell(value, spreadsheet) for value in row])
    return ("\ufeff" if spreadsheet else "") + buffer.getvalue()


def _csv_cell(value: object, spreadsheet: bool) -> object:
    if not isinstance(value, str):
        return value
    value = _SURROGATE.sub("\ufffd", value)
    return f"'{value}" if spreadsheet and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _table(title: str, count: int) -> Table:
    return Table(title=f"{title} ({count})", title_justify="left", title_style="bold", header_style="dim")


def _innermost_around(entities: Sequence[Entity]) -> list[Entity | None]:
    """Return for every entity the smallest other one that contains it; of two equal spans the first does."""
    around: list[Entity | None] = [None] * len(entities)
    open_: list[Entity] = []
    for i in sorted(range(len(entities)), key=lambda i: (entities[i].start, -entities[i].end, i)):
        entity = entities[i]
        open_ = [o for o in open_ if o.end > entity.start]
        containing = [o for o in open_ if o.end >= entity.end]
        # The latest of the smallest: with equal spans each lies in the one before it.
        around[i] = min(reversed(containing), key=lambda o: o.end - o.start, default=None)
        open_.append(entity)
    return around
