"""What a process must know about its parents before it computes."""

import multiprocessing
import os
import sys
from collections.abc import Callable

_born = os.getpid()
_settled = _born
_PARALLEL = "TOKENIZERS_PARALLELISM"
_quiet = False
_wanted: int | None = None
_untold = False


def is_worker() -> bool:
    """Whether another Python process started this one, to share the machine with it."""
    # `multiprocess` is what datasets uses in place of the module of the standard library.
    kinds = (multiprocessing, sys.modules.get("multiprocess"))
    return os.getpid() != _born or any(k is not None and k.parent_process() is not None for k in kinds)


def after_fork() -> None:
    """Let torch compute on one thread in a process that was forked.

    The threads of OpenMP do not survive a fork. If the parent had used them, the first parallel region of the
    child would wait for them for ever (GCC bug 58378); with one thread there is no such region. PyTorch's own
    DataLoader does the same. Who wants more in the child calls `torch.set_num_threads` after the first document.
    """
    global _settled  # noqa: PLW0603  (once a process)
    if os.getpid() != _settled:
        torch = sys.modules.get("torch")
        if torch is not None:
            torch.set_num_threads(1)
        _settled = os.getpid()


def set_threads(count: int) -> None:
    """Compute on so many threads: torch from now on, other backends with the models that are loaded from now on."""
    global _wanted, _untold
    _wanted, _untold = count, True
    if "torch" in sys.modules:
        tell_torch()


def tell_torch() -> None:
    """Tell torch, once it is imported, what `set_threads` was told."""
    global _untold  # noqa: PLW0603
    if _untold and _wanted is not None:
        sys.modules["torch"].set_num_threads(_wanted)
        _untold = False


def threads() -> int:
    """Return how many threads are to compute: what was set; OMP_NUM_THREADS, as torch reads it; the cores at hand."""
    if _wanted is not None:
        return _wanted
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdigit() and int(wanted) > 0:
        return int(wanted)
    affinity: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def cores() -> int:
    """Return how many threads are to cut texts: one in a process that shares the machine with others like it."""
    return 1 if is_worker() else threads()


def fork_quietly() -> None:
    """From now on, let forked processes cut texts on one thread, and say nothing of it.

    The threads of tokenizers do not survive a fork. It would find that out by itself, and warn on standard error
    in every child, unless the environment says what is wanted.
    """
    global _quiet  # noqa: PLW0603  (handlers stay for as long as the process)
    if _quiet or not hasattr(os, "register_at_fork"):
        return
    _quiet = True
    set_here: list[str] = []

    def before() -> None:
        if _PARALLEL not in os.environ:
            os.environ[_PARALLEL] = "false"
            set_here.append(_PARALLEL)

    def after() -> None:
        while set_here:
            os.environ.pop(set_here.pop(), None)

    os.register_at_fork(before=before, after_in_parent=after)
