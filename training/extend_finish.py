"""Coreference, calibration and thresholds of an extended model, each label from documents that annotate it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from ..model.backends.torch_backend import TorchBackend
from ..model.configuration import IsnadConfig
from ..model.document import Document
from ..model.modeling import IsnadModel
from ..model.schema import LabelSchema
from ..model.windows import WindowMaker
from .calibrate import Calibration, Observations, calibrate, observe, write_decisions
from .config import FinetuneConfig
from .extend_data import Known
from .finish import RARE, cross_sentence_share, finish, same_start_share

Decision = tuple[tuple[float, ...], float]

# Gold items from which on the threshold of all new labels together is trusted as much as one half.
_SURE = 25


def finish_extension(
    measured: Sequence[Known],
    learned: Sequence[Document],
    coreferent: Sequence[Document],
    new: Sequence[str],
    inherited: Mapping[str, Decision],
) -> Callable[..., None]:
    """Return what takes the place of `finish.finish` in an extension.

    Args:
        measured: development documents with the labels that are annotated in them; `dev` of the call is ignored.
        learned: documents that were trained on, of which the decoder learns what never occurs.
        coreferent: documents with clusters that the coreference head is fitted on; none: it stays as it is.
        new: labels that are calibrated together, apart from the others: little data gives their scores another
            scale.
        inherited: scaling and threshold of labels that the base model has, kept where no development data has an
            example of the label.
    """

    def run(
        model: IsnadModel,
        tokenizer: PreTrainedTokenizerBase,
        config: FinetuneConfig,
        schema: LabelSchema,
        train: Sequence[Document],
        dev: Sequence[Document],
    ) -> None:
        same_start, across = model.config.same_start, model.config.cross_sentence
        finish(model, tokenizer, replace(config, calibrate=False), schema, coreferent, ())
        # What the base model may predict it may go on predicting.
        model.config.same_start = same_start or same_start_share(learned) > RARE
        model.config.cross_sentence = across or cross_sentence_share(learned) > RARE
        if config.calibrate:
            maker = WindowMaker.of(tokenizer, model.config)
            backend = TorchBackend(model, tokenizer.pad_token_id or 0)
            _decide(model.config, backend, maker, schema, measured, new, inherited)

    return run


def _decide(
    config: IsnadConfig,
    backend: TorchBackend,
    maker: WindowMaker,
    schema: LabelSchema,
    measured: Sequence[Known],
    new: Sequence[str],
    inherited: Mapping[str, Decision],
) -> None:
    """Write calibration and thresholds into a model's configuration."""
    spans, pairs = [], []
    for known in measured:
        seen = observe(backend, maker, schema, known.gold(), cross_sentence=config.cross_sentence)
        spans.append(masked(seen[0], schema.entity_labels, known.labels))
        pairs.append(masked(seen[1], schema.relation_labels, known.labels))
    for kind, labels, parts in (
        ("entity", schema.entity_labels, spans),
        ("relation", schema.relation_labels, pairs),
    ):
        observed = Observations.joined(parts)
        fitted = calibrate_apart(observed, [label in new for label in labels])
        write_decisions(config, kind, labels, with_inherited(fitted, observed.gold, labels, inherited))


def inherited_decisions(config: IsnadConfig, sources: Mapping[str, Sequence[str]]) -> dict[str, Decision]:
    """Return scaling and threshold of the one old label that a new one takes the place of, where it has them.

    Args:
        config: of the base model.
        sources: new label -> old labels, see `relabel.LabelChanges`.
    """
    scaling = {label: row for table in (config.calibration or {}).values() for label, row in table.items()}
    thresholds = {**(config.entity_thresholds or {}), **(config.relation_thresholds or {})}
    return {
        new: (tuple(scaling[olds[0]]), thresholds[olds[0]])
        for new, olds in sources.items()
        if len(olds) == 1 and olds[0] in scaling and olds[0] in thresholds
    }


def with_inherited(
    fitted: Calibration, gold: NDArray[np.int64], labels: Sequence[str], inherited: Mapping[str, Decision]
) -> Calibration:
    """Return what was fitted, with the inherited values for labels without a gold example."""
    scaling, thresholds = fitted.scaling.copy(), fitted.thresholds.copy()
    for row, label in enumerate(labels):
        if not gold[row] and label in inherited:
            scaling[row], thresholds[row] = inherited[label]
    return Calibration(scaling, thresholds)


def masked(observed: Observations, labels: Sequence[str], known: frozenset[str]) -> Observations:
    """Return observations in which unknown labels are not looked at."""
    columns = np.asarray([label in known for label in labels], dtype=bool)
    return replace(observed, valid=observed.valid & columns, gold=np.where(columns, observed.gold, 0))


def calibrate_apart(observed: Observations, new: Sequence[bool]) -> Calibration:
    """Fit scaling and thresholds of new labels and of all others, each group by itself.

    The best threshold of a few examples is a lucky one: that of the new labels is drawn towards one half.
    """
    labels = observed.logits.shape[1]
    scaling = np.zeros((labels, 3), dtype=np.float32)
    thresholds = np.full(labels, 0.5, dtype=np.float32)
    for group in (True, False):
        columns = np.flatnonzero(np.asarray(new, dtype=bool) == group)
        if not len(columns):
            continue
        part = _columns(observed, columns)
        fitted = calibrate(part)
        scaling[columns], thresholds[columns] = fitted.scaling, fitted.thresholds
        if group:
            gold = int(part.gold.sum())
            share = gold / (gold + _SURE)
            thresholds[columns] = share * fitted.thresholds + (1 - share) * 0.5
    return Calibration(scaling, thresholds)


def _columns(observed: Observations, columns: NDArray[np.int64]) -> Observations:
    return Observations(
        observed.logits[:, columns],
        observed.correct[:, columns],
        observed.valid[:, columns],
        observed.gold[columns],
    )
