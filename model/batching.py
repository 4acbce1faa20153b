"""Groups of texts that are scored together, bounded both in number and in characters."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from .errors import IsnadError

T = TypeVar("T")

# About 50,000 word pieces: a dozen batches of the backend, among which it sorts windows by length.
BATCH_CHARACTERS = 200_000


def batches(
    items: Iterable[T], *, size: int, characters: int, length: Callable[[T], int]
) -> Iterator[list[T]]:
    """Yield the items in order, in groups that end as soon as they are full.

    A group is closed by the item that brings it to `size` items or to `characters`; nothing beyond that item is
    read. So a group holds less than `characters` and one item more, however long that one is, and a book does not
    sit in memory with thirty others.

    Args:
        items: any stream, endless ones included.
        size: most items of a group.
        characters: length at which a group is closed.
        length: the characters of an item.

    Raises:
        IsnadError: `size` or `characters` is below 1.
    """
    for name, value in (("batch_size", size), ("batch_chars", characters)):
        if value < 1:
            raise IsnadError(f"{name} is {value}; accepted: 1 or more")
    group: list[T] = []
    total = 0
    for item in items:
        group.append(item)
        total += length(item)
        if len(group) == size or total >= characters:
            yield group
            group, total = [], 0
    if group:
        yield group
