"""The command that trains: `isnad train`; see `app`."""

from pathlib import Path
from typing import Annotated

import typer

from .options import Settings


def add_commands(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(train)


def train(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder of the run.")],
    config: Annotated[
        str | None,
        typer.Option(
            "--config", "-c", help="YAML file, or the name of one in configs/finetune.", show_default=False
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the newest complete checkpoint in the folder.")
    ] = False,
    system: Annotated[str, typer.Option(help="joint, or the baselines flat and crf.")] = "joint",
    base: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL", help="Extend this model: a folder, or an embedded model.", show_default=False
        ),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data",
            "-d",
            metavar="NEW",
            help="With --base: annotated documents, in any format of isnad convert; repeatable.",
        ),
    ] = None,
    dev: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DEV", help="With --base: to measure on. Default: a part of NEW is kept for it."
        ),
    ] = None,
    schema: Annotated[
        str | None,
        typer.Option(
            metavar="YAML",
            help="With --base: the labels to end with; the file may extend another.",
            show_default=False,
        ),
    ] = None,
    annotates: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABEL,…",
            help="With --base: labels that NEW marks wherever they occur. Default: found out from NEW.",
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            metavar="full|head|lora",
            help="Train everything, all but the encoder, or low-rank factors. Default: by the amount of data.",
            show_default=False,
        ),
    ] = None,
    allow_forgetting: Annotated[
        bool, typer.Option("--allow-forgetting", help="With --base: do not fail if old labels get worse.")
    ] = False,
    learning_curve: Annotated[
        bool,
        typer.Option(
            "--learning-curve", help="With --base: train on a quarter and on half of NEW too, and compare."
        ),
    ] = False,
    settings: Settings = None,
) -> None:
    """Fine-tune a model on annotated documents, or teach a trained model new labels.

    The folder gets checkpoints, the tracker's file and at the end [bold]model/[/bold],
    with weights, metrics.json and training.yaml; what is there is complete.

    \b
    [bold]Examples:[/bold]
      isnad train --config configs/finetune/seeds.yaml -o runs/seeds
      isnad train -c seeds -o runs/short --set epochs=3 --set tracker=none
      isnad train -c seeds -o runs/seeds --resume

    \b
    [bold]New labels:[/bold] write the labels that change, and what they extend
      name: arms
      extends: wojood
      entities:
        - {name: WEAPON, en: Weapon or ammunition, ar: سلاح أو ذخيرة}
      isnad train --base isnad-small --data mine.jsonl --schema arms.yaml -o runs/arms

    In NEW only the labels that it marks are learned; of all others nothing is
    concluded. A label with [bold]from: OLD[/bold] takes the place of an old one (renamed), of
    several (merged) or one of its parts (split); labels under [bold]removed:[/bold] go.
    Afterwards every old label is measured against the base model, the tables go to
    forgetting.json, and the exit code is 1 if one lost more than chance explains.
    """
    if base is None:
        given: dict[str, object] = {
            "--data": data,
            "--dev": dev,
            "--schema": schema,
            "--annotates": annotates,
        }
        given |= {"--allow-forgetting": allow_forgetting, "--learning-curve": learning_curve}
        for option, value in given.items():
            if value:
                raise typer.BadParameter(f"{option} goes with --base; without it the configuration says so")
        if config is None:
            raise typer.BadParameter("name a configuration with --config, or a model to extend with --base")
        from .train import train_model

        also = [f"method={method}"] if method else []
        train_model(config, output, [*also, *(settings or ())], system=system, resume=resume)
        return
    if system != "joint":
        raise typer.BadParameter(f"--system {system} with --base; only the joint model can be extended")
    from .extend_train import extend_model, extension_settings

    chosen = extension_settings(
        base,
        config=config,
        data=data or (),
        dev=dev or (),
        schema=schema,
        annotates=annotates or (),
        method=method,
        settings=settings or (),
    )
    extend_model(
        chosen, output, allow_forgetting=allow_forgetting, learning_curve=learning_curve, resume=resume
    )
