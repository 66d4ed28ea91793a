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
from backlit_kernels.target import target
from backlit_kernels.vector import LANES, load, store
from backlit_kernels.vector_type import memory
from interleave import time_of
from numba import types

import backlit

CHAINS = target().accumulators
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


def fma_rate(seconds: float) -> float:
    """Float operations a second that one core does, about so long, in fused multiply-adds alone.

    A chain of dependent multiply-adds waits for each result: as many chains run at once, on
    registers, as a register tile has accumulators.
    """
    steps = max(int(seconds * 6e9 / CHAINS), 1)  # of a processor of 3 GHz, two at a time
    run, values = _chains(), _floats()
    return _operations(steps) / time_of(lambda: run(values, steps))


def fma_peak() -> float:
    """The best of many short moments."""
    return max(fma_rate(0.001) for _ in range(1000))


def fma_peak_of_all() -> float:
    """The same of all cores at once: not so many times as much where two of them share one."""
    cores, steps = len(os.sched_getaffinity(0)), 10_000_000
    run = _chains()
    with ThreadPoolExecutor(cores) as pool:
        seconds = _best(lambda: list(pool.map(lambda _: run(_floats(), steps), range(cores))))
    return _operations(steps) * cores / seconds


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


def _operations(steps: int) -> int:
    return 2 * LANES * CHAINS * steps


def _floats():
    return np.full(64, 0.5, np.float32).ctypes.data_as(ctypes.POINTER(ctypes.c_float))


@cache
def _chains():
    names = [f"a{i}" for i in range(CHAINS)]
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
