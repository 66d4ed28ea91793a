"""Where threads run: on how many cores, and that a helper wakes on another than its caller's.

Linux may wake a thread on its waker's core though another one is idle, and leave both there for
milliseconds, which is all that many calls take. (Seen on two virtual cores: KernelSHAP of sixteen
images 11.4 ms, and 6.0 with the helper sent elsewhere.) Once awake, it may run anywhere again.
"""

import ctypes
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")  # of version 2: a folder for each group
OWN_CGROUP = Path("/proc/self/cgroup")


def _load_current_core() -> Callable[[], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        return ctypes.PyDLL(None).sched_getcpu
    except (AttributeError, OSError):
        return None


_current_core = _load_current_core()


def available_cores() -> int:
    """How many cores this process may use: those it may run on, or fewer by a container's quota."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return min(cores, cores_granted() or cores)


@cache
def cores_granted(groups: Path = CGROUPS, own: Path = OWN_CGROUP) -> int | None:
    """How many cores' time the control groups of this process grant it, rounded up.

    The least of its own group and of those around it; None if none has a quota. Read once, as
    calls may be shorter than reading is.
    """
    try:
        lines = own.read_text().splitlines()
    except (OSError, ValueError):
        lines = []
    group = next((line[3:] for line in lines if line.startswith("0::")), "/")
    place = groups / group.strip("/")
    quotas = []
    for folder in (place, *place.parents):
        try:
            quota, period = map(int, (folder / "cpu.max").read_text().split())
            quotas.append(max(1, -(-quota // period)))
        except (OSError, ValueError, ZeroDivisionError):  # no such file, or "max": no quota
            continue
    return min(quotas, default=None)


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
