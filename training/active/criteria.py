"""What makes a unit worth annotating: three criteria, each with a score and the reason that users see."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ...model.document import Document
from ...model.text import readable, words
from .similarity import LabelMatcher, readings
from .uncertainty import doubts, gain
from .units import Unit

# Decisions that are named in a reason.
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Worth:
    """What a criterion says of one unit.

    Attributes:
        score: for users, on the criterion's own scale.
        key: for the order; higher is better.
        detail: what the score rests on, JSON values.
        group: what many units may owe their score to, of which a few are enough; empty for none.
    """

    score: float
    key: float
    detail: dict[str, Any]
    group: str = ""


class Criterion(Protocol):
    """Says what a unit is worth.

    Attributes:
        name: `uncertainty`, `similarity` or `diversity`, for the reason.
        label: the label that is looked for, or empty.
        reads: whether it needs what the model finds in the passage.
        weighted: whether its scores count in a diverse choice.
    """

    name: str
    label: str
    reads: bool
    weighted: bool

    def worth(self, unit: Unit, found: Document | None, start: int) -> Worth | None:
        """Return what annotating a unit is worth, or None if nothing.

        Args:
            unit: the unit.
            found: the passage that it is from, with all that the model finds at the floor; None if not `reads`.
            start: where the unit begins in the passage.
        """
        ...


class Uncertain:
    """Expected wrong decisions a word; see `uncertainty`.

    Args:
        limits: threshold by label.
        labels: labels that count.
    """

    name, label, reads, weighted = "uncertainty", "", True, True

    def __init__(self, limits: Mapping[str, float], labels: frozenset[str]) -> None:
        self._limits, self._labels = limits, labels

    def worth(self, unit: Unit, found: Document | None, start: int) -> Worth | None:
        """Return the gain; None where the model sees nothing that might be one of the labels."""
        assert found is not None
        all_ = doubts(found, self._limits, self._labels, start, start + len(unit.text))
        if not all_:
            return None
        expected = sum(d.wrong for d in all_)
        score = gain(expected, len(words(unit.text)))
        shown = [d.to_dict() for d in all_[:_SHOWN]]
        return Worth(round(score, 5), score, {"expected_errors": round(expected, 3), "decisions": shown})


class Similar:
    """Likeness to the examples of a label that the model does not know; see `similarity`."""

    name, reads, weighted = "similarity", False, True

    def __init__(self, matcher: LabelMatcher) -> None:
        self._matcher, self.label = matcher, matcher.label

    def worth(self, unit: Unit, found: Document | None, start: int) -> Worth | None:
        """Return the best cosine; None where nothing resembles the label at all."""
        match = self._matcher.best(unit.text)
        if match.score <= 0:
            return None
        # Thousands may hold an example itself: equal scores are ordered by chance, not by their place.
        key = match.score + 1e-6 * chance(unit.text)
        detail = {"found": match.text, "like": match.example}
        return Worth(match.score, key, detail, readings(readable(match.text))[-1])


class Chance:
    """The same for every unit; a uniform sample of the stream enters the choice by diversity.

    The key is a hash of seed and text: a sample that does not depend on the order, in which copies are one.

    Args:
        seed: of the sample.
    """

    name, label, reads, weighted = "diversity", "", False, False

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def worth(self, unit: Unit, found: Document | None, start: int) -> Worth | None:
        """Return a score of 1 with a random key."""
        return Worth(1.0, chance(f"{self._seed}/{unit.text}"), {})


def chance(text: str) -> float:
    """Return a number in [0, 1) that looks random but depends on the text alone."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8]) / 2**64
