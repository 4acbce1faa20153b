"""Self-training: raw text annotated by a model, kept where the model is sure.

`python -m isnad.training.silver MODEL TEXT... -o silver.jsonl` writes documents that `data.corpora` of a
fine-tuning configuration takes by their path. Relations are left out: nothing is concluded from their absence.
(Self-training with a confidence cut, Yarowsky 1995; for named entities Liang et al. 2020, "BOND", section 4.)
"""

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..model.document import Document
from ..model.errors import ConfigError, IsnadError
from ..model.inference import Extractor
from ..model.text import words
from .data import write_documents
from .pretrain.corpus import mixture

log = logging.getLogger(__name__)

# Entities below this probability are taken for rightly absent; the observed floor of the extractor.
_FLOOR = 0.05


@dataclass(frozen=True)
class Cut:
    """Which paragraphs are kept.

    Attributes:
        low, high: no candidate may have a probability between these.
        empty: share kept of the paragraphs in which nothing is found.
        shortest, longest: words.
    """

    low: float = 0.2
    high: float = 0.8
    empty: float = 0.1
    shortest: int = 6
    longest: int = 90

    def __post_init__(self) -> None:
        if not _FLOOR <= self.low < self.high <= 1:
            raise ConfigError(f"cut from {self.low} to {self.high}; accepted: {_FLOOR} <= low < high <= 1")


def silver(
    extractor: Extractor, texts: Iterator[str], *, limit: int, cut: Cut, seed: int = 1
) -> Iterator[Document]:
    """Yield annotated paragraphs of which the model is sure.

    Args:
        extractor: reports candidates from 5% on.
        texts: paragraphs.
        limit: number of paragraphs to yield.
        cut: what is kept.
        seed: of the choice among the empty ones.
    """
    random = np.random.default_rng(seed)
    fitting = (t for t in texts if cut.shortest <= len(words(t)) <= cut.longest)
    made = seen = 0
    for document in extractor.pipe((f"silver-{n}", t) for n, t in enumerate(fitting)):
        seen += 1
        scores = [e.score for e in document.entities]
        if any(cut.low < s < cut.high for s in scores):
            continue
        sure = [e for e in document.entities if e.score >= cut.high]
        if not sure and random.random() >= cut.empty:
            continue
        entities = tuple(replace(e, score=1.0, cluster=None) for e in sure)
        yield Document(document.text, entities, id=document.id)
        made += 1
        if made >= limit:
            break
    log.info("kept %d of %d paragraphs", made, seen)


def main(arguments: Sequence[str] | None = None) -> int:
    """Annotate the texts named on the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m isnad.training.silver", description=__doc__)
    parser.add_argument("model", help="embedded model or folder")
    parser.add_argument("texts", nargs="+", type=Path, help="raw text, a paragraph a line, plain or .zst")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSONL file to write")
    parser.add_argument("--limit", type=int, default=20_000, help="paragraphs to write")
    parser.add_argument(
        "--share", type=float, default=0.2, help="share of the documents of each text looked at"
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        extractor = Extractor.from_pretrained(options.model, thresholds=_FLOOR)
        texts = mixture([(path, options.share) for path in options.texts])
        documents = list(silver(extractor, texts, limit=options.limit, cut=Cut()))
        write_documents(documents, options.output, format="jsonl", schema=extractor.schema)
    except IsnadError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{len(documents)} paragraphs written to {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
