"""Evaluation: the counts of every document, which add up, and the scores that follow from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Self

from ..model.errors import DataError
from .coreference import METRICS, ClusterCounts, conll_average
from .counts import Accuracy, Counts, CountsTable, Scored
from .proclitics import KINDS
from .relations import GIVEN, VIEWS
from .spans import ErrorClass, errors_per_class

# Version of the JSON layout of `Evaluation.to_dict`.
FORMAT_VERSION = 1
PARTITIONS = ("with_singletons", "without_singletons")

ErrorCounts = Mapping[tuple[ErrorClass, str, str], int]


@dataclass(frozen=True, slots=True)
class DocumentScores:
    """What was counted in one document.

    Attributes:
        id: the document; empty if it has no id.
        entities: strict span matches per entity type.
        errors: number of errors by (class, gold label, predicted label); the label of a missing side is "".
        relations: matches per relation type in each of `relations.VIEWS`, and in `relations.GIVEN` if the model was
            shown the gold entities too.
        coreference: for each of `PARTITIONS`, counts of each of `coreference.METRICS`.
        proclitics: decisions of each of `proclitics.KINDS`.
    """

    id: str
    entities: CountsTable
    errors: ErrorCounts
    relations: Mapping[str, CountsTable]
    coreference: Mapping[str, Mapping[str, ClusterCounts]]
    proclitics: Mapping[str, Accuracy]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that `from_dict` reads back to an equal value."""
        return {
            "id": self.id,
            "entities": self.entities.to_dict(),
            "errors": [[kind.value, *labels, n] for (kind, *labels), n in self.errors.items()],
            "relations": {view: table.to_dict() for view, table in self.relations.items()},
            "coreference": {p: {m: c.to_list() for m, c in by.items()} for p, by in self.coreference.items()},
            "proclitics": {kind: accuracy.to_list() for kind, accuracy in self.proclitics.items()},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild the counts of a document; a fault raises KeyError, TypeError or ValueError."""
        return cls(
            id=str(data["id"]),
            entities=CountsTable.from_dict(data["entities"]),
            errors={
                (ErrorClass(kind), gold, predicted): int(n) for kind, gold, predicted, n in data["errors"]
            },
            relations={
                view: CountsTable.from_dict(data["relations"][view])
                for view in (*VIEWS, *({GIVEN} & data["relations"].keys()))
            },
            coreference={
                p: {m: ClusterCounts.from_list(data["coreference"][p][m]) for m in METRICS}
                for p in PARTITIONS
            },
            proclitics={kind: Accuracy.from_list(data["proclitics"][kind]) for kind in KINDS},
        )


@dataclass(frozen=True)
class Evaluation:
    """The comparison of predicted with gold documents; `a + b` is the evaluation of both sets.

    Only counts are stored, one set per document, so that folds can be summed, documents resampled, and an
    evaluation written as JSON and read back without loss.

    Attributes:
        documents: counts per document, sorted by id, so that the order of the input changes nothing.
        schema: name, version and hash of the label schema.
        entity_labels, relation_labels: the labels in schema order.
        convention: how spans were compared, "char" or "word"; see `spans.project`.
        flat: whether only outermost entities were compared.
    """

    documents: tuple[DocumentScores, ...]
    schema: Mapping[str, str]
    entity_labels: tuple[str, ...]
    relation_labels: tuple[str, ...]
    convention: str = "char"
    flat: bool = False

    def __post_init__(self) -> None:
        documents = tuple(sorted(self.documents, key=lambda d: d.id))
        object.__setattr__(self, "documents", documents)
        for a, b in pairwise(documents):
            if a.id and a.id == b.id:
                raise DataError(
                    f"document {a.id!r} was evaluated twice",
                    accepted="every document once; give different documents different ids",
                )

    def __add__(self, other: "Evaluation") -> "Evaluation":
        """Return the evaluation of both sets of documents; both must be made in the same way.

        Raises:
            DataError: schema, convention or flat differ, or a document is in both.
        """
        for what, a, b in (
            ("the schema", dict(self.schema), dict(other.schema)),
            ("the labels", self._labels, other._labels),
            ("convention", self.convention, other.convention),
            ("flat", self.flat, other.flat),
        ):
            if a != b:
                raise DataError(
                    f"two evaluations differ in {what}: {a!r} and {b!r}", accepted="evaluations alike in it"
                )
        return Evaluation(
            (*self.documents, *other.documents),
            self.schema,
            *self._labels,
            convention=self.convention,
            flat=self.flat,
        )

    @property
    def _labels(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return self.entity_labels, self.relation_labels

    @cached_property
    def entities(self) -> CountsTable:
        """Strict span matches per entity type over all documents; `.micro`, `.macro`, `.weighted`."""
        return CountsTable.total(d.entities for d in self.documents).ordered(self.entity_labels)

    @cached_property
    def relations(self) -> dict[str, CountsTable]:
        """Matches per relation type over all documents in the views "strict", "boundary" and "entity".

        And in the view "given", strict with gold entities, if there is one of every document.
        """
        shown = self.documents and all(GIVEN in d.relations for d in self.documents)
        return {
            view: CountsTable.total(d.relations[view] for d in self.documents).ordered(self.relation_labels)
            for view in (*VIEWS, *([GIVEN] if shown else []))
        }

    @cached_property
    def coreference(self) -> dict[str, dict[str, ClusterCounts]]:
        """Cluster metrics over all documents, "with_singletons" and "without_singletons"."""
        return {
            p: {m: ClusterCounts.total(d.coreference[p][m] for d in self.documents) for m in METRICS}
            for p in PARTITIONS
        }

    @cached_property
    def conll(self) -> dict[str, Scored]:
        """The CoNLL average of MUC, B-cubed and CEAF-e for both partitions."""
        return {p: conll_average(scores) for p, scores in self.coreference.items()}

    @cached_property
    def errors(self) -> dict[tuple[ErrorClass, str, str], int]:
        """Errors over all documents by (class, gold label, predicted label)."""
        totals: dict[tuple[ErrorClass, str, str], int] = {}
        for document in self.documents:
            for key, n in document.errors.items():
                totals[key] = totals.get(key, 0) + n
        return dict(sorted(totals.items()))

    @cached_property
    def error_classes(self) -> dict[ErrorClass, int]:
        """Errors over all documents by class."""
        return errors_per_class(self.errors)

    @cached_property
    def proclitics(self) -> dict[str, Accuracy]:
        """Proclitic decisions over all documents: "attached", "whole" and "all"."""
        kinds = {k: sum((d.proclitics[k] for d in self.documents), Accuracy()) for k in KINDS}
        return kinds | {"all": sum(kinds.values(), Accuracy())}

    def summary(self) -> dict[str, Any]:
        """Return every score as plain data, fractions in [0, 1]."""
        coreference = {
            p: {m: _prf(c) for m, c in scores.items()} | {"conll": _prf(self.conll[p])}
            for p, scores in self.coreference.items()
        }
        return {
            "documents": len(self.documents),
            "entities": _table(self.entities),
            "errors": {kind.value: n for kind, n in self.error_classes.items()},
            "relations": {view: _table(table) for view, table in self.relations.items()},
            "coreference": coreference,
            "proclitics": {k: {"accuracy": a.accuracy, "n": a.total} for k, a in self.proclitics.items()},
        }

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON: `summary()` for readers, and the counts that `from_dict` reads back."""
        return {
            "format_version": FORMAT_VERSION,
            "schema": dict(self.schema),
            "entity_labels": list(self.entity_labels),
            "relation_labels": list(self.relation_labels),
            "convention": self.convention,
            "flat": self.flat,
            "summary": self.summary(),
            "documents": [d.to_dict() for d in self.documents],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Evaluation":
        """Rebuild an evaluation from `to_dict`; anything else raises DataError."""
        version = data.get("format_version") if isinstance(data, Mapping) else None
        if version != FORMAT_VERSION:
            raise DataError(
                f"not an evaluation: format_version {version!r}",
                accepted=f"the layout of Evaluation.to_dict() with format_version {FORMAT_VERSION}",
            )
        try:
            return cls(
                documents=tuple(DocumentScores.from_dict(d) for d in data["documents"]),
                schema=dict(data["schema"]),
                entity_labels=tuple(data["entity_labels"]),
                relation_labels=tuple(data["relation_labels"]),
                convention=str(data["convention"]),
                flat=bool(data["flat"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"not an evaluation: {error!r}", accepted="the layout of Evaluation.to_dict()"
            ) from error
        except ValueError as error:
            if isinstance(error, DataError):
                raise
            raise DataError(
                f"not an evaluation: {error}", accepted="the layout of Evaluation.to_dict()"
            ) from error


def _prf(scored: Scored) -> dict[str, float]:
    return {"precision": scored.precision, "recall": scored.recall, "f1": scored.f1}


def _counted(counts: Counts) -> dict[str, float]:
    return _prf(counts) | {"tp": counts.tp, "fp": counts.fp, "fn": counts.fn, "support": counts.support}


def _table(table: CountsTable) -> dict[str, Any]:
    return {
        "labels": {label: _counted(counts) for label, counts in table.items()},
        "micro": _counted(table.micro),
        "macro": _prf(table.macro),
        "weighted": _prf(table.weighted),
    }
