"""The commands that compare models: `isnad benchmark`, `isnad models`, `isnad compare`; see `app`."""

from pathlib import Path
from typing import Annotated

import typer

from .options import ListFormat, SpanConvention

Registry = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="SQLite file of results. Default: $ISNAD_HOME/registry.sqlite, or isnad/registry.sqlite in the user's "
        "data folder.",
        show_default=False,
    ),
]
Format = Annotated[ListFormat, typer.Option("--format", "-f", help="table or json.")]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(benchmark)
    app.command()(models)
    app.command()(compare)


def benchmark(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL...",
            help="Embedded models, folders, hub names, or ADAPTER:NAME (hf, gliner, stanza, camel).",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data",
            "-d",
            metavar="DATA",
            help="A path, seeds:articles, seeds:authored/dev, or corpus:NAME/PART of configs/data; repeatable.",
        ),
    ] = None,
    config: Annotated[
        str,
        typer.Option(
            "--config",
            "-c",
            metavar="FILE",
            help="Models, data and settings from a YAML file, or a name in configs/benchmark (baselines); what is "
            "typed beside it goes first.",
            show_default=False,
        ),
    ] = "",
    baseline: Annotated[
        str,
        typer.Option(metavar="NAME", help="The others are compared with this model. Default: the first."),
    ] = "",
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Folder of the benchmark.")
    ] = Path("runs/benchmark"),
    convention: Annotated[
        SpanConvention | None,
        typer.Option(
            help="Compare names without proclitics (char) or whole words (word). Default: word for corpora.",
            show_default=False,
        ),
    ] = None,
    flat: Annotated[
        bool | None,
        typer.Option(
            "--flat/--nested",
            help="Compare outermost entities only. Default: as the data is annotated.",
            show_default=False,
        ),
    ] = None,
    maps: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="FILE",
            help="YAML file of `label of the model: label of the data`, or a name in configs/benchmark; repeatable.",
        ),
    ] = None,
    slices: Annotated[
        bool, typer.Option("--slices", help="Score parts of the data too: nested, long, clitics, …")
    ] = False,
    seen: Annotated[
        list[str] | None,
        typer.Option(metavar="DATA", help="With --slices: names in this data count as seen in training."),
    ] = None,
    robustness: Annotated[
        bool, typer.Option("--robustness", help="Score on texts with noise too; takes many times as long.")
    ] = False,
    speed: Annotated[bool, typer.Option("--speed", help="Time the models side by side too.")] = False,
    speed_only: Annotated[
        bool, typer.Option("--speed-only", help="Time the models and nothing else.")
    ] = False,
    rounds: Annotated[int, typer.Option(min=1, help="With --speed: timed rounds.")] = 5,
    curves: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Show these learning curves of isnad curve in the report; repeatable."
        ),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write every result as a small JSON file too, to commit.", show_default=False
        ),
    ] = None,
    skip_missing: Annotated[
        bool, typer.Option("--skip-missing", help="Leave out corpora whose files are not on this machine.")
    ] = False,
    schema: Annotated[
        str,
        typer.Option(
            help="Labels of the data: YAML file, or the name of one in configs/schemas. Default: wojood.",
            show_default=False,
        ),
    ] = "",
    download: Annotated[bool, typer.Option("--download", help="Fetch hub names from the network.")] = False,
    registry: Registry = None,
) -> None:
    """Measure several models on several data sets, with a report to look at.

    The folder gets report.html, the predictions, and every number as JSON.
    Predictions of the same model on the same data with the same code are reused,
    so a run that was cut off goes on where it was.

    \b
    [bold]Examples:[/bold]
      isnad benchmark isnad-small new=runs/b/model --data seeds:authored/dev
      isnad benchmark isnad-small hf:my_bert -d corpus:anercorp/dev --map map.yaml
      isnad benchmark isnad-small runs/seeds/model -d seeds:articles --speed-only
      isnad benchmark --config baselines --skip-missing --store eval/results/benchmark
      isnad benchmark isnad-small -d seeds:authored/dev --curves runs/curve
    """
    from ..eval.benchmark.speed import SpeedSettings
    from .benchmark import benchmark_models, chosen_settings

    settings = chosen_settings(
        config,
        models=tuple(models or ()),
        data=tuple(data or ()),
        baseline=baseline,
        convention=convention.value if convention else None,
        flat=flat,
        maps=tuple(maps or ()),
        schema=schema,
        slices=slices,
        seen=tuple(seen or ()),
        robustness=robustness,
        download=download,
        skip_missing=skip_missing,
    )
    timed = SpeedSettings(rounds=rounds) if speed or speed_only else None
    benchmark_models(
        settings,
        output,
        registry=registry,
        scores=not speed_only,
        speed=timed,
        curves=curves or (),
        store=store,
        config=config,
    )


def models(registry: Registry = None, format: Format = ListFormat.TABLE) -> None:
    """List the models that are known: hashes, revision, and what isnad benchmark measured.

    \b
    [bold]Examples:[/bold]
      isnad models
      isnad models --format json
    """
    from .models import list_models

    list_models(registry, format=format)


def compare(
    a: Annotated[
        str, typer.Argument(metavar="A", help="The model of before: a name or hash of isnad models.")
    ],
    b: Annotated[str, typer.Argument(metavar="B", help="The model that is judged.")],
    data: Annotated[
        str | None, typer.Option("--data", "-d", help="Look at this data only.", show_default=False)
    ] = None,
    alpha: Annotated[float, typer.Option(help="Level of significance.")] = 0.05,
    fail_on_regression: Annotated[
        bool,
        typer.Option("--fail-on-regression", help="Exit with 1 if something is significantly worse in B."),
    ] = False,
    registry: Registry = None,
    format: Format = ListFormat.TABLE,
) -> None:
    """Show what is better or worse in model B than in model A, label by label, with significance.

    Both must have been measured with isnad benchmark on the same data.

    \b
    [bold]Examples:[/bold]
      isnad compare isnad-small new
      isnad compare isnad-small new --data seeds:authored/dev --fail-on-regression
    """
    from .compare import compare_versions

    compare_versions(
        a,
        b,
        data=data,
        registry=registry,
        alpha=alpha,
        fail_on_regression=fail_on_regression,
        format=format,
    )
