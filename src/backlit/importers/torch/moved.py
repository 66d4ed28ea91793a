"""Tensors whose samples are not along axis 0, as inside of PyTorch's multi-head attention.

There, (samples, places, features) become (places, samples, features), (samples * heads, places,
width) and the like. Such a tensor is kept with the samples in front, and where PyTorch has them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import gcd, prod
from typing import Any

import numpy as np

from backlit.importers.builder import Tensor, UnsupportedError
from backlit.importers.torch.operators import TorchBuilder


@dataclass(frozen=True)
class Moved:
    """A tensor of which one axis is (before, samples, after), in row-major order.

    `inner` has the samples at axis 0, then PyTorch's axes, of which that one has extent
    ``before * after``.
    """

    inner: Tensor
    axis: int
    before: int
    after: int

    @property
    def rank(self) -> int:
        return len(self.inner.shape) - 1

    @property
    def factors(self) -> list[int]:
        """The extents in order, the samples' as 0."""
        sizes = list(self.inner.shape[1:])
        return [*sizes[: self.axis], self.before, 0, self.after, *sizes[self.axis + 1 :]]


Value = Tensor | Moved


def moved(b: TorchBuilder, x: Value) -> Moved:
    if isinstance(x, Moved):
        return x
    return Moved(b.reshape(x, (b.batch, 1, *x.sample)), 0, 1, 1)


def settled(b: TorchBuilder, x: Moved) -> Value:
    """An ordinary tensor, if the samples are along axis 0."""
    if x.axis == 0 and x.before == x.after == 1:
        return b.reshape(x.inner, (b.batch, *x.inner.shape[2:]))
    return x


# --- operators that change the layout alone -------------------------------------------------------


def reshaped(b: TorchBuilder, x: Value, shape: Sequence[int]) -> Value:
    x = moved(b, x)
    rest = x.factors[::-1]  # what is still to be taken, the next one last
    sizes, place = [], (0, 1, 1)
    for axis, size in enumerate(shape):
        taken: list[int] = []
        while _product(taken, b.batch) < size and rest:
            factor = rest.pop()
            wanted = size // _product(taken, b.batch)
            if factor and wanted % factor:  # the next axis takes the remainder
                common = gcd(factor, wanted)
                rest.append(factor // common)
                factor = common
                if common == 1:
                    break
            taken.append(factor)
        if _product(taken, b.batch) != size:
            raise UnsupportedError(f"reshaping to {tuple(shape)} mixes samples")
        if 0 in taken:
            at = taken.index(0)
            place = (axis, prod(taken[:at]), prod(taken[at + 1 :]))
        sizes.append(prod(n for n in taken if n))
    if 0 in rest or prod(rest) != 1:
        raise UnsupportedError(f"reshaping to {tuple(shape)} mixes samples")
    return settled(b, Moved(b.reshape(x.inner, (b.batch, *sizes)), *place))


def _product(factors: Sequence[int], batch: int) -> int:
    return prod(n or batch for n in factors)


def permuted(b: TorchBuilder, x: Value, axes: Sequence[int]) -> Value:
    x = moved(b, x)
    order = [axis % x.rank for axis in axes]
    inner = b.transpose(x.inner, [0, *(axis + 1 for axis in order)])
    return settled(b, Moved(inner, order.index(x.axis), x.before, x.after))


def _transpose(b: TorchBuilder, x: Value, dim0: int, dim1: int) -> Value:
    order = list(range(moved(b, x).rank))
    order[dim0], order[dim1] = order[dim1], order[dim0]
    return permuted(b, x, order)


def _by_shape(b: TorchBuilder, x: Value, *_: Any, **__: Any) -> Value:
    return reshaped(b, x, b.expected)


BY_SHAPE = ("view", "reshape", "_unsafe_view", "flatten", "unflatten", "squeeze", "unsqueeze")
LAYOUT: dict[str, Callable[..., Value]] = {
    **dict.fromkeys(BY_SHAPE, _by_shape),
    "permute": permuted,
    "transpose": _transpose,
}

# --- operators that leave the samples' axis alone -------------------------------------------------

ALONG_AN_AXIS = {
    *("softmax", "_softmax", "log_softmax"),
    *("slice", "split", "split_with_sizes", "chunk"),
}
DROPS_AN_AXIS = {"select", "unbind"}
REDUCES = {"mean", "sum", "amax"}
ENTRYWISE = {
    *("alias", "clone", "contiguous", "dropout", "relu", "gelu", "silu", "tanh", "sigmoid"),
    *("add", "sub", "mul", "div", "neg", "exp", "where", "masked_fill"),
}
KEYWORDS = {"alpha", "beta", "approximate", "rounding_mode", "dtype"}  # never by position
LAST_AXES = {"linear": 1, "layer_norm": 1, "bmm": 2, "matmul": 2, "mm": 2, "baddbmm": 2}


def apply(b: TorchBuilder, handler: Any, name: str, arguments: dict[str, Any]) -> Any:
    """An operator of tensors of which some are moved, by its handler for ordinary ones."""
    if name in LAYOUT:
        return LAYOUT[name](b, *arguments.values())
    dense = name in ("bmm", "matmul", "mm") and _is_matrix([*arguments.values()][1])
    last_axes = 1 if dense else LAST_AXES.get(name, 0)
    those = [value for value in arguments.values() if isinstance(value, Moved)]
    first = those[0]
    rank, axis = first.rank, first.axis
    place = (first.axis, first.before, first.after)
    if any((x.axis, x.before, x.after, x.rank) != (*place, rank) for x in those):
        raise UnsupportedError("two tensors with their samples in different places")
    if any(isinstance(value, Tensor) for value in arguments.values()):
        raise UnsupportedError("two tensors with their samples in different places")
    if name in ALONG_AN_AXIS | DROPS_AN_AXIS | REDUCES:
        given = arguments.get("dim", 0)
        dims = [dim % rank for dim in ([given] if isinstance(given, int) else given or [axis])]
        if axis in dims:
            raise UnsupportedError("an operation along the samples' axis")
        behind = [dim - rank for dim in dims]  # counted from the last
        arguments = arguments | {"dim": behind[0] if isinstance(given, int) else behind}
        if name in DROPS_AN_AXIS or (name in REDUCES and not arguments.get("keepdim")):
            axis -= sum(dim < axis for dim in dims)
    elif axis >= rank - last_axes or name not in ENTRYWISE | LAST_AXES.keys():
        raise UnsupportedError(f"samples along axis {axis}")
    for value in arguments.values():
        if not dense and name not in ("linear", "layer_norm") and _varies(value, axis, rank):
            raise UnsupportedError("a constant that differs from sample to sample")
    inner = {k: v.inner if isinstance(v, Moved) else v for k, v in arguments.items()}
    positional = [inner[key] for key in inner if key not in KEYWORDS]
    keywords = {key: inner[key] for key in inner if key in KEYWORDS}
    expected = list(b.expected)
    expected[axis] = first.before * first.after
    b.expected = (b.batch, *expected)
    result = handler(b, *positional, **keywords)
    if isinstance(result, tuple):
        return tuple(settled(b, Moved(part, axis, first.before, first.after)) for part in result)
    return settled(b, Moved(result, axis, first.before, first.after))


def _is_matrix(value: Any) -> bool:
    """Whether a constant multiplies every row by one matrix, as a dense layer does."""
    return isinstance(value, np.ndarray) and value.ndim > 1 and prod(value.shape[:-2]) == 1


def _varies(value: Any, axis: int, rank: int) -> bool:
    """Whether a constant has different entries along an axis."""
    if not isinstance(value, np.ndarray) or value.ndim < rank - axis:
        return False
    return value.shape[axis - rank] != 1
