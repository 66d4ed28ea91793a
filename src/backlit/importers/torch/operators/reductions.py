"""Sums, means, extremes and norms over axes."""

from collections.abc import Sequence
from math import inf, prod
from typing import Any

from backlit.importers.builder import (
    Tensor,
    UnsupportedError,
    arithmetic,
    pooling,
    reductions,
    shapes,
)
from backlit.importers.torch.operators.table import Missing, TorchBuilder, operator

Axes = int | Sequence[int] | None


def own_axes(x: Tensor, dim: Axes) -> list[int]:
    """The axes that are meant; none given stands for all, the samples' too."""
    rank = len(x.shape)
    axes = [dim] if isinstance(dim, int) else list(dim or range(rank))
    return [axis % rank for axis in axes]


@operator("mean")
def mean(b: TorchBuilder, x: Tensor, dim: Axes = None, keepdim: bool = False, **_: Any) -> Tensor:
    return reductions.reduce(b, "mean", x, own_axes(x, dim), keepdim)


@operator("sum")
def sum_(b: TorchBuilder, x: Tensor, dim: Axes = None, keepdim: bool = False, **_: Any) -> Tensor:
    return reductions.reduce(b, "sum", x, own_axes(x, dim), keepdim)


@operator("amax")
def amax(b: TorchBuilder, x: Tensor, dim: Axes = (), keepdim: bool = False) -> Tensor:
    return reductions.reduce(b, "max", x, own_axes(x, dim), keepdim)


@operator("amin")
def amin(b: TorchBuilder, x: Tensor, dim: Axes = (), keepdim: bool = False) -> Tensor:
    return reductions.reduce(b, "min", x, own_axes(x, dim), keepdim)


@operator("max.dim")
def first_maximum(
    b: TorchBuilder, x: Tensor, dim: int, keepdim: bool = False
) -> tuple[Tensor, Missing]:
    """The maximum along an axis; of equal ones the first takes the gradient."""
    (axis,) = own_axes(x, dim)
    if axis == 0:
        raise UnsupportedError("an operation along the samples' axis")
    others = [i for i in range(1, len(x.shape)) if i != axis]
    size = x.shape[axis]
    kept = [x.shape[i] for i in others]
    last = shapes.transpose(b, x, [0, *others, axis])
    rows = shapes.reshape(b, last, (b.batch, 1, prod(kept), size))
    result = pooling.max_pool(b, rows, (1, size), (1, size), (0, 0, 0, 0))
    return shapes.reshape(b, result, b.expected), Missing()


@operator("min.dim")
def first_minimum(
    b: TorchBuilder, x: Tensor, dim: int, keepdim: bool = False
) -> tuple[Tensor, Missing]:
    result, missing = first_maximum(b, arithmetic.negative(b, x), dim, keepdim)
    return arithmetic.negative(b, result), missing


@operator("var.correction")
def variance(
    b: TorchBuilder,
    x: Tensor,
    dim: Axes = None,
    *,
    correction: float | None = 1,
    keepdim: bool = False,
) -> Tensor:
    axes = own_axes(x, dim)
    count = prod(x.shape[axis] for axis in axes)
    centred = arithmetic.binary(b, "subtract", x, reductions.reduce(b, "mean", x, axes, True))
    total = reductions.reduce(b, "sum", arithmetic.unary(b, "square", centred), axes, keepdim)
    freedom = count - (1 if correction is None else correction)
    return arithmetic.scale(b, total, 1.0 / freedom)


@operator("std.correction")
def deviation(b: TorchBuilder, x: Tensor, dim: Axes = None, **more: Any) -> Tensor:
    return arithmetic.root(b, variance(b, x, dim, **more))


@operator("var_mean.correction")
def variance_and_mean(
    b: TorchBuilder, x: Tensor, dim: Axes = None, *, keepdim: bool = False, **more: Any
) -> tuple[Tensor, Tensor]:
    return variance(b, x, dim, keepdim=keepdim, **more), mean(b, x, dim, keepdim)


@operator("std_mean.correction")
def deviation_and_mean(
    b: TorchBuilder, x: Tensor, dim: Axes = None, *, keepdim: bool = False, **more: Any
) -> tuple[Tensor, Tensor]:
    return deviation(b, x, dim, keepdim=keepdim, **more), mean(b, x, dim, keepdim)


@operator("linalg_vector_norm")
def vector_norm(
    b: TorchBuilder, x: Tensor, ord: float = 2, dim: Axes = None, keepdim: bool = False, **_: Any
) -> Tensor:
    axes = own_axes(x, dim)
    if abs(ord) == inf:
        sizes = arithmetic.unary(b, "abs", x)
        return reductions.reduce(b, "max" if ord > 0 else "min", sizes, axes, keepdim)
    if ord < 1:
        raise UnsupportedError(f"a norm of order {ord}")
    total = reductions.reduce(b, "sum", arithmetic.powers(b, x, ord), axes, keepdim)
    return arithmetic.root(b, total, ord)


@operator("prod.dim_int")
def product(b: TorchBuilder, x: Tensor, dim: int, keepdim: bool = False, **_: Any) -> Tensor:
    return reductions.reduce(b, "prod", x, [dim], keepdim)


@operator("cumsum")
def running_sum(b: TorchBuilder, x: Tensor, dim: int, dtype: Any = None) -> Tensor:
    return reductions.running_sum(b, x, dim)


@operator("logsumexp")
def log_sum_exp(b: TorchBuilder, x: Tensor, dim: Axes, keepdim: bool = False) -> Tensor:
    return shapes.reshape(b, reductions.log_sum_exp(b, x, own_axes(x, dim)), b.expected)
