"""What comes before the training: tokenizer, vectors and token shards, each made once.

Only these need the texts, gensim and zstandard; a machine with a GPU needs nothing but what they leave.
"""

import json
import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from ...model.errors import ConfigError, DataError
from ...model.store import sha256
from .corpus import mixture
from .settings import PretrainConfig
from .shards import ShardWriter, encode, find_stream
from .skipgram import train_vectors
from .tokenizer import fertility, train_tokenizer

log = logging.getLogger(__name__)

REPORT = "prepared.json"


@dataclass(frozen=True)
class Prepared:
    """What a training starts from.

    Attributes:
        tokenizer: with the Arabic normalizer inside.
        vectors: [vocabulary, dim], float32; None for a cold start.
        stream: files of the token stream.
        report: texts, fertility and shards, as in `prepared.json`.
    """

    tokenizer: PreTrainedTokenizerBase
    vectors: NDArray[np.floating] | None
    stream: list[Path]
    report: dict[str, Any]


def prepare(config: PretrainConfig, folder: Path) -> Prepared:
    """Make what is not there yet and return it.

    Args:
        config: the run.
        folder: of `tokenizer/`, `vectors.npy`, `stream-000.npy`… and `prepared.json`.

    Raises:
        ConfigError: a text is needed and is not there.
        DataError: the stream is damaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer(config, folder)
    _vectors_and_stream(config, folder, tokenizer)
    vectors = _load(folder / "vectors.npy") if config.warm_start else None
    return Prepared(tokenizer, vectors, find_stream(folder), _report(config, folder, tokenizer))


def _tokenizer(config: PretrainConfig, folder: Path) -> PreTrainedTokenizerBase:
    place = folder / "tokenizer"
    if not (place / "tokenizer.json").is_file():
        log.info("training the tokenizer")
        sources = _sources(config.tokenizer_texts, "tokenizer_texts")
        trained = train_tokenizer(mixture(sources), vocab_size=config.vocab_size)
        whole(place, trained.save_pretrained)
    return AutoTokenizer.from_pretrained(place, local_files_only=True)


def _vectors_and_stream(config: PretrainConfig, folder: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    pieces, table = folder / "pieces.txt", folder / "vectors.npy"
    stream_texts = config.stream_texts or config.vector_texts
    stream_due, vectors_due = not find_stream(folder), config.warm_start and not table.is_file()
    pieces_due = vectors_due and not pieces.is_file()
    # The two are the same texts as a rule, and tokenising takes longer than all the rest of a pass.
    together = stream_texts == config.vector_texts and stream_due and pieces_due
    if stream_due:
        log.info("writing the token stream")
        sources = _sources(stream_texts, "stream_texts" if config.stream_texts else "vector_texts")
        _write(config, folder, tokenizer, sources, shards=True, pieces=pieces if together else None)
    if pieces_due and not together:
        sources = _sources(config.vector_texts, "vector_texts")
        _write(config, folder, tokenizer, sources, shards=False, pieces=pieces)
    if vectors_due:
        log.info("training skip-gram vectors")
        vectors = train_vectors(pieces, len(tokenizer), **config.vectors)
        whole(table, lambda temporary: save_array(temporary, vectors))
        pieces.unlink()


def _write(
    config: PretrainConfig,
    folder: Path,
    tokenizer: PreTrainedTokenizerBase,
    sources: list[tuple[Path, float]],
    *,
    shards: bool,
    pieces: Path | None,
) -> None:
    """Tokenise texts once, into shards, into a file for gensim with a paragraph a line, or into both."""
    writer = ShardWriter(folder, tokenizer, megabytes=config.shard_megabytes) if shards else None
    temporary = folder / "pieces.txt.tmp"
    with temporary.open("w", encoding="ascii") as lines:
        for ids in encode(mixture(sources), tokenizer):
            if pieces is not None and ids:
                # Ids rather than pieces: no piece can then clash with the blank that separates them.
                lines.write(" ".join(map(str, ids)) + "\n")
            if writer is not None:
                writer.add(ids)
    if pieces is not None:
        os.replace(temporary, pieces)
    temporary.unlink(missing_ok=True)
    if writer is not None:
        # Last, since the list of the shards says that this step is done.
        writer.close()


def _report(config: PretrainConfig, folder: Path, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """Return what is known of the data; kept beside it, since the texts stay behind where it is sent."""
    path = folder / REPORT
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    held_out = Path(config.fertility_text)
    report = {
        "vocab_size": len(tokenizer),
        "texts": {
            "tokenizer": _texts(config.tokenizer_texts),
            "vectors": _texts(config.vector_texts),
            "stream": _texts(config.stream_texts or config.vector_texts),
        },
        "fertility": fertility(tokenizer, held_out) | {"text": held_out.name} if held_out.is_file() else None,
        "stream": [{"file": p.name, "bytes": p.stat().st_size} for p in find_stream(folder)],
    }
    content = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
    whole(path, lambda temporary: temporary.write_text(content, encoding="utf-8"))
    return report


def _texts(texts: dict[str, float]) -> list[dict[str, Any]]:
    """Describe texts by name, size and hash; where they lie is no one else's concern."""
    found = []
    for name, weight in texts.items():
        path = Path(name)
        known = {"bytes": path.stat().st_size, "sha256": sha256(path)} if path.is_file() else {}
        found.append({"file": path.name, "weight": weight, **known})
    return found


def _sources(texts: dict[str, float], key: str) -> list[tuple[Path, float]]:
    accepted = (
        "accepted: files that are there, each with its weight, or a folder ('prepared') whose tokenizer, vectors "
        "and stream are made already"
    )
    if not texts:
        raise ConfigError(f"{key} is empty; {accepted}")
    for name, weight in texts.items():
        if not Path(name).is_file():
            raise ConfigError(f"{key}: no text file {name!r}; {accepted}")
        if isinstance(weight, bool) or not isinstance(weight, int | float) or weight <= 0:
            raise ConfigError(f"{key}: the weight of {name!r} is {weight!r}; accepted: a number above 0")
    return [(Path(name), float(weight)) for name, weight in texts.items()]


def _load(path: Path) -> NDArray[np.floating]:
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(f"not an array ({error})", path=path) from error


def save_array(path: Path, array: NDArray[Any]) -> None:
    """Write a .npy file under exactly this name, whatever its ending."""
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a temporary path and give it its name when it is complete."""
    temporary = path.with_name(path.name + ".tmp")
    if temporary.is_dir():
        shutil.rmtree(temporary)
    write(temporary)
    os.replace(temporary, path)
