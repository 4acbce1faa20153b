"""`isnad extract` on data files and large folders: parts with a manifest, progress, an account of bad documents."""

import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ..model.attempts import attempt, describe
from ..model.batching import BATCH_CHARACTERS, batches
from ..model.document import Document
from ..model.errors import ConfigError
from ..model.stream import Journal, Keys, Mark, Progress, Record, Source, find_sources, read, run
from ..model.stream.header import run_header, spare_inputs
from ..model.stream.parts import WRITERS
from .extract import load_extractor
from .options import ExtractFormat
from .output import show
from .support import PARTLY, console, say

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from ..model.inference import Extractor

# Texts of standard output that are scored together; results are to begin to flow soon.
_BATCH = 8
_FILES = (".json", ".jsonl", ".csv", ".parquet", ".html")


@dataclass(frozen=True)
class StreamOptions:
    """What was typed for a stream.

    Attributes:
        keys: of text and id.
        part_size: records of a part.
        max_errors: bad documents after which the run stops; None for no limit.
        overwrite: begin anew.
        device: of the backend.
    """

    keys: Keys
    part_size: int
    max_errors: int | None = None
    overwrite: bool = False
    device: str = "cpu"


def extract_stream(
    names: Sequence[str],
    output: Path | None,
    format: ExtractFormat | None,
    options: StreamOptions,
    *,
    model: str | None = None,
    thresholds: Sequence[str] = (),
) -> None:
    """Extract from data files, texts and folders, in parts; go on with a run that was interrupted.

    Raises:
        typer.Exit: with the code `PARTLY` if documents were at fault.
    """
    sources = find_sources(names, options.keys)
    if output is None:
        _print(sources, format, options, model, thresholds)
        return
    chosen = part_format(format, output)
    spare_inputs(sources, output)
    for source in sources:
        source.check()
    header = run_header(
        sources,
        options.keys,
        format=chosen,
        part_size=options.part_size,
        model=model,
        thresholds=list(thresholds),
    )
    with Journal.open(output, header, overwrite=options.overwrite) as journal:
        for note in journal.notes:
            say(f"warning: {note}")
        done = "complete already (--overwrite begins anew):" if journal.complete else "wrote"
        counts = _run(sources, journal, chosen, options, model, thresholds)
        parts = f"{journal.parts:,} part{'s' * (journal.parts != 1)}"
        say(f"{done} {summary(counts)} in {parts} in {output}")
    tell_bad(counts["errors"], output)


def tell_bad(count: int, output: Path) -> None:
    """Say where the bad documents of a run are listed, and exit with the code `PARTLY` if there are any."""
    if count:
        what = "bad document is" if count == 1 else "bad documents are"
        say(f"{count:,} {what} listed in {output}/_errors-*.jsonl")
        raise typer.Exit(PARTLY)


def _run(
    sources: Sequence[Source],
    journal: Journal,
    format: str,
    options: StreamOptions,
    model: str | None,
    thresholds: Sequence[str],
) -> Any:
    if journal.parts and not journal.complete:
        say(f"going on after {journal.parts:,} parts: {summary(journal.counts)}")
    extractor: Any = None if journal.complete else load_extractor(model, thresholds, options.device)
    try:
        with _warnings_once(), progress_bar(journal.counts.get("documents", 0)) as watch:
            return run(
                extractor,
                sources,
                journal,
                format=format,
                part_size=options.part_size,
                max_errors=options.max_errors,
                watch=watch,
            )
    except KeyboardInterrupt:
        say(f"{journal.parts:,} parts are complete; the same command goes on from there")
        raise


@contextmanager
def progress_bar(before: int) -> Iterator[Callable[[Progress], None] | None]:
    """Yield what shows progress on standard error, or None if that is no terminal.

    Args:
        before: documents of earlier starts, which are shown but do not count for the rate.
    """
    screen = console(stderr=True)
    if not screen.is_terminal:
        yield None
        return
    from rich.progress import (
        BarColumn,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar

    columns = (
        *(TextColumn("extracting"), BarColumn(), TaskProgressColumn(), TextColumn("{task.description}")),
        *(TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn()),
    )
    # A long memory, as documents differ in length.
    with Bar(*columns, console=screen, transient=True, speed_estimate_period=120) as bar:
        yield _shown(bar, before)


def _shown(bar: "Bar", before: int) -> Callable[[Progress], None]:
    task = bar.add_task(f"{before:,} documents", total=None)
    began = time.monotonic()

    def watch(progress: Progress) -> None:
        seconds = max(time.monotonic() - began, 1e-9)
        counts = progress.counts
        text = (
            f"{before + counts['documents']:,} documents, {counts['documents'] / seconds:,.1f}/s, "
            f"{counts['words'] / seconds:,.0f} words/s"
            + f", {counts['errors']:,} bad"
            * (counts["errors"] > 0)
        )
        bar.update(task, total=progress.total, completed=progress.done, description=text)

    return watch


def _print(
    sources: Sequence[Source],
    format: ExtractFormat | None,
    options: StreamOptions,
    model: str | None,
    thresholds: Sequence[str],
) -> None:
    """Write documents to standard output one after the other, and bad ones to standard error."""
    chosen = format or ExtractFormat.TABLE
    if chosen not in (ExtractFormat.TABLE, ExtractFormat.JSONL):
        raise ConfigError(
            f"{chosen} of many documents is for files; name a folder with -o, or take --format jsonl"
        )
    for source in sources:
        source.check()
    extractor = load_extractor(model, thresholds, options.device)
    errors = 0
    with _warnings_once():
        for record, found in _results(extractor, sources):
            if isinstance(found, str):
                errors += 1
                say(f"{record.where}: {found}")
                if options.max_errors is not None and errors > options.max_errors:
                    raise ConfigError(
                        f"{errors} bad documents; accepted: {options.max_errors} (--max-errors)"
                    )
            elif chosen is ExtractFormat.TABLE:
                show(found)
            else:
                sys.stdout.write(found.to_json(indent=None) + "\n")
                sys.stdout.flush()
    if errors:
        raise typer.Exit(PARTLY)


def _results(extractor: "Extractor", sources: Sequence[Source]) -> Iterator[tuple[Record, Document | str]]:
    """Yield every record with its document, or with what went wrong."""
    records = read(sources, Mark())
    for batch in batches(records, size=_BATCH, characters=BATCH_CHARACTERS, length=lambda r: len(r.text)):
        found = attempt(extractor, [(r.id, r.text) for r in batch if not r.error])
        for record in batch:
            result = record.error or next(found)
            yield record, describe(result) if isinstance(result, Exception) else result


def part_format(format: ExtractFormat | None, output: Path) -> str:
    """Return the format of the parts; ConfigError if parts cannot be of it, or the output is a file."""
    if not output.is_dir() and (output.suffix.lower() in _FILES or output.is_file()):
        raise ConfigError(
            f"-o {output} is a file, and many documents are written in parts; accepted: a folder, such as "
            f"-o {output.with_suffix('')}"
        )
    chosen = str(format or ExtractFormat.JSONL)
    if chosen not in WRITERS:
        raise ConfigError(f"{chosen} is for single texts; accepted for data files: {', '.join(WRITERS)}")
    return chosen


def summary(counts: Any) -> str:
    """Return the counts of a run in words."""
    kinds = (("document", "documents"), ("entity", "entities"), ("relation", "relations"))
    numbers = [counts.get(many, 0) for _, many in kinds]
    return ", ".join(
        f"{n:,} {one if n == 1 else many}" for n, (one, many) in zip(numbers, kinds, strict=True)
    )


class _Once(logging.Filter):
    """Lets every kind of warning pass once: a million documents give rise to the same ones."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        new = record.msg not in self._seen
        self._seen.add(record.msg)
        return new


@contextmanager
def _warnings_once() -> Iterator[None]:
    log, once = logging.getLogger("isnad.model.inference"), _Once()
    log.addFilter(once)
    try:
        yield
    finally:
        log.removeFilter(once)
