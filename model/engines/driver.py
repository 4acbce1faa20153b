"""The driver of a run on many workers: plan, hand out, enter into the manifest."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, cast

from ..errors import ConfigError, nearest
from ..predictor import Predictor
from ..stream.header import run_header, spare_inputs
from ..stream.loop import Counts, Progress
from ..stream.parts import writer
from ..stream.records import Keys
from ..stream.sources import Source, find_sources
from . import plan, ray_engine, spark_engine
from .journal import UnitJournal
from .worker import Extraction

logger = logging.getLogger(__name__)

# Maps a job over numbers on a cluster; results come in any order.
Map = Callable[[Callable[[int], str], Sequence[int]], Iterator[str]]
# What starts or joins a cluster: (workers, device) -> Map.
ENGINES: dict[str, Callable[[int | None, str], AbstractContextManager[Map]]] = {
    "ray": ray_engine.cluster,
    "spark": spark_engine.cluster,
}
# Bytes that the driver reads itself to cut files into units; more is left to the workers.
_READ_HERE = 1 << 28


def run(
    names: Sequence[str],
    output: str | Path,
    *,
    engine: str,
    model: str | Path | None = None,
    format: str = "jsonl",
    keys: Keys | None = None,
    part_size: int = 5000,
    workers: int | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    watch: Callable[[Progress], None] | None = None,
    **options: Any,
) -> Counts:
    """Extract from files and folders on all workers of a cluster, or go on with a run that was interrupted.

    The documents are those of a run on one machine, in other parts: a part ends with its file, and is what a worker
    takes at a time. Bad documents are listed in `_errors-*.jsonl` and do not stop the run. The last line of
    `_manifest.jsonl` says `complete` when everything is there.

    Args:
        names: what `isnad extract` reads: JSON Lines, CSV, Parquet, texts, folders. Compressed files are cut into
            16 units at most, as each is read from the beginning of its file.
        output: folder of the run; all workers must be able to write there.
        engine: `ray` joins the cluster of this process or of RAY_ADDRESS, else it starts one on this machine and
            ends it; `spark` takes the active session, or that of spark-submit, or one on this machine.
        model: as `Extractor.from_pretrained` takes it; all workers must find it.
        format: jsonl, parquet or csv.
        keys: of text and id.
        part_size: records of a part.
        workers: processes, each with one thread and a model of its own; all CPUs (for a device cuda all GPUs) of
            the cluster if absent.
        device: cpu, or cuda with `ray`: one GPU for each worker.
        overwrite: remove the run that is there.
        watch: told of progress, in units, whenever the driver learns of a unit: Ray reports each, Spark all at
            the end.
        options: of `Extractor.from_pretrained`: `thresholds`, `backend`.

    Returns:
        Counts over the whole run: documents, errors, entities, relations, clusters, words, characters.

    Raises:
        ConfigError: the engine is unknown or not installed; it cannot do what is asked for; the run that is there
            is of another kind; an option is unknown.
        DataError: an input is missing or of an unknown kind.
        ModelError: extraction fails on everything, or workers keep dying on the same documents.
    """
    if engine not in ENGINES:
        raise ConfigError(f"the unknown engine {engine!r}; {nearest(engine, ENGINES)}")
    if part_size < 1 or (workers is not None and workers < 1):
        raise ConfigError(f"part_size is {part_size} and workers is {workers}; accepted: 1 or more")
    writer(format)
    keys, folder = keys or Keys(), Path(output).absolute()
    predictor = Predictor(model, threads=1, device=device, **options)
    sources = find_sources(list(map(str, names)), keys)
    for source in sources:
        source.path = source.path.absolute()  # a worker may run in another folder
        source.check()
    spare_inputs(sources, folder)
    about = {"engine": "ray or spark", **options}
    header = run_header(sources, keys, format=format, part_size=part_size, model=model, **about)
    with UnitJournal.open(folder, header, overwrite=overwrite) as opened:
        journal = cast(UnitJournal, opened)
        for note in journal.notes:
            logger.warning("%s", note)
        if not journal.complete:
            with ENGINES[engine](workers, device) as spread:
                planned = _plan(sources, folder, part_size, spread)
                job = Extraction(predictor, sources, planned, folder, format, part_size)
                _hand_out(job, journal, spread, watch)
            journal.finish()
        return Counter(journal.counts)


def _plan(sources: Sequence[Source], folder: Path, part_size: int, spread: Map) -> list[plan.Unit]:
    """Return the plan of a run, which later starts find in its folder."""
    planned = plan.load(folder)
    if planned is None:
        planner, numbers = plan.Planner(sources, part_size), range(len(sources))
        # Of parquet its metadata are read, whatever its size.
        size = sum(source.size or 0 for source in sources if source.kind != "parquet")
        found = map(planner, numbers) if size <= _READ_HERE else spread(planner, numbers)
        planned = plan.units(list(found))
        plan.save(folder, planned)
    return planned


def _hand_out(
    job: Extraction, journal: UnitJournal, spread: Map, watch: Callable[[Progress], None] | None
) -> None:
    left = [number for number in range(len(job.units)) if number not in journal.done]
    if not left:
        return
    progress = Progress(done=len(journal.done), total=len(job.units))
    try:
        for account in spread(job, left):
            before = Counter(journal.counts)
            journal.enter(account)
            progress.counts += Counter(journal.counts) - before
            progress.done = len(journal.done)
            if watch is not None:
                watch(progress)
    except BaseException:
        journal.gather()
        raise
    missing = [number for number in left if number not in journal.done]
    if missing:
        raise ConfigError(f"the engine lost {len(missing)} of {len(left)} units; the same command does them")
