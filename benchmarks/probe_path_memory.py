"""Run as a process: integrated gradients' peak memory beyond input and output, and seconds.

    python probe_path_memory.py MODEL IMAGES STEPS

A few images are explained before, so that the loading of compiled code does not count.
"""

import ctypes
import sys
import time

import measure
import numpy as np
from probe_memory import reset_peak, status

import backlit as bl


def main(name: str, *numbers: str) -> tuple[int, float]:
    count, steps = map(int, numbers)
    model = bl.models.carried(name)
    x, target = measure.images(model, count)
    x, target, out = x.copy(), target.copy(), np.full_like(x, 1.0)  # every page in use
    bl.integrated_gradients(model, x[:16], target[:16], steps=2, threads=2, out=out[:16])
    ctypes.CDLL(None).malloc_trim(0)  # what that call freed is not there for the next one
    before, start = reset_peak(), time.perf_counter()
    bl.integrated_gradients(model, x, target, steps=steps, threads=2, out=out)
    return status("VmHWM") - before, time.perf_counter() - start


if __name__ == "__main__":
    print(*main(*sys.argv[1:]))
