"""What `isnad bench` measures, and where its results are kept while it does."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...model.errors import ConfigError, IsnadError
from ...training.data.files import write_text
from ..benchmark.adapters import short_hash
from ..benchmark.speed import SpeedSettings
from ..stored import to_lines
from .contestants import check_names
from .growth import LENGTHS, check_lengths

FILE, PARTIAL, REPORT = "bench.json", "bench.partial.json", "bench.html"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class BenchSettings:
    """What is measured.

    Attributes:
        models: isnad models, as `open_model` takes them.
        data: whose texts are timed, as `load_source` takes them.
        against: of `contestants.AGAINST`, with `:MODEL` behind a library to choose one.
        backends: of `exports.BACKENDS`.
        encoder_configs: of `random_models.SIZES`.
        lengths: words of the one text that grows; none to leave it out.
        labels: numbers of entity types; none to leave them out.
        device: cpu, cuda, cuda:1.
        speed: rounds, starts and sizes.
        limit: seconds beyond which no longer text is tried.
        seed: of texts that are made and of intervals.
        schema: labels that GLiNER is asked for.
        download: whether models of libraries may be fetched.
    """

    models: tuple[str, ...]
    data: tuple[str, ...]
    against: tuple[str, ...] = ("transformers",)
    backends: tuple[str, ...] = ("torch",)
    encoder_configs: tuple[str, ...] = ()
    lengths: tuple[int, ...] = LENGTHS
    labels: tuple[int, ...] = (5, 20, 80)
    device: str = "cpu"
    speed: SpeedSettings = field(default_factory=SpeedSettings)
    limit: float = 900.0
    seed: int = 0
    schema: str = "wojood"
    download: bool = False

    def __post_init__(self) -> None:
        for key in ("models", "data", "backends"):
            if not getattr(self, key):
                raise ConfigError(f"no {key}; accepted: at least one")
        check_names(self.against, self.backends)
        check_lengths(self.lengths)
        if any(n < 1 for n in self.labels):
            raise ConfigError(f"labels {self.labels}; accepted: numbers of entity types such as 5,20,80")
        if self.device.partition(":")[0] not in ("cpu", "cuda"):
            raise ConfigError(f"device {self.device!r}; accepted: cpu, cuda, cuda:NUMBER")

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return values


class Stages:
    """The parts of a run, each written when it is done, so that what was cut off goes on where it was.

    Args:
        folder: of the run.
        facts: what the results depend on; parts of a run with other facts are not taken up.
    """

    def __init__(self, folder: Path, facts: dict[str, Any]) -> None:
        self._path = folder / PARTIAL
        self._key = short_hash(facts)
        self._done: dict[str, Any] = {}
        try:
            stored = json.loads(self._path.read_text(encoding="utf-8"))
            if stored["key"] == self._key:
                self._done = dict(stored["stages"])
        except (OSError, ValueError, KeyError, TypeError):
            pass  # none, or none that can be taken up

    def run(self, name: str, measure: Callable[[], Any]) -> Any:
        """Return a part: from an earlier run that was cut off, or measured now; `{"error": …}` if it fails."""
        if name not in self._done:
            try:
                self._done[name] = measure()
            except IsnadError as error:
                self._done[name] = {"error": str(error)}
            write_text(self._path, to_lines({"key": self._key, "stages": self._done}))
        return self._done[name]

    def finish(self) -> None:
        """Forget the parts: the whole is stored."""
        self._path.unlink(missing_ok=True)


def environment() -> dict[str, str]:
    """Return what is set of the variables that say how many threads compute."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TOKENIZERS_PARALLELISM")
    return {name: os.environ[name] for name in names if name in os.environ}
