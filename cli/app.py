"""The `isnad` command: one thin function a command; what they do stands in the modules beside this one.

Nothing heavy is imported before a command runs, so that `isnad --help` answers at once.
"""

from pathlib import Path
from typing import Annotated

import typer

from .. import __version__
from .annotate_commands import add_commands as add_annotation
from .bench_commands import add_commands as add_bench
from .benchmark_commands import add_commands
from .convert_commands import add_commands as add_convert
from .curve_commands import add_commands as add_curve
from .data_commands import add_commands as add_data
from .export_commands import add_commands as add_export
from .extract_commands import add_commands as add_extract
from .options import ModelArgument, Overwrite, ReportFormat, Settings, SpanConvention
from .support import EXIT_CODES, Commands, use_utf8
from .train_commands import add_commands as add_train

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


add_extract(app)
add_train(app)


@app.command("eval")
def evaluate(
    model: ModelArgument = None,
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
    model: ModelArgument = None,
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


add_commands(app)
add_bench(app)
add_convert(app)
add_export(app)
add_annotation(app)
add_curve(app)
add_data(app)


def main() -> None:
    """Run the command line; the entry point `isnad`."""
    app(prog_name="isnad")
