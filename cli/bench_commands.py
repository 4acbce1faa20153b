"""`isnad bench`: how fast models are, beside the transformers pipeline and other libraries; see `app`."""

from pathlib import Path
from typing import Annotated

import typer

_LIST = "Comma-separated."


def add_commands(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(bench)


def bench(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL...",
            help="Embedded models or folders. Default: the embedded model.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data",
            "-d",
            metavar="DATA",
            help="Texts to time on: a path, seeds:articles, seeds:authored/dev; repeatable. Default: seeds:articles.",
            show_default=False,
        ),
    ] = None,
    against: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Whom to run beside: transformers (its pipeline on the same encoder), stanza, spacy, gliner, camel; "
            "LIBRARY:MODEL chooses a model. " + _LIST,
        ),
    ] = "transformers",
    backends: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="torch, onnx, onnx-int8, openvino, openvino-int8, openvino-int8-static, or with -bf16 behind it; "
            "exported for the run. " + _LIST,
        ),
    ] = "torch,onnx,onnx-int8",
    encoder_config: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SIZE",
            help="Also time a model of random weights on an encoder of this size: bert-tiny, bert-mini, bert-small, "
            "bert-medium, bert-base; repeatable.",
            show_default=False,
        ),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Timed rounds, interleaved.")] = 5,
    starts: Annotated[int, typer.Option(min=1, help="Fresh processes of each contestant.")] = 3,
    words: Annotated[int, typer.Option(min=1, help="Words of one round, about.")] = 5000,
    lengths: Annotated[
        str, typer.Option(metavar="N,…", help="Words of the one text that grows; empty to leave it out.")
    ] = "1000,3000,10000,30000,100000",
    labels: Annotated[
        str, typer.Option(metavar="N,…", help="Numbers of entity types; empty to leave them out.")
    ] = "5,20,80",
    limit: Annotated[
        float, typer.Option(min=1, help="Leave out longer texts that would take more seconds than this.")
    ] = 900,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:NUMBER.")] = "cpu",
    seed: Annotated[int, typer.Option(help="Of the texts that are made and of intervals.")] = 0,
    download: Annotated[
        bool, typer.Option("--download", help="Libraries may fetch their models from the network.")
    ] = False,
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="FOLDER", help="Folder for bench.json and the report bench.html."
        ),
    ] = Path("runs/bench"),
) -> None:
    """Measure speed and memory side by side, in one run.

    Every contestant runs in a process of its own, one works at a time, and rounds
    are interleaved. The pipeline of transformers gets the model's own encoder and
    paragraphs in a list, with batches of 1 (its default), 8 and 32. A contestant that
    fails is noted with its error; a run that was cut off goes on where it was.

    Threads: set OMP_NUM_THREADS for all contestants alike. Leave the machine alone
    meanwhile; its load is stored with the result.

    \b
    [bold]Examples:[/bold]
      isnad bench
      isnad bench isnad-small --backends torch,onnx,onnx-int8,openvino,openvino-int8
      isnad bench --encoder-config bert-base --against transformers,stanza,spacy
      isnad bench --lengths 1000,10000,100000,1000000 -o runs/long
    """
    from .bench import bench_models

    bench_models(
        models or (),
        data=data or (),
        against=against,
        backends=backends,
        encoder_configs=encoder_config or (),
        rounds=rounds,
        starts=starts,
        words=words,
        lengths=lengths,
        labels=labels,
        limit=limit,
        device=device,
        seed=seed,
        download=download,
        output=output,
    )
