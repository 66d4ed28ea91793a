"""Comparisons of `keras.ops`, masks, and what is chosen by them."""

from typing import Any

import numpy as np

from backlit.importers.keras.builder import KerasBuilder, Tensor, UnsupportedError
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
    return lambda b, op, x, y: b.compare(function, *sides(b, x, y))


for _name, _function in COMPARISONS.items():
    operation(_name)(_comparison(_function))


@operation("Sign")
def sign(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    return b.sign(x)


def _of_masks(function: Any) -> Any:
    def handler(b: KerasBuilder, op: Any, *values: Any) -> Tensor:
        if not all(b.is_mask(v) if isinstance(v, Tensor) else v.dtype == bool for v in values):
            raise UnsupportedError("the truth of numbers")
        result: Tensor = function(b, *sides(b, *values))
        return result

    return handler


operation("LogicalAnd")(_of_masks(KerasBuilder.both))
operation("LogicalOr")(_of_masks(KerasBuilder.any_of))
operation("LogicalNot")(_of_masks(KerasBuilder.opposite))


@operation("Where")
def where(b: KerasBuilder, op: Any, condition: Any, x: Any = None, y: Any = None) -> Tensor:
    if x is None or y is None:
        raise UnsupportedError("places, which have no gradient")
    mask, first, second = sides(b, condition, x, y)
    if not isinstance(mask, Tensor):
        mask = np.asarray(mask, bool)
    return b.choose(mask, first, second)
