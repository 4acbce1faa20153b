"""Ray: a job mapped over numbers by the actors of Ray Data."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..errors import ConfigError
from .faults import need, raise_ours

# Blocks of the numbers that are handed out. Each is an object that the driver keeps track of.
_MOST_BLOCKS = 10_000
# Bytes of the object store, which holds numbers and accounts; the texts do not pass through it.
_STORE = 100 << 20
# A machine that is busy does not start Ray within the half minute that Ray allows; the next time it is in memory.
_STARTS = 3


@contextmanager
def cluster(workers: int | None, device: str) -> Iterator[Callable[..., Iterator[str]]]:
    """Join the cluster of this process or of RAY_ADDRESS, or start one on this machine and end it.

    Every actor takes one CPU, with a device cuda one GPU besides. None is left for a reader, as the actors read
    their input themselves; a pipeline of `read_parquet(…).map_batches(Predictor, …)` has to leave one.

    Args:
        workers: actors; absent for as many as there are CPUs or GPUs. A cluster that is joined may still be
            growing: there the run begins with those that there is room for.
        device: cpu or cuda.

    Yields:
        What maps a job over numbers and yields the results as they come.

    Raises:
        ConfigError: Ray is not installed or does not start, the device is another, or there is no GPU.
    """
    need("ray", "ray", "pyarrow", "pandas")
    if device not in ("cpu", "cuda"):
        raise ConfigError(
            f"the device {device!r} with the engine ray; accepted: cpu, cuda (Ray chooses which one)"
        )
    # Before the import: nothing is sent to anybody, and what Ray says of its inner life goes to its own files.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_DATA_LOG_LEVEL", "CRITICAL")
    import ray

    ours = not ray.is_initialized()
    if ours:
        _start(ray, workers)
    try:
        kind = "GPU" if device == "cuda" else "CPU"
        there = int(ray.cluster_resources().get(kind, 0))
        if not there and (workers is None or kind == "GPU"):
            raise ConfigError(f"the cluster of Ray has no {kind}; accepted: one for each worker")
        most = workers or there

        def spread(job: Callable[[int], str], numbers: Sequence[int]) -> Iterator[str]:
            return _map(job, numbers, (max(1, min(there, most)), most), gpu=kind == "GPU")

        yield spread
    finally:
        if ours:
            ray.shutdown()


class _Actor:
    """Holds a job in a process of Ray."""

    def __init__(self, job: Callable[[int], str]) -> None:
        self._job = job

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        return {"result": [self._job(int(number)) for number in batch["item"]]}


def _start(ray: Any, workers: int | None) -> None:
    local: dict[str, Any] = {}
    if not os.environ.get("RAY_ADDRESS"):
        local = {"num_cpus": workers, "object_store_memory": _STORE, "include_dashboard": False}
    for attempt in range(1, _STARTS + 1):
        try:
            ray.init(logging_level=logging.ERROR, log_to_driver=False, **local)
            return
        except Exception as error:  # of many kinds, bare ones among them
            ray.shutdown()
            if not local or attempt == _STARTS or "timed out" not in str(error):
                where = os.environ.get("RAY_ADDRESS") or "this machine"
                raise ConfigError(f"Ray on {where} cannot be reached or started: {error}") from error


def _map(
    job: Callable[[int], str], numbers: Sequence[int], pool: tuple[int, int], *, gpu: bool
) -> Iterator[str]:
    import ray.data

    context = ray.data.DataContext.get_current()
    before = context.enable_progress_bars, context.target_max_block_size
    context.enable_progress_bars = False  # the driver shows progress in documents
    # Ray starts no more actors at once than the object store could hold blocks of this size.
    context.target_max_block_size = 1 << 20
    try:
        dataset = ray.data.from_items(list(numbers), override_num_blocks=min(len(numbers), _MOST_BLOCKS))
        mapped = dataset.map_batches(
            _Actor,
            fn_constructor_args=(job,),
            batch_size=1,
            num_cpus=1,
            num_gpus=1 if gpu else None,
            # A unit takes minutes: none is to wait behind another while an actor is idle.
            compute=ray.data.ActorPoolStrategy(
                min_size=pool[0], max_size=pool[1], max_tasks_in_flight_per_actor=1
            ),
        )
        for batch in mapped.iter_batches(batch_size=None, prefetch_batches=0):
            yield from (str(result) for result in batch["result"])
    except Exception as error:
        raise_ours(error)
        raise
    finally:
        context.enable_progress_bars, context.target_max_block_size = before
