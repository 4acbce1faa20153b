"""`isnad bench` itself: groups of contestants, growth with length and with labels, arithmetic, in one result."""

import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...model.errors import ConfigError, IsnadError
from ...model.store import has_weights, resolve
from ...model.text import words
from ...training.compute import machine, versions
from ...training.data.files import write_text
from ...training.data.sources import load_schema, load_source
from ..benchmark.adapters import code_hash, open_models
from ..benchmark.speed import Progress, ratio_interval, sample_texts, time_rounds
from ..benchmark.speed_process import Contestant
from ..stored import data_hash, revision, to_lines
from .contestants import library
from .flops import peaks
from .groups import Group, time_group, time_sized
from .growth import measure_growth
from .label_counts import label_frequency, save_with_labels
from .settings import FILE, FORMAT_VERSION, BenchSettings, Stages, environment


def run_bench(
    settings: BenchSettings, output: Path, *, command: str, progress: Progress = lambda message: None
) -> dict[str, Any]:
    """Measure everything and write `bench.json`.

    A contestant that fails is recorded with its error and the others go on; what a run that was cut off has
    finished is taken up by the next one with the same settings, models, code and machine.

    Args:
        settings: what to measure.
        output: folder of the result.
        command: what to type to measure it again.
        progress: told what is measured.

    Raises:
        ConfigError: a model that is no isnad model, or unknown names.
        DataError: no texts.
    """
    schema = load_schema(settings.schema)
    candidates = open_models(settings.models, schema=schema, download=settings.download)
    for c in candidates:
        if c.kind != "isnad" or not has_weights(resolve(c.spec)):
            raise ConfigError(
                f"{c.name!r} is no isnad model with torch weights; accepted: those; others go behind --against"
            )
    documents = [d for name in settings.data for d in load_source(name, schema)]
    sample = sample_texts([d.text for d in documents], settings.speed.words)
    facts = {
        "settings": settings.to_dict(),
        "models": {c.name: c.hash for c in candidates},
        "code": code_hash("eval/bench/*.py", "eval/benchmark/speed*.py"),
        "data_hash": data_hash(documents),
        "machine": machine(),
        "environment": environment(),
        "versions": versions(),
    }
    content: dict[str, Any] = {
        "format": FORMAT_VERSION,
        "kind": "isnad bench",
        "made": datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        "revision": revision(),
        "command": command,
        **facts,
        "words": sum(len(words(t)) for t in sample["all"]),
        "texts": len(sample["all"]),
        "load": {"before": _load()},
    }
    stages = Stages(output, facts)
    content["peaks"] = stages.run("peaks", lambda: peaks(settings.device))
    content["left_out"], libraries = _libraries(settings)
    with tempfile.TemporaryDirectory(prefix="isnad-bench-") as folder:
        scratch = Path(folder)
        models = [
            Group(c.name, resolve(c.spec), settings, sample["all"], scratch, () if n else libraries)
            for n, c in enumerate(candidates)
        ]
        content["groups"] = [
            {"name": g.name}
            | stages.run(f"group {g.name}", partial(time_group, g, settings, sample, progress))
            for g in models
        ]
        content["groups"] += [
            {"name": size}
            | stages.run(
                f"group {size}", partial(time_sized, size, models[0], settings, sample, scratch, progress)
            )
            for size in settings.encoder_configs
        ]
        content["growth"] = _growth(models, content["groups"], settings, documents, stages, progress)
        content["labels"] = {
            g.name: stages.run(f"labels {g.name}", partial(_labels, g, settings, scratch, progress))
            for g in (models if settings.labels else ())
        }
    content["load"]["after"] = _load()
    write_text(output / FILE, to_lines(content))
    stages.finish()
    return content


def _load() -> list[float]:
    """Return how many processes wanted a core, over 1, 5 and 15 minutes; nothing where the system does not say."""
    with suppress(OSError, AttributeError):
        return [round(n, 2) for n in os.getloadavg()]
    return []


def _libraries(settings: BenchSettings) -> tuple[dict[str, str], list[Contestant]]:
    left_out, found = {}, []
    for wanted in settings.against:
        if wanted == "transformers":
            continue
        try:
            found.append(library(wanted, settings.schema, settings.device, settings.download))
        except IsnadError as error:
            left_out[wanted] = str(error)
    return left_out, found


def _growth(
    models: Sequence[Group],
    timed: Sequence[dict[str, Any]],
    settings: BenchSettings,
    documents: Sequence[Any],
    stages: Stages,
    progress: Progress,
) -> dict[str, Any]:
    """Return how the cost of each contestant grows with the length of a text; of the pipelines the fastest one."""
    texts = [d.text for d in documents]
    found: dict[str, Any] = {}
    for group, result in zip(models, timed, strict=False):  # those of random weights come after them
        for c in group.everyone if settings.lengths and "contestants" in result else ():
            slower = c in group.opponents and c.name != result["best"]
            if slower or c.name not in result["contestants"] or c.name in found:
                continue
            found[c.name] = stages.run(
                f"growth {c.name}",
                partial(
                    measure_growth,
                    c,
                    texts,
                    settings.lengths,
                    seed=settings.seed,
                    limit=settings.limit,
                    progress=progress,
                ),
            )
    return found


def _labels(group: Group, settings: BenchSettings, scratch: Path, progress: Progress) -> dict[str, Any]:
    """Time the model with other numbers of labels, on the torch backend; see `label_counts`."""
    frequency = label_frequency(group.extractor(list(group.texts)))
    contestants = []
    for count in settings.labels:
        folder = save_with_labels(group.folder, scratch / f"{group.name} {count} labels", count, frequency)
        order = {"isnad": str(folder), "backend": "torch", "device": settings.device}
        contestants.append(Contestant(f"{group.name}, {count} labels", order))
    timed = time_rounds(contestants, {"all": group.texts}, settings.speed, progress)
    total = sum(len(words(t)) for t in group.texts)
    return {
        "points": [
            {
                "labels": count,
                "rate": ratio_interval(
                    [total] * settings.speed.rounds,
                    timed[c.name].seconds["all"],
                    np.random.default_rng(settings.seed),
                ),
                "seconds": timed[c.name].seconds["all"],
                "found": timed[c.name].found,
                **timed[c.name].memory,
            }
            for count, c in zip(settings.labels, contestants, strict=True)
        ]
    }
