"""Compiling side by side: kernels not on disk yet are shared out to copies of this process.

Numba compiles under a lock, one function at a time. Copies of the process (forks) take one kernel
after the other from a queue and leave the machine code on disk, from where this process loads it.
"""

import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress

from numba.core.compiler_lock import global_compiler_lock

from backlit_kernels.cache import announce_compilation, cache_folder
from backlit_kernels.kernel import Kernel

PROCESSES = 8  # a program has ten to twenty kernels
PATIENCE = 60.0  # seconds for the last kernel: what a copy inherits may, in theory, be locked


def compile_together(kernels: Iterable[Kernel], cores: int) -> None:
    """Compile those that are neither here nor on disk, on so many cores.

    Where processes cannot be copied, or nothing kept, each is compiled when it is first used.
    """
    if cache_folder() is None or not sys.platform.startswith("linux"):
        return
    missing = [k for k in dict.fromkeys(kernels) if not k.is_kept()][:256]  # numbered by bytes
    if (processes := min(PROCESSES, cores, len(missing))) > 1:
        announce_compilation()
        _share_out(missing, processes)


def _share_out(kernels: list[Kernel], processes: int) -> None:
    """Compile in `processes`, of which this is one, each the next kernel that nobody has taken."""
    queue, fill = os.pipe()
    os.write(fill, bytes(range(len(kernels))))
    os.close(fill)
    copies: list[int] = []
    patience = 0.0
    try:
        with suppress(OSError):  # fewer copies, if there can be no more processes
            while len(copies) < processes - 1:
                copies.append(_copy(lambda: _work(queue, kernels)))
        _work(queue, kernels)
        patience = PATIENCE
    finally:
        os.close(queue)
        _end(copies, time.monotonic() + patience)


def _work(queue: int, kernels: list[Kernel]) -> None:
    while number := os.read(queue, 1):
        _ = kernels[number[0]].compiled


def _copy(job: Callable[[], None]) -> int:
    """Start a copy of this process that does a job and ends; its number."""
    with global_compiler_lock, warnings.catch_warnings():
        # of forks beside other threads: what this one does takes no lock that they may hold
        warnings.simplefilter("ignore", DeprecationWarning)
        number = os.fork()
    if number == 0:
        try:
            job()
        finally:
            os._exit(0)
    return number


def _end(copies: list[int], deadline: float) -> None:
    """Wait until copies have ended, and end those that have not by then."""
    for copy in copies:
        with suppress(ChildProcessError):  # someone else waited for it
            while os.waitpid(copy, os.WNOHANG) == (0, 0):
                if time.monotonic() > deadline:
                    os.kill(copy, signal.SIGKILL)
                time.sleep(0.01)
