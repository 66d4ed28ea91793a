"""Parts of values, writing into them, and values put together."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from backlit.importers.builder import Tensor, UnsupportedError, Value, shapes
from backlit.importers.torch.operators.table import TorchBuilder, operator, spread, weights


def part(b: TorchBuilder, x: Tensor, axis: int, indices: Sequence[int]) -> Tensor:
    axis %= len(x.shape)
    if axis == 0 and list(indices) == list(range(x.shape[0])):
        return x
    return shapes.gather(b, x, axis, indices)


@operator("slice")
def slice_(
    b: TorchBuilder,
    x: Tensor,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Tensor:
    return part(b, x, dim, range(*slice(start, end, step).indices(x.shape[dim])))


@operator("narrow")
def narrow(b: TorchBuilder, x: Tensor, dim: int, start: int, length: int) -> Tensor:
    return part(b, x, dim, range(start, start + length))


@operator("select")
def select(b: TorchBuilder, x: Tensor, dim: int, index: int) -> Tensor:
    one = part(b, x, dim, [index % x.shape[dim]])
    return shapes.reshape(b, one, b.expected)


@operator("split", "split_with_sizes")
def split(
    b: TorchBuilder, x: Tensor, sizes: int | Sequence[int], dim: int = 0
) -> tuple[Tensor, ...]:
    length = x.shape[dim]
    if isinstance(sizes, int):
        sizes = [min(sizes, length - start) for start in range(0, length, sizes)]
    ends = np.cumsum(sizes)
    return tuple(part(b, x, dim, range(end - n, end)) for n, end in zip(sizes, ends, strict=True))


@operator("chunk")
def chunk(b: TorchBuilder, x: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    return split(b, x, -(-x.shape[dim] // chunks), dim)


@operator("unbind")
def unbind(b: TorchBuilder, x: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    axis = dim % len(x.shape)
    shape = x.shape[:axis] + x.shape[axis + 1 :]
    return tuple(shapes.reshape(b, part(b, x, axis, [i]), shape) for i in range(x.shape[axis]))


@operator("index_select")
def index_select(b: TorchBuilder, x: Tensor, dim: int, index: Value) -> Tensor:
    return part(b, x, dim, weights(index, "an index").reshape(-1).tolist())


@operator("flip")
def flip(b: TorchBuilder, x: Tensor, dims: Sequence[int]) -> Tensor:
    for axis in dims:
        x = part(b, x, axis, range(x.shape[axis])[::-1])
    return x


@operator("roll")
def roll(b: TorchBuilder, x: Tensor, shifts: Any, dims: Any = ()) -> Tensor:
    axes = [dims] if isinstance(dims, int) else list(dims)
    if not axes:
        raise UnsupportedError("rolling over all axes")
    for axis, shift in zip(axes, spread(shifts, len(axes)), strict=True):
        x = part(b, x, axis, np.roll(np.arange(x.shape[axis]), shift).tolist())
    return x


# --- writing into parts ---------------------------------------------------------------------------


def overlay(b: TorchBuilder, x: Tensor, y: Value, axis: int, places: Sequence[int]) -> Tensor:
    """x with the entries at `places` along an axis taken from y."""
    axis %= len(x.shape)
    size = x.shape[axis]
    if axis == 0:
        if list(places) != list(range(size)):
            raise UnsupportedError("writing to some samples only")
        return shapes.expand(b, b.tensor(y, x.shape), x.shape)
    order = list(range(size))
    for number, place in enumerate(places):
        order[place] = size + number
    return shapes.gather(b, shapes.concatenate(b, [x, y], axis), axis, order)


@operator("slice_scatter")
def slice_scatter(
    b: TorchBuilder,
    x: Value,
    source: Value,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Tensor:
    whole = x if isinstance(x, Tensor) else b.tensor(x, b.expected)
    places = range(*slice(start, end, step).indices(whole.shape[dim]))
    return overlay(b, whole, source, dim, places)


@operator("select_scatter")
def select_scatter(b: TorchBuilder, x: Value, source: Value, dim: int, index: int) -> Tensor:
    whole = x if isinstance(x, Tensor) else b.tensor(x, b.expected)
    axis = dim % len(whole.shape)
    shape = [1 if i == axis else n for i, n in enumerate(whole.shape)]
    if isinstance(source, Tensor):
        source = shapes.reshape(b, source, shape)
    else:
        source = np.reshape(source, shape)
    return overlay(b, whole, source, axis, [index % whole.shape[axis]])


# --- putting together -----------------------------------------------------------------------------


@operator("cat", "concat", "concatenate")
def concatenate(b: TorchBuilder, tensors: Sequence[Value], dim: int = 0) -> Tensor:
    # PyTorch takes tensors without entries, of whatever rank, for nothing
    some = [v for v in tensors if isinstance(v, Tensor) or np.size(v)]
    return shapes.concatenate(b, some, dim)


@operator("stack")
def stack(b: TorchBuilder, tensors: Sequence[Value], dim: int = 0) -> Tensor:
    axis = dim % len(b.expected)
    shape = [1 if i == axis else n for i, n in enumerate(b.expected)]
    parts = [
        shapes.reshape(b, v, shape) if isinstance(v, Tensor) else np.reshape(v, shape)
        for v in tensors
    ]
    return shapes.concatenate(b, parts, axis)
