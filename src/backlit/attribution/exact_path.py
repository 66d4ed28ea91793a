"""Integrated gradients of piecewise-linear networks without discretisation error.

Along the path the gradient of such a network is constant between breakpoints, where some ReLU,
clip or pooling window changes sides. Its bits depend on those sides alone: two points of one piece
have the very same gradient. So breakpoints are found by bisection on equality, each to the last
digits of float32, and every piece counts with its exact length.
"""

import numpy as np

from backlit.attribution.call import Call
from backlit.attribution.gradients import gradient
from backlit.baselines import Baseline
from backlit.graph import Graph, is_linear
from backlit.layers import Elementwise, Layer, MaxPool2D, ReLU
from backlit.operators import Add, Binary, Concatenate, Constant, Reduce

PIECEWISE = (Add, Concatenate, Constant, MaxPool2D, Reduce, ReLU)
OF_ONE = ("clamp", "clip", "hard_sigmoid", "leaky_relu", "magnitude")
OF_TWO = ("add", "larger", "smaller", "subtract")
FIRST_PIECES = 128  # a piece that lies within one of these, between equal ends, may be missed
NARROWEST = 2.0**-22
AT_ONCE = 8  # samples, so that memory stays small


def is_piecewise_linear(layer: Layer) -> bool:
    """Whether a layer is continuous and made of linear pieces."""
    if isinstance(layer, Elementwise) and layer.function in OF_ONE:
        return True
    if isinstance(layer, Binary):
        return layer.function in OF_TWO
    return isinstance(layer, PIECEWISE) or is_linear(layer)


def check_piecewise_linear(graph: Graph) -> None:
    """Refuse a network whose gradient is not piecewise constant."""
    for node in graph.nodes:
        if not is_piecewise_linear(node.layer):
            raise ValueError(
                "steps='exact' takes piecewise-linear networks, but layer "
                f"{node.name} is {node.layer!r}"
            )


def integrate_exactly(
    call: Call, baseline: Baseline, result: np.ndarray, multiply: bool = True
) -> None:
    """Write the integral of the gradient, times x - x' if asked for; the score is the logit."""
    targets = call.targets
    if targets is None:
        targets = call.model._targets(call.model.logits(call.samples, threads=call.threads))
    for first in range(0, len(result), AT_ONCE):
        part = np.arange(first, min(first + AT_ONCE, len(result)))
        samples = call.samples[part].astype(np.float64)
        start = np.broadcast_to(baseline.chosen(part).values, samples.shape).astype(np.float64)
        total = _integral(call, samples, start, targets[part])
        result[part] = (samples - start) * total if multiply else total


def _integral(
    call: Call, samples: np.ndarray, start: np.ndarray, targets: np.ndarray
) -> np.ndarray:
    """The integral of each sample's gradient along its path, in float64."""

    def at(owner: np.ndarray, position: np.ndarray) -> np.ndarray:
        """The gradients at positions of their owners' paths."""
        where = position.reshape(-1, *[1] * (samples.ndim - 1))
        points = start[owner] + where * (samples[owner] - start[owner])
        return gradient(call.model, points, targets[owner], threads=call.threads)

    count = len(samples)
    grid = np.linspace(0, 1, FIRST_PIECES + 1)
    ends = at(np.repeat(np.arange(count), len(grid)), np.tile(grid, count))
    ends = ends.reshape(count, len(grid), *samples.shape[1:])
    owner = np.repeat(np.arange(count), FIRST_PIECES)
    low, high = np.tile(grid[:-1], count), np.tile(grid[1:], count)
    at_low = ends[:, :-1].reshape(-1, *samples.shape[1:])
    at_high = ends[:, 1:].reshape(-1, *samples.shape[1:])

    total = np.zeros(samples.shape)
    while len(owner):
        middle = (low + high) / 2
        at_middle = at(owner, middle)
        left, right = _equal(at_low, at_middle), _equal(at_middle, at_high)
        narrow = high - low <= NARROWEST
        # a half whose ends agree is one piece; the narrowest ones are shared by their ends
        for closed, width, gradients in (
            (left | narrow, middle - low, at_low),
            (right | narrow, high - middle, at_high),
        ):
            weights = np.where(closed, width, 0).reshape(-1, *[1] * (samples.ndim - 1))
            np.add.at(total, owner[closed], (weights * gradients)[closed])
        go_left, go_right = ~(left | narrow), ~(right | narrow)
        owner, low, high, at_low, at_high = (
            np.concatenate([a[go_left], b[go_right]])
            for a, b in (
                (owner, owner),
                (low, middle),
                (middle, high),
                (at_low, at_middle),
                (at_middle, at_high),
            )
        )
    return total


def _equal(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Which of the gradients are the same, bit for bit."""
    return (a == b).reshape(len(a), -1).all(axis=1)
