"""`isnad annotate`: predictions in the formats of annotation tools."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from ..model.document import Document
from ..model.errors import ConfigError, nearest
from ..model.schema import LabelSchema
from .extract import TextSource, find_texts, load_extractor
from .support import progress, refuse_existing, say

# Texts that are scored together; as `isnad extract`.
_BATCH = 8


def annotate_texts(
    names: Sequence[str],
    output: Path,
    *,
    to: str,
    model: str | None = None,
    thresholds: Sequence[str] = (),
    unit: str = "document",
    schema: str | None = None,
    write: Sequence[str] = (),
    overwrite: bool = False,
) -> None:
    """Write what a model finds in texts in the format of an annotation tool; `write`: its options, `key=value`."""
    from ..training.active import annotate, read_texts
    from ..training.active.units import distinct
    from ..training.data.sources import load_schema

    sources = find_texts(names)
    check_output(output, to, sources, overwrite=overwrite)
    options = _checked_options(write, to)
    wanted = load_schema(schema) if schema else None
    extractor = load_extractor(model, thresholds)
    lost: Counter[str] = Counter()
    texts = distinct(chain.from_iterable(read_texts(s.id, s.path) for s in sources))
    documents = annotate(texts, extractor, unit=_kind(unit), lost=lost, batch_size=_BATCH)
    if all(s.path is not None and s.path.suffix != ".jsonl" for s in sources) and unit == "document":
        documents = progress(documents, total=len(sources), what="annotating")
    labels = wanted or extractor.schema
    write_predictions(
        documents, output, to, labels, lost, fitted=wanted is not None, overwrite=overwrite, options=options
    )


def write_predictions(
    documents: Iterable[Document],
    output: Path,
    to: str,
    schema: LabelSchema,
    lost: Counter[str],
    *,
    fitted: bool,
    overwrite: bool = False,
    options: Mapping[str, str] | None = None,
) -> None:
    """Write predictions and say what was written, what the format has no place for, and what was left out.

    Args:
        documents: predictions.
        output: file or folder.
        to: format.
        schema: labels that are annotated.
        lost: what the documents have lost already.
        fitted: whether the labels of the documents may be others than those of the schema.
        overwrite: replace the configuration of the tool too, which writers leave as they find it.
        options: of the format's `write`.
    """
    from ..training.active import add_notes, fit
    from ..training.data import losses, write_documents

    made = [fit(d, schema, lost) if fitted else d for d in documents]
    beside = {
        "label-studio": output.with_name(f"{output.stem}.config.xml"),
        "brat": output / "annotation.conf",
    }
    if overwrite and to in beside:
        beside[to].unlink(missing_ok=True)
    absent = write_documents(made, output, format=to, schema=schema, options=options)
    if to == "brat":
        add_notes(made, output)
        absent = Counter(
            {kind: n for kind, n in absent.items() if kind not in (losses.SCORES, losses.MODELS)}
        )
    entities = sum(len(d.entities) for d in made)
    relations = sum(len(d.relations) for d in made)
    say(
        f"wrote {output}: {len(made):,} texts, {entities:,} entities, {relations:,} relations, none of them checked"
    )
    for what, counts in (("left out", lost), (f"{to} cannot hold", absent)):
        if +counts:
            say(f"{what}: " + "; ".join(f"{n:,} {kind}" for kind, n in sorted((+counts).items())))


def check_output(output: Path, to: str, sources: Sequence[TextSource], *, overwrite: bool) -> None:
    """Refuse an unknown format, an output over inputs, and one that is there already."""
    from ..training.data import FORMATS

    if to not in FORMATS:
        raise ConfigError(f"--to {to!r}; {nearest(to, FORMATS)}")
    inputs = {os.path.realpath(s.path) for s in sources if s.path is not None}
    folders = {os.path.dirname(path) for path in inputs}
    if os.path.realpath(output) in inputs or (to == "brat" and os.path.realpath(output) in folders):
        raise ConfigError(
            f"{output} is an input or a folder of inputs and would be overwritten; choose another -o"
        )
    if not output.is_dir() or any(output.iterdir()):
        refuse_existing([output], overwrite=overwrite)


def _checked_options(items: Sequence[str], to: str) -> dict[str, str]:
    """Return the options of a format; an unknown one is an error before the model has read everything."""
    from ..training.data import FORMATS
    from .convert import format_options

    options, known = format_options(items, "--write"), FORMATS[to].write_options
    for key in options:
        if key not in known:
            accepted = nearest(key, known) if known else f"none, {to} has no options"
            raise ConfigError(f"--write {key}: unknown option of writing {to}; accepted: {accepted}")
    return options


def _kind(unit: str) -> Any:
    """Return the unit for functions whose argument is a Literal; the command line admits no others."""
    return unit
