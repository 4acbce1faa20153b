"""Sources of plain text: one file, or all `.txt` of a folder, found while they are read."""

import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import DataError
from .lines import LONGEST
from .records import Mark, Record, not_utf8


class TextFile:
    """One text.

    Args:
        path: the file.
        label: the document's id.
    """

    kind = "text"

    def __init__(self, path: Path, label: str) -> None:
        self.path, self.label = path, label
        self.size: int | None = path.stat().st_size

    def check(self) -> None:
        """Nothing can be known before the file is read."""

    def records(self, start: Mark) -> Iterator[Record]:
        """Yield the one text, unless `start` is behind it."""
        if not start.offset:
            yield _record(self.path, self.label, Mark(start.source, 1), self.size or 0)


class TextFolder:
    """All `.txt` files in a folder and below, hidden ones left out, each folder in the order of its names.

    Only the names of one branch of folders are in memory at a time.

    Args:
        path: the folder.
        label: put before the ids, which are the paths below the folder without `.txt`.
    """

    kind = "folder"

    def __init__(self, path: Path, label: str = "") -> None:
        self.path, self.label = path, label
        # A walk would tell, and take as long as reading.
        self.size: int | None = None

    def check(self) -> None:
        """Raise DataError if there is no text at all."""
        if next(_walk(self.path, ""), None) is None:
            raise DataError(
                "a folder without .txt files", path=self.path, accepted="folders of .txt, or files"
            )

    def records(self, start: Mark) -> Iterator[Record]:
        """Yield the texts that follow `start`.

        Raises:
            DataError: the files before `start` are not those that a run has read.
        """
        number, name = 0, ""
        for name in _walk(self.path, ""):
            number += 1
            if number > start.offset:
                id_ = self.label + name.removesuffix(".txt")
                yield _record(self.path / name, id_, Mark(start.source, number, 0, name), 0)
            elif number == start.offset and name != start.name:
                self._changed(f"file {number} is {name}, and was {start.name}")
        if number < start.offset:
            self._changed(f"there are {number} .txt files, and there were {start.offset} or more")

    def _changed(self, found: str) -> None:
        raise DataError(
            f"files came or went since the run began: {found}",
            path=self.path,
            accepted="the same files as before; or --overwrite, to begin anew",
        )


def _walk(folder: Path, below: str) -> Iterator[str]:
    """Yield the paths of the texts below a folder, relative to it; links to folders are not followed."""
    with os.scandir(folder / below) as entries:
        found = sorted(
            (entry.name, entry.is_dir(follow_symlinks=False))
            for entry in entries
            if not entry.name.startswith(".")
            and (entry.name.endswith(".txt") or entry.is_dir(follow_symlinks=False))
        )
    for name, is_folder in found:
        path = f"{below}/{name}" if below else name
        if is_folder:
            yield from _walk(folder, path)
        elif (folder / path).is_file():
            yield path


def _record(path: Path, id_: str, mark: Mark, done: int) -> Record:
    where = str(path)
    try:
        with path.open("rb") as file:
            data = file.read(LONGEST + 1)
    except (FileNotFoundError, PermissionError, IsADirectoryError) as fault:
        return Record(id_, "", where, mark, f"cannot be read: {fault.strerror}", done)
    error = not_utf8(data)
    if len(data) > LONGEST:
        error = f"longer than {LONGEST >> 20} MiB; accepted: texts below that"
    return Record(id_, "" if error else data.decode("utf-8"), where, mark, error, done)
