"""From what was named to sources of records, and how a resumed run knows them again."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from ..errors import DataError
from .parquet import ParquetRows
from .records import Keys, Mark, Record
from .tables import CsvRows, JsonLines
from .texts import TextFile, TextFolder

_KINDS: dict[str, type[JsonLines | CsvRows | ParquetRows]] = {
    ".jsonl": JsonLines,
    ".ndjson": JsonLines,
    ".csv": CsvRows,
    ".tsv": CsvRows,
    ".parquet": ParquetRows,
}
_COMPRESSED = (".gz", ".zst")
# Bytes at either end of a file by which it is known again.
_SAMPLE = 1 << 16


class Source(Protocol):
    """Something that holds records.

    Attributes:
        kind: jsonl, csv, parquet, text or folder.
        path: the file or folder.
        label: its name in ids and messages.
        size: bytes; None if that would take a walk.
    """

    kind: str
    path: Path
    label: str
    size: int | None

    def check(self) -> None:
        """Raise IsnadError if no record can be read because of what was typed: a wrong key, not the format."""
        ...

    def records(self, start: Mark) -> Iterator[Record]:
        """Yield the records that follow a place, faulty ones too, each with the place behind it."""
        ...


def is_data_file(name: str) -> bool:
    """Whether a name is that of a file of many documents: JSON Lines, CSV or parquet."""
    return _suffix(Path(name)) in _KINDS


def find_sources(names: Sequence[str], keys: Keys) -> list[Source]:
    """Return the sources that are named: data files, text files, and folders of either.

    Args:
        names: files and folders; a folder with data files directly in it stands for those.
        keys: of text and id in data files.

    Raises:
        DataError: something is missing, named twice, of an unknown kind or mixed.
    """
    paths: list[Path] = []
    for name in names:
        if name == "-":
            raise DataError(
                "standard input cannot be read twice, as a run that goes on must", accepted="a file"
            )
        path = Path(name)
        if not path.exists():
            raise DataError("no such file or folder", path=name, accepted="data files, texts or folders")
        paths += (_data_files(path) if path.is_dir() else []) or [path]
    twice = [name for name, n in Counter(map(os.path.realpath, paths)).items() if n > 1]
    if twice:
        raise DataError("named twice", path=twice[0], accepted="every file once")
    same = Counter(path.name for path in paths)
    several = sum(path.is_dir() for path in paths) > 1
    return [_source(path, keys, unique=same[path.name] == 1, several=several) for path in paths]


def read(sources: Sequence[Source], start: Mark) -> Iterator[Record]:
    """Yield the records of all sources from a place on."""
    for index in range(start.source, len(sources)):
        yield from sources[index].records(start if index == start.source else Mark(index))


def fingerprint(source: Source) -> dict[str, Any]:
    """Return what a source is known by: kind, name, size, and a hash of the first and last 64 KiB.

    Of a folder there is the name only; `TextFolder.records` compares the files.
    """
    path = source.path
    known: dict[str, Any] = {"kind": source.kind, "path": str(path), "size": source.size}
    if source.size is not None:
        digest = hashlib.sha256()
        with path.open("rb") as file:
            digest.update(file.read(_SAMPLE))
            file.seek(max(source.size - _SAMPLE, 0))
            digest.update(file.read(_SAMPLE))
        known |= {"sha256_of_ends": digest.hexdigest(), "modified": path.stat().st_mtime_ns}
    return known


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    return path.with_suffix("").suffix.lower() if suffix in _COMPRESSED else suffix


def _data_files(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        files = [entry.name for entry in entries if entry.is_file() and not entry.name.startswith((".", "_"))]
    data = sorted(name for name in files if is_data_file(name))
    texts = [name for name in files if name.endswith(".txt")]
    if data and texts:
        raise DataError(
            f"{len(data)} data files ({data[0]}) and {len(texts)} .txt files in one folder",
            path=folder,
            accepted="one kind; name the files of one of them",
        )
    return [folder / name for name in data]


def _source(path: Path, keys: Keys, *, unique: bool, several: bool) -> Source:
    if path.is_dir():
        return TextFolder(path, (f"{path.name}/" if unique else f"{path}/") if several else "")
    if not path.is_file():
        raise DataError("not a regular file, so it cannot be read twice", path=path, accepted="a file")
    suffix = _suffix(path)
    if suffix in _KINDS:
        if _KINDS[suffix] is ParquetRows and path.suffix.lower() in _COMPRESSED:
            raise DataError("parquet inside another compression", path=path, accepted="the .parquet itself")
        return _KINDS[suffix](path, path.name if unique else str(path), keys)
    if path.suffix.lower() in _COMPRESSED:
        known = ", ".join(f"*{s}{path.suffix}" for s in _KINDS if s != ".parquet")
        raise DataError("a compressed file of an unknown kind", path=path, accepted=known)
    return TextFile(path, path.stem if unique else str(path.with_suffix("")))
