"""Extraction that goes on when a document fails: its error takes its place."""

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from .batching import BATCH_CHARACTERS, batches
from .document import Document

if TYPE_CHECKING:
    from .inference import Extractor

# More texts than `Extractor.pipe` takes at once: with short ones, windows of like length are to be found.
BATCH_SIZE = 256


def attempt(
    extractor: "Extractor",
    items: Iterable[tuple[str, str]],
    *,
    batch_size: int = BATCH_SIZE,
    batch_chars: int = BATCH_CHARACTERS,
) -> Iterator[Document | Exception]:
    """Extract from a stream of texts and yield, in order, a document or the exception that came instead.

    A batch that fails is halved until what fails stands alone, so one bad text among n costs log n batches more
    and the others lose nothing. Interrupts and the like (`BaseException`) pass through.

    Args:
        extractor: a loaded model.
        items: (id, text) pairs.
        batch_size, batch_chars: see `Extractor.pipe`.
    """
    for group in batches(items, size=batch_size, characters=batch_chars, length=lambda item: len(item[1])):
        yield from _group(extractor, group)


def _group(extractor: "Extractor", group: list[tuple[str, str]]) -> list[Document | Exception]:
    size, characters = len(group), 1 + sum(len(text) for _, text in group)
    try:
        return list(extractor.pipe(group, batch_size=size, batch_chars=characters))
    except Exception as error:  # a fault of any kind belongs to its document
        if size == 1:
            # Without its frames, which would keep the scores of the batch alive.
            return [error.with_traceback(None)]
    # Outside of `except`: what the failed batch held is free by now.
    return _group(extractor, group[: size // 2]) + _group(extractor, group[size // 2 :])


def text_fault(value: object) -> str:
    """Return what is wrong with a value that should be a text; empty if nothing is."""
    if isinstance(value, str):
        return ""
    if is_null(value):
        return "the text is null; accepted: a string"
    return f"the text is of type {type(value).__name__}; accepted: a string"


def is_null(value: object) -> bool:
    """Whether a value of a table stands for nothing: None, or the NaN of pandas."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def describe(error: Exception) -> str:
    """Return an exception in one line: its kind and its message, at most 500 characters."""
    message = " ".join(str(error).split())[:500]
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
