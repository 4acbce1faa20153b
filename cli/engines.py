"""`isnad extract --engine ray` and `--engine spark`."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from ..model.engines import run
from ..model.errors import ConfigError
from .extract import chosen_thresholds
from .options import ExtractFormat
from .stream import StreamOptions, part_format, progress_bar, summary, tell_bad
from .support import quiet, say


def extract_on(
    engine: str,
    names: Sequence[str],
    output: Path | None,
    format: ExtractFormat | None,
    options: StreamOptions,
    workers: int | None,
    *,
    model: str | None = None,
    thresholds: Sequence[str] = (),
) -> None:
    """Extract on the workers of a cluster; go on with a run that was interrupted.

    Raises:
        ConfigError: what was asked for is for the local engine only.
        typer.Exit: with the code `PARTLY` if documents were at fault.
    """
    if output is None:
        raise ConfigError(f"the engine {engine} writes in parts; name a folder with -o")
    if options.max_errors is not None:
        raise ConfigError(
            f"--max-errors with the engine {engine}, whose workers do not know of one another; leave it out: bad "
            "documents are listed and do not stop the run"
        )
    chosen = part_format(format, output)
    quiet()
    # Spark draws a bar of its own, and says nothing before the end.
    bar = progress_bar(0) if engine == "ray" else nullcontext(None)
    with bar as watch:
        counts = run(
            names,
            output,
            engine=engine,
            model=model,
            format=chosen,
            keys=options.keys,
            part_size=options.part_size,
            workers=workers,
            device=options.device,
            overwrite=options.overwrite,
            watch=watch,
            thresholds=chosen_thresholds(model, thresholds),
        )
    say(f"wrote {summary(counts)} to {output}")
    tell_bad(counts["errors"], output)
