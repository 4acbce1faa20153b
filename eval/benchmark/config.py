"""A benchmark as a YAML file of `configs/benchmark`: which models on which data, and what is measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import yaml

from ...model.errors import ConfigError, nearest
from ...training.config import load_config
from ...training.data.sources import CONFIGS, find_config
from ..spans import Convention, check_convention
from .run import Settings

FOLDER = "benchmark"


@dataclass(frozen=True)
class BenchmarkConfig:
    """One benchmark; every field is a key of the YAML file.

    Attributes:
        models: what `open_model` takes, by the name that it goes by in the results.
        data: what `load_data` takes.
        baseline: name of the model that the others are compared with; empty for the first.
        convention: `char` or `word`; empty for each data set's own.
        flat: whether to compare outermost entities only; null for each data set's own.
        maps: YAML files of `LabelMap`, or names in `configs/benchmark`.
        schema: labels of data that is no corpus.
        slices: whether to score the slices of `eval.slices`.
        seen: sources whose names count as seen in training.
        robustness: whether to score on perturbed texts too.
        samples, seed: of the bootstrap intervals.
    """

    models: dict[str, str]
    data: tuple[str, ...]
    baseline: str = ""
    convention: str = ""
    flat: bool | None = None
    maps: tuple[str, ...] = field(default=())
    schema: str = "wojood"
    slices: bool = False
    seen: tuple[str, ...] = field(default=())
    robustness: bool = False
    samples: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        for name, spec in self.models.items():
            if not isinstance(name, str) or not isinstance(spec, str) or not name or set(name) & set("=/:"):
                raise ConfigError(
                    f"models: {name!r}: {spec!r}; accepted: `name: folder`, both as text, no = / : in the name"
                )
        for key in ("models", "data"):
            if not getattr(self, key):
                raise ConfigError(f"{key} is empty; accepted: one or more")
        if self.baseline and self.baseline not in self.models:
            raise ConfigError(f"baseline is {self.baseline!r}; {nearest(self.baseline, self.models)}")
        if self.convention:
            check_convention(self.convention)
        if self.samples < 1:
            raise ConfigError(f"samples is {self.samples}; accepted: 1 or more")

    def settings(self) -> Settings:
        """Return the settings of the run."""
        return Settings(
            models=tuple(f"{name}={spec}" for name, spec in self.models.items()),
            data=self.data,
            baseline=self.baseline,
            convention=cast(Convention, self.convention) if self.convention else None,
            flat=self.flat,
            maps=self.maps,
            schema=self.schema,
            slices=self.slices,
            seen=self.seen,
            robustness=self.robustness,
            samples=self.samples,
            seed=self.seed,
        )


def load_benchmark_config(name: str | Path) -> BenchmarkConfig:
    """Read a benchmark by path, or by its bare name in `configs/benchmark`.

    Raises:
        ConfigError: no such file, a label map instead of a benchmark, an unknown key or a value of the wrong type.
    """
    known = benchmark_names()
    if str(name) not in known and not Path(name).is_file():
        raise ConfigError(
            f"no benchmark {str(name)!r}; accepted: the path of a YAML file, or a name of configs/{FOLDER}: "
            f"{nearest(Path(name).stem, known)}"
        )
    path = find_config(name, FOLDER)
    if "labels" in _keys(path):
        raise ConfigError(f"{path} is a label map; accepted: a benchmark here, and a map with --map")
    return load_config(path, BenchmarkConfig)


def benchmark_names() -> list[str]:
    """Return the names of the benchmarks in `configs/benchmark`, which holds label maps too."""
    return sorted(p.stem for p in (CONFIGS / FOLDER).glob("*.yaml") if "models" in _keys(p))


def _keys(path: Path) -> frozenset[str]:
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return frozenset()  # `load_config` says what is wrong
    return frozenset(map(str, read)) if isinstance(read, Mapping) else frozenset()
