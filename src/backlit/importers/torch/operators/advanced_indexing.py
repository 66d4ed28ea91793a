"""Advanced indexing: reading and writing at places that arrays name."""

from collections.abc import Sequence
from math import prod

import numpy as np

from backlit.importers.builder import Tensor, UnsupportedError, Value, masks, moved, shapes
from backlit.importers.torch.operators.indexing import overlay, part
from backlit.importers.torch.operators.table import TorchBuilder, operator, weights

Places = dict[int, np.ndarray]  # by axis, in the order of axes


@operator("index")
def index(b: TorchBuilder, x: Tensor, indices: Sequence[Value | None]) -> Tensor:
    places = _places(x, indices)
    if len(places) == 1:
        ((axis, array),) = places.items()
        return shapes.reshape(b, part(b, x, axis, array.reshape(-1).tolist()), b.expected)
    together, at = _together(b, x, list(places))
    entries = shapes.gather(b, together, at, _flat(x, places))
    outer = np.broadcast_shapes(*(array.shape for array in places.values()))
    result = shapes.reshape(b, entries, (*together.shape[:at], *outer, *together.shape[at + 1 :]))
    if _adjoin(places):
        return result
    # arrays apart from each other: their axes come first, before the samples'
    rank = len(outer)
    return moved.permuted(b, result, [*range(1, rank + 1), 0, *range(rank + 1, len(result.shape))])


@operator("diagonal")
def diagonal(b: TorchBuilder, x: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The entries (i, i + offset) of two axes, which become the last one."""
    rank = len(x.shape)
    pair = [dim1 % rank, dim2 % rank]
    others = [axis for axis in range(rank) if axis not in pair]
    rows = np.arange(b.expected[-1]) + max(-offset, 0)
    places: list[Value | None] = [rows, rows + offset]
    return index(b, shapes.transpose(b, x, [*others, *pair]), [*[None] * len(others), *places])


@operator("index_put")
def index_put(
    b: TorchBuilder,
    x: Value,
    indices: Sequence[Value | None],
    values: Value,
    accumulate: bool = False,
) -> Tensor:
    mask = indices[0]
    if isinstance(mask, Tensor):  # not an index: those do not depend on the input
        one = not isinstance(values, Tensor) and values.size == 1 and not accumulate
        if not one or mask.shape != b.expected:
            raise UnsupportedError("several values where what depends on the input says")
        return masks.choose(b, mask, values, x)
    whole = x if isinstance(x, Tensor) else b.tensor(np.asarray(x), b.expected)
    places = _places(whole, indices)
    if accumulate or not _adjoin(places):
        raise UnsupportedError("adding to places that arrays name, or arrays apart from each other")
    together, at = _together(b, whole, list(places))
    flat = _flat(whole, places)
    outer = np.broadcast_shapes(*(array.shape for array in places.values()))
    shape = (*together.shape[:at], *outer, *together.shape[at + 1 :])
    full = shapes.expand(b, _of_rank(b, values, shape), shape)
    rows = shapes.reshape(b, full, (*together.shape[:at], len(flat), *together.shape[at + 1 :]))
    return shapes.reshape(b, overlay(b, together, rows, at, flat.tolist()), b.expected)


@operator("gather")
def gather(
    b: TorchBuilder, x: Tensor, dim: int, index: Value, *, sparse_grad: bool = False
) -> Tensor:
    """Of each row along an axis the entries at places of its own."""
    return shapes.take_along(b, x, dim, weights(index, "an index"))


def _places(x: Tensor, indices: Sequence[Value | None]) -> Places:
    """Whole numbers from 0 on for every axis that is indexed; a mask names those of its axes."""
    places: Places = {}
    axis = 0
    for given in indices:
        if given is None:
            axis += 1
            continue
        array = weights(given, "an index")
        if array.dtype == bool:
            places |= {axis + i: own for i, own in enumerate(np.nonzero(array))}
            axis += array.ndim
        else:
            places[axis] = array % x.shape[axis]
            axis += 1
    if 0 in places and len(places) > 1:
        raise UnsupportedError("an operation along the samples' axis")
    return places


def _adjoin(places: Places) -> bool:
    return max(places) - min(places) == len(places) - 1


def _together(b: TorchBuilder, x: Tensor, axes: Sequence[int]) -> tuple[Tensor, int]:
    """x with several axes joined to one, and which it is: the second, if they were apart."""
    at = axes[0] if axes[-1] - axes[0] == len(axes) - 1 else 1
    others = [axis for axis in range(len(x.shape)) if axis not in axes]
    front = shapes.transpose(b, x, [*others[:at], *axes, *others[at:]])
    sizes = front.shape
    joined = (*sizes[:at], prod(x.shape[axis] for axis in axes), *sizes[at + len(axes) :])
    return shapes.reshape(b, front, joined), at


def _flat(x: Tensor, places: Places) -> np.ndarray:
    """The places along the joined axis, in a row."""
    arrays = np.broadcast_arrays(*places.values())
    sizes = [x.shape[axis] for axis in places]
    return np.asarray(np.ravel_multi_index(arrays, sizes)).reshape(-1)


def _of_rank(b: TorchBuilder, value: Value, shape: Sequence[int]) -> Tensor:
    """A value as a tensor of as many axes as a shape."""
    new = [1] * (len(shape) - len(value.shape))
    if isinstance(value, Tensor):
        if new:
            raise UnsupportedError("values without an axis of samples")
        return value
    return b.tensor(value.reshape((*new, *value.shape)), shape)
