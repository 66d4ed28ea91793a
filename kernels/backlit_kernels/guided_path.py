"""One step of a guided path: which features move towards the input, and how far.

# n = features of a sample; scalar code, one sample at a time
"""

from typing import Any

import numpy as np

from backlit_kernels.frame import COUNT, PORTS, SAMPLE, STEP, floats_at
from backlit_kernels.kernel import helper, kernel

CLOSE = 1e-6  # of the whole distance: rounding
INFINITY = np.inf


@helper
def smallest(values: Any, first: int, count: int, rank: int) -> float:
    """The value that has `rank` smaller ones, by Hoare's selection (1961); reorders the values."""
    low, high, wanted = first, first + count - 1, first + rank
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                value = values[i]
                values[i] = values[j]
                values[j] = value
                i += 1
                j -= 1
        if wanted <= j:
            high = j
        elif wanted >= i:
            low = i
        else:
            break
    return values[wanted]


@helper
def move(arena: Any, alphas: int, x: Any, x0: Any, g: int, out: Any, i: int, to: float) -> None:
    """Take feature i to a place on its way, and attribute the change of the score to it."""
    change = (to - arena[alphas + i]) * (x[i] - x0[i])
    out[i] += change * arena[g + i]
    arena[alphas + i] = to


@kernel
def guided_step(
    arena: Any,
    frame: Any,
    ends: int,
    result: int,
    baseline: int,
    per_sample: int,
    options: int,
    gradient: int,
    point: int,
    alphas: int,
    scratch: int,
    channels: int,
    height: int,
    width: int,
    plane: int,
    row: int,
    lanes: int,
) -> None:
    """Move the features of smallest gradient until the point is as near to the input as due.

    Parameters
    ----------
    ends, result, baseline, options
        Ports: inputs, attributions, baselines (each sample's or one), and (steps, fraction,
        most distance).
    gradient, point
        First pixels of two tiles: the gradient at the point; the point, moved in place.
    alphas
        How far each feature of each lane has come, in [0, 1], at first 0: n floats a lane.
    scratch
        3 n floats.
    """
    n = channels * height * width
    setting = floats_at(frame[PORTS + options])
    steps, fraction, most = setting[0], setting[1], setting[2]
    due = (frame[STEP] + 1.0) / steps
    least, furthest = np.float32(max(due - most, 0.0)), np.float32(min(due + most, 1.0))
    rank = int(fraction * (n - 1))
    g, size, order = scratch, scratch + n, scratch + 2 * n
    for lane in range(min(lanes, frame[COUNT])):
        sample = frame[SAMPLE] + lane
        x = floats_at(frame[PORTS + ends] + sample * n * 4)
        out = floats_at(frame[PORTS + result] + sample * n * 4)
        x0 = floats_at(frame[PORTS + baseline] + sample * per_sample * n * 4)
        at = alphas + lane * n
        whole, rest = 0.0, 0.0
        for i in range(n):
            place = i // (height * width) * plane + i // width % height * row + i % width * lanes
            arena[g + i] = arena[gradient + place + lane]
            arena[size + i] = abs(arena[g + i])
            if frame[STEP] == 0:
                out[i] = 0.0
            if arena[at + i] < least:
                move(arena, at, x, x0, g, out, i, least)
            whole += abs(x[i] - x0[i])
            rest += abs(x[i] - x0[i]) * (1.0 - arena[at + i])
        goal = whole * (1.0 - due)
        while rest - goal > CLOSE * whole:
            for i in range(n):
                if arena[at + i] >= furthest or x[i] == x0[i]:
                    arena[size + i] = INFINITY
                arena[order + i] = arena[size + i]
            threshold = smallest(arena, order, n, rank)
            reach = 0.0
            for i in range(n):
                if arena[size + i] <= threshold and arena[size + i] < INFINITY:
                    reach += abs(x[i] - x0[i]) * (furthest - arena[at + i])
            share = 1.0
            if reach > rest - goal:
                share = (rest - goal) / reach
            open_ = False
            for i in range(n):
                if arena[size + i] <= threshold and arena[size + i] < INFINITY:
                    open_ = True
                    to = arena[at + i] + share * (furthest - arena[at + i])
                    move(arena, at, x, x0, g, out, i, to if share < 1.0 else furthest)
            rest -= share * reach
            if share < 1.0 or not open_:
                break
        for i in range(n):
            place = i // (height * width) * plane + i // width % height * row + i % width * lanes
            arena[point + place + lane] = x0[i] + arena[at + i] * (x[i] - x0[i])
