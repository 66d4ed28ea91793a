"""Run as a process: the peak memory of one job beyond its input and output, in bytes.

    python probe_memory.py CONTENDER MODEL IMAGES THREADS BATCH WARM

WARM images are explained first: with 0, the loading of compiled code counts as well.
"""

import ctypes
import sys

import measure
import numpy as np
from contenders import CONTENDERS

import backlit as bl


def main(contender: str, name: str, *numbers: str) -> int:
    count, threads, batch, warm = map(int, numbers)
    model = bl.models.carried(name)
    run = CONTENDERS[contender](model, threads)
    x, target = measure.images(model, count)
    x, target, out = x.copy(), target.copy(), np.full_like(x, 1.0)  # every page in use
    if warm:
        run(x[:warm], target[:warm], out[:warm], warm)
        ctypes.CDLL(None).malloc_trim(0)  # what that call freed is not there for the next one
    before = reset_peak()
    run(x, target, out, batch or None)
    return status("VmHWM") - before


def reset_peak() -> int:
    """Set the peak to what is resident now (Linux 4.0 and later), and return that."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    return status("VmRSS")


def status(field: str) -> int:
    """Bytes, from this process's status."""
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith(field):
                return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {field}")


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
