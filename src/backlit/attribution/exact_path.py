"""Integrated gradients of piecewise-linear networks without discretisation error.

Along the path the gradient of such a network is constant between breakpoints, where some ReLU,
clip or pooling window changes sides. Its bits depend on those sides alone: two points of one piece
have the very same gradient. So breakpoints are found by bisection on equality, each to the last
digits of float32, and every piece counts with its exact length.
"""

from math import prod

import numpy as np

from backlit.affine_parts import is_affine
from backlit.attribution.call import Call
from backlit.attribution.gradients import gradient
from backlit.attribution.scores import scores_of
from backlit.baselines import Baseline
from backlit.graph import Graph
from backlit.layers import Elementwise, Layer, MaxPool2D, ReLU
from backlit.operators import Add, Binary, Concatenate, Constant, Reduce
from backlit.progress import progress_bar

PIECEWISE = (Add, Concatenate, Constant, MaxPool2D, Reduce, ReLU)
OF_ONE = ("clamp", "clip", "hard_sigmoid", "leaky_relu", "abs")
OF_TWO = ("add", "larger", "smaller", "subtract")
FIRST_PIECES = 128  # a piece that lies within one of these, between equal ends, may be missed
NARROWEST = 2.0**-22
MEMORY, LEAST_AT_ONCE = 64 << 20, 8  # bytes, and pieces looked at together, without a budget
# Of an entry of the input for each piece looked at: points, gradients and their sum, and the
# gradients of what waits, some of them at each of the fifteen widths.
NUMBERS_BYTES = 160


def is_piecewise_linear(layer: Layer) -> bool:
    """Whether a layer is continuous and made of linear pieces."""
    if isinstance(layer, Elementwise) and layer.function in OF_ONE:
        return True
    if isinstance(layer, Binary):
        return layer.function in OF_TWO
    return isinstance(layer, PIECEWISE) or is_affine(layer)


def check_exact(graph: Graph, score: str) -> None:
    """Refuse a network whose gradient is not piecewise constant, and scores of which it is not."""
    for node in graph.nodes:
        if not is_piecewise_linear(node.layer):
            raise ValueError(
                "steps='exact' takes piecewise-linear networks, but layer "
                f"{node.name} is {node.layer!r}"
            )
    if score != "logit":
        raise ValueError(f"score must be 'logit' with steps='exact', got {score!r}")


def integrate_exactly(
    call: Call, baseline: Baseline, result: np.ndarray, multiply: bool
) -> np.ndarray:
    """Write the integral of the gradient, times x - x' if asked for; the score is the logit.

    Returns how much the score rises along each path.
    """
    model = call.model
    logits = call.logits(call.samples)
    begin = np.broadcast_to(call.logits(baseline.values), logits.shape)
    targets = model._targets(logits) if call.targets is None else call.targets
    least = 1 if call.memory else LEAST_AT_ONCE
    at_once = max(least, (call.memory or MEMORY) // (NUMBERS_BYTES * prod(result.shape[1:])))
    with progress_bar(len(result), "finding breakpoints", call.progress) as bar:
        for n in range(len(result)):
            sample = call.samples[n].astype(np.float64)
            start = baseline.chosen(slice(n, n + 1)).values[0].astype(np.float64)
            total = _integral(call, sample, start, int(targets[n]), at_once)
            result[n] = (sample - start) * total if multiply else total
            if bar is not None:
                bar(1)
    return scores_of(model, logits, targets, "logit") - scores_of(model, begin, targets, "logit")


def _integral(
    call: Call, sample: np.ndarray, start: np.ndarray, target: int, at_once: int
) -> np.ndarray:
    """The integral of a sample's gradient along its path, in float64.

    So many pieces are looked at together; what they are cut into comes before the next ones.
    """

    def at(positions: np.ndarray) -> np.ndarray:
        """The gradients at positions of the path."""
        where = positions.reshape(-1, *[1] * sample.ndim)
        points = start + where * (sample - start)
        return gradient(call.model, points, target, threads=call.threads, memory=call.memory)

    def add(closed: np.ndarray, widths: np.ndarray, gradients: np.ndarray) -> None:
        weights = np.where(closed, widths, 0)
        np.add(total, np.einsum("i,i...->...", weights, gradients), out=total)

    total = np.zeros(sample.shape)
    grid = np.linspace(0, 1, FIRST_PIECES + 1)
    for first in range(0, FIRST_PIECES, at_once):
        ends = grid[first : first + at_once + 1]
        at_ends = at(ends)
        open_ = [(ends[:-1], ends[1:], at_ends[:-1], at_ends[1:])]
        while open_:
            low, high, at_low, at_high = open_.pop()
            middle = (low + high) / 2
            at_middle = at(middle)
            narrow = high - low <= NARROWEST
            left = _equal(at_low, at_middle) | narrow
            right = _equal(at_middle, at_high) | narrow
            # a half whose ends agree is one piece; the narrowest ones are shared by their ends
            add(left, middle - low, at_low)
            add(right, high - middle, at_high)
            halves = (low, middle, at_low, at_middle), (middle, high, at_middle, at_high)
            more = [np.concatenate([a[~left], b[~right]]) for a, b in zip(*halves, strict=True)]
            for begin in range(0, len(more[0]), at_once):
                part = slice(begin, begin + at_once)
                open_.append((more[0][part], more[1][part], more[2][part], more[3][part]))
    return total


def _equal(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Which of the gradients are the same, bit for bit."""
    return (a == b).reshape(len(a), -1).all(axis=1)
