"""The folder of a saved baseline: whole or absent, and checked when it is read."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...model.errors import ModelError
from ...model.schema import LabelSchema
from .proclitics import ProcliticLexicon

HEADER = "tagger.json"
FORMAT_VERSION = 1


def write(
    folder: str | Path,
    kind: str,
    schema: LabelSchema,
    lexicon: ProcliticLexicon,
    options: dict[str, Any],
    weights: Callable[[Path], object],
) -> Path:
    """Write a tagger; the folder appears when it is complete.

    Args:
        folder: a new or empty folder, or one with a saved tagger, which is replaced.
        kind: of the tagger, checked by `read`.
        schema, lexicon, options: written into `tagger.json`.
        weights: writes everything else into the folder that it is given.

    Raises:
        ModelError: the folder holds something else.
    """
    final = Path(folder).resolve()
    if final.exists() and not (final / HEADER).is_file() and (not final.is_dir() or any(final.iterdir())):
        raise ModelError(
            f"{folder} exists and holds no tagger; accepted: a new folder, or one to be replaced"
        )
    temporary = final.with_name(final.name + ".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    weights(temporary)
    header = {
        "format_version": FORMAT_VERSION,
        "kind": kind,
        "schema": schema.to_dict(),
        "options": options,
        "proclitics": lexicon.to_dict(),
    }
    text = json.dumps(header, ensure_ascii=False, indent=1) + "\n"
    (temporary / HEADER).write_text(text, encoding="utf-8")
    from ..checkpoints import publish

    publish(temporary, final)
    return final


def read(folder: str | Path, kind: str) -> tuple[LabelSchema, ProcliticLexicon, dict[str, Any]]:
    """Return schema, lexicon and options of a saved tagger.

    Raises:
        ModelError: the folder is missing, incomplete, altered, or another kind of model.
    """
    path = Path(folder)
    if not (path / HEADER).is_file():
        raise ModelError(f"no tagger at {folder}: {HEADER} is missing; accepted: a folder written by save()")
    from ..checkpoints import is_complete

    if not is_complete(path):
        raise ModelError(f"{folder}: a file is missing or differs from its manifest; save the tagger again")
    try:
        header = json.loads((path / HEADER).read_text(encoding="utf-8"))
        found = header["kind"]
        if found != kind or header["format_version"] != FORMAT_VERSION:
            raise ModelError(
                f"{folder} holds a tagger of kind {found!r}, format version {header['format_version']!r}; "
                f"accepted: {kind!r}, {FORMAT_VERSION}"
            )
        schema = LabelSchema.from_dict(header["schema"], source=str(path / HEADER))
        return schema, ProcliticLexicon.from_dict(header["proclitics"]), dict(header["options"])
    except ModelError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path / HEADER} is not the header of a tagger: {error}") from error
