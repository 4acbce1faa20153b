"""Runs that `test_training_faults` breaks off: one process that has everything imported forks a child a run.

`python training_worker.py ENCODER DATA` reads commands from standard input, one JSON object a line: `run` (folder),
`resume`, and what happens at the n-th change to the run's folder (`at`): `kill` ends the process, `errno` makes this
and every later change fail with that error, `limit` bounds the size of files from then on; or `kill_after`, in seconds.
Each is answered by a line: how the child ended, how many changes it made, its error, how long it took.

`training_worker.py ENCODER DATA RUN ACCUMULATION` is one run without dropout and chance, as one process of several.
"""

import errno
import json
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import torch
from isnad.model.document import Document
from isnad.model.errors import IsnadError
from isnad.model.schema import LabelSchema
from isnad.training.config import AugmentConfig, EncoderConfig, FinetuneConfig
from isnad.training.data import read_documents
from isnad.training.finetune import finetune

SIZES = {"word_size": 16, "letter_size": 4, "span_size": 12, "pair_size": 16, "mention_size": 8}
REMOVALS = {"os.remove", "os.rmdir"}
CHANGES = {"os.rename", "os.mkdir", "os.truncate"} | REMOVALS


def score(gold: Any, predicted: list[Document]) -> dict[str, float]:
    """A score that depends on the model and on nothing else, and goes up and down."""
    entities = sum(len(d.entities) for d in predicted)
    return {"span_f1": (entities % 97) / 97, "relation_f1": 0.0}


def train(encoder: str, data: Path, run: Path, *, resume: bool, **changes: Any) -> None:
    """Train the tiny model of the tests for three epochs."""
    schema = LabelSchema.from_yaml(data / "schema.yaml")
    config = FinetuneConfig(
        **{
            "name": "tiny-run",
            "encoder": EncoderConfig(path=encoder),
            "augment": AugmentConfig(replace_mentions=0.3, proclitics=0.3),
            "model": {**SIZES, "attention_heads": 2, "max_pieces": 96, "overlap_pieces": 16},
            "epochs": 3,
            "batch_size": 8,
            "encoder_learning_rate": 3e-3,
            "head_learning_rate": 3e-3,
            "patience": 0,
            "precision": "fp32",
            "tracker": "none",
            "calibrate": False,
            **changes,
        }
    )
    documents = [read_documents(data / f"{part}.jsonl", schema=schema) for part in ("train", "dev")]
    finetune(config, schema, *documents, run, score=score, resume=resume)


class Watch:
    """Counts the changes to a folder, and lets something happen in the middle of one.

    Audit hooks are called before the change, and what they raise is raised by the function that would have made it.
    """

    def __init__(self, order: dict[str, Any]) -> None:
        self.changes, self._order = 0, order

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not _changes(event, arguments) or not str(arguments[0]).startswith(self._order["run"]):
            return
        self.changes += 1
        if self.changes < self._order.get("at", sys.maxsize):
            return
        if "errno" in self._order:
            if event in REMOVALS and self._order["errno"] in (errno.ENOSPC, errno.EDQUOT):
                return  # a full disk lets go of files
            raise OSError(self._order["errno"], os.strerror(self._order["errno"]), str(arguments[0]))
        if "limit" in self._order:
            resource.setrlimit(resource.RLIMIT_FSIZE, (self._order["limit"], resource.RLIM_INFINITY))
        else:
            os.kill(os.getpid(), signal.SIGKILL)


def _changes(event: str, arguments: tuple[Any, ...]) -> bool:
    if event != "open":
        return event in CHANGES
    _, mode, flags = arguments
    return bool(set(mode or "") & set("wax+")) or bool((flags or 0) & (os.O_WRONLY | os.O_RDWR))


def child(encoder: str, data: Path, order: dict[str, Any], answer: int) -> None:
    """Train in this process, which was forked for it."""
    watch, error = Watch(order), ""
    sys.addaudithook(watch)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        train(encoder, data, Path(order["run"]), resume=order.get("resume", False))
    except IsnadError as raised:
        error = str(raised)
    os.write(answer, json.dumps({"changes": watch.changes, "error": error}).encode())


def without_chance(encoder: str, data: Path, run: Path, accumulation: int) -> None:
    """Train so that the same batches give the same gradients, whichever process computes them."""
    torch.rand = lambda *size, device=None: torch.full(size, 0.25, device=device)  # type: ignore[assignment]
    sizes = {**SIZES, "attention_heads": 2, "max_pieces": 96, "overlap_pieces": 16, "dropout": 0.0}
    train(
        encoder,
        data,
        run,
        resume=False,
        augment=AugmentConfig(),
        model=sizes,
        epochs=2,
        batch_size=2,
        gradient_accumulation=accumulation,
    )


def main() -> None:
    encoder, data = sys.argv[1], Path(sys.argv[2])
    torch.set_num_threads(1)
    if len(sys.argv) > 3:
        without_chance(encoder, data, Path(sys.argv[3]), int(sys.argv[4]))
        return
    for line in sys.stdin:
        order = json.loads(line)
        read, write = os.pipe()
        began = time.monotonic()
        pid = os.fork()
        if pid == 0:
            try:
                child(encoder, data, order, write)
            except BaseException:  # nothing of the parent's may run in the child
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        os.close(write)
        if "kill_after" in order:
            time.sleep(order["kill_after"])
            os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
        told = json.loads(os.read(read, 10_000) or b"{}")
        os.close(read)
        ended = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        print(json.dumps({"ended": ended, "seconds": time.monotonic() - began, **told}), flush=True)


if __name__ == "__main__":
    main()
