"""What this was measured on: processor, versions, and the peaks that one core reaches."""

import ctypes
import datetime
import importlib.metadata
import os
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import cpuinfo
import numba
import numpy as np
from backlit_kernels.vector import LANES, load, store
from backlit_kernels.vector_type import memory
from interleave import time_of
from numba import types

import backlit

PACKAGES = ("numpy", "numba", "torch", "captum")


def describe() -> dict:
    """Processor, vector extension, cores, versions and date."""
    info = cpuinfo.get_cpu_info()
    return {
        "processor": info.get("brand_raw", platform.processor()),
        "vector_extension": _vector_extension(info.get("flags", [])),
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {"backlit": backlit.__version__}
        | {name: importlib.metadata.version(name) for name in PACKAGES},
        "load": os.getloadavg()[0],  # of other programs, as the suite starts
        "date": datetime.date.today().isoformat(),
    }


def fma_peak(steps: int = 5_000_000, rounds: int = 5) -> float:
    """Most float operations a second that one core reaches in fused multiply-adds on registers.

    A chain of dependent multiply-adds waits for each result, so several run at once; how many fill
    the processor without running out of registers differs, so the best count is taken.
    """
    counts = (4, 5, 6, 8, 10, 12, 16) * rounds
    return max(_fma_rate(count, steps) for count in counts)


def fma_burst() -> float:
    """The same of one moment, a tenth of a millisecond each: for turns with what is compared."""
    return fma_peak(steps=30_000, rounds=1)


def fma_peak_of_all() -> float:
    """The same of all cores at once: not so many times as much where two of them share one."""
    cores, count, steps = len(os.sched_getaffinity(0)), 12, 10_000_000
    run = _chain(count)

    def work(_) -> None:
        run(np.full(64, 0.5, np.float32).ctypes.data_as(ctypes.POINTER(ctypes.c_float)), steps)

    with ThreadPoolExecutor(cores) as pool:
        seconds = _best(lambda: list(pool.map(work, range(cores))))
    return 2 * LANES * count * steps * cores / seconds


def copy_bandwidth(size: int) -> float:
    """Bytes a second, read and written together, of a copy of `size` bytes on one core.

    The better of NumPy's copy and of a loop of vectors.
    """
    source, sink = np.ones(size // 4, np.float32), np.empty(size // 4, np.float32)
    repeats = max(1, 2**28 // size)
    run = _copier()
    pointers = [a.ctypes.data_as(ctypes.POINTER(ctypes.c_float)) for a in (source, sink)]
    seconds = min(
        _best(lambda: [np.copyto(sink, source) for _ in range(repeats)]),
        _best(lambda: run(*pointers, source.size, repeats)),
    )
    return 2 * size * repeats / seconds


@cache
def _copier():
    return numba.cfunc(types.void(memory, memory, types.int64, types.int64))(_copies).ctypes


def _copies(source, sink, size, repeats):
    for _ in range(repeats):
        for i in range(0, size, 4 * LANES):
            for j in range(4):
                store(sink, i + j * LANES, load(source, i + j * LANES))


def _fma_rate(count: int, steps: int) -> float:
    run, values = _chain(count), np.full(64, 0.5, np.float32)
    pointer = values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    return 2 * LANES * count * steps / time_of(lambda: run(pointer, steps))


@cache
def _chain(count: int):
    names = [f"a{i}" for i in range(count)]
    lines = [
        "def chains(values, steps):",
        "    factor = load(values, 0)",
        *(f"    {name} = load(values, {i})" for i, name in enumerate(names)),
        "    for _ in range(steps):",
        *(f"        {name} = fma({name}, factor, factor)" for name in names),
        f"    store(values, 0, {' + '.join(names)})",
    ]
    scope: dict = {}
    exec("from backlit_kernels.vector import fma, load, store\n" + "\n".join(lines), scope)
    signature = types.void(memory, types.int64)
    return numba.cfunc(signature)(scope["chains"]).ctypes


def _best(run, rounds: int = 5) -> float:
    run()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def _vector_extension(flags: list[str]) -> str:
    for flag, name in (("avx512f", "AVX-512"), ("avx2", "AVX2"), ("avx", "AVX"), ("asimd", "NEON")):
        if flag in flags:
            return name
    return "unknown"
