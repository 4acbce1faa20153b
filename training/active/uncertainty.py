"""How many decisions a model is likely to get wrong in a sentence, from its calibrated probabilities."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ...model.document import Document
from ...model.schema import LabelSchema

# Candidates below this probability are rightly absent as far as the model can tell; the lowest that is scored.
FLOOR = 0.05
# What an annotator spends on a sentence before reading it, in words. Without it fragments of two words would win,
# and with the plain sum the longest sentences (Settles, Craven and Friedland 2008, "Active Learning with Real
# Annotation Costs": time is a constant and a part that grows with the length).
OVERHEAD = 10


class Decided(Protocol):
    """The fields of a model's configuration that say what it decides."""

    @property
    def entity_thresholds(self) -> Mapping[str, float] | None:
        """Probability from which an entity is reported, by label."""
        ...

    @property
    def relation_thresholds(self) -> Mapping[str, float] | None:
        """Probability from which a relation is reported, by label."""
        ...


@dataclass(frozen=True, slots=True)
class Doubt:
    """One decision that may be wrong.

    Attributes:
        text: the span, or `head → tail` of a relation.
        label: entity or relation type.
        score: calibrated probability.
        wrong: probability that the decision at the label's threshold is wrong.
    """

    text: str
    label: str
    score: float
    wrong: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "text": self.text,
            "label": self.label,
            "score": round(self.score, 4),
            "wrong": round(self.wrong, 4),
        }


def thresholds(config: Decided, schema: LabelSchema) -> dict[str, float]:
    """Return the probability from which each label of a model is reported."""
    stored = {**(config.entity_thresholds or {}), **(config.relation_thresholds or {})}
    return {label: stored.get(label, 0.5) for label in (*schema.entity_labels, *schema.relation_labels)}


def doubts(
    document: Document,
    limits: Mapping[str, float],
    labels: Collection[str],
    start: int = 0,
    end: int | None = None,
) -> list[Doubt]:
    """Return the decisions of a part of a document, the likeliest error first.

    A candidate of probability p is reported from the threshold of its label on, and is then wrong with probability
    1 - p; below it is left out, and that is wrong with probability p. With calibrated probabilities the sum over
    a sentence is the expected number of wrong decisions: the expected-error view of uncertainty sampling
    (Lewis and Gale 1994), summed over a sequence as in Settles and Craven 2008, section 3.1, but over spans and
    relations, not over tags.

    Args:
        document: what a model finds with all thresholds at `FLOOR`; spans that cross are weighed against each other
            there, and the better one alone counts.
        limits: threshold by label.
        labels: entity and relation types that count.
        start, end: the part, in code points; mentions that begin in it belong to it.
    """
    end = len(document.text) if end is None else end
    here = {e.id: e for e in document.entities if start <= e.start < end}
    found = [(e.name, e.label, e.score) for e in here.values() if e.label in labels]
    found += [
        (f"{here[r.head].name} → {here[r.tail].name}", r.label, r.score)
        for r in document.relations
        if r.label in labels and r.head in here and r.tail in here
    ]
    made = [Doubt(t, label, p, 1 - p if p >= limits[label] else p) for t, label, p in found]
    return sorted(made, key=lambda d: -d.wrong)


def gain(expected: float, length: int) -> float:
    """Return the expected number of wrong decisions for each word that an annotator has to read.

    Args:
        expected: wrong decisions in a sentence.
        length: its words.
    """
    return expected / (length + OVERHEAD)
