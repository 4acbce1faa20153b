"""The choices of the command line: nothing is imported here, so that `--help` stays fast."""

from enum import StrEnum


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
