"""Run as a program: models and methods with every buffer of an arena between unmapped pages.

A kernel that reads or writes beyond a buffer and its slack then ends the process. The argument is
"before" or "behind": on which side buffers touch such a page.
"""

import ctypes
import faulthandler
import mmap
import sys
import weakref

import numpy as np
from backlit_kernels.target import CACHE_LINE
from backlit_kernels.vector import LANES

import backlit as bl
from backlit import engine, programs, tape
from backlit.lowering import dense
from tests.attribution.random_networks import METHODS, OF_SEGMENTS, network, options
from tests.engine.test_teams import images
from tests.every_layer import NETWORKS
from tests.helpers import ending

PAGE = mmap.PAGESIZE // 4  # floats
NO_ACCESS = 0
SIDES = ("before", "behind")
# samples and threads: alone, by a team, a tile by a team, a tile and a sample behind it
RUNS = ((1, 1), (1, 2), (LANES, 2), (LANES + 1, 1))
memory = ctypes.CDLL(None, use_errno=True)
memory.mmap.restype = ctypes.c_void_p
memory.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
memory.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
memory.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
guards: dict[int, list[int]] = {}  # of an arena's size: where its pages without access begin


def spread_arena(side):
    """Buffers in whole pages, each between two without access."""

    def plan(self):
        top, pages = PAGE, [0]
        for buffer in self._lives():
            room = -(-buffer.size // PAGE) * PAGE
            buffer.start = top + (room - buffer.size if side == "behind" else 0)
            pages.append(top + room)
            top += room + PAGE
        while top in guards:
            top += CACHE_LINE
        guards[top] = pages
        return top

    return plan


def guarded(size):
    """An arena whose guards are up."""
    access = mmap.PROT_READ | mmap.PROT_WRITE
    base = memory.mmap(None, 4 * size, access, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    for page in guards[size]:
        assert memory.mprotect(base + 4 * page, 4 * PAGE, NO_ACCESS) == 0
    floats = (ctypes.c_float * size).from_address(base)
    weakref.finalize(floats, memory.munmap, base, 4 * size)
    return np.frombuffer(floats, np.float32)


def strided(rng, size, kernel, stride, padding, dilation, groups):
    layers = [
        bl.Conv2D(
            rng.normal(size=(2 * groups, 4 // groups, *kernel)),
            rng.normal(size=2 * groups),
            stride,
            padding,
            dilation,
            groups,
        ),
        bl.ReLU(),
        bl.MaxPool2D(2, 2, 1),
    ]
    return ending(rng, layers, (4, *size))


def filtered(rng, inputs, outputs, kernel, side):
    """Many large filters of few channels: the way back adds up long sums for few channels."""
    weights = rng.normal(size=(outputs, inputs, kernel, kernel)) / kernel
    return ending(rng, [bl.Conv2D(weights), bl.MaxPool2D(3, 2)], (inputs, side, side))


def by_two(rng, size, kernel, padding):
    """A filter for each channel, with a stride of two."""
    weights = rng.normal(size=(3, 1, *kernel))
    layer = bl.Conv2D(weights, stride=2, padding=padding, groups=3)
    return ending(rng, [bl.Tanh(), layer, bl.ReLU()], (3, *size))


def models():
    yield from NETWORKS.items()
    rng = np.random.default_rng(0)
    for channels in (16, 24):
        yield f"images of {channels} channels", ending(rng, images(rng, channels), (2, 37, 41))
    yield "depthwise", strided(rng, (28, 28), (3, 3), (2, 2), (1, 1, 1, 1), (1, 1), 4)
    for width in (2, 5, 7, 15, 16, 17, 31, 33):
        for kernel, padding in (((3, 3), 1), ((5, 5), 2), ((2, 4), (0, 1, 0, 2))):
            yield f"depthwise {kernel}, {width} pixels", by_two(rng, (5, width), kernel, padding)
    for filters in ((2, 16, 5), (1, 20, 5), (1, 16, 7), (3, 40, 3), (1, 64, 3), (1, 128, 3)):
        for side in (9, 14, 28):
            yield f"filters {filters}, {side} pixels", filtered(rng, *filters, side)
    first = bl.Dense(rng.normal(size=(24, LANES + 1)))
    yield "features", ending(rng, [first, bl.ReLU()], (24,))
    large = bl.Dense(rng.normal(size=(1100, 1001)))
    assert large.weights.size >= dense.LARGE
    yield "a large matrix", ending(rng, [large, bl.ReLU()], (1100,))
    for seed in range(12):
        yield f"network {seed}", network(np.random.default_rng(seed))
    for number in range(20):
        size = tuple(int(n) for n in rng.integers(9, 40, 2))
        kernel = tuple(int(n) for n in rng.integers(1, 5, 2))
        stride = tuple(int(n) for n in rng.integers(1, 4, 2))
        padding = tuple(int(n) for n in rng.integers(0, 3, 4))
        dilation = tuple(int(n) for n in rng.integers(1, 3, 2))
        groups = int(rng.choice([1, 2, 4]))
        options = size, kernel, stride, padding, dilation, groups
        yield f"convolution {number}: {options}", strided(rng, *options)


def run(name, model, methods):
    rng = np.random.default_rng(1)
    for count, threads in RUNS:
        X = rng.uniform(0.1, 1, (count, *model.input_shape)).astype(np.float32)
        for method in methods:
            print(f"{name}, {count} samples, {method}, {threads}", file=sys.stderr, flush=True)
            getattr(bl, method)(model, X, 0, threads=threads, **options(rng, method, X))


def main(side):
    faulthandler.enable()
    tape.Tape._plan_arena = spread_arena(side)
    engine.aligned = guarded
    programs.TEAM_WORK = 0
    for name, model in models():
        if name == "features":
            methods = ["gradient", *OF_SEGMENTS]
        else:
            methods = METHODS if name.startswith(("images of 16", "network")) else ["gradient"]
        run(name, model, methods)


if __name__ == "__main__":
    main(sys.argv[1])
