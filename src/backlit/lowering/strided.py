"""Loops over tensors of any shape and layout, for the kernels of `backlit_kernels.strided`."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from backlit_kernels.strided import LOOPS

from backlit.layout import Layout

Steps = tuple[int, ...]


def steps_of(layout: Layout) -> Steps:
    """From an entry to the next along each axis, in floats."""
    if len(layout.shape) == 3:
        return layout.plane, layout.pitch, layout.lanes
    return compact_steps(layout.shape, layout.lanes)


def start_of(layout: Layout) -> int:
    """Where the first entry lies in a buffer."""
    return layout.origin if len(layout.shape) == 3 else 0


def compact_steps(shape: Sequence[int], lanes: int) -> Steps:
    """Steps of a tensor without borders."""
    return tuple(prod(shape[i + 1 :]) * lanes for i in range(len(shape)))


def broadcast_steps(shape: Sequence[int], steps: Steps, target: Sequence[int]) -> Steps:
    """Steps through a tensor that is repeated along axes of extent 1 to another shape."""
    lead = len(target) - len(shape)
    own = (*[1] * lead, *shape), (*[0] * lead, *steps)
    return tuple(0 if n == 1 else step for n, step in zip(*own, strict=True))


@dataclass(frozen=True)
class Loops:
    """Nested loops around a run of floats that is contiguous in all operands.

    `fixed` says for each operand whether one float serves a whole run.
    """

    table: np.ndarray
    run: int
    fixed: tuple[int, ...]


def nest(
    shape: Sequence[int],
    operands: Sequence[Steps],
    lanes: int,
    *,
    loops: int = LOOPS,
    may_fix: bool = False,
    run_axes: bool = True,
) -> Loops:
    """The loops over a shape, neighbouring axes merged where all operands allow it.

    `may_fix` lets operands of single samples that do not move along a run be read once. With
    `run_axes` False, no axis becomes part of the run.
    """
    axes = [(n, [steps[i] for steps in operands]) for i, n in enumerate(shape) if n != 1]
    merged: list[tuple[int, list[int]]] = []
    for n, steps in axes:
        if merged and all(
            outer == n * inner for outer, inner in zip(merged[-1][1], steps, strict=True)
        ):
            merged[-1] = (merged[-1][0] * n, steps)
        else:
            merged.append((n, steps))
    run, fixed = lanes, (0,) * len(operands)
    if merged and run_axes:
        n, steps = merged[-1]
        moves = [step == lanes for step in steps]
        if all(moves):
            run *= n
            merged.pop()
        elif may_fix and lanes == 1 and moves[-1] and all(s in (0, 1) for s in steps):
            run = n
            fixed = tuple(int(step == 0) for step in steps)
            merged.pop()
    if len(merged) > loops:
        raise ValueError(f"tensors of shape {tuple(shape)} have too many axes")
    padding = LOOPS - len(merged)
    # loops not used stand outside, those of a kernel with fewer than LOOPS loops inside
    outside = loops - len(merged)
    inside = padding - outside
    extents = [1] * outside + [n for n, _ in merged] + [1] * inside
    rows = [
        [0] * outside + [steps[i] for _, steps in merged] + [0] * inside
        for i in range(len(operands))
    ]
    return Loops(np.array([extents, *rows], np.int64), run, fixed)
