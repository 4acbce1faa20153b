"""The choices of the command line, and the options that several commands have.

Nothing but typer is imported here, so that `--help` stays fast.
"""

from enum import StrEnum
from typing import Annotated

import typer

Model = Annotated[
    str | None,
    typer.Option("--model", "-m", help="Folder of a model, a hub name, or an embedded model (the default)."),
]
ModelArgument = Annotated[
    str | None,
    typer.Argument(metavar="MODEL", help="Folder, hub name or embedded model.", show_default=False),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Set one key of the configuration, dotted if nested; repeatable: --set epochs=3 --set encoder.path=runs/e",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace outputs that are there already.")]


class ExtractFormat(StrEnum):
    """How documents are written."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    BRAT = "brat"
    HTML = "html"
    CSV = "csv"
    PARQUET = "parquet"


class ReportFormat(StrEnum):
    """How an evaluation is reported."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


class SpanConvention(StrEnum):
    """What a span is compared as; see `eval.spans.Convention`."""

    CHAR = "char"
    WORD = "word"


class ListFormat(StrEnum):
    """How models and comparisons are listed."""

    TABLE = "table"
    JSON = "json"
