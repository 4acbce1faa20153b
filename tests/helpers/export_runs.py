"""A model and its export on the same texts, and windows that an export scores alone and together."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from isnad.model.inference import Extractor
from isnad.model.scores import WindowScores
from isnad.training.export_check import Parity, compare


def parity_of(model: Path, exported: Path, texts: Sequence[str]) -> Parity:
    """Compare an export with its model, with few candidates a window: random weights would leave too many."""
    both = [Extractor.from_pretrained(path) for path in (model, exported)]
    for extractor in both:
        extractor.config.max_candidates = 12
    parity, _, _ = compare(*both, texts)
    return parity


def check_little_changes(model: Path, exported: Path, texts: Sequence[str]) -> None:
    """Check that an export in 8 bits computes something else than its model, and finds nearly the same."""
    parity = parity_of(model, exported, texts)
    assert parity.spans > 50 and 0 < parity.span_difference < 0.2
    assert parity.entity_changes < 0.2 * parity.entities


def alone_and_together(exported: Path, texts: Sequence[str]) -> Iterator[tuple[WindowScores, WindowScores]]:
    """Yield the scores of the first ten windows, each scored by itself and with all others; of the same spans."""
    extractor = Extractor.from_pretrained(exported)
    windows = [window for text in texts for window in extractor._maker.windows(text)]
    together = extractor._backend.score(windows)
    for window, batched in list(zip(windows, together, strict=True))[:10]:
        (alone,) = extractor._backend.score([window])
        assert alone.spans.tolist() == batched.spans.tolist()
        yield alone, batched
