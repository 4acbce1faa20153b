"""One process of `isnad train`, as `accelerate launch` starts several: `extend_worker.py NOTES HAPPENS ARGUMENT…`.

The exit code goes to `NOTES/code-RANK`. What happens on the way is `nothing`; `kill`: the first process is killed while
it gives the second checkpoint its name; `forget`: every label that the base model had right counts as lost.
"""

import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import torch
from isnad.cli import app
from isnad.eval import forgetting


class Killer:
    """Ends this process without notice when a second checkpoint is about to get its name."""

    def __init__(self) -> None:
        self._named = 0

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "os.rename" and re.search(r"checkpoint-\d+$", str(arguments[1])):
            self._named += 1
            if self._named == 2:
                os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    notes, happens, *arguments = sys.argv[1:]
    rank = os.environ.get("RANK", "0")
    torch.set_num_threads(1)
    if happens == "kill" and rank == "0":
        sys.addaudithook(Killer())
    if happens == "forget":
        forgetting._reason = lambda change, before: "below 0.9" if change.support else ""
    code: Any = 0
    try:
        app(arguments, prog_name="isnad")
    except BaseException as end:
        code = (end.code or 0) if isinstance(end, SystemExit) else "a traceback"
        raise
    finally:
        Path(notes, f"code-{rank}").write_text(str(code))


if __name__ == "__main__":
    main()
