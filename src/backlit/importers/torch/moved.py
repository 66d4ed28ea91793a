"""Operators of tensors whose samples are not along axis 0."""

from collections.abc import Callable, Collection, Sequence
from math import prod
from typing import Any

import numpy as np

from backlit.importers.builder import Tensor, UnsupportedError, Value, moved, shapes
from backlit.importers.builder.moved import NOWHERE, Moved
from backlit.importers.torch.operators.advanced_indexing import index
from backlit.importers.torch.operators.convolution import convolution
from backlit.importers.torch.operators.normalization import (
    batch_norm,
    group_norm,
    native_batch_norm,
)
from backlit.importers.torch.operators.pooling import (
    adaptive_average_pool,
    average_pool,
    max_pool,
)
from backlit.importers.torch.operators.products import sum_of_products
from backlit.importers.torch.operators.table import Missing, TorchBuilder, constant, weights

# --- operators that find the samples themselves ---------------------------------------------------


def _transpose(b: TorchBuilder, x: Tensor, dim0: int, dim1: int) -> Tensor:
    order = list(range(moved.as_moved(b, x).rank))
    order[dim0], order[dim1] = order[dim1], order[dim0]
    return moved.permuted(b, x, order)


def _by_shape(b: TorchBuilder, x: Tensor, *_: Any, **__: Any) -> Tensor:
    return moved.reshaped(b, x, b.expected)


def _concatenate(b: TorchBuilder, tensors: Sequence[Value], dim: int = 0) -> Tensor:
    values = [v for v in tensors if isinstance(v, Tensor) or np.size(v)]
    those = [moved.as_moved(b, value) for value in values if isinstance(value, Tensor)]
    first = those[0]
    if any((*x.place, x.rank) != (*first.place, first.rank) for x in those):
        raise UnsupportedError("two tensors with their samples in different places")
    axis = dim % first.rank
    if axis == first.axis:
        raise UnsupportedError("an operation along the samples' axis")
    inner = [
        moved.as_moved(b, v).inner
        if isinstance(v, Tensor)
        else moved.beside(v, first, b.batch, whole=True)
        for v in values
    ]
    return moved.placed(b, shapes.concatenate(b, inner, axis + 1), *first.place)


def _stack(b: TorchBuilder, tensors: Sequence[Value], dim: int = 0) -> Tensor:
    axis = dim % len(b.expected)
    shape = [1 if i == axis else n for i, n in enumerate(b.expected)]
    parts = [
        moved.reshaped(b, v, shape) if isinstance(v, Tensor) else np.reshape(v, shape)
        for v in tensors
    ]
    return _concatenate(b, parts, axis)


def _batch_norm(b: TorchBuilder, x: Tensor, *arguments: Any) -> Tensor:
    def norm(inner: Tensor) -> Tensor:
        return batch_norm(b, inner, *arguments)

    return moved.by_channels(b, moved.as_moved(b, x), norm)


def _native_batch_norm(b: TorchBuilder, x: Tensor, *arguments: Any) -> Any:
    def norm(inner: Tensor) -> Tensor:
        return native_batch_norm(b, inner, *arguments)[0]

    return moved.by_channels(b, moved.as_moved(b, x), norm), Missing(), Missing()


def _index(b: TorchBuilder, x: Tensor, indices: Sequence[Value | None]) -> Tensor:
    if not isinstance(x, Moved):  # then an index is
        raise UnsupportedError("an index that depends on the input")
    used = [axis for axis, places in enumerate(indices) if places is not None]
    if len(used) > 1 or x.axis >= used[0]:
        raise UnsupportedError(f"samples along axis {x.axis}")
    expected = list(b.expected)
    if x.axis != NOWHERE:
        expected[x.axis] = x.before * x.after
    b.expected = (b.batch, *expected)
    return moved.placed(b, index(b, x.inner, [None, *indices]), *x.place)


def _expand(b: TorchBuilder, x: Tensor, *_: Any, **__: Any) -> Tensor:
    return moved.expanded(b, x, b.expected)


def _alike(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Of images whose samples are joined with groups: those are channels, all pooled alike."""

    def of_groups(b: TorchBuilder, x: Tensor, *arguments: Any, **named: Any) -> Tensor:
        def pooled(together: Tensor, groups: int) -> Tensor:
            b.expected = (b.batch, together.shape[1], *b.expected[2:])
            result = handler(b, together, *arguments, **named)
            return result[0] if isinstance(result, tuple) else result

        return moved.by_groups(b, moved.as_moved(b, x), pooled)

    return of_groups


def _convolution(
    b: TorchBuilder,
    x: Tensor,
    weight: Value,
    bias: Value | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    kernel, offset = weights(weight, "a kernel"), constant(bias, "a bias")

    def convolved(together: Tensor, count: int) -> Tensor:
        filters = np.concatenate([kernel] * count)
        shifts = None if offset is None else np.tile(offset, count)
        rest = stride, padding, dilation, groups * count
        return convolution(b, together, filters, shifts, *rest)

    return moved.by_groups(b, moved.as_moved(b, x), convolved)


def _group_norm(
    b: TorchBuilder,
    x: Tensor,
    num_groups: int,
    weight: Value | None = None,
    bias: Value | None = None,
    *rest: Any,
) -> Tensor:
    scale, shift = constant(weight, "a weight"), constant(bias, "a bias")

    def normalized(together: Tensor, count: int) -> Tensor:
        tiled = (None if value is None else np.tile(value, count) for value in (scale, shift))
        return group_norm(b, together, num_groups * count, *tiled, *rest)

    return moved.by_groups(b, moved.as_moved(b, x), normalized)


BY_SHAPE = ("view", "reshape", "_unsafe_view", "flatten", "unflatten", "squeeze", "unsqueeze")
# also of ordinary tensors, where the usual handler would have them stay along axis 0
MOVE_SAMPLES: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(BY_SHAPE, _by_shape),
    "permute": moved.permuted,
    "transpose": _transpose,
    "einsum": sum_of_products,
    "cat": _concatenate,
    "stack": _stack,
    **dict.fromkeys(("expand", "expand_as", "broadcast_to"), _expand),
}
FIND_SAMPLES: dict[str, Callable[..., Any]] = MOVE_SAMPLES | {
    "index": _index,
    **dict.fromkeys(("conv1d", "conv2d"), _convolution),
    "group_norm": _group_norm,
    **dict.fromkeys(("avg_pool1d", "avg_pool2d"), _alike(average_pool)),
    **dict.fromkeys(("max_pool1d", "max_pool2d"), _alike(max_pool)),
    **dict.fromkeys(("adaptive_avg_pool1d", "adaptive_avg_pool2d"), _alike(adaptive_average_pool)),
    "batch_norm": _batch_norm,
    "_native_batch_norm_legit_no_training": _native_batch_norm,
}

# --- operators that leave the samples' axis alone -------------------------------------------------

ALONG_AN_AXIS = {
    *("softmax", "_softmax", "log_softmax", "cumsum"),
    *("slice", "split", "split_with_sizes", "chunk", "index_select"),
}
DROPS_AN_AXIS = {"select", "unbind"}
REDUCES = {"mean", "sum", "amax", "amin", "var", "std", "linalg_vector_norm"}
REDUCES |= {"max", "min", "logsumexp"}
ENTRYWISE = {
    *("alias", "clone", "contiguous", "dropout", "_to_copy", "to", "type_as"),
    *("relu", "relu6", "leaky_relu", "elu", "gelu", "silu", "mish", "hardswish", "hardsigmoid"),
    *("hardtanh", "softplus", "tanh", "sigmoid", "erf", "exp", "log", "sin", "cos", "abs", "neg"),
    *("sqrt", "rsqrt", "square", "reciprocal", "pow", "clamp", "clamp_min", "clamp_max"),
    *("add", "sub", "mul", "div", "maximum", "minimum", "where", "masked_fill"),
    *("gt", "ge", "lt", "le"),
}
LAST_AXES = {"linear": 1, "layer_norm": 1, "bmm": 2, "matmul": 2, "mm": 2, "baddbmm": 2}
LAST_AXES |= {"scaled_dot_product_attention": 2}
PADS = {"pad", "constant_pad_nd"}


def apply(
    b: TorchBuilder, handler: Any, name: str, arguments: dict[str, Any], given: Collection[str]
) -> Any:
    """An operator of tensors of which some are moved, by its handler for ordinary ones.

    Arguments that are `given` by name are passed so.
    """
    if name in FIND_SAMPLES:
        return FIND_SAMPLES[name](b, *arguments.values())
    dense = name in ("bmm", "matmul", "mm") and _is_matrix([*arguments.values()][1])
    last_axes = 1 if dense else LAST_AXES.get(name, 0)
    if name in PADS:
        last_axes = len(arguments["pad"]) // 2
    if b.batch == 1:  # any tensor passes as moved
        arguments = {
            k: moved.as_moved(b, v) if isinstance(v, Tensor) else v for k, v in arguments.items()
        }
    those = [value for value in arguments.values() if isinstance(value, Moved)]
    if not those:
        raise UnsupportedError("a list of tensors with their samples in other places")
    first = those[0]
    rank, axis = first.rank, first.axis
    tensors = [value for value in arguments.values() if isinstance(value, Tensor)]
    if tensors != those or any((*x.place, x.rank) != (*first.place, rank) for x in those):
        raise UnsupportedError("two tensors with their samples in different places")
    if name in ALONG_AN_AXIS | DROPS_AN_AXIS | REDUCES:
        along = arguments.get("dim", 0 if name in ALONG_AN_AXIS | DROPS_AN_AXIS else None)
        dims = [dim % rank for dim in ([along] if isinstance(along, int) else along or range(rank))]
        if axis in dims:
            raise UnsupportedError("an operation along the samples' axis")
        behind = [dim - rank for dim in dims]  # counted from the last
        given = {*given} if "dim" in arguments else {*given, "dim"}
        arguments = arguments | {"dim": behind[0] if isinstance(along, int) else behind}
        if name in DROPS_AN_AXIS or (name in REDUCES and not arguments.get("keepdim")):
            axis -= sum(dim < axis for dim in dims)
    elif axis >= rank - last_axes or name not in ENTRYWISE | LAST_AXES.keys() | PADS:
        raise UnsupportedError(f"samples along axis {axis}")

    def within(value: Any) -> Any:
        if isinstance(value, Moved):
            return value.inner
        plain = dense or name in ("linear", "layer_norm") or not isinstance(value, np.ndarray)
        return value if plain else moved.beside(value, first, b.batch, whole=False)

    inner = {key: within(value) for key, value in arguments.items()}
    positional = [inner[key] for key in inner if key not in given]
    keywords = {key: inner[key] for key in inner if key in given}
    expected = list(b.expected)
    if axis != NOWHERE:
        expected[axis] = first.before * first.after
    b.expected = (b.batch, *expected)
    result = handler(b, *positional, **keywords)
    if isinstance(result, tuple):
        return tuple(
            moved.placed(b, part, axis, first.before, first.after)
            if isinstance(part, Tensor)
            else part
            for part in result
        )
    return moved.placed(b, result, axis, first.before, first.after)


def _is_matrix(value: Any) -> bool:
    """Whether a constant multiplies every row by one matrix, as a dense layer does."""
    return isinstance(value, np.ndarray) and value.ndim > 1 and prod(value.shape[:-2]) == 1
