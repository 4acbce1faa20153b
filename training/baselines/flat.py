"""A token classifier on an encoder: the flat neural baseline."""

import logging
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import Trainer, set_seed

from ...model.document import Document
from ...model.errors import ConfigError, IsnadError
from ...model.schema import LabelSchema
from ...model.text import paragraphs, words
from ...model.windows import Window, WindowMaker
from ..config import EncoderConfig, build
from . import folder as store
from .encoders import load_encoder
from .fitting import IGNORED, FlatOptions, KeepBest, pad, training_arguments
from .iob2 import Losses, Spans, best_path, tag, tag_set, to_document
from .proclitics import ProcliticLexicon
from .scores import flat_scores

log = logging.getLogger(__name__)

KIND = "flat"


class FlatTagger:
    """Classifies the first piece of every word as one of the IOB2 tags (Devlin et al. 2019, section 5.3).

    Every paragraph is read whole, in overlapping windows where it is long; the best allowed sequence of tags
    is taken over the whole paragraph. It finds outermost entities; where they begin within their first word
    is decided by `ProcliticLexicon`.

    Args:
        schema: the labels.
        **options: fields of `FlatOptions`; another name or a wrong type raises ConfigError. `encoder` is an
            `EncoderConfig`, a mapping of its fields, or the path of a folder.

    Attributes:
        schema, options: as given.
        losses: gold of the last `fit` that tags do not carry.
        history: development micro F1 (seqeval, strict IOB2) after every epoch of the last `fit`.
        seconds: the last `fit` took.
    """

    name = "flat"

    def __init__(self, schema: LabelSchema, **options: Any) -> None:
        self.schema = schema
        self.options = build(FlatOptions, _plain(options), where="FlatTagger")
        self.losses = Losses()
        self.history: list[float] = []
        self.seconds = 0.0
        self._tags = tag_set(schema)
        self._row = {t: n for n, t in enumerate(self._tags)}
        self._lexicon = ProcliticLexicon()
        self._model: nn.Module | None = None
        self._tokenizer: Any = None
        self._maker: WindowMaker | None = None

    def fit(self, train: Sequence[Document], dev: Sequence[Document]) -> None:
        """Train a fresh classifier on the encoder and keep the state of the best epoch.

        Args:
            train: gold documents to learn from.
            dev: gold documents that choose the epoch.

        Raises:
            ConfigError: no training or no development documents, or an encoder that does not fit.
            SchemaError: a label that the schema lacks.
            ModelError: the encoder cannot be loaded.
        """
        if not train or not dev:
            raise ConfigError(
                f"{len(train)} training documents and {len(dev)} development documents; accepted: some of both"
            )
        begun = time.perf_counter()
        try:
            self._train(train, dev)
        except BaseException:
            # A half-trained model must not pass for a trained one.
            self._model = None
            raise
        self.seconds = time.perf_counter() - begun
        self.losses.report()
        best = max(self.history, default=0.0)
        log.info("trained a token classifier: development F1 %.4f, %.0f s", best, self.seconds)

    def predict(self, documents: Sequence[Document | str]) -> list[Document]:
        """Annotate texts, in order; of a document only its text and id are read."""
        if self._model is None:
            raise IsnadError("predict was called before fit")
        return [
            self._predict(d.text, d.id) if isinstance(d, Document) else self._predict(d) for d in documents
        ]

    def save(self, folder: str | Path) -> Path:
        """Write the tagger into a folder, whole or not at all, and return the folder."""
        if self._model is None:
            raise IsnadError("save was called before fit")
        model: Any = self._model

        def weights(place: Path) -> None:
            model.save_pretrained(place)
            self._tokenizer.save_pretrained(place)

        return store.write(folder, KIND, self.schema, self._lexicon, asdict(self.options), weights)

    @classmethod
    def load(cls, folder: str | Path) -> "FlatTagger":
        """Read a tagger that `save` wrote; ModelError if the folder is not one or was altered."""
        schema, lexicon, options = store.read(folder, KIND)
        tagger = cls(schema, **options)
        model, tokenizer, limit = load_encoder(EncoderConfig(path=str(folder)), tagger._tags)
        tagger._install(model.eval(), tokenizer, limit)
        tagger._lexicon = lexicon
        return tagger

    def _train(self, train: Sequence[Document], dev: Sequence[Document]) -> None:
        set_seed(self.options.seed)
        model, tokenizer, limit = load_encoder(self.options.encoder, self._tags)
        self._install(model, tokenizer, limit)
        self._lexicon = ProcliticLexicon.learn(train)
        self.losses = Losses()
        rows = [row for document in train for row in self._examples(document)]
        if not rows:
            raise ConfigError(f"no words in {len(train)} training documents; accepted: documents with text")
        best = KeepBest(lambda: self._develop(dev), self.options.patience)
        with tempfile.TemporaryDirectory() as temporary:
            trainer = Trainer(
                model=model,
                args=training_arguments(self.options, temporary),
                train_dataset=rows,
                data_collator=lambda batch: pad(batch, self._pad_id),
                callbacks=[best],
            )
            trainer.train()
            # Trainer wraps the forward pass for bfloat16; what is kept computes as a loaded model does.
            model = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
        if best.state:
            model.load_state_dict(best.state)
        self._model, self.history = model.float().to("cpu").eval(), best.history

    def _install(self, model: nn.Module, tokenizer: Any, limit: int) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._pad_id = tokenizer.pad_token_id or 0
        try:
            self._maker = WindowMaker(
                tokenizer,
                max_pieces=min(self.options.max_pieces, limit),
                overlap_pieces=self.options.overlap_pieces,
            )
        except ValueError as error:
            raise ConfigError(str(error)) from error

    def _examples(self, document: Document) -> list[dict[str, list[int]]]:
        """Return the windows of a document with labels at the first pieces of their core's words."""
        for entity in document.entities:
            self.schema.check_entity(entity.label)
        tags = {
            span: self._row[t]
            for paragraph in tag(document, self.losses)
            for span, t in zip(paragraph.words, paragraph.tags, strict=True)
        }
        assert self._maker is not None
        rows = []
        for window in self._maker.windows(document.text):
            labels = [IGNORED] * len(window.input_ids)
            for word in range(*window.core):
                labels[window.first[word]] = tags[window.words[word]]
            rows.append({"input_ids": window.input_ids, "labels": labels})
        return rows

    def _develop(self, dev: Sequence[Document]) -> float:
        return float(flat_scores(dev, self.predict(dev), self.schema)["micro"]["f1"])

    def _predict(self, text: str, id_: str = "") -> Document:
        assert self._maker is not None
        rows: dict[tuple[int, int], NDArray[np.float32]] = {}
        batch: list[Window] = []
        for window in self._maker.windows(text):
            batch.append(window)
            if len(batch) == self.options.batch_size:
                rows |= self._score(batch)
                batch = []
        rows |= self._score(batch)
        tagged = []
        for lo, hi in paragraphs(text):
            spans: Spans = words(text, lo, hi)
            scores = np.stack([rows[s] for s in spans])
            path = best_path(scores, self._tags)
            probabilities = np.exp(scores[np.arange(len(path)), path]).tolist()
            tagged.append((spans, [self._tags[n] for n in path], probabilities))
        return to_document(text, tagged, self._lexicon, self.schema, id=id_, model=self.name)

    @torch.inference_mode()
    def _score(self, windows: Sequence[Window]) -> dict[tuple[int, int], NDArray[np.float32]]:
        """Return the log-probabilities [tags] of the words in the cores of the windows."""
        if not windows:
            return {}
        assert self._model is not None
        model = self._model
        device = next(model.parameters()).device
        training = model.training
        model.eval()
        inputs = pad([{"input_ids": w.input_ids} for w in windows], self._pad_id)
        logits = model(**{k: v.to(device) for k, v in inputs.items()}).logits
        scores = logits.float().log_softmax(dim=-1).cpu().numpy()
        model.train(training)
        return {w.words[n]: scores[row, w.first[n]] for row, w in enumerate(windows) for n in range(*w.core)}


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    """Return options as a configuration file would hold them."""
    encoder = options.get("encoder", {})
    if is_dataclass(encoder) and not isinstance(encoder, type):
        encoder = asdict(encoder)
    elif isinstance(encoder, str | Path):
        encoder = {"path": str(encoder)}
    return options | {"encoder": encoder}
