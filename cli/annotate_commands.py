"""The commands of the annotation loop: `isnad annotate` and `isnad select`; see `app`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .options import Model, Overwrite


class TextUnit(StrEnum):
    """What becomes a document of its own."""

    DOCUMENT = "document"
    PARAGRAPH = "paragraph"
    SENTENCE = "sentence"


class ChoiceUnit(StrEnum):
    """What is chosen."""

    SENTENCE = "sentence"
    PARAGRAPH = "paragraph"


class ChoiceBy(StrEnum):
    """What makes a sentence worth annotating."""

    UNCERTAINTY = "uncertainty"
    DIVERSITY = "diversity"
    BOTH = "both"


Texts = Annotated[
    list[str],
    typer.Argument(
        metavar="TEXT...",
        help='Text files in UTF-8, folders of .txt, .jsonl with {"text": …} a line, or - for standard input.',
    ),
]
Schema = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Labels that are annotated, if not those of the model: YAML file, or a name in configs/schemas.",
        show_default=False,
    ),
]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(annotate)
    app.command()(select)


def annotate(
    texts: Texts,
    to: Annotated[
        str,
        typer.Option(
            metavar="FORMAT",
            help="label-studio, doccano, brat, inline, prodigy, jsonl, …: see isnad convert.",
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT", help="File or folder to write.")],
    model: Model = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            metavar="P|LABEL=P",
            help="Pre-annotate what is at least this probable: 0.3 for all labels, PERS=0.7 for one; repeatable. "
            "Default: what the model was calibrated to.",
        ),
    ] = None,
    unit: Annotated[
        TextUnit,
        typer.Option(help="One task a document, paragraph or sentence; the model always reads it all."),
    ] = TextUnit.DOCUMENT,
    schema: Schema = None,
    write: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Option of the format, as of isnad convert; repeatable."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Pre-annotate texts with a model, for correction in an annotation tool.

    Scores are kept where the format has a place for them: label-studio gets
    predictions with scores, the model's name as their version, and a labelling
    configuration FILE.config.xml beside them; brat gets notes. What a format
    cannot hold is counted and said. The corrected file is read as it is: see
    isnad train.

    \b
    [bold]Examples:[/bold]
      isnad annotate articles/ --to label-studio -o tasks.json
      isnad annotate articles/ --to doccano -o tasks.jsonl --unit paragraph
      isnad annotate articles/ --to doccano -o spans.jsonl --write layout=labels
      isnad annotate chosen.jsonl --to brat -o brat/ --threshold 0.3
      isnad annotate chosen.jsonl --to inline -o chosen.txt --schema my.yaml
    """
    from .annotate import annotate_texts

    annotate_texts(
        texts,
        output,
        to=to,
        model=model,
        thresholds=threshold or (),
        unit=unit.value,
        schema=schema,
        write=write or (),
        overwrite=overwrite,
    )


def select(
    texts: Texts,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Sentences to choose.")] = 100,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            help="*.jsonl (texts with reasons), *.txt (texts alone), or what --to says. Default: a table.",
            show_default=False,
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT", help="Write the choice pre-annotated, as isnad annotate.", show_default=False
        ),
    ] = None,
    model: Model = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABEL,…",
            help="Only decisions on these labels count. A label that the model does not know is looked for by likeness "
            "to its examples and description. Default: all entity types of the model.",
            show_default=False,
        ),
    ] = None,
    example: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABEL=NAME,…",
            help="Names of a label that the model does not know; repeatable.",
            show_default=False,
        ),
    ] = None,
    by: Annotated[
        ChoiceBy,
        typer.Option(
            help="Where errors are expected, where little is covered, or where errors are and differ."
        ),
    ] = ChoiceBy.BOTH,
    known: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DATA",
            help="Annotated documents, or an earlier choice: not chosen again; their names are examples. Repeatable.",
            show_default=False,
        ),
    ] = None,
    schema: Schema = None,
    unit: Annotated[ChoiceUnit, typer.Option(help="What is chosen.")] = ChoiceUnit.SENTENCE,
    shortest: Annotated[int, typer.Option(min=1, help="Words of the shortest text chosen.")] = 5,
    longest: Annotated[int, typer.Option(min=1, help="Words of the longest text chosen.")] = 100,
    pool: Annotated[
        int,
        typer.Option(
            min=0, help="Candidates kept in memory. Default: ten times --count.", show_default=False
        ),
    ] = 0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same choice.")] = 1,
    overwrite: Overwrite = False,
) -> None:
    """Choose the sentences most worth annotating from texts of any size.

    Uncertainty is the number of wrong decisions that the model's calibrated
    probabilities let expect, for each word to be read. Diversity spreads the
    choice over what the sentences are about. Near-duplicates are chosen once,
    and what --known holds is left out. Half of the choice goes to each label if
    two are new to the model, and so on.

    \b
    [bold]Examples:[/bold]
      isnad select articles/ -n 20                    a table
      isnad select news.txt -n 200 -o chosen.jsonl --known done.json
      isnad select news.txt -o tasks.json --to label-studio --labels GPE,LOC
      isnad select news.txt -n 100 -o chosen.jsonl --labels WEAPON --example WEAPON=صاروخ,دبابة
      isnad select news.txt -n 100 -o chosen.jsonl --labels WEAPON,SANCTION --schema my.yaml
    """
    from ..training.active import Settings
    from .select import Wanted, select_texts

    settings = Settings(
        count=count,
        by=by.value,
        unit=unit.value,
        pool=pool,
        shortest=shortest,
        longest=longest,
        seed=seed,
    )
    wanted = Wanted(tuple(labels or ()), tuple(example or ()), tuple(known or ()), schema)
    select_texts(texts, output, settings, wanted, to=to, model=model, overwrite=overwrite)
