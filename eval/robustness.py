"""Robustness: what a model loses when the same texts are written as the web and scanners write them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..model.document import Document
from ..model.errors import ConfigError, DataError, nearest
from ..model.schema import LabelSchema
from .evaluate import evaluate, pair_documents
from .perturb import perturbations
from .significance import Difference, compare
from .spans import Convention

# An Extractor, or anything else that takes texts and returns their documents in order.
Predict = Callable[[list[str]], Sequence[Document]]


@dataclass(frozen=True, slots=True)
class RobustnessResult:
    """Scores on clean and on perturbed texts.

    Attributes:
        name, description: of the perturbation.
        entities: micro F1 of spans; `a` is clean, `b` perturbed, so a negative difference is a loss.
        relations: micro F1 of strict relations; None where gold has none.
        labels: F1 per entity label.
        documents: how many there are.
        changed: in how many of them the perturbation changed something.
    """

    name: str
    description: str
    entities: Difference
    relations: Difference | None
    labels: Mapping[str, Difference]
    documents: int
    changed: int

    @property
    def f1(self) -> float:
        """Micro F1 of spans on the perturbed texts."""
        return self.entities.b

    @property
    def drop(self) -> float:
        """What the perturbation costs, clean less perturbed F1; negative where it helps."""
        return self.entities.a - self.entities.b

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; `drop` and its interval are clean less perturbed F1."""
        return {
            "description": self.description,
            "documents": self.documents,
            "changed": self.changed,
            **_plain(self.entities),
            "relations": _plain(self.relations) if self.relations else None,
            "labels": {label: _plain(d) for label, d in self.labels.items()},
        }


def robustness(
    predict: Predict,
    gold: Sequence[Document],
    schema: LabelSchema,
    *,
    names: Sequence[str] | None = None,
    seed: int = 0,
    clean: Sequence[Document] | None = None,
    convention: Convention = "char",
    flat: bool = False,
    rounds: int = 2000,
    progress: Callable[[str], None] | None = None,
) -> dict[str, RobustnessResult]:
    """Predict perturbed texts and compare with the gold that was moved along.

    The difference to the clean texts is tested on the same documents: paired bootstrap interval and approximate
    randomisation, see `significance`.

    Args:
        predict: takes the texts of all documents and returns their predictions in order, such as an Extractor.
        gold: annotated documents.
        schema: the labels.
        names: which of `perturbations()`; all of them if absent.
        seed: of the perturbations and of the resampling.
        clean: predictions of the clean texts, where they are there already.
        convention, flat: how mentions are compared; see `evaluate`.
        rounds: resamples of the intervals.
        progress: told the name of each perturbation before it is predicted.

    Returns:
        A result a perturbation, in the order of `names`.

    Raises:
        ConfigError: an unknown perturbation.
        DataError: no documents, or another number of predictions than texts.
    """
    known = perturbations()
    chosen = list(known) if names is None else list(dict.fromkeys(names))
    for name in chosen:
        if name not in known:
            raise ConfigError(f"unknown perturbation {name!r}; {nearest(name, known)}")
    found = _predict(predict, gold) if clean is None else _named(pair_documents(gold, clean))
    before = evaluate(gold, found, schema, convention=convention, flat=flat)
    results = {}
    for name in chosen:
        if progress:
            progress(name)
        changed = [known[name](d, seed=seed) for d in gold]
        differ = [n for n, (c, g) in enumerate(zip(changed, gold, strict=True)) if c.text != g.text]
        others = dict(zip(differ, _predict(predict, [changed[n] for n in differ]), strict=True))
        after = evaluate(
            changed,
            [others.get(n, document) for n, document in enumerate(found)],
            schema,
            convention=convention,
            flat=flat,
        )
        comparison = compare(before, after, rounds=rounds, seed=seed)
        results[name] = RobustnessResult(
            name=name,
            description=known[name].description,
            entities=comparison.spans,
            relations=comparison.relations if any(d.relations for d in gold) else None,
            labels=comparison.entity_labels,
            documents=len(gold),
            changed=len(differ),
        )
    return results


def _predict(predict: Predict, documents: Sequence[Document]) -> list[Document]:
    """Return predictions of the documents' texts, with the documents' ids."""
    if not documents:
        return []
    found = list(predict([d.text for d in documents]))
    if len(found) != len(documents):
        raise DataError(
            f"{len(found)} predictions of {len(documents)} texts", accepted="one document a text, in order"
        )
    return _named(zip(documents, found, strict=True))


def _named(pairs: Iterable[tuple[Document, Document]]) -> list[Document]:
    return [replace(found, id=gold.id) for gold, found in pairs]


def _plain(difference: Difference) -> dict[str, Any]:
    interval = difference.interval
    return {
        "f1": difference.b,
        "clean_f1": difference.a,
        "drop": difference.a - difference.b,
        "interval": {"low": 0.0 - interval.high, "high": 0.0 - interval.low} if interval else None,
        "p_value": difference.p_value,
        "p_adjusted": difference.p_adjusted,
        "support": difference.support,
    }
