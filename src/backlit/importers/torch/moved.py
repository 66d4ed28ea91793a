"""Operators of tensors whose samples are not along axis 0."""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from backlit.importers.builder import Tensor, UnsupportedError
from backlit.importers.builder.moved import NOWHERE, Moved, moved, permuted, placed, reshaped
from backlit.importers.torch.operators import TorchBuilder
from backlit.importers.torch.operators.arithmetic import sum_of_products

# --- operators that find the samples themselves ---------------------------------------------------


def _transpose(b: TorchBuilder, x: Tensor, dim0: int, dim1: int) -> Tensor:
    order = list(range(moved(b, x).rank))
    order[dim0], order[dim1] = order[dim1], order[dim0]
    return permuted(b, x, order)


def _by_shape(b: TorchBuilder, x: Tensor, *_: Any, **__: Any) -> Tensor:
    return reshaped(b, x, b.expected)


BY_SHAPE = ("view", "reshape", "_unsafe_view", "flatten", "unflatten", "squeeze", "unsqueeze")
FIND_SAMPLES: dict[str, Callable[..., Tensor]] = {
    **dict.fromkeys(BY_SHAPE, _by_shape),
    "permute": permuted,
    "transpose": _transpose,
    "einsum": sum_of_products,
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
    if name in FIND_SAMPLES:
        return FIND_SAMPLES[name](b, *arguments.values())
    dense = name in ("bmm", "matmul", "mm") and _is_matrix([*arguments.values()][1])
    last_axes = 1 if dense else LAST_AXES.get(name, 0)
    if b.batch == 1:  # any tensor passes as moved
        arguments = {k: moved(b, v) if isinstance(v, Tensor) else v for k, v in arguments.items()}
    those = [value for value in arguments.values() if isinstance(value, Moved)]
    if not those:
        raise UnsupportedError("a list of tensors with their samples in other places")
    first = those[0]
    rank, axis = first.rank, first.axis
    tensors = [value for value in arguments.values() if isinstance(value, Tensor)]
    if tensors != those or any((*x.place, x.rank) != (*first.place, rank) for x in those):
        raise UnsupportedError("two tensors with their samples in different places")
    if name in ALONG_AN_AXIS | DROPS_AN_AXIS | REDUCES:
        given = arguments.get("dim", 0)
        dims = [dim % rank for dim in ([given] if isinstance(given, int) else given or range(rank))]
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
    if axis != NOWHERE:
        expected[axis] = first.before * first.after
    b.expected = (b.batch, *expected)
    result = handler(b, *positional, **keywords)
    if isinstance(result, tuple):
        return tuple(placed(b, part, axis, first.before, first.after) for part in result)
    return placed(b, result, axis, first.before, first.after)


def _is_matrix(value: Any) -> bool:
    """Whether a constant multiplies every row by one matrix, as a dense layer does."""
    return isinstance(value, np.ndarray) and value.ndim > 1 and prod(value.shape[:-2]) == 1


def _varies(value: Any, axis: int, rank: int) -> bool:
    """Whether a constant has different entries along an axis."""
    if not isinstance(value, np.ndarray) or value.ndim < rank - axis:
        return False
    return value.shape[axis - rank] != 1
