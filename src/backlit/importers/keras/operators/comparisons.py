"""Comparisons of `keras.ops`, masks, and what is chosen by them."""

from typing import Any

import numpy as np

from backlit.importers.builder import Tensor, UnsupportedError, comparisons, masks
from backlit.importers.keras.builder import KerasBuilder
from backlit.importers.keras.operators.arithmetic import sides
from backlit.importers.keras.operators.table import operation

COMPARISONS = {
    "Greater": "greater",
    "GreaterEqual": "greater_equal",
    "Less": "less",
    "LessEqual": "less_equal",
    "Equal": "equal",
    "NotEqual": "not_equal",
}


def _comparison(function: str) -> Any:
    return lambda b, op, x, y: comparisons.compare(b, function, *sides(b, x, y))


for _name, _function in COMPARISONS.items():
    operation(_name)(_comparison(_function))


@operation("Sign")
def sign(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    return comparisons.sign(b, x)


def _of_masks(function: Any) -> Any:
    def handler(b: KerasBuilder, op: Any, *values: Any) -> Tensor:
        known = (masks.is_mask(b, v) if isinstance(v, Tensor) else v.dtype == bool for v in values)
        if not all(known):
            raise UnsupportedError("the truth of numbers")
        result: Tensor = function(b, *sides(b, *values))
        return result

    return handler


operation("LogicalAnd")(_of_masks(masks.both))
operation("LogicalOr")(_of_masks(masks.any_of))
operation("LogicalNot")(_of_masks(masks.opposite))


@operation("Where")
def where(b: KerasBuilder, op: Any, condition: Any, x: Any = None, y: Any = None) -> Tensor:
    if x is None or y is None:
        raise UnsupportedError("places, which have no gradient")
    mask, first, second = sides(b, condition, x, y)
    if not isinstance(mask, Tensor):
        mask = np.asarray(mask, bool)
    return masks.choose(b, mask, first, second)
