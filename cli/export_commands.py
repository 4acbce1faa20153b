"""`isnad export`: a model as graphs that run without torch; see `app`."""

from pathlib import Path
from typing import Annotated

import typer

from .options import Overwrite


def add_commands(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(export)


def export(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Folder, hub name or embedded model.")],
    to: Annotated[str, typer.Option(metavar="FORMAT", help="Format to write: onnx, openvino.")] = "onnx",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FOLDER", help="Default: in this folder, like MODEL-onnx-int8."
        ),
    ] = None,
    int8: Annotated[
        bool,
        typer.Option("--int8", help="Weights in 8 bits: a quarter of the size, faster, a little less exact."),
    ] = False,
    bf16: Annotated[
        bool,
        typer.Option(
            "--bf16", help="With openvino: compute in bf16 on processors that can (AMX, AVX512-BF16)."
        ),
    ] = False,
    calibrate: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DATA",
            help="With openvino and --int8: set the scales of activations on these texts, which makes transformers "
            "half as fast again: seeds:authored/train, or what isnad extract reads; repeatable.",
        ),
    ] = None,
    check: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DATA",
            help="Annotated documents to compare on, in place of those of the repository; repeatable.",
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a model for ONNX Runtime or OpenVINO: it then runs without torch and transformers.

    The export is compared with the model on the same texts: what each finds, the
    largest difference of a probability, F1 and words a second. The numbers are
    printed and kept in export.json. In fp32 an export whose probabilities differ
    by more than 0.001 is not written.

    With ONNX Runtime in 8 bits a score depends a little on the texts that are
    scored with it, so the same text can come out differently alone and among
    others.

    OpenVINO computes in fp32 unless told otherwise with --bf16. Its 8 bits make
    transformers faster, with --calibrate most of all; isnad-small, mostly LSTMs,
    only becomes smaller.

    \b
    [bold]Examples:[/bold]
      isnad export isnad-small
      isnad export runs/final/model --int8 -o small-int8
      isnad export runs/final/model --to openvino
      isnad export runs/bert/model --to openvino --int8 --bf16
      isnad export runs/bert/model --to openvino --int8 --calibrate news.jsonl
      isnad export runs/final/model --check my_brat_folder
      isnad extract article.txt -m small-int8          with ONNX Runtime
      isnad eval small-int8 seeds:authored/dev

    \b
    [bold]What the folder holds:[/bold]
      encode.onnx, mentions.onnx, relations.onnx, coreference.onnx
                       for OpenVINO: an .xml and a .bin of each
      config.json      labels, thresholds, calibration
      tokenizer.json
      export.json      versions, precision, parity and speed
      manifest.json    the SHA-256 of every file, checked at every load

    Writing needs torch, onnx and the runtime, onnxruntime or openvino; running
    needs the runtime, tokenizers and numpy.
    """
    from .export import export_model

    export_model(
        model,
        to=to,
        output=output,
        int8=int8,
        bf16=bf16,
        calibrate=calibrate or (),
        check=check or (),
        overwrite=overwrite,
    )
