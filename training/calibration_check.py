"""Honest calibration from the data that calibration is fitted on: every document judged by the other ones.

Calibration and thresholds are fitted on the development documents, so measured on the same documents they
flatter. Here they are fitted on all folds but one and used on that one (cross-validation, Stone 1974). Weights
stay as they are: what was chosen on these documents otherwise, such as the epoch, still flatters.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from ..model.configuration import IsnadConfig
from ..model.document import Document
from ..model.errors import ConfigError
from ..model.inference import Extractor
from ..model.schema import LabelSchema
from ..model.scores import Backend, Floats, WindowScores
from ..model.windows import Window, WindowMaker
from .calibrate import Observations, observe, set_decisions

FOLDS = 5
# Candidates below this probability say little and are many.
FLOOR = 0.05


@dataclass(frozen=True)
class Predictions:
    """What a model finds in some documents, in their order.

    Attributes:
        returned: at the thresholds, which is what users get.
        candidates: at the probability `FLOOR` for every label.
    """

    returned: tuple[Document, ...]
    candidates: tuple[Document, ...]


class Remembering:
    """A backend that scores every window once, however often it is asked.

    Args:
        backend: does the work.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._known: dict[tuple[object, ...], WindowScores] = {}

    def score(self, windows: Sequence[Window]) -> list[WindowScores]:
        """Return the scores of each window, in order."""
        keys = [_key(w) for w in windows]
        new = {key: w for key, w in zip(keys, windows, strict=True) if key not in self._known}
        self._known.update(zip(new, self._backend.score(list(new.values())) if new else [], strict=True))
        return [self._known[key] for key in keys]

    def coreference(self, features: Floats, first: Floats, second: Floats) -> Floats:
        """Return probabilities [pairs]."""
        return self._backend.coreference(features, first, second)


def predict(
    backend: Backend, config: IsnadConfig, tokenizer: PreTrainedTokenizerBase, documents: Sequence[Document]
) -> Predictions:
    """Return what a model finds with the calibration and the thresholds of its configuration."""
    texts = [(d.id, d.text) for d in documents]
    returned, candidates = (
        tuple(Extractor(backend, config, tokenizer, thresholds=floor).pipe(texts)) for floor in (None, FLOOR)
    )
    return Predictions(returned, candidates)


def cross_fitted(
    backend: Backend,
    config: IsnadConfig,
    tokenizer: PreTrainedTokenizerBase,
    documents: Sequence[Document],
    *,
    folds: int = FOLDS,
) -> Predictions:
    """Predict every document with a calibration and thresholds that were fitted on the other folds.

    Args:
        backend: the model; it sees every window once if it is `Remembering`.
        config: its configuration; calibration and thresholds in it are not looked at.
        tokenizer: of the model.
        documents: gold with unique ids. They are dealt to the folds in the order of their ids, so that each
            fold holds its share of every set of documents whose ids begin alike.
        folds: number of folds.

    Raises:
        ConfigError: fewer than two folds, or fewer documents than folds.
    """
    if not 2 <= folds <= len(documents):
        raise ConfigError(
            f"{folds} folds of {len(documents)} documents; accepted: 2 folds or more, and a document for each"
        )
    schema = config.schema()
    maker = WindowMaker.of(tokenizer, config)
    observed = [observe(backend, maker, schema, [d], cross_sentence=config.cross_sentence) for d in documents]
    order = sorted(range(len(documents)), key=lambda i: documents[i].id)
    found: dict[int, tuple[Document, Document]] = {}
    for fold in range(folds):
        held_out = order[fold::folds]
        rest = [observed[i] for i in order if i not in set(held_out)]
        spans, links = (Observations.joined([seen[n] for seen in rest]) for n in (0, 1))
        fitted = refitted(config, schema, spans, links)
        part = predict(backend, fitted, tokenizer, [documents[i] for i in held_out])
        found.update(zip(held_out, zip(part.returned, part.candidates, strict=True), strict=True))
    pairs = [found[i] for i in range(len(documents))]
    return Predictions(tuple(a for a, _ in pairs), tuple(b for _, b in pairs))


def refitted(
    config: IsnadConfig, schema: LabelSchema, spans: Observations, pairs: Observations
) -> IsnadConfig:
    """Return a copy of a configuration with calibration and thresholds fitted to observations."""
    config = copy.deepcopy(config)
    set_decisions(config, schema, spans, pairs)
    return config


def _key(window: Window) -> tuple[object, ...]:
    # Word offsets are left out: a window is scored by its pieces and letters, wherever it stands in a text.
    return tuple(window.input_ids), tuple(window.first), tuple(window.last), window.letters.tobytes()
