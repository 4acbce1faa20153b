"""What a process must know about its parents before it computes."""

import multiprocessing
import os
import sys

_home = os.getpid()


def is_worker() -> bool:
    """Whether another Python process started this one, to share the machine with it."""
    # `multiprocess` is what datasets uses in place of the module of the standard library.
    kinds = (multiprocessing, sys.modules.get("multiprocess"))
    return os.getpid() != _home or any(k is not None and k.parent_process() is not None for k in kinds)


def after_fork() -> None:
    """Let torch compute on one thread in a process that was forked.

    The threads of OpenMP do not survive a fork. If the parent had used them, the first parallel region of the
    child would wait for them for ever (GCC bug 58378); with one thread there is no such region. PyTorch's own
    DataLoader does the same. Who wants more in the child calls `torch.set_num_threads` after the first document.
    """
    global _home  # noqa: PLW0603  (a process has one home)
    if os.getpid() != _home:
        torch = sys.modules.get("torch")
        if torch is not None:
            torch.set_num_threads(1)
        _home = os.getpid()
