"""Where threads run: on how many cores, and that a helper wakes on another than its caller's.

Linux may wake a thread on its waker's core though another one is idle, and leave both there for
milliseconds, which is all that many calls take. (Seen on two virtual cores: KernelSHAP of sixteen
images 11.4 ms, and 6.0 with the helper sent elsewhere.) Once awake, it may run anywhere again.
"""

import ctypes
import os
import sys
from collections.abc import Callable


def _load_current_core() -> Callable[[], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        return ctypes.PyDLL(None).sched_getcpu
    except (AttributeError, OSError):
        return None


_current_core = _load_current_core()


def available_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def send_elsewhere(thread: int) -> set[int] | None:
    """Keep a sleeping thread off the caller's core, where the system can.

    Returns the cores that it is to be let back to (`release`), or None.
    """
    if _current_core is None:
        return None
    cores = os.sched_getaffinity(0)
    others = cores - {_current_core()}
    if not others:
        return None
    try:
        os.sched_setaffinity(thread, others)
    except OSError:  # not allowed here, or the cores have changed
        return None
    return cores


def release(cores: set[int]) -> None:
    """Let the calling thread run on any of these cores."""
    try:
        os.sched_setaffinity(0, cores)
    except OSError:  # the cores have changed
        return
