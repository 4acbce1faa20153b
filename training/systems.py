"""Every system behind the plain fit-and-predict face that evaluations use."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..model.document import Document
from ..model.errors import ConfigError, IsnadError, nearest
from ..model.inference import Extractor
from ..model.schema import LabelSchema
from .config import FinetuneConfig
from .data.annotation import Source
from .finetune import Score, finetune

if TYPE_CHECKING:
    from .baselines.crf import CrfTagger
    from .baselines.flat import FlatTagger

SYSTEMS = ("joint", "flat", "crf")


def make_system(
    kind: str,
    config: FinetuneConfig,
    schema: LabelSchema,
    folder: Path,
    *,
    score: Score,
    corpora: Sequence[Source] = (),
) -> "JointSystem | CrfTagger | FlatTagger":
    """Return a fresh system.

    Args:
        kind: one of `SYSTEMS`.
        config: of the joint model; the flat classifier takes encoder, epochs, batch size, rate and seed from it.
        schema: the labels.
        folder: for the checkpoints of the joint model.
        score: development scores.
        corpora: corpora of other conventions, which the joint model learns from too.

    Raises:
        ConfigError: an unknown kind, or corpora for a baseline.
    """
    if kind == "joint":
        return JointSystem(config, schema, folder, score=score, corpora=corpora)
    if corpora:
        raise ConfigError(f"data.corpora is set, but the system {kind!r} learns from data.train only")
    if kind == "crf":
        from .baselines.crf import CrfTagger

        return CrfTagger(schema)
    if kind == "flat":
        from .baselines.flat import FlatTagger

        return FlatTagger(
            schema,
            encoder=config.encoder,
            epochs=config.epochs,
            batch_size=config.batch_size,
            learning_rate=config.encoder_learning_rate,
            seed=config.seed,
        )
    raise ConfigError(f"unknown system {kind!r}; {nearest(kind, SYSTEMS)}")


class JointSystem:
    """Fine-tunes the joint model in a folder.

    Args:
        config: the run.
        schema: the labels.
        folder: of the run; removed after `predict` unless `keep`.
        score: development scores, as for `finetune`.
        corpora: as for `finetune`.
        keep: keep checkpoints and model.
    """

    def __init__(
        self,
        config: FinetuneConfig,
        schema: LabelSchema,
        folder: Path,
        *,
        score: Score,
        corpora: Sequence[Source] = (),
        keep: bool = False,
    ) -> None:
        self._config, self._schema, self._folder, self._score = config, schema, folder, score
        self._corpora, self._keep = corpora, keep
        self._extractor: Extractor | None = None

    def fit(self, train: Sequence[Document], dev: Sequence[Document]) -> None:
        """Train, continuing from the newest complete checkpoint if there is one."""
        result = finetune(
            self._config,
            self._schema,
            train,
            dev,
            self._folder,
            score=self._score,
            corpora=self._corpora,
            resume=True,
        )
        self._extractor = Extractor.from_pretrained(result.folder)

    def predict(self, documents: Sequence[Document]) -> list[Document]:
        """Annotate the texts of documents."""
        if self._extractor is None:
            raise IsnadError("predict was called before fit")
        found = list(self._extractor.pipe((d.id, d.text) for d in documents))
        if not self._keep:
            shutil.rmtree(self._folder, ignore_errors=True)
        return found
