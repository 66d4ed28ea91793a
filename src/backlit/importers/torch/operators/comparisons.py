"""Comparisons, and what is done by them."""

from typing import Any

import numpy as np

from backlit.importers.builder import (
    Tensor,
    UnsupportedError,
    Value,
    comparisons,
    masks,
    reductions,
)
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
    return lambda b, x, y: comparisons.compare(b, function, x, y)


for _aten, _function in COMPARISONS.items():
    operator(_aten)(_comparison(_function))

operator("sign", "sgn")(comparisons.sign)


# --- masks ----------------------------------------------------------------------------------------


def _of_masks(function: Any) -> Any:
    """A function of masks alone: of whole numbers it would be another."""

    def handler(b: TorchBuilder, *values: Value) -> Tensor:
        known = (masks.is_mask(b, v) if isinstance(v, Tensor) else v.dtype == bool for v in values)
        if not all(known):
            raise UnsupportedError("bits of numbers")
        result: Tensor = function(b, *values)
        return result

    return handler


def _exactly_one(b: TorchBuilder, x: Value, y: Value) -> Tensor:
    numbers = (v if isinstance(v, Tensor) else v * 1.0 for v in (x, y))
    return comparisons.compare(b, "not_equal", *numbers)


operator("logical_and", "bitwise_and")(_of_masks(masks.both))
operator("logical_or", "bitwise_or")(_of_masks(masks.any_of))
operator("logical_not", "bitwise_not")(_of_masks(masks.opposite))
operator("logical_xor", "bitwise_xor")(_of_masks(_exactly_one))


@operator("any.dim", "any.dims")
def any_(b: TorchBuilder, x: Tensor, dim: Axes, keepdim: bool = False) -> Tensor:
    if not masks.is_mask(b, x):
        raise UnsupportedError("the truth of numbers")
    return reductions.reduce(b, "max", x, own_axes(x, dim), keepdim)


@operator("all.dim", "all.dims")
def all_(b: TorchBuilder, x: Tensor, dim: Axes, keepdim: bool = False) -> Tensor:
    return masks.opposite(b, any_(b, masks.opposite(b, x), dim, keepdim))


@operator("where")
def where(b: TorchBuilder, condition: Value, x: Value, y: Value) -> Tensor:
    if not isinstance(condition, Tensor):
        condition = condition.astype(bool)
    return masks.choose(b, condition, np.asarray(x) if np.isscalar(x) else x, y)


@operator("masked_fill")
def masked_fill(b: TorchBuilder, x: Value, mask: Value, value: Value) -> Tensor:
    return where(b, mask, value, x)
