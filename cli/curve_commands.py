"""The command that shows what more training data is worth: `isnad curve`; see `app`."""

from pathlib import Path
from typing import Annotated

import typer

from .options import Settings


def add_commands(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(curve)


def curve(
    config: Annotated[
        str,
        typer.Option(
            "--config", "-c", help="Training configuration: YAML file, or a name in configs/finetune."
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Folder of the curve, and of the runs.")
    ] = Path("runs/curve"),
    sizes: Annotated[
        str,
        typer.Option(
            metavar="N,N,…",
            help="Training documents: numbers (50,100,200), shares (10%,50%), all.",
        ),
    ] = "12.5%,25%,50%,all",
    seeds: Annotated[str, typer.Option(metavar="N,N,…", help="One run each for every size.")] = "1,2,3",
    system: Annotated[str, typer.Option(help="joint, or one of the baselines flat and crf.")] = "joint",
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            "-d",
            metavar="DATA",
            help="What is scored: a path, seeds:articles and the like. Default: data.dev of the configuration.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str, typer.Option(help="What the curve is called. Default: the name in the configuration.")
    ] = "",
    show: Annotated[
        list[str] | None,
        typer.Option(metavar="LABEL", help="Print F1 of this entity or relation type too; repeatable."),
    ] = None,
    settings: Settings = None,
) -> None:
    """Train on growing parts of the training documents and show how the scores grow.

    For each seed the documents are shuffled once, and a larger part holds the smaller ones.
    A run that was cut off goes on where it was; more sizes and seeds can be added later.
    The folder gets learning_curves.json, which isnad benchmark --curves puts into its report.

    \b
    [bold]Examples:[/bold]
      isnad curve -c authored -o runs/curve --sizes 25,50,100,all
      isnad curve -c mine.yaml --sizes 50,100,200,400 --show WEAPON --show SANCTION
      isnad curve -c crf --system crf -o runs/curve --sizes 25,50,100,all
      isnad benchmark isnad-small -d seeds:authored/dev --curves runs/curve
    """
    from .curve import draw_curve

    draw_curve(
        config,
        output,
        sizes=sizes,
        seeds=seeds,
        system=system,
        data=data,
        name=name,
        show=show or (),
        settings=settings or (),
    )
