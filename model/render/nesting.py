"""Turning spans into a sequence of openings and closings that is always well nested."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(slots=True)
class Text:
    """Code points [start, end) of the text, inside whatever is open."""

    start: int
    end: int


@dataclass(slots=True)
class Open:
    """A span begins, or goes on after a crossing span has cut it.

    Attributes:
        index: position of the span in the input.
        height: how many levels of spans lie inside this piece.
        last: the piece reaches the end of the span.
    """

    index: int
    height: int = 0
    last: bool = True


@dataclass(slots=True)
class Close:
    """The innermost open piece ends."""


def nest(spans: Sequence[tuple[int, int]], length: int) -> list[Text | Open | Close]:
    """Return the openings, closings and stretches of text that draw `spans` inside each other.

    A span that crosses an earlier one is cut where the earlier one ends, so that the result can be written as
    markup; every code point in [0, length) occurs in exactly one `Text`.

    Args:
        spans: (start, end) in code points, end exclusive, none empty, in any order.
        length: code points of the text.
    """
    starting: dict[int, list[int]] = {}
    for index in sorted(range(len(spans)), key=lambda i: (spans[i][0], -spans[i][1], i)):
        starting.setdefault(spans[index][0], []).append(index)
    ending = Counter(end for _, end in spans)
    events: list[Text | Open | Close] = []
    stack: list[Open] = []
    done = 0
    for position in sorted({*starting, *ending}):
        if position > done:
            events.append(Text(done, position))
            done = position
        cut = _close(ending[position], position, spans, stack, events)
        for index in (*cut, *starting.get(position, ())):
            stack.append(Open(index))
            events.append(stack[-1])
    if done < length:
        events.append(Text(done, length))
    return events


def _close(
    count: int,
    position: int,
    spans: Sequence[tuple[int, int]],
    stack: list[Open],
    events: list[Text | Open | Close],
) -> list[int]:
    """Close the `count` open spans that end at `position`; return those cut by it, outermost first."""
    cut = []
    while count:
        piece = stack.pop()
        events.append(Close())
        if stack:
            stack[-1].height = max(stack[-1].height, piece.height + 1)
        if spans[piece.index][1] == position:
            count -= 1
        else:
            piece.last = False
            cut.append(piece.index)
    return cut[::-1]
