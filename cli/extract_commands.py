"""`isnad extract`; see `app`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .options import ExtractFormat, Model, Overwrite

_MANY = "Many documents"


class Engine(StrEnum):
    """What runs an extraction."""

    LOCAL = "local"
    RAY = "ray"
    SPARK = "spark"


def add_commands(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(extract)


def extract(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Text files in UTF-8, folders of .txt, - for standard input; data files (see Many documents).",
        ),
    ],
    format: Annotated[
        ExtractFormat | None,
        typer.Option(
            "--format", "-f", help="Default: table, or what the name after -o ends in.", show_default=False
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="DIR",
            help="Write to this folder, or to a file *.json, *.jsonl, *.html or *.csv.",
        ),
    ] = None,
    model: Model = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            metavar="P|LABEL=P",
            help="Report what is at least this probable: 0.5 for all labels, PERS=0.7 for one; repeatable. "
            "Default: what the model was calibrated to.",
        ),
    ] = None,
    overwrite: Overwrite = False,
    stream: Annotated[
        bool,
        typer.Option(
            "--stream",
            help="Write folders of .txt in parts too; data files always are.",
            rich_help_panel=_MANY,
        ),
    ] = False,
    text_key: Annotated[
        str,
        typer.Option(
            "--text-key",
            "--text-column",
            metavar="NAME",
            help="Key or column of the text; dotted inside objects: article.body",
            rich_help_panel=_MANY,
        ),
    ] = "text",
    id_key: Annotated[
        str | None,
        typer.Option(
            "--id-key",
            "--id-column",
            metavar="NAME",
            help="Key or column of the id. Default: id where there is one, else file and line.",
            show_default=False,
            rich_help_panel=_MANY,
        ),
    ] = None,
    part_size: Annotated[
        int, typer.Option(min=1, metavar="N", help="Documents of a part.", rich_help_panel=_MANY)
    ] = 5000,
    max_errors: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="Stop when more than N documents are bad. Default: never.",
            show_default=False,
            rich_help_panel=_MANY,
        ),
    ] = None,
    engine: Annotated[
        Engine,
        typer.Option(
            help="Run in this process, or on all workers of a cluster of Ray or Spark.", rich_help_panel=_MANY
        ),
    ] = Engine.LOCAL,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="With ray or spark: processes of one thread, each with the model. Default: a CPU each (with "
            "--device cuda a GPU each).",
            show_default=False,
            rich_help_panel=_MANY,
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(help="cpu, cuda or cuda:N; with ray cpu or cuda, with spark cpu.")
    ] = "cpu",
) -> None:
    """Find entities, relations and coreference in Arabic texts.

    \b
    [bold]Examples:[/bold]
      isnad extract article.txt
      isnad extract articles/ -o out -f brat      .txt and .ann for each text
      isnad extract articles/ -o out/page.html    one page for any browser
      cat article.txt | isnad extract - -f json   JSON on standard output
      isnad extract article.txt --threshold 0.5 --threshold PERS=0.7
      isnad extract news.jsonl.gz -o run          millions of documents
      isnad extract shards/*.parquet -o run -f parquet --text-key content
      isnad extract shards/ -o run --engine ray   on all CPUs of a cluster

    \b
    [bold]Formats:[/bold]
      table   for the screen
      json    an object (an array for several texts); in a folder a file each
      jsonl   one object a line
      brat    standoff annotation; in a folder with a copy of the text
      html    one page with all texts
      csv     one row a mention; in a folder with relations.csv
      parquet one row a document (many documents only)

    Offsets count the code points of the file as it is, its line ends and byte
    order mark included. Files appear when all of them are complete, and inputs
    are never overwritten.

    \b
    [bold]Many documents[/bold] come from .jsonl, .csv, .tsv (each also .gz or .zst)
    and .parquet, or with --stream from folders of .txt. They are read one by one
    and written in parts to the folder after -o as jsonl, parquet or csv (mentions
    and triples):
      part-00000.jsonl      what was found in the first 5000 documents
      _errors-00000.jsonl   documents of them that could not be read or extracted
      _manifest.jsonl       inputs, settings, parts; its last line: complete
    A run that was killed goes on when the same command is given again. The exit
    code is 0 if all documents went well, 3 if bad ones are listed.

    \b
    [bold]Many machines:[/bold] --engine ray joins the cluster of RAY_ADDRESS, --engine spark
    the session of spark-submit or PYSPARK_SUBMIT_ARGS; without one they use the
    CPUs of this machine. They read and write what the local engine does, except
    standard input and --max-errors, with the same documents in other parts: each
    part is of one file, and is what a worker takes at a time, so let there be
    several for every worker. Inputs, output and model must have the same paths
    on all machines. Files .gz and .zst are shared by at most 16 workers each. A
    killed worker loses nothing; a killed run goes on with either engine.
    """
    from .extract import extract_texts
    from .output import Output

    if engine is Engine.LOCAL and workers is not None:
        raise typer.BadParameter("--workers is for --engine ray and --engine spark")
    if engine is not Engine.LOCAL or stream or format is ExtractFormat.PARQUET or _has_data_files(files):
        from ..model.stream import Keys
        from .stream import StreamOptions, extract_stream

        keys = Keys(text_key, id_key or "id", id_key is not None)
        options = StreamOptions(keys, part_size, max_errors, overwrite, device)
        if engine is not Engine.LOCAL:
            from .engines import extract_on

            extract_on(
                engine, files, output, format, options, workers, model=model, thresholds=threshold or ()
            )
            return
        extract_stream(files, output, format, options, model=model, thresholds=threshold or ())
        return
    chosen = Output.choose(format, output)
    extract_texts(files, chosen, model=model, thresholds=threshold or (), overwrite=overwrite, device=device)


def _has_data_files(names: list[str]) -> bool:
    from ..model.stream.sources import is_data_file

    return any(is_data_file(name) and not Path(name).is_dir() for name in names)
