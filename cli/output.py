"""Where and how `isnad extract` writes documents: the screen, standard output, a file, a folder."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..model.document import Document
from ..model.errors import ConfigError
from ..model.schema import LabelSchema
from .options import ExtractFormat
from .support import console, whole_file, whole_folder

if TYPE_CHECKING:
    from rich.table import Table

_SUFFIXES = {
    f".{f}": f for f in (ExtractFormat.JSON, ExtractFormat.JSONL, ExtractFormat.HTML, ExtractFormat.CSV)
}
# What a folder gets, for the formats that put all documents into the same files.
_COMBINED = {
    ExtractFormat.JSONL: ("documents.jsonl",),
    ExtractFormat.HTML: ("documents.html",),
    ExtractFormat.CSV: ("entities.csv", "relations.csv"),
}
_PER_DOCUMENT = {ExtractFormat.JSON: (".json",), ExtractFormat.BRAT: (".txt", ".ann")}


@dataclass(frozen=True)
class Output:
    """Where results go.

    Attributes:
        format: of the results.
        path: a folder, a file of the format's suffix, or None for standard output.
        is_file: whether `path` is a file.
    """

    format: ExtractFormat
    path: Path | None = None
    is_file: bool = False

    @classmethod
    def choose(cls, format: ExtractFormat | None, path: Path | None) -> "Output":
        """Complete what was typed: the format from the suffix of `path`, and whether that is a file."""
        if path is None:
            return cls(format or ExtractFormat.TABLE)
        suffix = None if path.is_dir() else _SUFFIXES.get(path.suffix.lower())
        chosen = format or suffix
        if chosen in (None, ExtractFormat.TABLE):
            raise ConfigError(
                "tables are for the screen; to write files with -o name their format too, for example --format jsonl"
            )
        assert chosen is not None
        if suffix and suffix != chosen:
            raise ConfigError(
                f"-o {path} does not go with --format {chosen}; accepted: a folder, or *.{chosen}"
            )
        return cls(chosen, path, suffix is not None)

    def targets(self, ids: Sequence[str]) -> list[Path]:
        """Return the files that will be written for documents of these ids."""
        if self.path is None:
            return []
        if self.is_file:
            return [self.path]
        if self.format in _COMBINED:
            return [self.path / name for name in _COMBINED[self.format]]
        return [self.path / f"{id_}{suffix}" for id_ in ids for suffix in _PER_DOCUMENT[self.format]]


class Counter:
    """Passes documents on and counts what is in them."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._documents = documents
        self.documents = self.entities = self.relations = self.clusters = 0

    def __iter__(self) -> Iterator[Document]:
        for document in self._documents:
            self.documents += 1
            self.entities += len(document.entities)
            self.relations += len(document.relations)
            self.clusters += len(document.clusters)
            yield document

    def __str__(self) -> str:
        counts = (
            _count(self.documents, "document", "documents"),
            _count(self.entities, "entity", "entities"),
            _count(self.relations, "relation", "relations"),
            _count(self.clusters, "cluster", "clusters"),
        )
        return ", ".join(counts)


# Terminals narrower than this get tables without vertical lines.
_NARROW = 80


def print_documents(
    documents: Iterable[Document], format: ExtractFormat, schema: LabelSchema, total: int
) -> None:
    """Write documents to standard output, each as soon as it is there where the format allows it.

    Args:
        documents: what to write.
        format: any; brat takes one document.
        schema: the labels, for HTML.
        total: number of documents; several of them are one array in JSON.
    """
    if format is ExtractFormat.TABLE:
        for document in documents:
            show(document)
        return
    for chunk in _chunks(documents, format, schema, total):
        sys.stdout.write(chunk)
        sys.stdout.flush()


@contextmanager
def opened(output: Output) -> Iterator[Path]:
    """Yield the temporary file or folder that becomes the output when everything has gone well."""
    assert output.path is not None
    with (whole_file if output.is_file else whole_folder)(output.path) as temporary:
        yield temporary


def write_documents(
    documents: Iterable[Document], output: Output, place: Path, schema: LabelSchema, total: int
) -> None:
    """Write documents to `place`, the temporary file or folder of `opened`."""
    if output.is_file:
        with place.open("w", encoding="utf-8", newline="") as file:
            file.writelines(_chunks(documents, output.format, schema, total))
        return
    for name, text in _files(documents, output, schema):
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8", newline="") as file:
            file.write(text)


def show(document: Document) -> None:
    """Print a document as tables."""
    from rich.text import Text

    from ..model.render.characters import one_line
    from ..model.render.table import cluster_table, entity_table, isolated, relation_table

    screen = console()
    counts = (
        f"{len(document.text):,} characters",
        _count(len(document.entities), "entity", "entities"),
        _count(len(document.relations), "relation", "relations"),
        _count(len(document.clusters), "cluster", "clusters"),
    )
    name = isolated(Text(one_line(document.id) or "document", "bold"))
    screen.print(Text.assemble(name, Text(f"  {', '.join(counts)}", "dim")))
    for items, table in (
        (document.entities, entity_table),
        (document.relations, relation_table),
        (document.clusters, cluster_table),
    ):
        if items:
            screen.print(_fitted(table(document), screen.width))
    screen.print()


def _fitted(table: "Table", width: int) -> "Table":
    """Return a table that spends no columns of a narrow terminal on lines and padding."""
    if width < _NARROW:
        from rich.box import SIMPLE_HEAD

        table.box, table.padding, table.pad_edge = SIMPLE_HEAD, (0, 1, 0, 0), False
        for column in table.columns:
            # Labels stay whole; what is left goes to the names, which may wrap.
            column.no_wrap = column.header in ("id", "label", "inside", "type", "relation") or column.no_wrap
    return table


def _chunks(
    documents: Iterable[Document], format: ExtractFormat, schema: LabelSchema, total: int
) -> Iterator[str]:
    """Yield the parts of one file or stream that holds all documents."""
    if format is ExtractFormat.JSONL:
        yield from (document.to_json(indent=None) + "\n" for document in documents)
    elif format is ExtractFormat.JSON:
        for n, document in enumerate(documents):
            yield ("[\n" if n == 0 else ",\n") * (total > 1) + document.to_json()
        yield "\n]\n" if total > 1 else "\n"
    elif format is ExtractFormat.HTML:
        yield _page(list(documents), schema)
    elif format is ExtractFormat.CSV:
        from ..model.render.table import to_csv

        yield to_csv(documents)
    else:
        yield from (document.to_brat() for document in documents)


def _files(documents: Iterable[Document], output: Output, schema: LabelSchema) -> Iterator[tuple[str, str]]:
    """Yield (file name, text) of everything that a folder gets; the texts of one name are appended."""
    if output.format is ExtractFormat.BRAT:
        yield from _brat_files(documents, output, schema)
    elif output.format is ExtractFormat.JSON:
        yield from ((f"{d.id}.json", d.to_json() + "\n") for d in documents)
    elif output.format is ExtractFormat.JSONL:
        yield from (("documents.jsonl", d.to_json(indent=None) + "\n") for d in documents)
    elif output.format is ExtractFormat.HTML:
        yield "documents.html", _page(list(documents), schema)
    else:
        from ..model.render.table import relations_to_csv, to_csv

        kept = list(documents)
        yield "entities.csv", to_csv(kept)
        yield "relations.csv", relations_to_csv(kept)


def _brat_files(
    documents: Iterable[Document], output: Output, schema: LabelSchema
) -> Iterator[tuple[str, str]]:
    from ..training.data.brat import annotation_conf

    grouped: set[str] = set()
    for document in documents:
        grouped |= {e.label for e in document.entities if e.cluster is not None}
        yield f"{document.id}.txt", document.text
        yield f"{document.id}.ann", document.to_brat()
    assert output.path is not None
    if not (output.path / "annotation.conf").exists():
        yield "annotation.conf", annotation_conf(schema, grouped)


def _page(documents: Sequence[Document], schema: LabelSchema) -> str:
    from ..model.render.html import to_html

    title = documents[0].id if len(documents) == 1 else f"isnad: {len(documents)} documents"
    return to_html(documents, title=title, schema=schema)


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
