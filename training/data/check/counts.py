"""Counts of documents, labels and names, and labels of which there are too few."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from ....model.schema import LabelSchema
from .findings import Finding, LabelRow, Severity
from .part import DEV, TRAIN, View

# Rules of thumb for fine-tuning, not laws: below the first a label is hardly learned (the issue trackers of
# annotation tools and the few-example settings of the literature begin at 5 to 20), below the second its score
# still rises steeply with every new example.
FEW, SOME = 20, 100
FEW_RELATIONS, SOME_RELATIONS = 20, 60
# With n gold items a recall near one half has a 95% interval of ±1.96·√(0.25/n): ±18 points at 30.
MEASURABLE = 30
# A label that is shown by this few names is learned as a list of them.
FEW_NAMES = 4


def totals(views: Sequence[View]) -> dict[str, int]:
    """Return the sizes of one split: documents, paragraphs, words, entities, nested ones, relations, clusters."""
    return {
        "documents": len(views),
        "paragraphs": sum(len(v.lines) for v in views),
        "words": sum(len(line.words) for v in views for line in v.lines),
        "entities": sum(len(v.document.entities) for v in views),
        "entities inside another": sum(sum(v.nested) for v in views),
        "relations": sum(len(v.document.relations) for v in views),
        "coreference clusters": sum(len(v.document.clusters) for v in views),
    }


def label_rows(parts: dict[str, Sequence[View]], schema: LabelSchema) -> list[LabelRow]:
    """Return the counts of every label of the schema in each split, in the order of the schema."""
    entities = {split: Counter[str]() for split in parts}
    names: dict[str, dict[str, set[str]]] = {split: defaultdict(set) for split in parts}
    relations = {split: Counter[str]() for split in parts}
    for split, views in parts.items():
        for view in views:
            for entity, key in zip(view.document.entities, view.keys, strict=True):
                entities[split][entity.label] += 1
                names[split][entity.label].add(key)
            relations[split].update(r.label for r in view.document.relations)
    rows = [
        LabelRow(
            "entity",
            label,
            {split: entities[split][label] for split in parts},
            {split: len(names[split][label]) for split in parts},
        )
        for label in schema.entity_labels
    ]
    rows += [
        LabelRow("relation", label, {split: relations[split][label] for split in parts})
        for label in schema.relation_labels
    ]
    return rows


def few_examples(rows: Sequence[LabelRow]) -> Iterator[Finding]:
    """Yield labels with too few examples to learn from or to measure by.

    Labels of the schema that occur nowhere are one note: data for a new label need not hold the old ones.
    """
    absent = [row.label for row in rows if not any(row.counts.values())]
    if absent:
        message = f"{len(absent)} labels of the schema do not occur: {', '.join(absent)}"
        advice = "fine if the data is not meant to annotate them; say so with a schema of the labels it has"
        yield Finding(Severity.NOTE, "few_examples", message, suggestion=advice)
    for row in rows:
        if row.label not in absent:
            yield from _learned(row)
            if DEV in row.counts:
                yield from _measured(row)


def _learned(row: LabelRow) -> Iterator[Finding]:
    few, some = (FEW, SOME) if row.kind == "entity" else (FEW_RELATIONS, SOME_RELATIONS)
    n, names = row.counts[TRAIN], row.names.get(TRAIN, 0)
    what = f"{row.kind} {row.label}"
    if n < some:
        found = "no example" if n == 0 else "1 example" if n == 1 else f"{n} examples"
        severity = Severity.WARNING if n < few else Severity.NOTE
        effect = "hardly learned" if n < few else "learned unevenly"
        advice = (
            f"annotate at least {few if n < few else some}; isnad select picks the sentences that help most"
        )
        yield _finding(severity, row, f"{what}: {found} to learn from; it will be {effect}", TRAIN, advice)
    if row.names and n >= FEW and names <= FEW_NAMES:
        message = f"{what}: {n} examples but only {names} different names; the model will learn the list"
        yield _finding(Severity.NOTE, row, message, TRAIN, "add sentences with other names")


def _measured(row: LabelRow) -> Iterator[Finding]:
    n = row.counts[DEV]
    if n == 0 and row.counts[TRAIN]:
        message = f"{row.kind} {row.label}: {row.counts[TRAIN]} to learn from, but none to measure by"
        yield _finding(Severity.NOTE, row, message, DEV, "move some documents that hold it")
    elif 0 < n < MEASURABLE:
        spread = round(100 * 1.96 * (0.25 / n) ** 0.5)
        message = f"{row.kind} {row.label}: {n} to measure by; its recall is known to within ±{min(spread, 50)} points"
        yield _finding(Severity.NOTE, row, message, DEV, f"aim at {MEASURABLE} or more")


def _finding(severity: Severity, row: LabelRow, message: str, split: str, suggestion: str) -> Finding:
    return Finding(severity, "few_examples", message, split=split, label=row.label, suggestion=suggestion)
