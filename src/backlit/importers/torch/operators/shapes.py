"""Operators that move values about."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from backlit.importers.builder import Tensor, UnsupportedError, Value
from backlit.importers.builder.shapes import moved_axes
from backlit.importers.torch.operators.table import TorchBuilder, operator, spread, weights

# What only names the same values another way: nobody asks for it, so it need not be computed
MOVES = {
    *("view", "reshape", "_unsafe_view", "flatten", "unflatten", "squeeze", "unsqueeze"),
    *("permute", "transpose", "swapaxes", "t", "movedim"),
}


@operator("alias", "clone", "contiguous", "lift_fresh_copy")
def same(b: TorchBuilder, x: Tensor, *_: Any, **__: Any) -> Tensor:
    return x


@operator("_to_copy", "to", "type_as")
def cast(b: TorchBuilder, x: Tensor, *_: Any, **__: Any) -> Tensor:
    """Any floating dtype is float32 here, and so are masks."""
    if not b.floating and not b.is_mask(x):
        raise UnsupportedError("rounding to whole numbers")
    return x


@operator("copy")
def copy(b: TorchBuilder, target: Value, source: Value, non_blocking: bool = False) -> Tensor:
    if not isinstance(source, Tensor):
        source = np.broadcast_to(source, b.expected)
    return b.expand(b.tensor(source, b.expected), b.expected)


@operator("zeros_like", "zero")
def zeros_like(b: TorchBuilder, x: Tensor, **_: Any) -> np.ndarray:
    return full_like(b, x, 0)


@operator("ones_like")
def ones_like(b: TorchBuilder, x: Tensor, **_: Any) -> np.ndarray:
    return full_like(b, x, 1)


@operator("full_like", "fill")
def full_like(b: TorchBuilder, x: Tensor, value: Value, **_: Any) -> np.ndarray:
    if isinstance(value, Tensor):
        raise UnsupportedError("a value that depends on the input")
    return np.full(b.expected, value, np.float32 if b.floating else np.int64)


@operator("detach")
def detach(b: TorchBuilder, x: Tensor) -> Tensor:
    raise UnsupportedError("stopping the gradient")


@operator("dropout", "feature_dropout", "alpha_dropout", "native_dropout")
def dropout(b: TorchBuilder, x: Tensor, p: float, train: bool) -> Any:
    if train and p > 0:
        raise UnsupportedError("dropout that is on in evaluation mode too")
    return x


@operator("view", "reshape", "_unsafe_view", "flatten", "unflatten", "squeeze", "unsqueeze")
def reshape(b: TorchBuilder, x: Tensor, *_: Any, **__: Any) -> Tensor:
    return b.reshape(x, b.expected)


@operator("permute")
def permute(b: TorchBuilder, x: Tensor, dims: Sequence[int]) -> Tensor:
    return b.transpose(x, dims)


@operator("transpose", "swapaxes")
def transpose(b: TorchBuilder, x: Tensor, dim0: int, dim1: int) -> Tensor:
    axes = list(range(len(x.shape)))
    axes[dim0], axes[dim1] = axes[dim1], axes[dim0]
    return b.transpose(x, axes)


@operator("t")
def t(b: TorchBuilder, x: Tensor) -> Tensor:
    return b.transpose(x, [1, 0])


@operator("movedim")
def movedim(b: TorchBuilder, x: Tensor, source: Any, destination: Any) -> Tensor:
    return b.transpose(x, moved_axes(len(x.shape), source, destination))


@operator("expand", "broadcast_to", "expand_as")
def expand(b: TorchBuilder, x: Tensor, *_: Any, **__: Any) -> Tensor:
    return b.expand(x, b.expected)


@operator("repeat", "tile")
def repeat(b: TorchBuilder, x: Tensor, repeats: Sequence[int]) -> Tensor:
    if len(b.expected) != len(x.shape) or b.expected[0] != x.shape[0]:
        raise UnsupportedError("repeating samples")
    for axis in range(1, len(x.shape)):
        times = b.expected[axis] // x.shape[axis]
        x = b.gather(x, axis, np.tile(np.arange(x.shape[axis]), times))
    return x


@operator("cat", "concat", "concatenate")
def concatenate(b: TorchBuilder, tensors: Sequence[Value], dim: int = 0) -> Tensor:
    # PyTorch takes tensors without entries, of whatever rank, for nothing
    some = [v for v in tensors if isinstance(v, Tensor) or np.size(v)]
    return b.concatenate(some, dim)


@operator("stack")
def stack(b: TorchBuilder, tensors: Sequence[Value], dim: int = 0) -> Tensor:
    axis = dim % len(b.expected)
    shape = [1 if i == axis else n for i, n in enumerate(b.expected)]
    parts = [
        b.reshape(v, shape) if isinstance(v, Tensor) else np.reshape(v, shape) for v in tensors
    ]
    return b.concatenate(parts, axis)


# --- parts ----------------------------------------------------------------------------------------


def part(b: TorchBuilder, x: Tensor, axis: int, indices: Sequence[int]) -> Tensor:
    axis %= len(x.shape)
    if axis == 0 and list(indices) == list(range(x.shape[0])):
        return x
    return b.gather(x, axis, indices)


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
    return b.reshape(one, b.expected)


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
    return tuple(b.reshape(part(b, x, axis, [i]), shape) for i in range(x.shape[axis]))


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
        return b.expand(b.tensor(y, x.shape), x.shape)
    order = list(range(size))
    for number, place in enumerate(places):
        order[place] = size + number
    return b.gather(b.concatenate([x, y], axis), axis, order)


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
        source = b.reshape(source, shape)
    else:
        source = np.reshape(source, shape)
    return overlay(b, whole, source, axis, [index % whole.shape[axis]])


# --- padding --------------------------------------------------------------------------------------

MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@operator("pad")
def pad(
    b: TorchBuilder,
    x: Tensor,
    pad: Sequence[int],
    mode: str = "constant",
    value: float | None = None,
) -> Tensor:
    for number in range(len(pad) // 2):
        before, after = pad[2 * number], pad[2 * number + 1]
        axis = len(x.shape) - 1 - number
        x = b.pad(x, axis, before, after, MODES[mode], value or 0)
    return x


@operator("constant_pad_nd")
def constant_pad(b: TorchBuilder, x: Tensor, amounts: Sequence[int], value: float = 0) -> Tensor:
    return pad(b, x, amounts, "constant", value)


@operator("reflection_pad1d", "reflection_pad2d")
def reflection_pad(b: TorchBuilder, x: Tensor, amounts: Sequence[int]) -> Tensor:
    return pad(b, x, amounts, "reflect")


@operator("replication_pad1d", "replication_pad2d")
def replication_pad(b: TorchBuilder, x: Tensor, amounts: Sequence[int]) -> Tensor:
    return pad(b, x, amounts, "replicate")


# --- channels and pixels --------------------------------------------------------------------------


@operator("channel_shuffle")
def channel_shuffle(b: TorchBuilder, x: Tensor, groups: int) -> Tensor:
    order = np.arange(x.shape[1]).reshape(groups, -1).T.reshape(-1)
    return b.gather(x, 1, order)


@operator("pixel_shuffle")
def pixel_shuffle(b: TorchBuilder, x: Tensor, factor: int) -> Tensor:
    n, channels, height, width = x.shape
    blocks = b.reshape(x, (n, channels // factor**2, factor, factor, height, width))
    return b.reshape(b.transpose(blocks, (0, 1, 4, 2, 5, 3)), b.expected)


@operator("pixel_unshuffle")
def pixel_unshuffle(b: TorchBuilder, x: Tensor, factor: int) -> Tensor:
    n, channels, height, width = x.shape
    blocks = b.reshape(x, (n, channels, height // factor, factor, width // factor, factor))
    return b.reshape(b.transpose(blocks, (0, 1, 3, 5, 2, 4)), b.expected)
