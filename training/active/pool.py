"""The best candidates of a stream, at most so many of them, none nearly the same as another."""

import heapq
from dataclasses import dataclass, field
from typing import Any

from .duplicates import NearDuplicates, Signature, signature
from .units import Unit


@dataclass(frozen=True, slots=True)
class Candidate:
    """A unit that may be chosen.

    Attributes:
        unit: the unit.
        score: how much is gained by annotating it, on the scale of its criterion.
        detail: what the score rests on, JSON values; part of the reason that users see.
        key: the order in the pool; higher is kept longer.
        group: of these a pool keeps a twentieth of its size at most; empty for none.
    """

    unit: Unit
    score: float
    detail: dict[str, Any] = field(default_factory=dict, compare=False)
    key: float = 0.0
    group: str = ""


class Pool:
    """Keeps the candidates of the highest keys; memory is bounded by `size`, whatever is offered.

    Args:
        size: number of candidates kept.
        known: texts that no candidate may nearly equal.
    """

    def __init__(self, size: int, known: NearDuplicates[str] | None = None) -> None:
        self._size, self._known = size, known if known is not None else NearDuplicates[str]()
        self._of_group, self._groups = max(5, size // 20), dict[str, set[int]]()
        self._heap: list[tuple[float, int]] = []
        self._live: dict[int, Candidate] = {}
        self._index: NearDuplicates[int] = NearDuplicates()
        self._offered = 0
        self.duplicates = self.already_known = self.peak = 0

    def __len__(self) -> int:
        return len(self._live)

    def offer(self, candidate: Candidate) -> None:
        """Take a candidate in if it is among the best so far and new; of near-duplicates the best stays."""
        self._offered += 1
        if len(self._live) >= self._size and candidate.key <= self._lowest():
            return
        fellows = self._groups.get(candidate.group, set())
        weakest = (
            min(fellows, key=lambda n: (self._live[n].key, -n)) if len(fellows) >= self._of_group else None
        )
        if weakest is not None and candidate.key <= self._live[weakest].key:
            return
        print_ = signature(candidate.unit.text)
        if self._known.find(print_) is not None:
            self.already_known += 1
            return
        # Several of the pool may resemble the new one without resembling each other.
        while (other := self._index.find(print_)) is not None:
            self.duplicates += 1
            if self._live[other].key >= candidate.key:
                return
            self._drop(other)
        if weakest is not None and weakest in self._live:
            self._drop(weakest)
        self._push(candidate, print_)
        while len(self._live) > self._size:
            self._lowest()
            self._drop(-self._heap[0][1])

    def best(self) -> list[Candidate]:
        """Return what is kept, the highest key first, the earlier of equal ones first."""
        order = sorted(self._live, key=lambda number: (-self._live[number].key, number))
        return [self._live[number] for number in order]

    def _push(self, candidate: Candidate, print_: Signature) -> None:
        number = self._offered
        self._live[number] = candidate
        if candidate.group:
            self._groups.setdefault(candidate.group, set()).add(number)
        self._index.add(number, print_)
        # Of equal keys the later one is lower: it is dropped first.
        heapq.heappush(self._heap, (candidate.key, -number))
        if len(self._heap) > 2 * self._size + 16:
            self._heap = [(c.key, -n) for n, c in self._live.items()]
            heapq.heapify(self._heap)
        self.peak = max(self.peak, len(self._live), len(self._heap))

    def _lowest(self) -> float:
        """Return the lowest key kept; entries of the heap whose candidate has left are discarded on the way."""
        while -self._heap[0][1] not in self._live:
            heapq.heappop(self._heap)
        return self._heap[0][0]

    def _drop(self, number: int) -> None:
        group = self._live.pop(number).group
        self._index.remove(number)
        if group:
            self._groups[group].remove(number)
            if not self._groups[group]:
                del self._groups[group]
