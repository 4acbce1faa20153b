"""Annotations that a trained model misses or would change."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from ....model.document import Document, Entity
from .findings import Finding, Severity, at
from .part import View

if TYPE_CHECKING:
    from ....model.inference import Extractor

# Calibrated probabilities. Where annotators left a place out, a model that is right nine times in ten on all
# places is right less often, so that a suspicion must be stronger than an extraction.
SUSPECTED, SURE = 0.9, 0.97


def suspects(
    views: Sequence[View], extractor: "Extractor", labels: Iterable[str], *, batch_size: int = 32
) -> Iterator[tuple[View, list[Finding]]]:
    """Run a model over documents and yield, for each, what it suspects.

    A missing annotation is suspected where the model finds a name with a probability of `SUSPECTED` or more, and
    no entity overlaps it: then the annotator has seen nothing there, and it is no dispute over boundaries. A
    wrong label is suspected where the model has the very span under another label with `SURE`.

    Args:
        views: documents; those without any annotation are passed over.
        extractor: the model.
        labels: what the data annotates. Names of other labels are not missing in it.
        batch_size: number of texts scored together.
    """
    wanted = frozenset(labels) & frozenset(extractor.schema.entity_labels)
    looked_at = [view for view in views if view.document.entities]
    texts = (view.document.text for view in looked_at)
    for view, predicted in zip(looked_at, extractor.pipe(texts, batch_size=batch_size), strict=True):
        yield view, list(_compare(view, predicted, wanted))


def _compare(view: View, predicted: Document, wanted: frozenset[str]) -> Iterator[Finding]:
    gold: dict[tuple[int, int], set[str]] = {}
    for e in view.document.entities:
        gold.setdefault((e.start, e.end), set()).add(e.label)
    reach = -1
    for e in predicted.entities:  # by start, longer first
        if e.label not in wanted or e.score < SUSPECTED:
            continue
        labels = gold.get((e.start, e.end))
        if labels and e.label not in labels and labels <= wanted and e.score >= SURE:
            message = f"{' and '.join(sorted(labels))} here; the model says {e.label} with {e.score:.2f}"
            yield _finding(Severity.NOTE, "suspected_label", message, view, e)
        # A name inside one that is reported anyway would be read twice.
        if not view.covered.touches(e.start, e.end) and e.end > reach:
            reach = e.end
            severity = Severity.WARNING if e.score >= SURE else Severity.NOTE
            message = f"the model finds {e.label} with {e.score:.2f} where nothing is annotated"
            yield _finding(severity, "suspected_missing", message, view, e)


def _finding(severity: Severity, kind: str, message: str, view: View, e: Entity) -> Finding:
    return at(
        severity,
        kind,
        message,
        view.document,
        e.start,
        e.end,
        split=view.split,
        label=e.label,
        suggestion=f"{e.label}, if it is one",
    )
