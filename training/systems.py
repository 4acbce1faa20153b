"""The joint model behind the plain fit-and-predict face that evaluations use."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from ..model.document import Document
from ..model.errors import IsnadError
from ..model.inference import Extractor
from ..model.schema import LabelSchema
from .config import FinetuneConfig
from .finetune import Score, finetune


class JointSystem:
    """Fine-tunes the joint model in a folder.

    Args:
        config: the run.
        schema: the labels.
        folder: of the run; removed after `predict` unless `keep`.
        score: development scores, as for `finetune`.
        keep: keep checkpoints and model.
    """

    def __init__(
        self, config: FinetuneConfig, schema: LabelSchema, folder: Path, *, score: Score, keep: bool = False
    ) -> None:
        self._config, self._schema, self._folder, self._score, self._keep = (
            config,
            schema,
            folder,
            score,
            keep,
        )
        self._extractor: Extractor | None = None

    def fit(self, train: Sequence[Document], dev: Sequence[Document]) -> None:
        """Train, continuing from the newest complete checkpoint if there is one."""
        result = finetune(
            self._config, self._schema, train, dev, self._folder, score=self._score, resume=True
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
