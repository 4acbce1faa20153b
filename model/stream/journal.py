"""The manifest of a run, `_manifest.jsonl`: what it reads and how, a line a part, a line when it is complete.

Lines are appended and never changed, so the cost of a part does not grow with the run. A part counts once its line
stands, whole, in the manifest: a killed run leaves at most files that no line names, which the next start removes.
"""

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Self

from ..errors import ConfigError
from .records import Mark

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

NAME = "_manifest.jsonl"
_LAYOUT = 1
_OURS = re.compile(r"\.?(?:part|_errors)-(\d{5,})\.(?:jsonl|parquet|entities\.csv|relations\.csv)(?:\.tmp)?")


class Journal:
    """The open manifest of one run.

    Attributes:
        folder: of the run.
        mark: where the next part begins in the input.
        parts: number of complete parts.
        counts: sums over the parts.
        complete: whether the run has come to the end of its input.
        notes: what changed since the run began and does no harm, in words.
    """

    def __init__(self, folder: Path, file: IO[bytes], header: Mapping[str, Any]) -> None:
        self.folder, self.header = folder, header
        self.mark, self.parts, self.complete = Mark(), 0, False
        self.counts: dict[str, int] = {}
        self.notes: list[str] = []
        self._file = file

    @classmethod
    def open(cls, folder: Path, header: Mapping[str, Any], *, overwrite: bool = False) -> "Journal":
        """Begin a run in a folder, or go on with the one that is there.

        Args:
            folder: made if it is not there; other files in it are left alone.
            header: `settings`, `model` and `inputs` (see `sources.fingerprint`) as plain values.
            overwrite: remove the run that is there.

        Raises:
            ConfigError: another run is at work there; the run that is there has other settings, another model or
                other inputs; its files are gone; or files of a run are there without a manifest.
        """
        header = json.loads(json.dumps({"isnad_stream": _LAYOUT, **header}))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = (folder / NAME).open("a+b")
        except OSError as error:
            raise ConfigError(
                f"cannot write to {folder}: {error.strerror}; choose another place with -o"
            ) from error
        journal = cls(folder, file, header)
        journal._lock()
        try:
            if overwrite:
                file.truncate(0)
            journal._resume(overwrite)
        except BaseException:
            if not os.fstat(file.fileno()).st_size:
                (folder / NAME).unlink()
            file.close()
            raise
        return journal

    def commit(self, files: Mapping[str, int], counts: Mapping[str, int], mark: Mark) -> None:
        """Enter a part whose files have their names.

        Args:
            files: bytes by name.
            counts: of documents, errors and so on.
            mark: the place in the input behind the part.
        """
        self._append({"part": self.parts, "files": files, "counts": counts, "mark": asdict(mark)})
        self._count(counts, mark)

    def finish(self) -> None:
        """Enter that the input is at its end."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._append({"complete": True, "finished": now, "parts": self.parts, "counts": self.counts})
        self.complete = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        if not self.parts and not self.complete:
            with suppress(OSError):
                (self.folder / NAME).unlink()
                self.folder.rmdir()

    def _lock(self) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the system releases it, whatever happens
        except OSError as error:
            self._file.close()
            raise ConfigError(
                f"another run is writing into {self.folder}; wait for it, or choose another -o"
            ) from error

    def _resume(self, overwrite: bool) -> None:
        lines = [] if overwrite else self._lines()
        if not lines:
            stray = [path.name for path in self._files() if not path.name.startswith(".")]
            if stray and not overwrite:
                raise ConfigError(
                    f"{self.folder} holds {stray[0]} but no {NAME}; choose another -o, or pass --overwrite"
                )
            self._remove_from(0)
            self._append(self.header)
            return
        self._compare(lines[0])
        for line in lines[1:]:
            self.complete = self.complete or "complete" in line
            if "part" in line:
                self._present(line["files"])
                self._count(line["counts"], Mark(**line["mark"]))
        self._remove_from(self.parts)

    def _lines(self) -> list[dict[str, Any]]:
        """Return the whole lines of the manifest, and cut off the one that a killed run has left unfinished."""
        self._file.seek(0)
        data = self._file.read()
        whole = data[: data.rfind(b"\n") + 1]
        try:
            lines = [json.loads(line) for line in whole.splitlines()]
            if all(isinstance(line, dict) for line in lines):
                self._file.truncate(len(whole))
                return lines
        except ValueError:
            pass
        raise ConfigError(f"{self.folder / NAME} is not a manifest of isnad; choose another -o")

    def _compare(self, begun: Mapping[str, Any]) -> None:
        if begun.get("isnad_stream") != _LAYOUT:
            raise ConfigError(f"{self.folder / NAME} is of another version of isnad; choose another -o")
        changed = []
        for section in ("settings", "model"):
            old, new = begun.get(section, {}), self.header.get(section, {})
            changed += [
                f"{key} is {new.get(key)!r} and was {old.get(key)!r}"
                for key in sorted({*old, *new})
                if old.get(key) != new.get(key)
            ]
        old, new = begun.get("inputs", []), self.header.get("inputs", [])
        if len(old) != len(new):
            changed.append(f"there are {len(new)} inputs and there were {len(old)}")
        for before, now in zip(old, new, strict=False):
            differ = [key for key in ("kind", "size", "sha256_of_ends") if before.get(key) != now.get(key)]
            if now["kind"] == "folder" and Path(before["path"]).name != Path(now["path"]).name:
                differ.append("name")
            if differ:
                changed.append(f"the input {now['path']} has another {differ[0]} than {before['path']} had")
            elif before.get("modified") != now.get("modified"):
                self.notes.append(
                    f"{now['path']} was touched since the run began; its size and ends are the same"
                )
        if changed:
            raise ConfigError(
                f"{self.folder} holds a run of another kind: {'; '.join(changed)}; accepted: what it began with, "
                "another -o, or --overwrite to begin anew"
            )

    def _present(self, files: Mapping[str, int]) -> None:
        for name, size in files.items():
            path = self.folder / name
            if not path.is_file() or path.stat().st_size != size:
                raise ConfigError(
                    f"{path} is missing or not as the run left it; put it back, or begin anew with --overwrite"
                )

    def _count(self, counts: Mapping[str, int], mark: Mark) -> None:
        for name, count in counts.items():
            self.counts[name] = self.counts.get(name, 0) + count
        self.mark, self.parts = mark, self.parts + 1

    def _append(self, line: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(line).encode("ascii") + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _files(self) -> list[Path]:
        return sorted(path for path in self.folder.iterdir() if _OURS.fullmatch(path.name))

    def _remove_from(self, number: int) -> None:
        for path in self._files():
            found = _OURS.fullmatch(path.name)
            if found and int(found[1]) >= number:
                path.unlink()
