"""What a run is: its settings, its model and its inputs, by which a later start knows it again."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ... import __version__
from ..errors import ConfigError
from ..store import MANIFEST, resolve, sha256
from .records import Keys
from .sources import Source, fingerprint


def run_header(
    sources: Sequence[Source],
    keys: Keys,
    *,
    format: str,
    part_size: int,
    model: str | Path | None,
    **settings: Any,
) -> dict[str, Any]:
    """Return the header of a run for `Journal.open`.

    Args:
        sources: the input.
        keys: of text and id.
        format: of the parts.
        part_size: records of a part.
        model: what `Extractor.from_pretrained` takes.
        settings: more of what the output depends on, as plain values.

    Raises:
        ModelError: the model is missing or incomplete.
    """
    return {
        "settings": {
            "isnad": __version__,
            "format": format,
            "part_size": part_size,
            "text_key": keys.text,
            "id_key": keys.id,
            "id_needed": keys.id_needed,
            **settings,
        },
        "model": _known(model),
        "inputs": [fingerprint(source) for source in sources],
    }


def spare_inputs(sources: Sequence[Source], output: Path) -> None:
    """Refuse a folder of output whose parts may be the inputs, with ConfigError."""
    for source in sources:
        folder = source.path if source.path.is_dir() else source.path.parent
        if output.resolve() == folder.resolve():
            raise ConfigError(f"{output} holds the input {source.path}; choose another folder with -o")


def _known(model: str | Path | None) -> dict[str, str]:
    """Return by what a resumed run knows its model: the name, and a hash over all files."""
    folder = resolve(model)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    manifest = folder / MANIFEST
    files = [manifest] if manifest.is_file() else sorted(p for p in folder.iterdir() if p.is_file())
    return {
        "name": str(config.get("model_name") or "unnamed"),
        "sha256": " ".join(sha256(file) for file in files),
    }
