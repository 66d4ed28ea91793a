"""Comparisons, and what is done by them."""

from typing import Any

import numpy as np

from backlit.importers.builder import Tensor, UnsupportedError, Value
from backlit.importers.torch.operators.reductions import Axes, own_axes
from backlit.importers.torch.operators.table import TorchBuilder, operator

COMPARISONS = {
    "gt": "greater",
    "lt": "less",
    "ge": "greater_equal",
    "le": "less_equal",
    "eq": "equal",
    "ne": "not_equal",
}


def _comparison(function: str) -> Any:
    return lambda b, x, y: b.compare(function, x, y)


for _aten, _function in COMPARISONS.items():
    operator(_aten)(_comparison(_function))


@operator("sign", "sgn")
def sign(b: TorchBuilder, x: Tensor) -> Tensor:
    return b.sign(x)


# --- masks ----------------------------------------------------------------------------------------


def _of_masks(function: Any) -> Any:
    """A function of masks alone: of whole numbers it would be another."""

    def handler(b: TorchBuilder, *values: Value) -> Tensor:
        if not all(b.is_mask(v) if isinstance(v, Tensor) else v.dtype == bool for v in values):
            raise UnsupportedError("bits of numbers")
        result: Tensor = function(b, *values)
        return result

    return handler


def _exactly_one(b: TorchBuilder, x: Value, y: Value) -> Tensor:
    return b.compare("not_equal", *(v if isinstance(v, Tensor) else v * 1.0 for v in (x, y)))


operator("logical_and", "bitwise_and")(_of_masks(TorchBuilder.both))
operator("logical_or", "bitwise_or")(_of_masks(TorchBuilder.any_of))
operator("logical_not", "bitwise_not")(_of_masks(TorchBuilder.opposite))
operator("logical_xor", "bitwise_xor")(_of_masks(_exactly_one))


@operator("any.dim", "any.dims")
def any_(b: TorchBuilder, x: Tensor, dim: Axes, keepdim: bool = False) -> Tensor:
    if not b.is_mask(x):
        raise UnsupportedError("the truth of numbers")
    return b.reduce(x, "max", own_axes(x, dim), keepdim)


@operator("all.dim", "all.dims")
def all_(b: TorchBuilder, x: Tensor, dim: Axes, keepdim: bool = False) -> Tensor:
    return b.opposite(any_(b, b.opposite(x), dim, keepdim))


@operator("where")
def where(b: TorchBuilder, condition: Value, x: Value, y: Value) -> Tensor:
    if not isinstance(condition, Tensor):
        condition = condition.astype(bool)
    return b.choose(condition, np.asarray(x) if np.isscalar(x) else x, y)


@operator("masked_fill")
def masked_fill(b: TorchBuilder, x: Value, mask: Value, value: Value) -> Tensor:
    return where(b, mask, value, x)
