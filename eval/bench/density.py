"""How much a model has to decode in a text: what random weights are set to, as the time depends on it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from ...model.inference import Extractor
from ...model.text import words
from ...training.export_check import Recorder


@dataclass(frozen=True)
class Density:
    """Counts over some texts.

    Attributes:
        words: of the texts.
        candidates, pairs: spans and pairs of spans that the heads scored, over all windows.
        entities, relations: in the documents.
    """

    words: int
    candidates: int
    pairs: int
    entities: int
    relations: int

    def per_hundred_words(self) -> dict[str, float]:
        """Return plain data, by 100 words."""
        facts = asdict(self)
        total = facts.pop("words")
        return {key: round(100 * value / max(1, total), 2) for key, value in facts.items()}


def density(extractor: Extractor, texts: Sequence[str]) -> Density:
    """Return what a model scores and finds in texts."""
    backend = extractor._backend
    recorder = Recorder(backend)
    extractor._backend = recorder
    try:
        found = extractor(texts)
    finally:
        extractor._backend = backend
    return Density(
        words=sum(len(words(t)) for t in texts),
        candidates=sum(len(s.spans) for s in recorder.scores),
        pairs=sum(len(s.pairs) for s in recorder.scores),
        entities=sum(len(d.entities) for d in found),
        relations=sum(len(d.relations) for d in found),
    )
