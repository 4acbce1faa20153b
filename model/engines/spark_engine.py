"""Spark: a job mapped over numbers by `mapInPandas`."""

import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..errors import ConfigError
from .faults import need, raise_ours

# Tasks of a job; each holds a slice of the numbers.
_MOST_TASKS = 20_000
# How often a task may fail, a killed worker included, as on clusters. Of itself a local session allows one failure.
_FAILURES = 4


@contextmanager
def cluster(workers: int | None, device: str) -> Iterator[Callable[..., Iterator[str]]]:
    """Take the active session, or that of spark-submit or PYSPARK_SUBMIT_ARGS, or make one on this machine.

    Args:
        workers: cores of a session on this machine. A session that is there already has its own.
        device: cpu.

    Yields:
        What maps a job over numbers and yields the results when all are there.

    Raises:
        ConfigError: PySpark or Java is not installed, or a session is asked for what it cannot give.
    """
    need("spark", "pyspark", "pyarrow", "pandas")
    if device != "cpu":
        raise ConfigError(f"the device {device!r} with the engine spark; accepted: cpu, or the engine ray")
    from pyspark.sql import SparkSession

    active = SparkSession.getActiveSession()
    theirs = active is not None or _submitted()
    if theirs and workers is not None:
        raise ConfigError(
            f"{workers} workers with a session of Spark that is there already; leave --workers out, and give the "
            "session its cores (spark-submit --executor-cores, --num-executors)"
        )
    builder: Any = SparkSession.builder
    spark = active or (builder if theirs else _local(builder, workers)).getOrCreate()
    try:

        def spread(job: Callable[[int], str], numbers: Sequence[int]) -> Iterator[str]:
            return _map(spark, job, numbers)

        yield spread
    finally:
        if not theirs:
            spark.stop()


def _submitted() -> bool:
    """Whether something outside has said where Spark runs."""
    environment = os.environ
    named = "--master" in environment.get("PYSPARK_SUBMIT_ARGS", "")
    return named or "PYSPARK_GATEWAY_PORT" in environment or "SPARK_REMOTE" in environment


def _local(builder: Any, workers: int | None) -> Any:
    if not os.environ.get("JAVA_HOME") and shutil.which("java") is None:
        raise ConfigError(
            "the engine spark needs Java, which was not found; install Java 17 or newer, or set JAVA_HOME"
        )
    settings = {
        "spark.app.name": "isnad",
        "spark.ui.enabled": False,
        # Nothing outside this machine has to reach a session that has no other machines.
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.log.level": "ERROR",
        "spark.ui.showConsoleProgress": sys.stderr is not None and sys.stderr.isatty(),
    }
    # Workers must run the Python of the driver: another one may lack isnad.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = builder.master(f"local[{workers or '*'},{_FAILURES}]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder


def _map(spark: Any, job: Callable[[int], str], numbers: Sequence[int]) -> Iterator[str]:
    def apply(frames: Iterator[Any]) -> Iterator[Any]:
        import pandas

        for frame in frames:
            for index in frame["id"]:
                yield pandas.DataFrame({"result": [job(numbers[int(index)])]})

    # One number a task, as long as there are not too many: a task that fails is repeated as a whole.
    tasks = min(len(numbers), _MOST_TASKS)
    try:
        with warnings.catch_warnings():
            # PySpark 4 warns of pandas 3, of which one column of strings is all that passes here.
            warnings.simplefilter("ignore", FutureWarning)
            mapped = spark.range(len(numbers), numPartitions=tasks).mapInPandas(apply, "result string")
            rows = mapped.collect()
    except Exception as error:
        raise_ours(error)
        raise
    yield from (row.result for row in rows)
