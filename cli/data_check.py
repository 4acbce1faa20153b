"""`isnad data check`: the data doctor on the screen, as JSON or as a page."""

import sys
from collections.abc import Iterator
from pathlib import Path

import typer

from ..model.errors import ConfigError
from ..training.data.check import Report, check_data
from ..training.data.check.part import View
from ..training.data.sources import load_schema
from .data_commands import CheckFormat
from .support import console, progress, quiet, refuse_existing, remarks_only, say, whole_file

_SUFFIXES = {".json": CheckFormat.JSON, ".html": CheckFormat.HTML, ".htm": CheckFormat.HTML}


def check_documents(
    data: str,
    *,
    dev: str | None = None,
    schema: str = "wojood",
    from_: str | None = None,
    model: str | None = None,
    predict: bool = True,
    window: int | None = None,
    format: CheckFormat | None = None,
    output: Path | None = None,
    show: int = 10,
    strict: bool = False,
    overwrite: bool = False,
) -> None:
    """Check data, report, and exit with what was found: 0, 1 with errors, 2 where a file could not be read."""
    chosen = _format(format, output)
    if output is not None:
        _spare_inputs(output, data, dev)
        refuse_existing([output], overwrite=overwrite)
    labels = load_schema(schema)
    quiet()
    with remarks_only():
        report = check_data(
            data,
            labels,
            dev=dev,
            model=model,
            predict=predict,
            window=window,
            format=from_,
            progress=_progress,
        )
    if output is not None:
        with whole_file(output) as temporary:
            temporary.write_text(_text(report, chosen), encoding="utf-8")
        counts = ", ".join(
            f"{n:,} {severity}{'' if n == 1 else 's'}" for severity, n in report.counts().items()
        )
        say(f"wrote {output}: {counts}")
    elif chosen is CheckFormat.TABLE:
        from ..training.data.check.report_table import render

        screen = console()
        for part in render(report, shown=show):
            screen.print(part)
    else:
        sys.stdout.write(_text(report, chosen))
    sys.stdout.flush()
    code = report.exit_code(strict=strict)
    if code:
        raise typer.Exit(code)


def _progress(views: Iterator[View], total: int) -> Iterator[View]:
    return progress(views, total=total, what="looking for missing annotations")


def _text(report: Report, format: CheckFormat) -> str:
    if format is CheckFormat.JSON:
        return report.to_json() + "\n"
    from ..training.data.check.report_html import to_html

    return to_html(report)


def _format(format: CheckFormat | None, output: Path | None) -> CheckFormat:
    """Return the format that was typed, or that the output's suffix names."""
    if output is None:
        return format or CheckFormat.TABLE
    suffix = _SUFFIXES.get(output.suffix.lower())
    chosen = format or suffix
    if chosen is None or chosen is CheckFormat.TABLE:
        raise ConfigError(f"-o {output}: tables are for the screen; accepted: a file *.json or *.html")
    if suffix and suffix is not chosen:
        raise ConfigError(f"-o {output} does not go with --format {chosen}; accepted: *.{chosen}")
    return chosen


def _spare_inputs(output: Path, *inputs: str | None) -> None:
    """Refuse to write a report over the data, whatever the options say."""
    for name in inputs:
        if name and Path(name).exists() and output.exists() and output.samefile(name):
            raise ConfigError(f"{output} is the data and would be overwritten; choose another -o")
