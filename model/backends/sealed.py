"""Files that a manifest seals: what is checked is what is loaded."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import ModelError
from ..store import MANIFEST


def read_sealed(folder: Path, name: str, digests: Mapping[str, str]) -> bytes:
    """Return the content of a file that is what the manifest says; it is read once.

    Args:
        folder: of the model.
        name: of the file, as the manifest has it.
        digests: SHA-256 by name.

    Raises:
        ModelError: it is missing, altered or unsealed.
    """
    path = folder / name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    if digests.get(name) != hashlib.sha256(content).hexdigest():
        raise ModelError(
            f"{path} differs from {MANIFEST} or is not in it; export the model again: isnad export"
        )
    return content


@dataclass(frozen=True)
class SealedFiles:
    """Where files are read from when graphs are opened, so that nobody holds them in memory beside the graphs.

    Pickled, it holds the files themselves: the other process may stand on another machine.

    Attributes:
        folder: of the model.
        names: of the files.
        digests: SHA-256 by name.
        contents: the files by name, once pickled; they were checked before.
    """

    folder: Path
    names: tuple[str, ...]
    digests: Mapping[str, str]
    contents: Mapping[str, bytes] | None = None

    def read(self) -> Mapping[str, bytes]:
        """Return the files by name; errors as in `read_sealed`."""
        return self.contents or {name: read_sealed(self.folder, name, self.digests) for name in self.names}

    def __reduce__(self) -> tuple[Any, ...]:
        held = replace(self, contents=self.read())
        return SealedFiles, (held.folder, held.names, dict(held.digests), dict(held.contents or {}))
