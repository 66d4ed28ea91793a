"""Sums, means, extremes and norms over axes."""

from collections.abc import Sequence
from math import inf, prod
from typing import Any

from backlit.importers.builder import Tensor, UnsupportedError
from backlit.importers.torch.operators.table import Missing, TorchBuilder, operator

Axes = int | Sequence[int] | None


def own_axes(x: Tensor, dim: Axes) -> list[int]:
    """The axes that are meant; none given stands for all, the samples' too."""
    rank = len(x.shape)
    axes = [dim] if isinstance(dim, int) else list(dim or range(rank))
    return [axis % rank for axis in axes]


@operator("mean")
def mean(b: TorchBuilder, x: Tensor, dim: Axes = None, keepdim: bool = False, **_: Any) -> Tensor:
    return b.reduce(x, "mean", own_axes(x, dim), keepdim)


@operator("sum")
def sum_(b: TorchBuilder, x: Tensor, dim: Axes = None, keepdim: bool = False, **_: Any) -> Tensor:
    return b.reduce(x, "sum", own_axes(x, dim), keepdim)


@operator("amax")
def amax(b: TorchBuilder, x: Tensor, dim: Axes = (), keepdim: bool = False) -> Tensor:
    return b.reduce(x, "max", own_axes(x, dim), keepdim)


@operator("amin")
def amin(b: TorchBuilder, x: Tensor, dim: Axes = (), keepdim: bool = False) -> Tensor:
    return b.reduce(x, "min", own_axes(x, dim), keepdim)


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
    rows = b.reshape(b.transpose(x, [0, *others, axis]), (b.batch, 1, prod(kept), size))
    result = b.max_pool(rows, (1, size), (1, size), (0, 0, 0, 0))
    return b.reshape(result, b.expected), Missing()


@operator("min.dim")
def first_minimum(
    b: TorchBuilder, x: Tensor, dim: int, keepdim: bool = False
) -> tuple[Tensor, Missing]:
    result, missing = first_maximum(b, b.negative(x), dim, keepdim)
    return b.negative(result), missing


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
    centred = b.binary("subtract", x, b.reduce(x, "mean", axes, True))
    total = b.reduce(b.activation(centred, "square"), "sum", axes, keepdim)
    freedom = count - (1 if correction is None else correction)
    return b.activation(total, "scale", factor=1.0 / freedom)


@operator("std.correction")
def deviation(b: TorchBuilder, x: Tensor, dim: Axes = None, **more: Any) -> Tensor:
    return b.root(variance(b, x, dim, **more))


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
        return b.reduce(b.powers(x, 1), "max" if ord > 0 else "min", axes, keepdim)
    if ord < 1:
        raise UnsupportedError(f"a norm of order {ord}")
    return b.root(b.reduce(b.powers(x, ord), "sum", axes, keepdim), ord)


@operator("prod.dim_int")
def product(b: TorchBuilder, x: Tensor, dim: int, keepdim: bool = False, **_: Any) -> Tensor:
    return b.reduce(x, "prod", [dim], keepdim)


@operator("cumsum")
def running_sum(b: TorchBuilder, x: Tensor, dim: int, dtype: Any = None) -> Tensor:
    return b.running_sum(x, dim)


@operator("logsumexp")
def log_sum_exp(b: TorchBuilder, x: Tensor, dim: Axes, keepdim: bool = False) -> Tensor:
    return b.reshape(b.log_sum_exp(x, own_axes(x, dim)), b.expected)
