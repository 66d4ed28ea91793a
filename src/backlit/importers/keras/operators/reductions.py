"""Operations of `keras.ops` over axes: sums, extremes, deviations, norms."""

from typing import Any

import numpy as np

from backlit.importers.builder import Tensor, UnsupportedError, arithmetic, reductions
from backlit.importers.keras import layout
from backlit.importers.keras.builder import KerasBuilder
from backlit.importers.keras.operators.normalization import l2_normalize
from backlit.importers.keras.operators.table import operation


def held_axes(b: KerasBuilder, axis: Any, rank: int) -> list[int]:
    """Keras's axes, where they are held."""
    if axis is None:
        raise UnsupportedError("axis=None: over samples")
    return [b.axis(one, rank) for one in np.atleast_1d(axis)]


def finished(b: KerasBuilder, result: Tensor, axis: Any, keepdims: bool) -> Tensor:
    """A reduction's result, whose axes have extent 1, without them if asked."""
    if keepdims:
        return result
    gone = [one % len(result.shape) for one in np.atleast_1d(axis)]
    return layout.reshape(b, result, [n for i, n in enumerate(b.shape(result)) if i not in gone])


def _reduction(function: str) -> Any:
    def handler(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
        result = reductions.reduce(b, function, x, held_axes(b, op.axis, len(x.shape)), True)
        return finished(b, result, op.axis, op.keepdims)

    return handler


REDUCTIONS = {"Mean": "mean", "Sum": "sum", "Max": "max", "Min": "min", "Amax": "max"}
REDUCTIONS |= {"Amin": "min"}
for _name, _function in REDUCTIONS.items():
    operation(_name)(_reduction(_function))


@operation("Var")
def var(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    _, result = reductions.centred(b, x, held_axes(b, op.axis, len(x.shape)))
    return finished(b, result, op.axis, op.keepdims)


@operation("Std")
def std(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    _, variance = reductions.centred(b, x, held_axes(b, op.axis, len(x.shape)))
    return finished(b, arithmetic.root(b, variance), op.axis, op.keepdims)


@operation("Moments")
def moments(b: KerasBuilder, op: Any, x: Tensor) -> list[Tensor]:
    axes = held_axes(b, op.axes, len(x.shape))
    both = reductions.reduce(b, "mean", x, axes, True), reductions.centred(b, x, axes)[1]
    return [finished(b, result, op.axes, op.keepdims) for result in both]


@operation("Logsumexp")
def log_sum_exp(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    result = reductions.log_sum_exp(b, x, held_axes(b, op.axis, len(x.shape)))
    return finished(b, result, op.axis, op.keepdims)


@operation("Cumsum")
def running_sum(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    (axis,) = held_axes(b, op.axis, len(x.shape))
    return reductions.running_sum(b, x, axis)


@operation("Norm")
def norm(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    axes = held_axes(b, op.axis, len(x.shape))
    order = 2 if op.ord in (None, "fro") else op.ord
    if order not in (1, 2) or (len(axes) > 1 and op.ord not in (None, "fro")):
        raise UnsupportedError(f"ord={op.ord!r} over {len(axes)} axes")
    total = reductions.reduce(b, "sum", arithmetic.powers(b, x, order), axes, True)
    return finished(b, arithmetic.root(b, total, order), op.axis, op.keepdims)


@operation("Normalize")
def normalize(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    """Over the norm, or a small number if that is larger."""
    from keras import config

    axes = held_axes(b, op.axis, len(x.shape))
    if op.order != 2:
        raise UnsupportedError(f"order={op.order}")
    return l2_normalize(b, x, axes, float(op.epsilon or config.epsilon()))
