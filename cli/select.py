"""`isnad select`: the sentences most worth annotating, as text, with reasons, or pre-annotated."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from ..model.document import Document
from ..model.errors import ConfigError, DataError
from ..model.schema import LabelSchema
from .annotate import check_output, write_predictions
from .extract import TextSource, find_texts, load_extractor
from .support import console, quiet, refuse_existing, say, whole_file

if TYPE_CHECKING:
    from ..model.inference import Extractor
    from ..training.active import Choice, Criterion, PieceVectors, Selection, Settings, Unit

# Paragraphs from the beginning of the stream that show what words are ordinary.
_CENTRE = 300
# Choices shown on the screen where no output is named.
_LISTED = 20


@dataclass(frozen=True)
class Wanted:
    """What `isnad select` was asked for beside numbers.

    Attributes:
        labels: entity and relation types, comma-separated in each.
        examples: `LABEL=name,name` each.
        known: sources that are annotated already.
        schema: file or name of the schema that describes labels which the model does not know.
    """

    labels: Sequence[str] = ()
    examples: Sequence[str] = ()
    known: Sequence[str] = ()
    schema: str | None = None


def select_texts(
    names: Sequence[str],
    output: Path | None,
    settings: "Settings",
    wanted: Wanted,
    *,
    to: str | None = None,
    model: str | None = None,
    overwrite: bool = False,
) -> None:
    """Choose the sentences most worth annotating and write them, plain, as JSON lines, or pre-annotated."""
    from ..training.active import read_passages, select

    sources = find_texts(names)
    _check_choice(output, to, sources, overwrite=overwrite)
    quiet()
    stream = chain.from_iterable(read_passages(s.id, s.path) for s in sources)
    first = list(islice(stream, _CENTRE))
    chooser = _Chooser.prepare(settings, wanted, model, [passage.text for passage in first])
    selection = select(
        chain(first, stream),
        chooser.criteria,
        settings,
        reader=chooser.reader,
        vectors=chooser.vectors,
        known=chooser.known,
    )
    if not selection.choices:
        raise DataError(
            f"nothing to choose from: {_passed_over(selection)}", accepted="texts with sentences in Arabic"
        )
    units = [choice.unit for choice in selection.choices]
    if to is not None and output is not None:
        predicted = _predict(units, model)
        write_predictions(predicted, output, to, chooser.schema, Counter(), fitted=True, overwrite=overwrite)
    elif output is None:
        _show(selection)
    else:
        with whole_file(output) as place, place.open("w", encoding="utf-8", newline="") as file:
            plain = output.suffix == ".txt"
            rows = (" ".join(u.text.split()) for u in units) if plain else _json_lines(selection)
            file.writelines(f"{row}\n" for row in rows)
        say(f"wrote {output}: {len(units):,} texts")
    _tell(selection)


def _check_choice(
    output: Path | None, to: str | None, sources: Sequence[TextSource], *, overwrite: bool
) -> None:
    if to is not None:
        if output is None:
            raise ConfigError(f"--to {to} writes files; name them with -o")
        check_output(output, to, sources, overwrite=overwrite)
    elif output is not None:
        if output.suffix not in (".jsonl", ".txt"):
            raise ConfigError(
                f"-o {output}; accepted: a name that ends in .jsonl (texts with reasons) or .txt (texts alone), or "
                "--to with the format of an annotation tool"
            )
        if os.path.realpath(output) in {os.path.realpath(s.path) for s in sources if s.path is not None}:
            raise ConfigError(f"{output} is an input and would be overwritten; choose another -o")
        refuse_existing([output], overwrite=overwrite)


@dataclass(frozen=True)
class _Chooser:
    """What a choice needs, loaded as far as it needs it."""

    criteria: "list[Criterion]"
    schema: LabelSchema
    known: list[str]
    reader: "Extractor | None"
    vectors: "PieceVectors | None"

    @classmethod
    def prepare(
        cls, settings: "Settings", wanted: Wanted, model: str | None, ordinary: Sequence[str]
    ) -> "_Chooser":
        from ..model.configuration import IsnadConfig
        from ..model.inference import Extractor
        from ..model.store import resolve
        from ..training.active import FLOOR, PieceVectors, build_criteria, thresholds
        from ..training.active.labels import parse_examples, unknown_labels
        from ..training.data.sources import load_schema

        config = IsnadConfig.from_pretrained(resolve(model), local_files_only=True)
        schema = config.schema()
        described = load_schema(wanted.schema) if wanted.schema else None
        labels = [label.strip() for value in wanted.labels for label in value.split(",") if label.strip()]
        documents, known = _known(wanted.known, described or schema, described is not None)
        new = unknown_labels(labels, schema)
        vectors = PieceVectors.from_pretrained(model) if new or settings.by != "uncertainty" else None
        if vectors is not None:
            vectors.centre(ordinary)
        criteria = build_criteria(
            labels,
            schema,
            thresholds(config, schema),
            by=settings.by,
            seed=settings.seed,
            vectors=vectors,
            wanted=described,
            examples=parse_examples(wanted.examples),
            known=documents,
        )
        reads = any(criterion.reads for criterion in criteria)
        reader = Extractor.from_pretrained(model, thresholds=FLOOR) if reads else None
        return cls(criteria, described or schema, known, reader, vectors)


def _known(names: Sequence[str], schema: LabelSchema, described: bool) -> tuple[list[Document], list[str]]:
    from ..training.active.known import load_known

    try:
        return load_known(names, schema)
    except DataError as error:
        if described or "unknown entity type" not in str(error):
            raise
        raise DataError(f"{error}; labels that the model does not know are named by --schema") from error


def _predict(units: "Sequence[Unit]", model: str | None) -> Iterator[Document]:
    from ..training.active.units import distinct

    extractor = load_extractor(model, ())
    return extractor.pipe(distinct((u.id, u.text) for u in units), batch_size=32)


def _json_lines(selection: "Selection") -> Iterator[str]:
    from ..training.data.exchange import dump_json

    return (dump_json(choice.to_dict()) for choice in selection.choices)


def _show(selection: "Selection") -> None:
    """Print the first choices as a table."""
    from rich.table import Table

    from ..model.render.table import Cell

    table = Table(title=f"worth annotating ({len(selection.choices)})", title_justify="left")
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("why", ratio=1)
    table.add_column("text", ratio=2)
    for choice in selection.choices[:_LISTED]:
        table.add_row(f"{choice.score:.3f}", Cell(_why(choice)), Cell(choice.unit.text))
    console().print(table)
    if len(selection.choices) > _LISTED:
        console().print(
            f"and {len(selection.choices) - _LISTED} more; write all of them with -o chosen.jsonl"
        )


def _why(choice: "Choice") -> str:
    if choice.by == "similarity":
        return f"{choice.label}: {choice.detail['found']} is like {choice.detail['like']}"
    if choice.by == "diversity":
        return "unlike the others"
    doubts = (f"{d['text']} {d['label']} {d['score']:.2f}" for d in choice.detail["decisions"][:3])
    return f"{choice.detail['expected_errors']:.1f} errors expected: " + "; ".join(doubts)


def _tell(selection: "Selection") -> None:
    """Say on standard error what was passed over, and how the chosen ones compare with all."""
    say(f"looked at {_passed_over(selection)}")
    scores: dict[str, list[float]] = {}
    for choice in selection.choices:
        scores.setdefault(choice.label or choice.by, []).append(choice.score)
    for name, found in scores.items():
        mean, all_ = sum(found) / len(found), selection.mean[name]
        if name == "uncertainty":
            times = f", {mean / all_:.1f} times the mean of all" if all_ else ""
            say(f"chose {len(found):,} by uncertainty: {mean:.3f} wrong decisions expected a word{times}")
        elif name == "diversity":
            say(f"chose {len(found):,} by diversity, from a sample of all")
        else:
            say(
                f"chose {len(found):,} for {name}: likeness {min(found):.2f} to {max(found):.2f}, "
                f"mean of all {all_:.2f}"
            )


def _passed_over(selection: "Selection") -> str:
    counts = selection.counts
    kinds = ("too short", "too long", "not Arabic", "nothing found", "near-duplicates", "annotated already")
    seen = sum(counts[kind] for kind in ("units", "too short", "too long", "not Arabic"))
    return "; ".join([f"{seen:,} texts", *(f"{counts[k]:,} {k}" for k in kinds if counts[k])])
