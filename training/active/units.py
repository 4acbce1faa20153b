"""Raw texts as a stream of passages (paragraphs), and the units of them that are annotated.

Files are read line by line, so that one of gigabytes costs no memory. Offsets count the code points of the file
as it is, line ends and byte order mark included.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, Literal

from ...model.errors import DataError
from ...model.text import paragraphs, sentence_starts, words

Kind = Literal["sentence", "paragraph", "document"]
# A line without an end is cut at a blank after so many bytes.
LONGEST_LINE = 1 << 20


@dataclass(frozen=True, slots=True)
class Unit:
    """What an annotator gets to see as one piece.

    Attributes:
        id: `<source>-p<paragraph>`, `<source>-p<paragraph>s<sentence>`, or the source itself; unique.
        text: `source_text[start:end]`.
        source: id of the text it is from.
        start, end: code points of that text, end exclusive.
    """

    id: str
    text: str
    source: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Passage:
    """A paragraph, the context in which the model reads a sentence.

    Attributes:
        source: id of the text it is from.
        text: the paragraph without blanks at either end.
        start: where it begins in that text, in code points.
        number: of the paragraph in its text, from 1; paragraphs without a word are not counted.
    """

    source: str
    text: str
    start: int
    number: int

    def units(self, kind: Kind) -> Iterator[tuple[Unit, int]]:
        """Yield the units of this passage with where each begins in `text`.

        Args:
            kind: `sentence`, or `paragraph` for the whole passage.
        """
        name = f"{self.source}-p{self.number}"
        if kind != "sentence":
            yield Unit(name, self.text, self.source, self.start, self.start + len(self.text)), 0
            return
        for number, (start, end) in enumerate(sentences(self.text), 1):
            text, at = self.text[start:end], self.start + start
            yield Unit(f"{name}s{number}", text, self.source, at, at + len(text)), start


def sentences(text: str) -> list[tuple[int, int]]:
    """Return (start, end) of every sentence of a paragraph; blanks around them are left out."""
    spans = words(text)
    if not spans:
        return []
    bounds = [*(spans[n][0] for n in sentence_starts(text, spans)), len(text)]
    return [(start, start + len(text[start:end].rstrip())) for start, end in pairwise(bounds)]


def read_passages(source: str, path: Path | None) -> Iterator[Passage]:
    """Yield the paragraphs of a text, holding one line of the file in memory.

    Args:
        source: id of the text; in a `.jsonl` the objects' own ids are taken, where they have one.
        path: a UTF-8 file; a `.jsonl` holds an object with `text`, and `id` if it likes, in every line. None
            reads standard input.

    Raises:
        DataError: the file cannot be read, is not UTF-8, or a line of a `.jsonl` has no text.
    """
    if path is not None and path.suffix == ".jsonl":
        for id_, text in _objects(source, path):
            yield from passages(id_, [(0, text)])
        return
    yield from passages(source, _lines(path))


def read_texts(source: str, path: Path | None) -> Iterator[tuple[str, str]]:
    """Yield (id, text) of whole texts: one a file, or one a line of a `.jsonl`; see `read_passages`."""
    if path is not None and path.suffix == ".jsonl":
        yield from _objects(source, path)
    else:
        yield source, "".join(line for _, line in _lines(path))


def distinct(texts: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield (id, text) pairs with `-2`, `-3`, … after an id that an earlier text has."""
    used: set[str] = set()
    for id_, text in texts:
        name, n = id_, 1
        while name in used:
            n += 1
            name = f"{id_}-{n}"
        used.add(name)
        yield name, text


def passages(source: str, lines: Iterable[tuple[int, str]]) -> Iterator[Passage]:
    """Yield the paragraphs of a text that comes in pieces.

    Args:
        source: id of the text.
        lines: (offset in code points, piece); a paragraph does not go beyond its piece.
    """
    number = 0
    for offset, line in lines:
        for start, end in paragraphs(line):
            text = line[start:end].lstrip("\ufeff \t\xa0")
            number += 1
            yield Passage(source, text.rstrip(), offset + end - len(text), number)


def _lines(path: Path | None) -> Iterator[tuple[int, str]]:
    """Yield (offset in code points, line with its end)."""
    where = "standard input" if path is None else str(path)
    offset = number = 0
    try:
        with path.open("rb") if path is not None else nullcontext(sys.stdin.buffer) as file:
            for data in _byte_lines(file):
                number += 1
                try:
                    line = data.decode("utf-8")
                except UnicodeDecodeError as error:
                    raise DataError(
                        f"byte {data[error.start]:#04x} is not UTF-8",
                        path=where,
                        line=number,
                        accepted="UTF-8 text",
                    ) from error
                yield offset, line
                offset += len(line)
    except OSError as error:
        raise DataError(f"cannot read: {error.strerror}", path=where, accepted="a readable file") from error


def _byte_lines(file: BinaryIO) -> Iterator[bytes]:
    rest = b""
    while data := file.readline(LONGEST_LINE):
        data, rest = rest + data, b""
        if len(data) >= LONGEST_LINE and not data.endswith(b"\n"):
            cut = data.rfind(b" ") + 1 or _character_start(data)
            data, rest = data[:cut], data[cut:]
        yield data
    if rest:
        yield rest


def _character_start(data: bytes) -> int:
    """Return where the last character begins, which may not be whole yet; later bytes of one are 10xxxxxx."""
    return next((n for n in range(len(data) - 1, len(data) - 5, -1) if data[n] & 0xC0 != 0x80), len(data))


def _objects(source: str, path: Path) -> Iterator[tuple[str, str]]:
    number = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _object(json.loads(line.decode("utf-8-sig")), f"{source}-{number}", path, number)
    except OSError as error:
        raise DataError(f"cannot read: {error.strerror}", path=path, accepted="a readable file") from error
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise DataError(
            f"not JSON: {error}", path=path, line=number, accepted='{"text": "…"} a line'
        ) from error


def _object(value: Any, name: str, path: Path, line: int) -> tuple[str, str]:
    text = value.get("text") if isinstance(value, dict) else None
    if not isinstance(text, str):
        found = (
            f"found {type(value).__name__}" if not isinstance(value, dict) else "no 'text' that is a string"
        )
        raise DataError(found, path=path, line=line, accepted='an object like {"id": "1", "text": "…"}')
    id_ = value.get("id", name)
    return (str(id_) if isinstance(id_, str | int) and str(id_) else name), text
