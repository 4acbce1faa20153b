"""The plan of a run: every source cut into units that workers take in turn."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..columns import need_pyarrow
from ..stream.lines import ByteLines, CorruptFile, LongLine
from ..stream.parts import Staged
from ..stream.records import Mark, Record
from ..stream.sources import Source

NAME = "_plan.jsonl"
# A worker reads a compressed file from its beginning to get to its unit, so there are few of them in each.
_COMPRESSED, _MOST_UNITS = (".gz", ".zst"), 16


@dataclass(frozen=True, slots=True)
class Unit:
    """What one worker does at a time: the records between two places of a source.

    Attributes:
        source: index of the file or folder.
        start: where to begin, as a place in that source alone (`Mark.source` is 0).
        end: `Mark.offset` of the place where to stop; 0 for the end of the source.
    """

    source: int
    start: Mark = field(default_factory=Mark)
    end: int = 0


class Slice:
    """The records of a unit as a source of its own; see `stream.sources.Source`."""

    def __init__(self, source: Source, end: int) -> None:
        self.kind, self.path, self.label, self.size = source.kind, source.path, source.label, source.size
        self._source, self._end = source, end

    def check(self) -> None:
        """Nothing to check: the source was."""

    def records(self, start: Mark) -> Iterator[Record]:
        """Yield the records from `start` to the end of the unit."""
        for record in self._source.records(start):
            # Blank lines belong to the record after them, which may be of the next unit.
            if self._end and not record.mark.source and record.mark.offset > self._end:
                return
            yield record
            if self._end and record.mark.offset == self._end:
                return


@dataclass(frozen=True)
class Planner:
    """Finds where to cut a source; a job that an engine maps over the indices of the sources.

    Attributes:
        sources: the input.
        every: records of a unit; blank lines count, so that lines of JSON need not be parsed.
    """

    sources: Sequence[Source]
    every: int

    def __call__(self, number: int) -> str:
        """Return the number and the cuts of a source as JSON."""
        source = self.sources[number]
        cuts = list(_cuts(source, self.every))
        if source.path.suffix.lower() in _COMPRESSED:
            step = -(-(len(cuts) + 1) // _MOST_UNITS)
            cuts = cuts[step - 1 :: step]
        return json.dumps({"number": number, "cuts": [asdict(mark) for mark in cuts]})


def units(found: Sequence[str]) -> list[Unit]:
    """Return the units of what `Planner` has found of every source, in the order of the sources."""
    planned = []
    for line in sorted((json.loads(line) for line in found), key=lambda line: int(line["number"])):
        marks = [Mark(), *(Mark(**mark) for mark in line["cuts"])]
        planned += [Unit(line["number"], start, end.offset) for start, end in pairwise(marks)]
        planned.append(Unit(line["number"], marks[-1]))
    return planned


def save(folder: Path, planned: Sequence[Unit]) -> None:
    """Write a plan into the folder of its run, whole or not at all."""
    staged = Staged(folder, NAME)
    for unit in planned:
        staged.file.write(json.dumps(asdict(unit)).encode("ascii") + b"\n")
    staged.publish()


def load(folder: Path) -> list[Unit] | None:
    """Return the plan of an interrupted run; None if it came to none."""
    try:
        lines = (folder / NAME).read_bytes().splitlines()
    except FileNotFoundError:
        return None
    return [_unit(json.loads(line)) for line in lines]


def _unit(row: dict[str, Any]) -> Unit:
    return Unit(row["source"], Mark(**row["start"]), row["end"])


def _cuts(source: Source, every: int) -> Iterator[Mark]:
    """Yield the places before the records number `every`, 2 * `every` and so on."""
    if source.kind == "parquet":
        need_pyarrow("parquet files")
        import pyarrow.parquet

        rows = pyarrow.parquet.read_metadata(source.path).num_rows
        yield from (Mark(0, row) for row in range(every, rows, every))
        return
    marks = _line_starts(source.path) if source.kind == "jsonl" else _record_starts(source)
    for number, mark in enumerate(marks):
        if number and number % every == 0:
            yield mark


def _line_starts(path: Path) -> Iterator[Mark]:
    with ByteLines(path) as lines:
        while True:
            mark = Mark(0, lines.offset, lines.line)
            try:
                if lines.read() is None:
                    return
            except LongLine:
                pass
            except CorruptFile:  # the last unit will come upon it, and report it
                return
            yield mark


def _record_starts(source: Source) -> Iterator[Mark]:
    mark = Mark()
    for record in source.records(mark):
        yield mark
        mark = record.mark
