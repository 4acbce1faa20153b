"""A process that holds one model and times what it is told to: JSON lines in, JSON lines out.

`python -m isnad.eval.benchmark.speed_worker`, started by `speed_process`. The first line names the model:
`{"spec": …, "schema": …, "download": …}` as `adapters.open_model` takes them, or what `bench.contestants` opens.
Every further one is `{"texts": […]}`, answered with the seconds that annotating them took and the number of entities,
or `{"memory": true}`.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any


def peak_memory() -> int:
    """Return the most memory that this process ever held, in bytes.

    What `getrusage` counts begins with the parent's memory on Linux, since a child is a copy of its parent until it
    executes another program; the high-water mark of the address space begins anew, so it goes first.
    """
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    # Kilobytes, but bytes on macOS.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> int:
    """Answer until the input ends; the exit code is 2 where the model cannot be opened."""
    # What libraries print must not get between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(content: dict[str, Any]) -> None:
        print(json.dumps(content), file=answers, flush=True)

    from ...model.errors import IsnadError

    try:
        predictor = _opened(json.loads(sys.stdin.readline()))
    except IsnadError as error:
        answer({"error": str(error)})
        return 2
    answer({"ready": True})
    for line in sys.stdin:
        order = json.loads(line)
        if "memory" in order:
            answer({"memory": {"peak_memory": peak_memory()} | _gpu_memory()})
            continue
        items = [(str(n), text) for n, text in enumerate(order["texts"])]
        begun = time.perf_counter()
        found = predictor.predict(items)
        seconds = time.perf_counter() - begun
        answer({"seconds": seconds, "found": sum(len(getattr(d, "entities", d)) for d in found)})
    return 0


def _opened(order: dict[str, Any]) -> Any:
    """Return what predicts; IsnadError if it cannot be opened."""
    if "spec" not in order:
        from ..bench.contestants import load_contestant

        return load_contestant(order)
    from ...training.data.sources import load_schema
    from .adapters import open_model

    schema = load_schema(order["schema"])
    return open_model(order["spec"], schema=schema, download=order["download"]).load()


def _gpu_memory() -> dict[str, int]:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return {}
    return {"peak_gpu_memory": int(torch.cuda.max_memory_allocated())}


if __name__ == "__main__":
    sys.exit(main())
