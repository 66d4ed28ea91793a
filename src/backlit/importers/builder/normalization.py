"""Normalisation over axes."""

from collections.abc import Sequence
from math import prod

import numpy as np

from backlit.importers.builder import arithmetic, reductions, shapes
from backlit.importers.builder.nodes import GraphBuilder
from backlit.importers.builder.values import Tensor


def normalize(
    b: GraphBuilder,
    x: Tensor,
    axes: Sequence[int],
    epsilon: float,
    scale: np.ndarray | None = None,
    shift: np.ndarray | None = None,
) -> Tensor:
    """Mean 0 and variance 1 over axes, then scale and shift (arrays that broadcast)."""
    centred, variance = reductions.centred(b, x, axes)
    result = _over_root(b, centred, variance, epsilon)
    if scale is not None:
        result = arithmetic.binary(b, "multiply", result, scale)
    return result if shift is None else arithmetic.binary(b, "add", result, shift)


def normalize_groups(b: GraphBuilder, x: Tensor, groups: int, epsilon: float) -> Tensor:
    """Mean 0 and variance 1 over the channels (axis 1) of a group, and all their places."""
    last = x.shape[-1] if len(x.shape) > 2 else 1
    rows = prod(x.sample) // (groups * last)
    together = shapes.reshape(b, x, (b.batch, groups, rows, last))
    return shapes.reshape(b, normalize(b, together, [2, 3], epsilon), x.shape)


def rms_normalize(b: GraphBuilder, x: Tensor, axes: Sequence[int], epsilon: float) -> Tensor:
    """Divided by the root of the mean square over axes (RMS normalisation)."""
    square = reductions.reduce(b, "mean", arithmetic.unary(b, "square", x), axes, True)
    return _over_root(b, x, square, epsilon)


def _over_root(b: GraphBuilder, x: Tensor, square: Tensor, epsilon: float) -> Tensor:
    safe = arithmetic.scale(b, square, shift=epsilon)
    return arithmetic.binary(b, "multiply", x, arithmetic.unary(b, "power", safe, exponent=-0.5))
