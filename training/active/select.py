"""Choosing what to annotate: a stream of passages in, the units most worth an annotator's time out.

Three steps: every unit gets a score (`criteria`), the best of the stream stay in a pool of bounded size without
near-duplicates (`pool`), and from the pool a diverse choice is made (`diversity`).
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal, Protocol

import numpy as np

from ...model.document import Document
from ...model.errors import ConfigError, nearest
from ...model.text import words
from .criteria import Criterion
from .diversity import spread
from .duplicates import NearDuplicates, signature
from .pool import Candidate, Pool
from .units import Kind, Passage, Unit
from .vectors import Floats, PieceVectors

By = Literal["uncertainty", "diversity", "both"]
BY = ("uncertainty", "diversity", "both")
_BATCH = 32
_ARABIC = re.compile(
    "[\u0620-\u064a\u066e-\u06d3\u06fa-\u06ff\u0750-\u077f\u08a0-\u08c9\ufb50-\ufdff\ufe70-\ufefc]"
)
# Candidates for each unit that is chosen for a label that the model does not know.
_LIKE_ENOUGH = 3
# Units of other scripts, tables and navigation are no sentences to learn from.
_ARABIC_SHARE = 0.5


class Reader(Protocol):
    """What is needed of an Extractor."""

    def pipe(self, texts: Iterable[tuple[str, str]], *, batch_size: int = 32) -> Iterator[Document]:
        """Yield the document of each (id, text)."""
        ...


@dataclass(frozen=True)
class Settings:
    """How units are chosen.

    Attributes:
        count: units to choose.
        by: `uncertainty` takes the highest scores, `diversity` covers a sample of what there is, `both` covers what
            scores high.
        unit: `sentence` or `paragraph`.
        pool: candidates kept of the stream for each criterion; 0 for ten for each unit that is chosen, 200 at least.
        shortest, longest: words of a unit.
        seed: of sample and draws.
    """

    count: int = 100
    by: By = "both"
    unit: Kind = "sentence"
    pool: int = 0
    shortest: int = 5
    longest: int = 100
    seed: int = 1

    def __post_init__(self) -> None:
        if self.by not in BY:
            raise ConfigError(f"by is {self.by!r}; {nearest(self.by, BY)}")
        if self.unit not in ("sentence", "paragraph"):
            raise ConfigError(f"unit is {self.unit!r}; {nearest(self.unit, ('sentence', 'paragraph'))}")
        if self.count < 1 or self.pool < 0:
            raise ConfigError(
                f"count is {self.count} and pool {self.pool}; accepted: at least 1, and 0 or more"
            )
        if not 1 <= self.shortest <= self.longest:
            raise ConfigError(
                f"words from {self.shortest} to {self.longest}; accepted: at least 1, and the longest not below the "
                "shortest"
            )

    @property
    def pool_size(self) -> int:
        """Candidates kept for each criterion."""
        return max(self.pool or max(200, 10 * self.count), self.count)


@dataclass(frozen=True, slots=True)
class Choice:
    """A unit that was chosen, and why.

    Attributes:
        unit: the unit.
        by: `uncertainty`, `similarity` or `diversity`.
        label: the unknown label that was looked for, or empty.
        score: expected wrong decisions a word, cosine, or 1.
        detail: what the score rests on.
    """

    unit: Unit
    by: str
    label: str
    score: float
    detail: dict[str, Any] = field(compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values: id, text, its place in the source, and the reason."""
        reason = {"by": self.by, **({"label": self.label} if self.label else {}), **self.detail}
        u = self.unit
        place = {"source": u.source, "start": u.start, "end": u.end}
        return {"id": u.id, "text": u.text, **place, "score": self.score, "reason": reason}


@dataclass(frozen=True)
class Selection:
    """What a run of `select` chose, and what it passed over.

    Attributes:
        choices: in the order of the choice; any beginning is a good choice of that size.
        counts: `units` that were looked at, and of these `nothing found`; passed over at once: `too short`,
            `too long`, `not Arabic`; and, as far as their scores would have let them into the pool,
            `near-duplicates` and `annotated already`.
        mean: mean score of all units that were looked at, by criterion or label.
        peak: most candidates held at a time.
    """

    choices: list[Choice]
    counts: Counter[str]
    mean: dict[str, float]
    peak: int


def select(
    passages: Iterable[Passage],
    criteria: Sequence[Criterion],
    settings: Settings,
    *,
    reader: Reader | None = None,
    vectors: PieceVectors | None = None,
    known: Sequence[str] = (),
) -> Selection:
    """Choose the units most worth annotating.

    Args:
        passages: a stream of any length; it is read once, and a batch of it is in memory at a time.
        criteria: each gets the same share of the choice.
        settings: how.
        reader: an extractor whose thresholds are all at `uncertainty.FLOOR`; for criteria that read.
        vectors: of words; for a choice by diversity.
        known: texts that are annotated already, sentence by sentence: they are not chosen again, and what they
            cover counts as covered.
    """
    index: NearDuplicates[str] = NearDuplicates()
    for text in dict.fromkeys(known):
        index.add(text, signature(text))
    pools = [Pool(settings.pool_size, index) for _ in criteria]
    counts: Counter[str] = Counter()
    sums = dict.fromkeys((c.label or c.name for c in criteria), 0.0)
    for unit, found, start in _units(passages, criteria, settings, reader, counts):
        nothing = True
        for criterion, pool in zip(criteria, pools, strict=True):
            worth = criterion.worth(unit, found, start)
            if worth is None:
                continue
            nothing = False
            sums[criterion.label or criterion.name] += worth.score
            pool.offer(Candidate(unit, worth.score, worth.detail, worth.key, worth.group))
        counts["nothing found"] += nothing
    counts["near-duplicates"] = sum(pool.duplicates for pool in pools)
    counts["annotated already"] = sum(pool.already_known for pool in pools)
    choices = _choose(criteria, pools, settings, vectors, known)
    mean = {name: total / max(1, counts["units"]) for name, total in sums.items()}
    return Selection(choices, counts, mean, sum(pool.peak for pool in pools))


def _units(
    passages: Iterable[Passage],
    criteria: Sequence[Criterion],
    settings: Settings,
    reader: Reader | None,
    counts: Counter[str],
) -> Iterator[tuple[Unit, Document | None, int]]:
    """Yield the units that can be chosen, each with what the model finds in its passage and its place there."""
    reads = any(criterion.reads for criterion in criteria)
    if reads and reader is None:
        raise ConfigError("a choice by uncertainty needs a model; pass an extractor as reader")
    stream = iter(passages)
    while batch := list(islice(stream, _BATCH)):
        fitting = [(p, kept) for p in batch if (kept := _fitting(p, settings, counts))]
        found: Iterable[Document | None] = [None] * len(fitting)
        if reads and reader is not None:
            found = list(reader.pipe([(p.source, p.text) for p, _ in fitting], batch_size=_BATCH))
        for (_, kept), document in zip(fitting, found, strict=True):
            yield from ((unit, document, start) for unit, start in kept)


def _fitting(passage: Passage, settings: Settings, counts: Counter[str]) -> list[tuple[Unit, int]]:
    kept = []
    for unit, start in passage.units(settings.unit):
        length = len(words(unit.text))
        letters = sum(char.isalpha() for char in unit.text)
        if length < settings.shortest:
            counts["too short"] += 1
        elif length > settings.longest:
            counts["too long"] += 1
        elif len(_ARABIC.findall(unit.text)) < _ARABIC_SHARE * max(1, letters):
            counts["not Arabic"] += 1
        else:
            counts["units"] += 1
            kept.append((unit, start))
    return kept


def _choose(
    criteria: Sequence[Criterion],
    pools: Sequence[Pool],
    settings: Settings,
    vectors: PieceVectors | None,
    known: Sequence[str],
) -> list[Choice]:
    """Choose from every pool its share; what one cannot fill goes to those after it."""
    choices: list[Choice] = []
    taken: NearDuplicates[int] = NearDuplicates()
    for number, (criterion, pool) in enumerate(zip(criteria, pools, strict=True)):
        share = -(-(settings.count - len(choices)) // (len(criteria) - number))
        candidates = [c for c in pool.best() if taken.find(signature(c.unit.text)) is None]
        candidates = _varied(candidates, share)
        if criterion.label:
            # Likeness soon means nothing: the choice is among the best of the pool, not all over it.
            candidates = candidates[: _LIKE_ENOUGH * share]
        if settings.by == "uncertainty":
            picked = candidates[:share]
        else:
            picked = _diverse(candidates, share, criterion, settings, vectors, known)
        for c in picked:
            taken.add(len(choices), signature(c.unit.text))
            choices.append(Choice(c.unit, criterion.name, criterion.label, c.score, c.detail))
    return choices


def _varied(candidates: list[Candidate], share: int) -> list[Candidate]:
    """Return candidates of which no group fills more than an eighth of the share, if there are enough of them."""
    limit = max(2, -(-share // 8))
    seen: Counter[str] = Counter()
    kept: list[Candidate] = []
    rest: list[Candidate] = []
    for candidate in candidates:
        seen[candidate.group] += 1
        (kept if not candidate.group or seen[candidate.group] <= limit else rest).append(candidate)
    return kept + rest[: max(0, share - len(kept))]


def _diverse(
    candidates: list[Candidate],
    share: int,
    criterion: Criterion,
    settings: Settings,
    vectors: PieceVectors | None,
    known: Sequence[str],
) -> list[Candidate]:
    if vectors is None:
        raise ConfigError("a choice by diversity needs word vectors; pass them, or choose by uncertainty")
    if not candidates:
        return []
    made: Floats = vectors.texts([*(c.unit.text for c in candidates), *known])
    weights = np.ones(len(candidates))
    if criterion.weighted and settings.by == "both":
        weights = np.asarray([c.key for c in candidates])
        if criterion.label:
            # Cosines crowd together: what counts is how far one is above the least of the pool.
            low, high = weights.min(), weights.max()
            weights = (weights - low) / max(high - low, 1e-9) + 0.05
    order = spread(
        made[: len(candidates)], weights, share, seed=settings.seed, centres=made[len(candidates) :]
    )
    return [candidates[n] for n in order]
