"""Scores of flat predictions as the field reports them: seqeval in strict IOB2 mode over whole words."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from ...model.document import Document
from ...model.errors import DataError, ModelError
from ...model.schema import LabelSchema
from .iob2 import OUTSIDE, Losses, tag, word_span


def flat_scores(
    gold: Sequence[Document], predicted: Sequence[Document], schema: LabelSchema
) -> dict[str, Any]:
    """Return precision, recall and F1 of outermost entities over whole words, proclitics included.

    Nested predictions are reduced to their outermost entities like gold. An entity that tags cannot write
    stands in a sequence of its own, so it is not missing from the counts.

    Args:
        gold: annotated documents.
        predicted: predictions for the same texts, in the same order.
        schema: every label must be one of its entity types.

    Returns:
        `{"labels": {label: scores}, "micro": scores, "macro": scores, "weighted": scores}` with scores
        `{"precision", "recall", "f1", "support"}`, fractions in [0, 1] and numbers of gold entities.
        Averages are over the labels that occur in gold or predictions.

    Raises:
        DataError: another number of documents, or another text.
        ModelError: seqeval is not installed.
        SchemaError: a label that the schema lacks.
    """
    try:
        from seqeval.metrics.v1 import classification_report
        from seqeval.scheme import IOB2
    except ImportError as error:
        raise ModelError(
            "flat scores need seqeval, which is not installed; pip install isnad[eval]"
        ) from error
    wanted, found = _sequences(gold, predicted, schema)
    labels = {t[2:] for row in (*wanted, *found) for t in row if t != OUTSIDE}
    names = [label for label in schema.entity_labels if label in labels]
    if not names:
        nothing = {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}
        return {"labels": {}, **{kind: dict(nothing) for kind in ("micro", "macro", "weighted")}}

    with warnings.catch_warnings():
        # seqeval's own use of numpy; nothing that a reader of scores could act on.
        warnings.simplefilter("ignore")
        report = classification_report(wanted, found, scheme=IOB2, zero_division=0, output_dict=True)
    return {
        "labels": {name: _plain(report[name]) for name in names},
        **{kind: _plain(report[f"{kind} avg"]) for kind in ("micro", "macro", "weighted")},
    }


def _plain(row: Mapping[str, Any]) -> dict[str, float | int]:
    return {
        "precision": float(row["precision"]),
        "recall": float(row["recall"]),
        "f1": float(row["f1-score"]),
        "support": int(row["support"]),
    }


def _sequences(
    gold: Sequence[Document], predicted: Sequence[Document], schema: LabelSchema
) -> tuple[list[list[str]], list[list[str]]]:
    """Return the tags of gold and of predictions, sequence by sequence of the same words."""
    if len(gold) != len(predicted):
        raise DataError(
            f"{len(gold)} gold and {len(predicted)} predicted documents",
            accepted="one prediction for each gold document, in the same order",
        )
    wanted: list[list[str]] = []
    found: list[list[str]] = []
    for a, b in zip(gold, predicted, strict=True):
        if a.text != b.text:
            raise DataError(
                f"gold document {a.id!r} and predicted document {b.id!r} differ in their text",
                accepted="predictions for the same texts, in the same order",
            )
        for e in (*a.entities, *b.entities):
            schema.check_entity(e.label)
        left, right = Losses(), Losses()
        wanted += [list(p.tags) for p in tag(a, left)]
        found += [list(p.tags) for p in tag(b, right)]
        unwritten = [
            {(*word_span(a.text, e), e.label) for _, e in side.unreachable} for side in (left, right)
        ]
        for key in sorted(unwritten[0] | unwritten[1]):
            for side, rows in zip(unwritten, (wanted, found), strict=True):
                rows.append([f"B-{key[2]}" if key in side else OUTSIDE])
    return wanted, found
