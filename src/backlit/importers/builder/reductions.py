"""Operations that bring the entries of axes together."""

from collections.abc import Sequence
from math import prod

from backlit.importers.builder import arithmetic, shapes
from backlit.importers.builder.nodes import GraphBuilder
from backlit.importers.builder.shapes import Row
from backlit.importers.builder.values import Tensor, Value, sample_axis
from backlit.layers import GlobalAvgPool2D
from backlit.operators import Reduce


def reduce(
    b: GraphBuilder, function: str, x: Tensor, axes: Sequence[int], keepdims: bool
) -> Tensor:
    """sum, mean, max, min or prod over axes."""
    rank = len(x.shape)
    own = sorted(sample_axis(axis, rank) for axis in axes)
    if function == "mean" and rank == 4 and own == [1, 2]:
        result = b.append(GlobalAvgPool2D(), x)
    elif function == "min":
        flipped = reduce(b, "max", arithmetic.negative(b, x), axes, True)
        result = arithmetic.negative(b, flipped)
    elif function == "prod":
        result = _product(b, x, [axis + 1 for axis in own])
    else:
        result = b.append(Reduce("larger" if function == "max" else "add", own), x)
        if function == "mean":
            result = arithmetic.scale(b, result, 1.0 / prod(x.sample[axis] for axis in own))
    if keepdims:
        return result
    kept = [n for axis, n in enumerate(x.sample) if axis not in own]
    return shapes.reshape(b, result, (b.batch, *kept))


def _product(b: GraphBuilder, x: Tensor, axes: Sequence[int]) -> Tensor:
    """One half of the entries times the other, until one is left; axes keep extent 1."""
    for axis in axes:
        while (size := x.shape[axis]) > 1:
            half = size // 2
            halves = (shapes.gather(b, x, axis, range(n, n + half)) for n in (0, half))
            parts: list[Value] = [arithmetic.binary(b, "multiply", *halves)]
            if size % 2:
                parts.append(shapes.gather(b, x, axis, [size - 1]))
            x = shapes.concatenate(b, parts, axis)
    return x


def log_sum_exp(b: GraphBuilder, x: Tensor, axes: Sequence[int]) -> Tensor:
    """Relative to the maximum, so that nothing overflows; axes keep extent 1."""
    largest = reduce(b, "max", x, axes, True)
    odds = arithmetic.unary(b, "exp", arithmetic.binary(b, "subtract", x, largest))
    total = arithmetic.unary(b, "log", reduce(b, "sum", odds, axes, True))
    return arithmetic.binary(b, "add", total, largest)


def running_sum(
    b: GraphBuilder, x: Tensor, axis: int, exclusive: bool = False, reverse: bool = False
) -> Tensor:
    """Sums of all entries up to each, or before it; from the end, if `reverse`."""
    order = range(x.shape[axis])[:: -1 if reverse else 1]
    rows: list[Row] = [[] for _ in order]
    for last, place in enumerate(order):
        rows[place] = [(i, 1.0) for i in order[: last + 1 - exclusive]]
    return shapes.linear_map(b, x, axis, rows)


def centred(b: GraphBuilder, x: Tensor, axes: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Less the mean over axes; and the variance, whose axes keep extent 1."""
    apart = arithmetic.binary(b, "subtract", x, reduce(b, "mean", x, axes, True))
    return apart, reduce(b, "mean", arithmetic.unary(b, "square", apart), axes, True)
