"""The manifest of a run on many workers: parts are entered in any order, by the driver alone."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from ..stream.journal import Journal
from ..stream.records import Mark
from . import plan
from .worker import WORK, accounts


class UnitJournal(Journal):
    """A journal whose parts are the units of a plan.

    Attributes:
        done: numbers of the units that are entered.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.done: set[int] = set()
        self._named: set[str] = set()

    def enter(self, account: str) -> None:
        """Enter the account of a unit (see `worker.Extraction`), once."""
        unit = json.loads(account)
        if unit["number"] not in self.done:
            self._append(
                {"part": unit["number"], "files": unit["files"], "counts": unit["counts"], "mark": {}}
            )
            self._count(unit["counts"], Mark())
            self._add(unit["number"], unit["files"])

    def gather(self) -> None:
        """Enter what workers have completed and the driver has not heard of."""
        for account in accounts(self.folder):
            self.enter(account)

    def finish(self) -> None:
        """Enter that every unit is done, and remove what was of use until then."""
        super().finish()
        self._clear()

    def __exit__(self, *about: object) -> None:
        if not self.parts and not self.complete:
            self._clear()
        super().__exit__(*about)

    def _lines(self) -> list[dict[str, Any]]:
        lines = super()._lines()
        for line in lines:
            if "part" in line:
                self._add(line["part"], line["files"])
        return lines

    def _remove_from(self, number: int) -> None:
        """Remove what no line names, once what workers had completed is entered."""
        if os.fstat(self._file.fileno()).st_size:
            self.gather()
        self._clear(plan_too=not os.fstat(self._file.fileno()).st_size or self.complete)
        for path in self._files():
            if path.name not in self._named:
                path.unlink()

    def _add(self, number: int, files: dict[str, int]) -> None:
        self.done.add(number)
        self._named.update(files)

    def _clear(self, *, plan_too: bool = True) -> None:
        shutil.rmtree(self.folder / WORK, ignore_errors=True)
        if plan_too:
            Path(self.folder / plan.NAME).unlink(missing_ok=True)
