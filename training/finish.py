"""What follows the gradient steps: coreference, calibration, thresholds, and what the decoder may rule out."""

from bisect import bisect_right
from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from ..model.backends.torch_backend import TorchBackend
from ..model.document import Document
from ..model.inference import Extractor
from ..model.modeling import IsnadModel
from ..model.schema import LabelSchema
from ..model.text import paragraphs, sentence_starts, words
from ..model.windows import WindowMaker
from .calibrate import observe, set_decisions
from .config import FinetuneConfig
from .coreference_fit import fit_coreference, mention_pairs

# What fewer than this share of the training entities or relations do, the decoder rules out.
RARE = 0.005


def finish(
    model: IsnadModel,
    tokenizer: PreTrainedTokenizerBase,
    config: FinetuneConfig,
    schema: LabelSchema,
    train: Sequence[Document],
    dev: Sequence[Document],
) -> None:
    """Fit the coreference head on the training data, then calibration and thresholds on the development data."""
    maker = WindowMaker.of(tokenizer, model.config)
    pad_id = tokenizer.pad_token_id or 0
    model.eval()
    pairs = mention_pairs(model, maker, schema, train, pad_id)
    if pairs is not None:
        fit_coreference(model, pairs, seed=config.seed)
    model.config.model_name = config.name
    model.config.same_start = same_start_share(train) > RARE
    model.config.cross_sentence = cross_sentence_share(train) > RARE
    if not config.calibrate:
        return
    spans, links = observe(
        TorchBackend(model, pad_id), maker, schema, dev, cross_sentence=model.config.cross_sentence
    )
    set_decisions(model.config, schema, spans, links)


def same_start_share(documents: Sequence[Document]) -> float:
    """Return the share of entities that begin where a longer one of the same label begins."""
    entities = [(n, e.label, e.start) for n, document in enumerate(documents) for e in document.entities]
    return (len(entities) - len(set(entities))) / max(1, len(entities))


def cross_sentence_share(documents: Sequence[Document]) -> float:
    """Return the share of relations whose ends begin in different sentences."""
    across = total = 0
    for document in documents:
        starts = [
            spans[n][0]
            for paragraph in paragraphs(document.text)
            for spans in [words(document.text, *paragraph)]
            for n in sentence_starts(document.text, spans)
        ]
        place = {e.id: bisect_right(starts, e.start) for e in document.entities}
        across += sum(place[r.head] != place[r.tail] for r in document.relations)
        total += len(document.relations)
    return across / max(1, total)


def predict(
    model: IsnadModel, tokenizer: PreTrainedTokenizerBase, documents: Sequence[Document]
) -> list[Document]:
    """Return what a model in memory finds in the texts of gold documents."""
    device = next(model.parameters()).device
    extractor = Extractor(TorchBackend(model, tokenizer.pad_token_id or 0, device), model.config, tokenizer)
    return list(extractor.pipe((d.id, d.text) for d in documents))
