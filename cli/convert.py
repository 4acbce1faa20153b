"""`isnad convert`: annotated documents from one format into another."""

import re
from collections.abc import Sequence
from pathlib import Path

from ..model.errors import ConfigError
from ..training.data.convert import Conversion, convert
from ..training.data.sources import load_schema
from .support import refuse_existing, say


def convert_documents(
    source: str,
    target: Path,
    *,
    to: str,
    from_: str | None = None,
    schema: str = "wojood",
    read: Sequence[str] = (),
    write: Sequence[str] = (),
    strict: bool = False,
    overwrite: bool = False,
) -> None:
    """Read documents and write them in another format, checked against a schema on the way.

    Args:
        source, target, to, from_, strict: as in `training.data.convert.convert`.
        schema: YAML file, or a name in configs/schemas.
        read, write: options of the formats, `key=value`.
        overwrite: whether `target` may be there already.
    """
    if not target.is_dir() or any(target.iterdir()):
        same = Path(source).exists() and Path(source).resolve() == target.resolve()
        refuse_existing([] if same else [target], overwrite=overwrite)  # `convert` has the better message
    done = convert(
        source,
        target,
        to=to,
        from_=from_,
        schema=load_schema(schema),
        read_options=format_options(read, "--read"),
        write_options=format_options(write, "--write"),
        strict=strict,
    )
    _report(done)


def format_options(items: Sequence[str], flag: str) -> dict[str, str]:
    """Return the `key=value` items of an option of the command line, which messages name as `flag`."""
    options = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not key or not equals:
            raise ConfigError(f"{flag} {item!r}; write it as KEY=VALUE")
        options[key] = value
    return options


def _report(done: Conversion) -> None:
    for notice in done.notices:
        head, _, items = notice.partition(": ")
        say(f"note: {head}:")
        for item in sorted(items.split("; "), key=_natural):
            say(f"  {item.removeprefix('1 × ')}")
    say(
        f"wrote {done.target}: {done.documents} documents, {done.entities:,} entities, {done.relations:,} relations"
    )
    if done.lost:
        say(f"not held by {done.written_as}, and so lost:")
        width = max(len(f"{n:,}") for n in done.lost.values())
        for kind, n in done.lost.most_common():
            say(f"  {n:>{width},} {kind}")


def _natural(text: str) -> list[tuple[int, str]]:
    """Return a key that puts line 9 before line 10."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", text)]
