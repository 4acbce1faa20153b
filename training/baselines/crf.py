"""A linear-chain CRF over hand-made features: the baseline without any pretraining."""

import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...model.document import Document
from ...model.errors import ConfigError, IsnadError, ModelError
from ...model.schema import LabelSchema
from ...model.text import encodable, paragraphs, sentence_starts, words
from ..config import build
from . import folder as store
from .features import word_features
from .iob2 import OUTSIDE, Losses, Spans, tag, to_document
from .proclitics import ProcliticLexicon

if TYPE_CHECKING:
    import pycrfsuite

log = logging.getLogger(__name__)

KIND = "crf"
_WEIGHTS = "crf.crfsuite"
# Longer paragraphs are cut at a sentence end for the CRF, whose tables grow with words times tags.
LONGEST = 1024


@dataclass(frozen=True)
class CrfOptions:
    """How a CRF is trained.

    Attributes:
        c1, c2: weights of the L1 and the L2 penalty.
        max_iterations: of L-BFGS.
        min_frequency: features seen less often in the training data are left out.
    """

    c1: float = 0.05
    c2: float = 0.1
    max_iterations: int = 100
    min_frequency: float = 1.0

    def __post_init__(self) -> None:
        for key in ("c1", "c2", "min_frequency"):
            if getattr(self, key) < 0:
                raise ConfigError(f"{key} is {getattr(self, key)}; accepted: 0 or more")
        if self.max_iterations < 1:
            raise ConfigError(f"max_iterations is {self.max_iterations}; accepted: 1 or more")


class CrfTagger:
    """Tags words in IOB2 with a conditional random field (Lafferty, McCallum and Pereira 2001, ICML).

    Trained by L-BFGS under L1 and L2 penalties with CRFsuite. It finds outermost entities; where they begin
    within their first word is decided by `ProcliticLexicon`.

    Args:
        schema: the labels.
        **options: fields of `CrfOptions`; another name or a wrong type raises ConfigError.

    Attributes:
        schema, options: as given.
        losses: gold of the last `fit` that tags do not carry.
        seconds: the last `fit` took.
    """

    name = "crf"

    def __init__(self, schema: LabelSchema, **options: Any) -> None:
        self.schema = schema
        self.options = build(CrfOptions, options, where="CrfTagger")
        self.losses = Losses()
        self.seconds = 0.0
        self._lexicon = ProcliticLexicon()
        self._weights = b""
        self._tagger: pycrfsuite.Tagger | None = None

    def fit(self, train: Sequence[Document], dev: Sequence[Document] = ()) -> None:
        """Train from nothing; what the tagger knew before is forgotten.

        Args:
            train: gold documents.
            dev: not used, since nothing is stopped or tuned; there so that all systems are called alike.

        Raises:
            ConfigError: no word to learn from.
            SchemaError: a label that the schema lacks.
            ModelError: python-crfsuite is not installed.
        """
        crfsuite = _crfsuite()
        begun = time.perf_counter()
        losses = Losses()
        trainer = crfsuite.Trainer(algorithm="lbfgs", verbose=False)
        count = 0
        for document in train:
            for entity in document.entities:
                self.schema.check_entity(entity.label)
            for paragraph in tag(document, losses):
                tokens = [encodable(document.text[s:e]) for s, e in paragraph.words]
                trainer.append(word_features(tokens), list(paragraph.tags))
                count += len(tokens)
        if not count:
            raise ConfigError(f"no words in {len(train)} training documents; accepted: documents with text")
        trainer.set_params(
            {
                "c1": self.options.c1,
                "c2": self.options.c2,
                "max_iterations": self.options.max_iterations,
                "feature.minfreq": self.options.min_frequency,
                # A weight for tag pairs that never occur lets the CRF learn that they do not.
                "feature.possible_transitions": True,
            }
        )
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary) / _WEIGHTS
            trainer.train(str(path))
            self._open(path.read_bytes())
        self._lexicon = ProcliticLexicon.learn(train)
        self.losses, self.seconds = losses, time.perf_counter() - begun
        losses.report()
        log.info("trained a CRF on %d words in %.0f s", count, self.seconds)

    def predict(self, documents: Sequence[Document | str]) -> list[Document]:
        """Annotate texts, in order; of a document only its text and id are read."""
        if self._tagger is None:
            raise IsnadError("predict was called before fit")
        return [
            self._predict(d.text, d.id) if isinstance(d, Document) else self._predict(d) for d in documents
        ]

    def save(self, folder: str | Path) -> Path:
        """Write the tagger into a folder, whole or not at all, and return the folder."""
        if self._tagger is None:
            raise IsnadError("save was called before fit")
        return store.write(
            folder,
            KIND,
            self.schema,
            self._lexicon,
            asdict(self.options),
            lambda place: (place / _WEIGHTS).write_bytes(self._weights),
        )

    @classmethod
    def load(cls, folder: str | Path) -> "CrfTagger":
        """Read a tagger that `save` wrote; ModelError if the folder is not one or was altered."""
        schema, lexicon, options = store.read(folder, KIND)
        tagger = cls(schema, **options)
        tagger._lexicon = lexicon
        try:
            tagger._open((Path(folder) / _WEIGHTS).read_bytes())
        except (OSError, ValueError) as error:
            raise ModelError(f"{folder}: {_WEIGHTS} cannot be read: {error}") from error
        return tagger

    def _open(self, weights: bytes) -> None:
        tagger = _crfsuite().Tagger()
        tagger.open_inmemory(weights)
        self._weights, self._tagger = weights, tagger

    def _predict(self, text: str, id_: str = "") -> Document:
        tagged = [(spans, *self._tags(text, spans)) for spans in _sequences(text)]
        return to_document(text, tagged, self._lexicon, self.schema, id=id_, model=self.name)

    def _tags(self, text: str, spans: Spans) -> tuple[list[str], list[float]]:
        """Return the best tags and the marginal probability of each."""
        assert self._tagger is not None
        tags = self._tagger.tag(word_features([encodable(text[s:e]) for s, e in spans]))
        return tags, [1.0 if t == OUTSIDE else self._tagger.marginal(t, n) for n, t in enumerate(tags)]


def _sequences(text: str) -> Iterator[Spans]:
    """Yield the words of each paragraph, of very long ones in parts that end with a sentence if they can."""
    for lo, hi in paragraphs(text):
        spans = words(text, lo, hi)
        starts = sentence_starts(text, spans) if len(spans) > LONGEST else []
        at = 0
        while len(spans) - at > LONGEST:
            end = max((s for s in starts if at < s <= at + LONGEST), default=at + LONGEST)
            yield spans[at:end]
            at = end
        yield spans[at:]


def _crfsuite() -> Any:
    try:
        import pycrfsuite
    except ImportError as error:
        raise ModelError(
            "the CRF needs python-crfsuite, which is not installed; pip install isnad[crf]"
        ) from error
    return pycrfsuite
