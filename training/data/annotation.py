"""What the labels of a corpus say about a schema, where the two differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...model.document import Document
from ...model.errors import DataError, nearest
from ...model.schema import LabelSchema


@dataclass(frozen=True)
class Annotation:
    """How one corpus's annotation is to be read by a loss over another label schema.

    Attributes:
        labels: tag of the corpus -> the schema labels it may stand for. One is exact; several mean that the
            corpus is coarser (its LOC is a GPE, a LOC or a FAC); none that the span says nothing about labels.
        annotates: schema labels whose absence is evidence: a span that the corpus leaves unlabelled is none
            of these. All other labels are unknown there.
        nested: whether names inside names are annotated; if not, spans within a gold span are unknown.
        proclitics: whether gold spans leave proclitics out, so that they teach where a name begins in its word.
        relations: relation labels whose absence is evidence; True for all of them, False for none.
    """

    labels: Mapping[str, tuple[str, ...]]
    annotates: frozenset[str]
    nested: bool = False
    proclitics: bool = False
    relations: bool | frozenset[str] = False

    def annotates_relation(self, label: str) -> bool:
        """Whether a relation of this label that is not written down is none."""
        return self.relations if isinstance(self.relations, bool) else label in self.relations

    def check(self, schema: LabelSchema, *, where: str = "") -> None:
        """Raise DataError if a schema label named here is unknown to `schema`."""
        named = {label for labels in self.labels.values() for label in labels} | self.annotates
        for label in sorted(named - set(schema.entity_labels)):
            raise DataError(
                f"the label {label!r} is not in the schema {schema.name!r}",
                path=where,
                accepted=nearest(label, schema.entity_labels),
            )


@dataclass(frozen=True)
class Source:
    """Documents of one corpus with the reading of their labels.

    Attributes:
        name: for messages.
        documents: gold; entity labels are the corpus's own tags if there is an `annotation`.
        annotation: None if the documents keep to the schema in everything.
        weight: how often an epoch shows each paragraph: 2.0 shows it twice, 0.25 every fourth epoch.
    """

    name: str
    documents: Sequence[Document] = field(repr=False)
    annotation: Annotation | None = None
    weight: float = 1.0
