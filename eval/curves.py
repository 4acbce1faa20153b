"""Learning curves in a file: `learning_curves.json`, which benchmark reports draw.

The file holds a list. An item is `LearningCurve.to_dict` with the names of the `model` and of the `data` that was
scored; what else it holds (configuration, hashes, date) says how to make it again.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..model.document import Document
from ..model.errors import DataError
from ..model.schema import LabelSchema
from ..training.data.files import read_text, write_text
from .evaluate import evaluate
from .learning_curve import LearningCurve
from .scores import development_scores
from .stored import to_lines

FILE = "learning_curves.json"
# Before the name of an entity or relation type, in the names of scores.
ENTITY, RELATION = "entity:", "relation:"


@dataclass(frozen=True)
class NamedCurve:
    """A learning curve and what it is of.

    Attributes:
        model, data: names, for people; together they tell curves of one file apart.
        curve: the runs.
        facts: anything else worth keeping, as plain data.
    """

    model: str
    data: str
    curve: LearningCurve
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        """What tells curves of one file apart."""
        return self.model, self.data

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that `from_dict` reads back."""
        return {"model": self.model, "data": self.data} | dict(self.facts) | self.curve.to_dict()

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "NamedCurve":
        """Rebuild a curve from `to_dict`; anything else raises DataError."""
        names = [stored.get("model"), stored.get("data")] if isinstance(stored, Mapping) else []
        if not names or not all(isinstance(n, str) and n for n in names):
            raise DataError("a learning curve without names", accepted="`model`, `data` and `points`")
        facts = {k: v for k, v in stored.items() if k not in ("model", "data", "points")}
        return cls(str(names[0]), str(names[1]), LearningCurve.from_dict(stored), facts)


def read_curves(path: Path) -> list[NamedCurve]:
    """Read the curves of a file.

    Args:
        path: the file, or a folder with `learning_curves.json`.

    Raises:
        DataError: no such file, something else in it, or two curves of one model on the same data.
    """
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        raise DataError("no such file", path=path, accepted=f"a {FILE} of isnad curve, or its folder")
    text = read_text(path)
    try:
        stored = json.loads(text)
        if not isinstance(stored, list):
            raise DataError(f"holds {type(stored).__name__}", accepted="a list of learning curves")
        return list(joined([NamedCurve.from_dict(item) for item in stored]))
    except ValueError as error:  # DataError and JSONDecodeError
        raise DataError(f"not learning curves: {error}", path=path) from error


def write_curves(path: Path, curves: Iterable[NamedCurve]) -> None:
    """Write curves whole or not at all; DataError if two are of one model on the same data."""
    write_text(path, to_lines([c.to_dict() for c in joined(list(curves))]))


def joined(curves: Sequence[NamedCurve]) -> Sequence[NamedCurve]:
    """Return the curves as they are; DataError if two are of one model on the same data."""
    keys = [c.key for c in curves]
    for model, data in keys:
        if keys.count((model, data)) > 1:
            raise DataError(
                f"two learning curves of {model!r} on {data!r}", accepted="different names, with --name"
            )
    return curves


def curve_scores(
    schema: LabelSchema,
) -> Callable[[Sequence[Document], Sequence[Document]], dict[str, float]]:
    """Return a function of gold and predictions that gives the scores of a curve, each in [0, 1].

    These are the development scores (see `scores.development_scores`) and F1 of every entity type and relation
    type that gold has, as `entity:PERS` and `relation:located_in`; a type that gold lacks has no score.
    """
    main = development_scores(schema)

    def score(gold: Sequence[Document], predicted: Sequence[Document]) -> dict[str, float]:
        found = evaluate(gold, predicted, schema)
        tables = {ENTITY: found.entities, RELATION: found.relations["strict"]}
        each = {f"{p}{label}": c.f1 for p, t in tables.items() for label, c in t.items() if c.support}
        return main(gold, predicted) | each

    return score
