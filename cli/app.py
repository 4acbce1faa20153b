"""The `isnad` command: one thin function a command; what they do stands in the modules beside this one.

Nothing heavy is imported before a command runs, so that `isnad --help` answers at once.
"""

from pathlib import Path
from typing import Annotated

import typer

from .. import __version__
from .benchmark_commands import add_commands
from .options import ExtractFormat, ReportFormat, SpanConvention
from .support import EXIT_CODES, Commands, use_utf8

app = typer.Typer(
    name="isnad",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
)

Model = Annotated[
    str | None,
    typer.Option("--model", "-m", help="Folder of a model, a hub name, or an embedded model (the default)."),
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


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"isnad {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Nested entities, relations and coreference from Arabic text, with exact character offsets.

    \b
    [bold]Start here:[/bold]
      isnad extract article.txt                   entities, relations, clusters
      cat article.txt | isnad extract - -f json   the same as JSON
      isnad info                                  what the model knows

    Every command explains itself: isnad extract --help
    """
    use_utf8()


@app.command()
def extract(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...", help="Text files in UTF-8, folders of .txt, or - for standard input."
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
) -> None:
    """Find entities, relations and coreference in Arabic texts.

    \b
    [bold]Examples:[/bold]
      isnad extract article.txt
      isnad extract articles/ -o out -f brat      .txt and .ann for each text
      isnad extract articles/ -o out/page.html    one page for any browser
      cat article.txt | isnad extract - -f json   JSON on standard output
      isnad extract article.txt --threshold 0.5 --threshold PERS=0.7

    \b
    [bold]Formats:[/bold]
      table   for the screen
      json    an object (an array for several texts); in a folder a file each
      jsonl   one object a line
      brat    standoff annotation; in a folder with a copy of the text
      html    one page with all texts
      csv     one row a mention; in a folder with relations.csv

    Offsets count the code points of the file as it is, its line ends and byte
    order mark included. Files appear when all of them are complete, and inputs
    are never overwritten.
    """
    from .extract import extract_texts
    from .output import Output

    chosen = Output.choose(format, output)
    extract_texts(files, chosen, model=model, thresholds=threshold or (), overwrite=overwrite)


@app.command()
def train(
    config: Annotated[
        str, typer.Option("--config", "-c", help="YAML file, or the name of one in configs/finetune.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder of the run.")],
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the newest complete checkpoint in the folder.")
    ] = False,
    system: Annotated[str, typer.Option(help="joint, or the baselines flat and crf.")] = "joint",
    settings: Settings = None,
) -> None:
    """Fine-tune a model on annotated documents.

    The folder gets checkpoints, the tracker's file and at the end [bold]model/[/bold],
    with weights, metrics.json and training.yaml; what is there is complete.

    \b
    [bold]Examples:[/bold]
      isnad train --config configs/finetune/seeds.yaml -o runs/seeds
      isnad train -c seeds -o runs/short --set epochs=3 --set tracker=none
      isnad train -c seeds -o runs/seeds --resume
    """
    from .train import train_model

    train_model(config, output, settings or (), system=system, resume=resume)


@app.command("eval")
def evaluate(
    model: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="Folder, hub name or embedded model.", show_default=False),
    ] = None,
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="Annotated documents: a path, seeds:articles, seeds:authored/train, seeds:authored/dev.",
            show_default=False,
        ),
    ] = None,
    format: Annotated[
        ReportFormat | None,
        typer.Option(
            "--format", "-f", help="Default: table, or what the name after -o ends in.", show_default=False
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Write the report here; with --leave-one-out a folder."
        ),
    ] = None,
    convention: Annotated[
        SpanConvention, typer.Option(help="Compare names without proclitics (char) or whole words (word).")
    ] = SpanConvention.CHAR,
    flat: Annotated[bool, typer.Option("--flat", help="Compare outermost entities only.")] = False,
    leave_one_out: Annotated[
        bool, typer.Option("--leave-one-out", help="Train once for each of the five articles and predict it.")
    ] = False,
    system: Annotated[
        str, typer.Option(help="With --leave-one-out: joint, or one of the baselines flat and crf.")
    ] = "joint",
    config: Annotated[
        str, typer.Option("--config", "-c", help="With --leave-one-out: the training configuration.")
    ] = "articles",
    settings: Settings = None,
    overwrite: Overwrite = False,
) -> None:
    """Measure a model on annotated documents: spans, relations, coreference, with 95% intervals.

    \b
    [bold]Examples:[/bold]
      isnad eval runs/seeds/model seeds:authored/dev
      isnad eval isnad-small my_brat_folder --format markdown -o report.md
      isnad eval --leave-one-out -c configs/finetune/articles.yaml -o runs/loo
    """
    from .eval import evaluate_leave_one_out, evaluate_model

    if leave_one_out:
        if model is not None or data is not None:
            raise typer.BadParameter("--leave-one-out trains its own models; leave MODEL and DATA out")
        folder = output or Path("runs/leave-one-out")
        evaluate_leave_one_out(config, folder, settings or (), system=system, format=format)
        return
    if model is None or data is None:
        raise typer.BadParameter("name MODEL and DATA, or pass --leave-one-out")
    evaluate_model(
        model, data, format=format, output=output, convention=convention, flat=flat, overwrite=overwrite
    )


@app.command()
def info(
    model: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="Folder, hub name or embedded model.", show_default=False),
    ] = None,
) -> None:
    """Show what a model is: labels, sizes, thresholds, training, measured scores, integrity of its files.

    \b
    [bold]Examples:[/bold]
      isnad info                   the embedded model
      isnad info runs/seeds/model
    """
    from .info import show_model

    show_model(model)


@app.command()
def average(
    models: Annotated[
        list[Path], typer.Argument(metavar="MODEL…", help="Model folders of runs that differ in their seeds.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FOLDER", help="Folder of the result.")],
) -> None:
    """Average the weights of several trainings of one configuration into one model.

    \b
    [bold]Examples:[/bold]
      isnad average runs/a/model runs/b/model -o runs/mean
    """
    from .average import average_models

    average_models(models, output)


@app.command()
def convert(
    source: Annotated[str, typer.Argument(metavar="IN", help="A path, or seeds:articles and the like.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="File or folder to write.")],
    to: Annotated[str, typer.Option(help="brat (a folder), inline or jsonl (a file).")],
    from_: Annotated[
        str | None, typer.Option("--from", help="Format of IN; found out from the files if absent.")
    ] = None,
    schema: Annotated[
        str, typer.Option(help="Label schema: YAML file, or the name of one in configs/schemas.")
    ] = "wojood",
    overwrite: Overwrite = False,
) -> None:
    """Convert annotated documents between formats, checking them on the way.

    \b
    [bold]Examples:[/bold]
      isnad convert seeds/articles articles.jsonl --to jsonl
      isnad convert articles.jsonl my_brat_folder --to brat
    """
    from .convert import convert_documents

    convert_documents(source, target, to=to, from_=from_, schema=schema, overwrite=overwrite)


add_commands(app)


def main() -> None:
    """Run the command line; the entry point `isnad`."""
    app(prog_name="isnad")
