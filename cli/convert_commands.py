"""`isnad convert`: annotated documents from one format into another; see `app`."""

from pathlib import Path
from typing import Annotated

import typer

from .options import Overwrite


def add_commands(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(convert)


def convert(
    source: Annotated[
        str, typer.Argument(metavar="IN", help="A path, seeds:articles and the like, or corpus:NAME/PART.")
    ],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="File or folder to write.")],
    to: Annotated[str, typer.Option(metavar="FORMAT", help="Format of OUT, one of those below.")],
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="FORMAT",
            help="Format of IN. Default: found out from the files.",
            show_default=False,
        ),
    ] = None,
    schema: Annotated[
        str, typer.Option(help="Label schema: YAML file, or the name of one in configs/schemas.")
    ] = "wojood",
    read: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Option of the format of IN; repeatable."),
    ] = None,
    write: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Option of the format of OUT; repeatable."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Write nothing if OUT cannot hold everything.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Convert annotated documents between formats, checking them on the way.

    Labels, signatures and offsets are checked; offsets that miss the text they
    quote are moved where only one place is possible, and listed. What the format
    of OUT cannot hold is counted and listed.

    \b
    [bold]Examples:[/bold]
      isnad convert seeds:articles articles.jsonl --to jsonl
      isnad convert my_brat_folder tasks.json --to label-studio
      isnad convert export.jsonl mine.conll --to conll --write scheme=bioes
      isnad convert all.jsonl mine --to brat --read offsets=graphemes

    \b
    [bold]Formats and what they hold:[/bold]
      jsonl, datasets  everything (a file; .parquet or a folder)
      label-studio     all; scores only of what a model made
      brat, cas        all but scores (a folder)
      inline           all within a line, but scores
      doccano          all but scores
      prodigy          all but scores
      docbin           spans and clusters (spaCy)
      gliner           spans and relations
      wojood           nested spans of whole words
      conll            outermost spans; text and offsets exact when isnad reads it

    \b
    [bold]Options of formats:[/bold]
      brat             read: repair=true (moves what misses its quote)
      label-studio     offsets=code-points|utf-16; read: text_key
      doccano          offsets=code-points|graphemes|utf-16;
                       write: layout=relations|labels
      conll            scheme=iob2|iob1|bioes|bilou; read: tag_column,
                       separator=tab|space|whitespace, sentences_per_document
      wojood           read: sentences_per_document
    """
    from .convert import convert_documents

    convert_documents(
        source,
        target,
        to=to,
        from_=from_,
        schema=schema,
        read=read or (),
        write=write or (),
        strict=strict,
        overwrite=overwrite,
    )
