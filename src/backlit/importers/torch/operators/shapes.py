"""Operators that change shapes, fill or copy, and those that do nothing at inference."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from backlit.importers.builder import Tensor, UnsupportedError, Value, masks, shapes
from backlit.importers.torch.operators.table import TorchBuilder, operator

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
    if not b.floating and not masks.is_mask(b, x):
        raise UnsupportedError("rounding to whole numbers")
    return x


@operator("copy")
def copy(b: TorchBuilder, target: Value, source: Value, non_blocking: bool = False) -> Tensor:
    if not isinstance(source, Tensor):
        source = np.broadcast_to(source, b.expected)
    return shapes.expand(b, b.tensor(source, b.expected), b.expected)


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
    return shapes.reshape(b, x, b.expected)


@operator("permute")
def permute(b: TorchBuilder, x: Tensor, dims: Sequence[int]) -> Tensor:
    return shapes.transpose(b, x, dims)


@operator("transpose", "swapaxes")
def transpose(b: TorchBuilder, x: Tensor, dim0: int, dim1: int) -> Tensor:
    axes = list(range(len(x.shape)))
    axes[dim0], axes[dim1] = axes[dim1], axes[dim0]
    return shapes.transpose(b, x, axes)


@operator("t")
def t(b: TorchBuilder, x: Tensor) -> Tensor:
    return shapes.transpose(b, x, [1, 0])


@operator("movedim")
def movedim(b: TorchBuilder, x: Tensor, source: Any, destination: Any) -> Tensor:
    return shapes.transpose(b, x, shapes.moved_axes(len(x.shape), source, destination))


@operator("expand", "broadcast_to", "expand_as")
def expand(b: TorchBuilder, x: Tensor, *_: Any, **__: Any) -> Tensor:
    return shapes.expand(b, x, b.expected)


@operator("repeat", "tile")
def repeat(b: TorchBuilder, x: Tensor, repeats: Sequence[int]) -> Tensor:
    if len(b.expected) != len(x.shape) or b.expected[0] != x.shape[0]:
        raise UnsupportedError("repeating samples")
    for axis in range(1, len(x.shape)):
        times = b.expected[axis] // x.shape[axis]
        x = shapes.gather(b, x, axis, np.tile(np.arange(x.shape[axis]), times))
    return x
