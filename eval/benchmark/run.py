"""The benchmark itself: models times data, cached, written to a folder, entered into the registry."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ...model.errors import ConfigError, nearest
from ...training.compute import machine, versions
from ...training.config import plain
from ...training.data.sources import find_config, load_schema, load_sources
from ..curves import FILE as CURVES
from ..slices import training_names
from ..spans import Convention
from ..stored import revision
from .adapters import Candidate, open_models
from .cache import write_documents, write_whole
from .data import BenchmarkData, load_data, missing_files, slug
from .labels import LabelMap, Translation, translate_labels, translate_relations
from .measure import Result, labels_hash, measure
from .predict import Progress, predict_all, predict_given, robustness_of, translated
from .registry import Record, Registry, now

FORMAT_VERSION = 1
HEADER = "benchmark.json"


@dataclass(frozen=True)
class Settings:
    """What is measured and how.

    Attributes:
        models: as `open_model` takes them.
        data: as `load_data` takes them.
        baseline: name of the model that the others are compared with; empty for the first.
        convention, flat: None for each data set's own; see `load_data`.
        maps: YAML files of `LabelMap`, or bare names in `configs/benchmark`.
        schema: labels of data that is no corpus.
        slices: whether to score the slices of `eval.slices`.
        seen: sources whose names count as seen in training, for the slices `seen` and `unseen`.
        robustness: whether to score on perturbed texts too; see `eval.robustness`.
        samples, seed: of the bootstrap intervals.
        download: whether hub names may be fetched.
        skip_missing: whether public corpora whose files are not here are left out; otherwise they are an error.
    """

    models: tuple[str, ...]
    data: tuple[str, ...]
    baseline: str = ""
    convention: Convention | None = None
    flat: bool | None = None
    maps: tuple[str, ...] = ()
    schema: str = "wojood"
    slices: bool = False
    seen: tuple[str, ...] = ()
    robustness: bool = False
    samples: int = 2000
    seed: int = 0
    download: bool = False
    skip_missing: bool = False


@dataclass(frozen=True)
class Plan:
    """Models and data, read and found to go together, before anything is computed.

    Attributes:
        settings: as given, the baseline named.
        candidates, data: in the order of the settings.
        translations: of each model's labels for each data set, by the names of both.
        seen_names: names of the documents of `settings.seen`; None without any.
        left_out: data that `settings.skip_missing` left out.
    """

    settings: Settings
    candidates: tuple[Candidate, ...]
    data: tuple[BenchmarkData, ...]
    translations: dict[tuple[str, str], Translation]
    seen_names: frozenset[str] | None = None
    left_out: tuple[str, ...] = ()


def prepare(settings: Settings) -> Plan:
    """Read data and models and settle how their labels are compared.

    Raises:
        ConfigError: no data, names twice, an unknown baseline, or labels that nothing maps.
        DataError, ModelError: faulty data or models.
    """
    if not settings.data:
        raise ConfigError("no data; accepted: --data with seeds:articles, corpus:NAME/dev, or a path")
    left_out = tuple(n for n in settings.data if settings.skip_missing and missing_files(n))
    settings = replace(settings, data=tuple(n for n in settings.data if n not in left_out))
    if not settings.data:
        raise ConfigError(f"no data: the files of {', '.join(left_out)} are not here")
    schema = load_schema(settings.schema)
    candidates = open_models(settings.models, schema=schema, download=settings.download)
    names = [c.name for c in candidates]
    baseline = settings.baseline or names[0]
    if baseline not in names:
        named = [c.name for c in candidates if baseline == c.spec]
        if not named:
            raise ConfigError(f"the baseline {baseline!r} is none of the models; {nearest(baseline, names)}")
        baseline = named[0]
    data = [load_data(n, schema, convention=settings.convention, flat=settings.flat) for n in settings.data]
    slugs = [d.slug for d in data]
    for found in data:
        if slugs.count(found.slug) > 1:
            raise ConfigError(
                f"{found.slug!r} names {slugs.count(found.slug)} data sets; accepted: each once"
            )
    maps = [LabelMap.read(find_config(name, "benchmark")) for name in settings.maps]
    translations = {(c.name, d.name): _translation(c, d, maps) for d in data for c in candidates}
    seen = training_names(load_sources(settings.seen, schema)) if settings.seen else None
    settings = replace(settings, baseline=baseline)
    return Plan(settings, tuple(candidates), tuple(data), translations, seen, left_out)


def _translation(candidate: Candidate, data: BenchmarkData, maps: Sequence[LabelMap]) -> Translation:
    schema, names = candidate.schema, {"model": candidate.name, "data": data.name}
    relations = translate_relations(schema.relation_labels, data.schema.relation_labels, **names, maps=maps)
    return replace(
        translate_labels(schema.entity_labels, data.classes, **names, maps=maps), relation_of=relations
    )


def run_benchmark(
    plan: Plan,
    output: Path,
    *,
    registry: Registry | None = None,
    progress: Progress | None = None,
    cached: Callable[[str], None] = lambda message: None,
) -> list[Result]:
    """Measure every model on every data set and write the folder of the benchmark.

    Predictions that were made before, by the same model on the same data with the same code, are taken from
    `output/cache`; a run that was cut off goes on where it was. Results of models and data that are not part of
    this run are taken out of the folder.

    Args:
        plan: from `prepare`.
        output: a new or empty folder, or that of a benchmark.
        registry: where results are entered; None for nowhere.
        progress: shows how far a model is.
        cached: told what came from the cache.

    Returns:
        Results by data, then by model, in the order of the settings.

    Raises:
        ConfigError: the folder holds something else.
    """
    claim(output)
    results = []
    for data in plan.data:
        write_documents(output / "gold" / f"{data.slug}.jsonl", data.documents)
        for candidate in plan.candidates:
            result = _measure(plan, candidate, data, output / "cache", progress)
            if result.reused:
                cached(f"{candidate.name} on {data.name}: predictions taken from the cache")
            name = f"{slug(candidate.name)}--{data.slug}"
            write_documents(output / "predictions" / f"{name}.jsonl", result.predicted)
            write_json(output / "results" / f"{name}.json", result.content)
            if registry is not None:
                registry.add(_record(result))
            results.append(result)
    write_json(output / HEADER, describe(plan))
    _tidy(output, plan)
    return results


def claim(output: Path) -> None:
    """Raise ConfigError if a folder holds something else than a benchmark."""
    there = {p.name for p in output.iterdir()} if output.is_dir() else set()
    ours = {HEADER, "cache", "gold", "predictions", "results", "speed.json", CURVES}
    if there and not there & ours:
        raise ConfigError(f"{output} holds no benchmark but other files; choose another -o")


def describe(plan: Plan) -> dict[str, Any]:
    """Return the settings as they were resolved, with all that is needed to make the results again."""
    return {
        "format_version": FORMAT_VERSION,
        "settings": plain(asdict(plan.settings)),
        "left_out": list(plan.left_out),
        "baseline": plan.settings.baseline,
        "models": [
            {
                "name": c.name,
                "slug": slug(c.name),
                "spec": c.spec,
                "kind": c.kind,
                "hash": c.hash,
                "code": c.code,
                "bytes": c.size,
                "schema": {"name": c.schema.name, "version": c.schema.version, "hash": c.schema.hash},
            }
            for c in plan.candidates
        ],
        "data": [
            {
                "name": d.name,
                "slug": d.slug,
                "hash": d.hash,
                "documents": len(d.documents),
                "entities": sum(len(x.entities) for x in d.documents),
                "relations": sum(len(x.relations) for x in d.documents),
                "convention": d.convention,
                "flat": d.flat,
                "labels": list(d.schema.entity_labels),
            }
            for d in plan.data
        ],
        "made": now(),
        "revision": revision(),
        "versions": versions(),
        "machine": machine(),
    }


def write_json(path: Path, content: object) -> None:
    """Write plain data whole or not at all."""
    write_whole(path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def _measure(
    plan: Plan, candidate: Candidate, data: BenchmarkData, cache: Path, progress: Progress | None
) -> Result:
    translation = plan.translations[candidate.name, data.name]
    found, seconds, reused = predict_all(candidate, data, cache, progress)
    predicted = translated(found, data, translation, candidate.name)
    robust = (
        robustness_of(candidate, data, translation, predicted, cache, progress, seed=plan.settings.seed)
        if plan.settings.robustness
        else None
    )
    return measure(
        candidate,
        data,
        translation,
        predicted,
        seconds=seconds,
        reused=reused,
        given=predict_given(candidate, data, translation, cache, progress),
        robustness=robust,
        slices=plan.settings.slices,
        seen_names=plan.seen_names,
        samples=plan.settings.samples,
        seed=plan.settings.seed,
    )


def _record(result: Result) -> Record:
    candidate, data = result.candidate, result.data
    return Record(
        model=candidate.name,
        model_hash=candidate.hash,
        spec=candidate.spec,
        kind=candidate.kind,
        data=data.name,
        data_hash=data.hash,
        schema_hash=data.schema.hash,
        labels_hash=labels_hash(result.translation),
        code_hash=candidate.code,
        convention=data.convention,
        flat=data.flat,
        revision=revision(),
        made=now(),
        scores=result.scores,
        evaluation=result.evaluation,
    )


def _tidy(output: Path, plan: Plan) -> None:
    """Remove what an earlier run of other models or data left; its predictions stay in the cache."""
    pairs = {f"{slug(c.name)}--{d.slug}" for c in plan.candidates for d in plan.data}
    kept = {"gold": {d.slug for d in plan.data}, "predictions": pairs, "results": pairs}
    for folder, names in kept.items():
        for path in (output / folder).glob("*.json*"):
            if path.stem not in names:
                path.unlink()
    speed = output / "speed.json"
    if speed.is_file():
        try:
            timed = json.loads(speed.read_text(encoding="utf-8"))["hashes"]
        except (ValueError, KeyError, TypeError):
            timed = None
        if timed != {c.name: c.hash for c in plan.candidates}:
            speed.unlink()
