"""The token stream on disk: 16-bit piece ids in files small enough to send anywhere.

A document is `[CLS] paragraph [SEP] paragraph [SEP] …`, so that wherever a block is cut, the model sees where
a document begins and where a paragraph ends. No document lies across two shards unless it fills more than one.
"""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from ...model.errors import DataError
from ...model.store import sha256

MANIFEST = "stream.json"
SINGLE = "stream.npy"
# Of a .npy file of one short dimension.
_HEADER = 128


def encode(
    texts: Iterable[str], tokenizer: PreTrainedTokenizerBase, *, batch: int = 1000
) -> Iterator[list[int]]:
    """Yield the piece ids of every paragraph, and an empty list where a document ends."""
    lines: list[str] = []
    for text in texts:
        lines.append(text)
        if len(lines) == batch:
            yield from _encode(lines, tokenizer)
            lines = []
    yield from _encode(lines, tokenizer)


def _encode(lines: list[str], tokenizer: PreTrainedTokenizerBase) -> Iterator[list[int]]:
    # In batches, since the tokenizer works on all cores then.
    encodings = tokenizer.backend_tokenizer.encode_batch_fast(lines, add_special_tokens=False)
    for line, encoding in zip(lines, encodings, strict=True):
        if encoding.ids or not line:
            yield encoding.ids


class ShardWriter:
    """Writes the stream shard by shard; `close` gives the shards their names, so they are all there or none.

    Args:
        folder: of the shards `stream-000.npy`, `stream-001.npy`… and of their list, `stream.json`.
        tokenizer: gives the pieces that begin a document and end a paragraph.
        megabytes: size of a shard at most, in units of 10^6 bytes.
    """

    def __init__(self, folder: Path, tokenizer: PreTrainedTokenizerBase, *, megabytes: int = 64) -> None:
        self._folder, self._limit = folder, (megabytes * 1_000_000 - _HEADER) // 2
        self._begin, self._end = tokenizer.cls_token_id, tokenizer.sep_token_id
        self._document: list[int] = []
        self._parts: list[NDArray[np.uint16]] = []
        self._size = 0
        self._written: list[tuple[Path, int]] = []
        self._documents = 0

    def add(self, ids: list[int]) -> None:
        """Append a paragraph; an empty one ends the document."""
        if ids:
            self._document += [*([] if self._document else [self._begin]), *ids, self._end]
        elif self._document:
            self._end_document()

    def close(self) -> dict[str, Any]:
        """Write what is left and the list of the shards, and return that list."""
        if self._document:
            self._end_document()
        self._flush()
        shards: list[dict[str, Any]] = []
        for path, pieces in self._written:
            final = path.with_suffix("")
            os.replace(path, final)
            shards.append(
                {"file": final.name, "pieces": pieces, "bytes": final.stat().st_size, "sha256": sha256(final)}
            )
        content = {
            "pieces": sum(s["pieces"] for s in shards),
            "documents": self._documents,
            "shards": shards,
        }
        temporary = self._folder / (MANIFEST + ".tmp")
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        os.replace(temporary, self._folder / MANIFEST)
        return content

    def _end_document(self) -> None:
        ids = np.asarray(self._document, dtype=np.uint16)
        self._document = []
        self._documents += 1
        if self._size and self._size + len(ids) > self._limit:
            self._flush()
        while len(ids) > self._limit:
            self._parts, self._size = [ids[: self._limit]], self._limit
            self._flush()
            ids = ids[self._limit :]
        self._parts.append(ids)
        self._size += len(ids)

    def _flush(self) -> None:
        if not self._size:
            return
        path = self._folder / f"stream-{len(self._written):03}.npy.tmp"
        with path.open("wb") as file:
            np.save(file, np.concatenate(self._parts), allow_pickle=False)
        self._written.append((path, self._size))
        self._parts, self._size = [], 0


def find_stream(folder: Path) -> list[Path]:
    """Return the files of the stream in a folder: its shards, or the one file of an earlier version, or nothing.

    Raises:
        DataError: a shard is missing or is not what was written.
    """
    manifest = folder / MANIFEST
    if not manifest.is_file():
        single = folder / SINGLE
        return [single] if single.is_file() else []
    try:
        shards = json.loads(manifest.read_text(encoding="utf-8"))["shards"]
        listed = [(folder / Path(s["file"]).name, s["bytes"], s["sha256"]) for s in shards]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"not a list of shards ({error})", path=manifest) from error
    for path, size, digest in listed:
        if not path.is_file() or path.stat().st_size != size or sha256(path) != digest:
            state = "is not what was written" if path.is_file() else "is missing"
            raise DataError(f"the shard {path.name} {state}", path=manifest, accepted="all shards, whole")
    return [path for path, _, _ in listed]
