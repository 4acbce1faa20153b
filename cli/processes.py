"""Commands that `accelerate launch` runs in several processes: one of them concludes, all end alike."""

from collections.abc import Callable

import typer

from .support import FAULTY_INPUT, first_process


def decided_by_first(conclude: Callable[[], None]) -> None:
    """Run `conclude` in the first process of a training, and let the others end with the exit code that it ends with.

    The others wait meanwhile. In a run of one process this is a call of `conclude`.

    Raises:
        typer.Exit: in the other processes, if `conclude` did not return in the first one.
    """
    if not first_process():
        if code := _told(0):
            raise typer.Exit(code)
        return
    code = FAULTY_INPUT
    try:
        conclude()
        code = 0
    except typer.Exit as end:
        code = end.exit_code
        raise
    finally:
        _told(code)


def _told(code: int) -> int:
    """Return the first process's number in all of them."""
    import torch
    from torch import distributed

    if not (distributed.is_available() and distributed.is_initialized()):
        return code
    device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
    number = torch.tensor([code], device=device)
    distributed.broadcast(number, src=0)
    return int(number.item())
