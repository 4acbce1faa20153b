"""What an extension says about its data before it trains."""

from collections.abc import Mapping, Sequence

from ..model.document import Document
from ..model.schema import LabelSchema
from .extend_cut import counts
from .extend_data import Known
from .relabel import LabelChanges


def data_note(new: Sequence[Document], dev: Sequence[Document], cut_off: bool) -> str:
    """Return how many of each label there are to train on and to measure on."""
    how = " (cut off the data; name your own with --dev)" if cut_off else ""
    return f"training: {_table(new)}; development: {_table(dev)}{how}"


def annotates_note(annotates: frozenset[str], partly: Mapping[str, tuple[int, int]]) -> str:
    """Return which labels the new data annotates throughout; arguments as `extend_data.annotated_labels` returns."""
    note = (
        f"annotated throughout: {', '.join(sorted(annotates))}; all other labels are unknown in the new data"
    )
    if partly:
        some = ", ".join(
            f"{label} ({n} marked, the base model finds {m})" for label, (n, m) in partly.items()
        )
        note += f"; only here and there: {some}; if that is wrong, say --annotates LABEL,…"
    return note


def warnings(
    new: Sequence[Document],
    dev: Sequence[Document],
    schema: LabelSchema,
    changes: LabelChanges,
    annotates: frozenset[str],
    old: Sequence[Known],
) -> list[str]:
    """Return what the user should look at before the training ends.

    Those are labels with too little to learn from, and old ones whose loss would go unseen, as those that an earlier
    extension has taught: the shipped texts do not annotate them.

    Args:
        new, dev: new documents to learn from and to measure on.
        schema, changes: what is learned.
        annotates: labels that the new documents annotate throughout.
        old: what old labels are measured on; none if they are not measured at all.
    """
    learned, held = counts(new), counts(dev)
    found = []
    for label in changes.added:
        if not learned[label]:
            found.append(f"the new label {label} has no example to learn from; it will never be predicted")
        elif not held[label]:
            found.append(f"the new label {label} has no example in the development data; it is not measured")
        elif learned[label] < 20:
            found.append(
                f"the new label {label} has {learned[label]} examples; from about 20 on it is worth trying"
            )
    for label in changes.split:
        for new_label in changes.split[label]:
            if new_label not in annotates:
                found.append(f"{new_label} is split off {label}, but the new data does not annotate it")
    unseen = [
        label for label, news in changes.heirs.items() if news and not any(label in k.labels for k in old)
    ]
    if old and unseen:
        found.append(
            f"no text of extend.measure annotates {', '.join(unseen)}, which the base model knows: what is lost of it "
            "would not be seen; name texts that do, under extend.rehearse too, with --set extend.measure=[…,PATH]"
        )
    return found


def _table(documents: Sequence[Document]) -> str:
    return ", ".join(f"{n} {label}" for label, n in counts(documents).most_common()) or "nothing"
