"""Old documents as base model and extended model read them, in labels that both have."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ..model.document import Document
from ..model.inference import Extractor
from ..model.schema import LabelSchema
from .extend import Extension
from .extend_data import restrict
from .relabel import common_labels, relabel


@dataclass(frozen=True)
class OldReadings:
    """Old development documents in the labels that both models have.

    Attributes:
        schema: these labels.
        gold, before, after: the annotation, and what base model and extended model find.
        replaced: by label, how many gold mentions now carry which new label.
    """

    schema: LabelSchema
    gold: tuple[Document, ...]
    before: tuple[Document, ...]
    after: tuple[Document, ...]
    replaced: dict[str, dict[str, int]]


def read_old(extension: Extension, extended: Extractor) -> OldReadings:
    """Run both models on the old development documents.

    Labels that are not annotated in a document are looked at in no reading of it: they are unknown there.
    """
    changes, base = extension.changes, extension.extractor
    common = common_labels(base.schema, extension.schema, changes)
    kept: tuple[list[Document], list[Document], list[Document]] = ([], [], [])
    replaced: dict[str, Counter[str]] = {}
    for known in extension.old:
        # A common label counts where all old labels behind it are annotated.
        unknown = {common.old[o][0] for o in common.old if o not in known.labels}
        names = {*common.schema.entity_labels, *common.schema.relation_labels} - unknown
        texts = [(d.id, d.text) for d in known.documents]
        found = list(extended.pipe(texts))
        for place, documents, heirs in (
            (kept[0], known.documents, common.old),
            (kept[1], list(base.pipe(texts)), common.old),
            (kept[2], found, common.new),
        ):
            written, _ = relabel(documents, heirs, common.schema)
            place += [restrict(d, names) for d in written]
        _count_replaced(kept[0][-len(texts) :], found, changes.added, replaced)
    gold, before, after = (tuple(documents) for documents in kept)
    return OldReadings(common.schema, gold, before, after, {label: dict(n) for label, n in replaced.items()})


def _count_replaced(
    gold: Sequence[Document], found: Sequence[Document], added: Sequence[str], counts: dict[str, Counter[str]]
) -> None:
    """Count gold mentions whose span has a new label now."""
    for wanted, got in zip(gold, found, strict=True):
        fresh = {(e.start, e.end): e.label for e in got.entities if e.label in added}
        for e in wanted.entities:
            if (e.start, e.end) in fresh:
                counts.setdefault(e.label, Counter())[fresh[e.start, e.end]] += 1
