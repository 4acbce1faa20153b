"""What a worker does with a unit: read, extract and write it, so that it counts once and whole or not at all."""

import json
import os
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ..errors import ModelError
from ..predictor import Predictor
from ..stream.loop import run
from ..stream.parts import Staged
from ..stream.records import Mark
from ..stream.sources import Source
from .plan import Slice, Unit

if TYPE_CHECKING:
    from ..stream.journal import Journal

# Folder of what is not complete, in the folder of the run; what begins with `_` is no data to Spark, Arrow and others.
WORK = "_work"
_DONE = "done.json"
# So many workers that die on one unit do not die by chance; Spark itself gives up after the next one.
_MOST_ATTEMPTS = 3


@dataclass
class _Desk:
    """Stands for the journal of a run that has one unit to do.

    The first part gets the number of the unit. A unit of very long texts, or a large one of a compressed file, goes
    on in numbers that no other unit has.
    """

    folder: Path
    parts: int
    step: int
    mark: Mark
    files: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    complete: bool = False

    def commit(self, files: Mapping[str, int], counts: Mapping[str, int], mark: Mark) -> None:
        self.files |= files
        for name, count in counts.items():
            self.counts[name] = self.counts.get(name, 0) + count
        self.mark, self.parts = mark, self.parts + self.step

    def finish(self) -> None:
        self.complete = True


@dataclass(frozen=True)
class Extraction:
    """Extracts from units; a job that an engine maps over their numbers.

    Every attempt writes into a folder of its own. When it is complete its files get their names, which depend on the
    unit alone, and then its account (`done.json`) does: whoever comes upon that account later, another attempt or
    the next start of the run, takes it and does nothing.

    Attributes:
        predictor: the model; loaded once a process.
        sources: the input.
        units: the plan.
        folder: of the run.
        format: jsonl, parquet or csv.
        part_size: records of a part.
    """

    predictor: Predictor
    sources: Sequence[Source]
    units: Sequence[Unit]
    folder: Path
    format: str
    part_size: int

    def __call__(self, number: int) -> str:
        """Extract from a unit and return its account as JSON: number, files with their bytes, counts.

        Raises:
            ModelError: several workers have died on this unit, or extraction fails on everything.
        """
        place = self.folder / WORK / f"{number:05d}"
        done = place / _DONE
        if done.is_file():
            return done.read_text(encoding="ascii")
        place.mkdir(parents=True, exist_ok=True)
        self._live(number, place)
        attempt = place / uuid.uuid4().hex
        attempt.mkdir()
        try:
            desk = self._extract(number, attempt)
            account = json.dumps({"number": number, "files": desk.files, "counts": desk.counts})
            staged = Staged(attempt, _DONE)
            staged.file.write(account.encode("ascii"))
            staged.publish()
            if not done.is_file():  # an attempt that was given up for dead may have come first
                for name in desk.files:
                    os.replace(attempt / name, self.folder / name)
                os.replace(attempt / _DONE, done)
        finally:
            shutil.rmtree(attempt, ignore_errors=True)
        return done.read_text(encoding="ascii")

    def _extract(self, number: int, attempt: Path) -> _Desk:
        unit = self.units[number]
        source = Slice(self.sources[unit.source], unit.end)
        desk = _Desk(attempt, number, len(self.units), unit.start)
        run(
            self.predictor.extractor,
            [source],
            cast("Journal", desk),
            format=self.format,
            part_size=self.part_size,
        )
        return desk

    def _live(self, number: int, place: Path) -> None:
        """Raise ModelError if workers keep dying on a unit: engines would go on for ever, or say nothing of it."""
        died = sum(entry.is_dir() for entry in os.scandir(place))
        if died >= _MOST_ATTEMPTS:
            unit = self.units[number]
            where = (
                f"{self.sources[unit.source].label} from line or row {unit.start.line or unit.start.offset}"
            )
            raise ModelError(
                f"{died} workers died on {where}, probably for want of memory; complete parts stay, and the same "
                "command goes on from there, with more memory for each worker or fewer of them"
            )


def accounts(folder: Path) -> list[str]:
    """Return the accounts of all units that workers have completed, in the order of their numbers."""
    return [path.read_text(encoding="ascii") for path in sorted((folder / WORK).glob(f"*/{_DONE}"))]
