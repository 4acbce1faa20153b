"""Relations with gold entities: what the relation head finds when it is shown the right spans and types.

The gap between this score and the one end to end is what the errors of entity recognition cost. Everything after
the head is as end to end: its calibration and thresholds (which were chosen end to end), the signatures, one
direction of symmetric relations, and one relation for each pair of predicted clusters in a paragraph.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..model.batching import BATCH_CHARACTERS, batches
from ..model.decoding import Decisions, Decoder
from ..model.document import Document, Entity
from ..model.errors import IsnadError, ModelError
from ..model.store import resolve
from ..model.windows import WindowMaker
from ..training.data.losses import without
from ..training.examples import Example, Unreachable, build_examples

if TYPE_CHECKING:
    from ..model.backends.given_spans import GivenSpans
    from ..model.modeling import IsnadModel


class GivenEntityExtractor:
    """Finds the relations between entities that are given, with the joint model on torch.

    Args:
        model: a joint model; it is put into evaluation mode and stays on its device.
        tokenizer: of the model.
    """

    def __init__(self, model: "IsnadModel", tokenizer: Any) -> None:
        from ..model.backends.torch_backend import TorchBackend

        config = model.config
        self.schema = model.schema
        self.name = config.model_name or "unnamed"
        self._model, self._pad_id = model, tokenizer.pad_token_id or 0
        self._backend = TorchBackend(model, self._pad_id, next(model.parameters()).device)
        self._maker = WindowMaker.of(tokenizer, config)
        # Given spans are taken as they are: calibration and thresholds of entities have no say in them.
        decisions = Decisions.build(
            self.schema,
            relation_thresholds=config.relation_thresholds,
            calibration={"relation": (config.calibration or {}).get("relation", {})},
            coreference_threshold=config.coreference_threshold,
            same_start=True,
            cross_sentence=config.cross_sentence,
        )
        self._decoder = Decoder(self.schema, decisions)

    @classmethod
    def from_pretrained(cls, model: str | Path | None = None) -> "GivenEntityExtractor":
        """Load a model.

        Args:
            model: as `Extractor.from_pretrained` takes it.

        Raises:
            ModelError: there is no such model, or it cannot be given entities (see `takes_entities`).
        """
        from ..model.inference import load_torch

        folder = resolve(model)
        if not takes_entities(folder):
            raise ModelError(
                f"{folder} cannot be run with torch here; accepted: a joint model with its weights, and torch "
                "installed"
            )
        return cls(*load_torch(folder))

    def pipe(
        self, documents: Iterable[Document], *, unreachable: Unreachable | None = None, batch_size: int = 32
    ) -> Iterator[Document]:
        """Yield the documents with their own entities and the relations that the model finds between them.

        Gold that a model cannot express is left out, so that its relations count as missed: spans that begin or
        end inside a word, of several labels on one span all but one, of crossing spans the later one, and spans
        beyond their window.

        Args:
            documents: gold, in the labels of the model. Of their relations and clusters nothing is shown.
            unreachable: entities that are left out and relations that therefore cannot be found are appended here,
                and relations whose ends never stand in one window.
            batch_size: number of documents scored together.

        Raises:
            SchemaError: an entity or relation has a label that the model lacks.
        """
        for group in batches(
            documents, size=batch_size, characters=BATCH_CHARACTERS, length=lambda d: len(d.text)
        ):
            yield from self._group(group, unreachable)

    def _group(self, documents: list[Document], unreachable: Unreachable | None) -> Iterator[Document]:
        from ..model.backends.given_spans import score_given

        found = [Unreachable() for _ in documents]
        examples = [
            list(build_examples(d, self._maker, self.schema, unreachable=u))
            for d, u in zip(documents, found, strict=True)
        ]
        flat = [e for group in examples for e in group]
        given = [_spans(e) for e in flat]
        scores = iter(score_given(self._model, [e.window for e in flat], given, pad_id=self._pad_id))
        for document, group, untold in zip(documents, examples, found, strict=True):
            windows = [e.window for e in group]
            decoded = self._decoder.decode(
                document.text,
                windows,
                [next(scores) for _ in windows],
                self._backend,
                id=document.id,
                model=self.name,
            )
            wanted = {_key(e) for e in document.entities}
            # Where gold cuts off a mark or keeps a quote at its edge, the decoder makes another span of it.
            strange = {e.id for e in decoded.entities if _key(e) not in wanted}
            decoded = without(decoded, strange, Counter())
            if unreachable is not None:
                _list(document, decoded, untold, unreachable)
            yield decoded


def takes_entities(model: str | Path | None) -> bool:
    """Whether entities can be given to a model: a joint model whose weights torch runs here.

    Args:
        model: a folder or a name, as for `Extractor.from_pretrained`; what is no joint model gives False.
    """
    from ..model.backends.choice import choose

    try:
        return choose(resolve(model), "auto") == "torch"
    except IsnadError:
        return False


def lost_relations(gold: Iterable[Document], given: Iterable[Document]) -> list[list[str]]:
    """Return the gold relations that lack an end among the given entities, and so count as missed.

    Args:
        gold: annotated documents.
        given: of `GivenEntityExtractor.pipe`, in the same order.

    Returns:
        [document, head, label, tail], as plain data.
    """
    lost: list[list[str]] = []
    for document, decoded in zip(gold, given, strict=True):
        gone = {e.id for e in _left_out(document, decoded)}
        lost += [
            [document.id, r.head, r.label, r.tail] for r in document.relations if gone & {r.head, r.tail}
        ]
    return lost


def describe(unreachable: Unreachable, *, most: int = 20) -> list[str]:
    """Return what could not be given or found, in sentences; empty if nothing.

    Args:
        unreachable: from `GivenEntityExtractor.pipe`.
        most: entities, and relations, that are named; a last line says how many more there are.
    """
    lines = [
        f"gold {label} [{start}:{end}] of {document} cannot be given: {why}"
        for document, start, end, label, why in unreachable.entities
    ]
    lost = [
        f"gold {head} {label} {tail} of {document} counts as missed: {why}"
        for document, head, label, tail, why in unreachable.relations
    ]
    shown = []
    for what, part in (("entities", lines), ("relations", lost)):
        shown += part[:most]
        shown += [f"and {len(part) - most} more {what}"] if len(part) > most else []
    return shown


def _spans(example: Example) -> "GivenSpans":
    from ..model.backends.given_spans import GivenSpans

    # Of several labels on one span the decoder can put out one: the first of the schema.
    labels = example.types.argmax(axis=1).astype(np.int64)
    return GivenSpans(example.spans, labels, example.proclitics[example.spans[:, 0]])


def _key(entity: Entity) -> tuple[int, int, str]:
    return entity.start, entity.end, entity.label


def _left_out(document: Document, decoded: Document) -> list[Entity]:
    there = {_key(e) for e in decoded.entities}
    return [e for e in document.entities if _key(e) not in there]


def _list(document: Document, decoded: Document, found: Unreachable, unreachable: Unreachable) -> None:
    """Append the gold of a document that is not among the decoded entities, and the relations that go with it."""
    told = {(start, end, label): why for _, start, end, label, why in found.entities}
    lost = {e.id: told.get(_key(e)) or _reason(e, decoded) for e in _left_out(document, decoded)}
    by_id = document.by_id()
    unreachable.entities += [(document.id, *_key(by_id[id_]), why) for id_, why in lost.items()]
    apart = {(head, label, tail): why for _, head, label, tail, why in found.relations}
    for r in document.relations:
        end = lost.get(r.head) or lost.get(r.tail)
        why = f"an end cannot be reached: {end}" if end else apart.get((r.head, r.label, r.tail))
        if why:
            unreachable.relations.append((document.id, r.head, r.label, r.tail, why))


def _reason(entity: Entity, decoded: Document) -> str:
    """Return why a span that its window can express was not put out."""
    for e in decoded.entities:
        if (e.start, e.end) == (entity.start, entity.end):
            return "another label stands on the same span"
        if e.start < entity.start < e.end < entity.end or entity.start < e.start < entity.end < e.end:
            return f"crosses {e.text!r}"
    return "its window or its edges do not allow it"
