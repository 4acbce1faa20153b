"""A model on its backends beside the transformers pipeline on its encoder: made, timed, compared."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ...model.errors import IsnadError, ModelError
from ...model.inference import Extractor
from ...model.text import words
from ..benchmark.speed import Progress, ratio_interval, sample_texts, summary, time_rounds, time_starts
from ..benchmark.speed_process import Contestant
from .contestants import ours, pipelines
from .density import Density, density
from .flops import Work, work
from .random_models import random_model
from .settings import BenchSettings
from .token_pipeline import save_token_classifier

# Words whose operations are counted; the count a word hardly changes with more.
_COUNTED = 1000


class Group:
    """A model on its backends and what it is compared with; made when it is needed.

    Args:
        name: of the model.
        folder: with torch weights.
        settings: of the run.
        texts: that are timed.
        scratch: folder for what is made.
        libraries: contestants from elsewhere.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        settings: BenchSettings,
        texts: Sequence[str],
        scratch: Path,
        libraries: Sequence[Contestant] = (),
    ) -> None:
        self.name, self.folder = name, folder
        self._settings, self.texts, self._scratch = settings, texts, scratch
        self._libraries = libraries
        self.failed: dict[str, str] = {}

    @cached_property
    def extractor(self) -> Extractor:
        """The model on a CPU, for counting."""
        return Extractor.from_pretrained(self.folder, backend="torch")

    @cached_property
    def density(self) -> Density:
        """What the model scores and finds in the texts."""
        return density(self.extractor, self.texts)

    @cached_property
    def own(self) -> list[Contestant]:
        """The model on each backend."""
        found = []
        for made in ours(
            self.name, self.folder, self._settings.backends, self._settings.device, self._scratch
        ):
            if isinstance(made, Contestant):
                found.append(made)
            else:
                self.failed[made[0]] = str(made[1])
        return found

    @cached_property
    def opponents(self) -> list[Contestant]:
        """The pipelines on the model's encoder."""
        if "transformers" not in self._settings.against:
            return []
        target = self._scratch / f"{self.name} pipeline"
        try:
            save_token_classifier(self.folder, target, self.texts, self.density.entities)
        except IsnadError as error:
            self.failed[f"{self.name} pipeline"] = str(error)
            return []
        return pipelines(self.name, target, self.extractor.config.max_pieces, self._settings.device)

    @property
    def everyone(self) -> list[Contestant]:
        """All contestants, our own ones first."""
        return [*self.own, *self.opponents, *self._libraries]


def time_sized(
    size: str,
    donor: Group,
    settings: BenchSettings,
    sample: dict[str, list[str]],
    scratch: Path,
    progress: Progress,
) -> dict[str, Any]:
    """Time a model of random weights on an encoder of a standard size.

    Args:
        size: of `random_models.SIZES`.
        donor: whose schema, tokenizer and amount of findings it gets.
        settings, sample, scratch, progress: as for `time_group` and `Group`.
    """
    progress(f"making {size} with random weights")
    folder = random_model(size, donor.folder, scratch / f"{size} model", donor.texts, donor.density)
    group = Group(size, folder, settings, donor.texts, scratch)
    return time_group(group, settings, sample, progress) | {
        "random": True,
        "donor_density": donor.density.per_hundred_words(),
    }


def time_group(
    group: Group, settings: BenchSettings, sample: dict[str, list[str]], progress: Progress
) -> dict[str, Any]:
    """Return starts, rounds and latencies of a group, with ratios to its pipelines, as plain data.

    Args:
        group: the contestants; those that fail are noted with their errors.
        settings: of the run.
        sample: texts by kind, see `speed.sample_texts`.
        progress: told what is measured.

    Raises:
        ModelError: there is nobody to time.
    """
    progress(f"preparing {group.name}")
    everyone = group.everyone
    if not everyone:
        raise ModelError(f"{group.name}: nothing to time ({'; '.join(group.failed.values())})")
    counted = work(group.extractor, sample_texts(sample["all"], _COUNTED)["all"])

    def failed(name: str, error: IsnadError) -> None:
        group.failed[name] = str(error)

    starts = time_starts(everyone, sample["sentence"], settings.speed, progress, failed)
    timed = time_rounds([c for c in everyone if c.name in starts], sample, settings.speed, progress, failed)
    count = sum(len(words(t)) for t in sample["all"])
    rounds = {name: t.seconds["all"] for name, t in timed.items()}
    baselines = [c.name for c in group.opponents if c.name in rounds]
    best = min(baselines, key=lambda name: sum(rounds[name]), default="")
    found = {}
    for c in everyone:
        if c.name not in timed:
            continue
        draw = np.random.default_rng(settings.seed)
        found[c.name] = summary(timed[c.name], starts[c.name], count) | {
            "rate": ratio_interval([count] * len(rounds[c.name]), rounds[c.name], draw),
            "ratios": {b: ratio_interval(rounds[b], rounds[c.name], draw) for b in baselines if b != c.name},
            "size": c.size,
            "hash": c.hash,
            "entities": timed[c.name].found,
            "ours": c in group.own,
            "flops_per_word": _needed(group, c, counted),
        }
    return {
        "name": group.name,
        "default": baselines[0] if baselines else "",
        "best": best,
        "density": group.density.per_hundred_words(),
        "work": {"words": counted.words, "flops": counted.total, "parts": counted.parts},
        "contestants": found,
        "failed": group.failed,
        "round_seconds": rounds,
    }


def _needed(group: Group, contestant: Contestant, counted: Work) -> float | None:
    """Return the operations a word of a contestant; None where they are not known."""
    if contestant in group.own:
        return counted.per_word
    # A pipeline computes the encoder and one small matrix.
    return counted.parts.get("encoder", 0) / counted.words if contestant in group.opponents else None
