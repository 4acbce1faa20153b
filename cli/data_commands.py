"""The commands that look after annotated data: `isnad data check`; see `app`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .support import EXIT_CODES


class CheckFormat(StrEnum):
    """How a check is reported."""

    TABLE = "table"
    JSON = "json"
    HTML = "html"


def add_commands(app: typer.Typer) -> None:
    """Add the group `data` to the command line."""
    group = typer.Typer(
        name="data", no_args_is_help=True, rich_markup_mode="rich", help="Look after annotated data."
    )
    group.command(epilog=EXIT_CODES)(check)
    app.add_typer(group)


def check(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="Annotated documents: a path in any format, seeds:authored/train, corpus:NAME/PART.",
        ),
    ],
    dev: Annotated[
        str | None,
        typer.Option(
            "--dev", "-d", metavar="DATA", help="Development data, compared with it.", show_default=False
        ),
    ] = None,
    schema: Annotated[
        str, typer.Option(help="Labels of the data: YAML file, or the name of one in configs/schemas.")
    ] = "wojood",
    from_: Annotated[
        str | None,
        typer.Option("--from", help="Format of the paths; found out if absent.", show_default=False),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="The model that looks for missing annotations and whose window counts. Default: the embedded one.",
            show_default=False,
        ),
    ] = None,
    no_model: Annotated[
        bool, typer.Option("--no-model", help="Run no model: faster; its tokenizer still measures lengths.")
    ] = False,
    window: Annotated[
        int | None,
        typer.Option(
            min=16, metavar="PIECES", help="Window in word pieces. Default: the model's.", show_default=False
        ),
    ] = None,
    format: Annotated[
        CheckFormat | None,
        typer.Option(
            "--format", "-f", help="Default: table, or what the name after -o ends in.", show_default=False
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write the report here.")
    ] = None,
    show: Annotated[int, typer.Option(min=1, help="Findings of each kind in the table.")] = 10,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 on warnings too.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a report that is there already.")
    ] = False,
) -> None:
    """Find what spoils training and measuring: wrong spans, leaks, inconsistent and missing annotations.

    \b
    [bold]Examples:[/bold]
      isnad data check my_brat_folder
      isnad data check train.jsonl --dev dev.jsonl -o check.html
      isnad data check train.jsonl --dev dev.jsonl --no-model --strict
      isnad data check new.jsonl --schema my.yaml --format json

    \b
    [bold]What is checked:[/bold]
      files     faulty lines, broken signatures, unusual characters
      spans     cut words and letters, signs at edges, crossing spans,
                proclitics (و ف ب ل ك) inside names
      names     one name under several labels, or left out in places;
                what the model finds where nothing is annotated
      texts     repeated, in training and development data alike, empty
      labels    few examples, different shares in the two parts
      lengths   longer than the window, gold that cannot be predicted

    Errors make the exit code 1, with --strict warnings do too; files
    that cannot be read make it 2. Notes never do.
    """
    from .data_check import check_documents

    if model is not None and no_model:
        raise typer.BadParameter("--model and --no-model exclude each other")
    check_documents(
        data,
        dev=dev,
        schema=schema,
        from_=from_,
        model=model,
        predict=not no_model,
        window=window,
        format=format,
        output=output,
        show=show,
        strict=strict,
        overwrite=overwrite,
    )
