"""Parts of values, entries repeated or moved, and values put together."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from backlit.importers.builder import Tensor, UnsupportedError, shapes
from backlit.importers.keras import layout
from backlit.importers.keras.builder import KerasBuilder
from backlit.importers.keras.operators.arithmetic import sides
from backlit.importers.keras.operators.shapes import expand_dims
from backlit.importers.keras.operators.table import constant, layer, operation


def entries(b: KerasBuilder, x: Tensor, axis: int, indices: Any) -> Tensor:
    """Those at `indices` along one of Keras's axes."""
    return shapes.gather(b, x, b.axis(axis, len(x.shape)), indices)


def extent(b: KerasBuilder, x: Tensor, axis: int) -> int:
    return x.shape[b.axis(axis, len(x.shape))]


@operation("GetItem")
def get_item(b: KerasBuilder, op: Any, x: Tensor, key: Any) -> Tensor:
    """Slices and single entries, of all samples, and new axes."""
    sizes, keys = b.shape(x), list(key) if isinstance(key, list | tuple) else [key]
    own = sum(part is not None and part is not Ellipsis for part in keys)
    rest = [slice(None)] * (len(sizes) - own)
    at = keys.index(Ellipsis) if any(part is Ellipsis for part in keys) else len(keys)
    keys = [*keys[:at], *rest, *keys[at + 1 :]]
    plain = all(part is None or isinstance(part, slice | int | np.integer) for part in keys)
    if not plain or keys[0] != slice(None):
        raise UnsupportedError(f"the index {key}")
    shape: list[int] = []
    axis = 0
    for part in keys:
        if part is None:
            shape.append(1)
            continue
        if isinstance(part, slice):
            wanted = range(sizes[axis])[part]
            shape.append(len(wanted))
        else:
            wanted = range(sizes[axis])[part : part + 1 or None]
        if axis:
            x = entries(b, x, axis, wanted)
        axis += 1
    return x if tuple(shape) == b.shape(x) else layout.reshape(b, x, shape)


@operation("Split")
def split(b: KerasBuilder, op: Any, x: Tensor) -> list[Tensor]:
    given, size = op.indices_or_sections, extent(b, x, op.axis)
    parts = np.split(np.arange(size), given if isinstance(given, int) else list(given))
    return [entries(b, x, op.axis, part) for part in parts]


@operation("Unstack")
def unstack(b: KerasBuilder, op: Any, x: Tensor) -> list[Tensor]:
    axis = op.axis % len(x.shape)
    kept = [n for i, n in enumerate(b.shape(x)) if i != axis]
    parts = [entries(b, x, axis, [i]) for i in range(extent(b, x, axis))]
    return [layout.reshape(b, part, kept) for part in parts]


@operation("Take")
def take(b: KerasBuilder, op: Any, x: Tensor, indices: Any) -> Tensor:
    if op.axis is None:
        raise UnsupportedError("axis=None: over samples")
    wanted, axis = constant(indices, "an index").astype(int), op.axis % len(x.shape)
    sizes = b.shape(x)
    taken = entries(b, x, axis, wanted.reshape(-1) % sizes[axis])
    if wanted.ndim == 1:
        return taken
    shape = (*sizes[:axis], *wanted.shape, *sizes[axis + 1 :])
    return layout.reshape(b, taken, shape)


@operation("Flip")
def flip(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    for axis in _axes(op.axis):
        x = entries(b, x, axis, range(extent(b, x, axis))[::-1])
    return x


@operation("Roll")
def roll(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    axes = _axes(op.axis)
    for axis, shift in zip(axes, np.broadcast_to(op.shift, len(axes)), strict=True):
        x = entries(b, x, axis, np.roll(np.arange(extent(b, x, axis)), shift))
    return x


@operation("Repeat")
def repeat(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    (axis,) = _axes(op.axis)
    places = np.arange(extent(b, x, axis))
    return entries(b, x, axis, np.repeat(places, np.asarray(op.repeats)))


@operation("Tile")
def tile(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    counts = [op.repeats] if isinstance(op.repeats, int) else list(op.repeats)
    rank = len(x.shape)
    if len(counts) > rank:
        raise UnsupportedError(f"repeats={op.repeats}: more axes than {rank}")
    for axis, count in enumerate(counts, rank - len(counts)):
        if count != 1:
            x = entries(b, x, axis, np.tile(np.arange(extent(b, x, axis)), count))
    return x


def _axes(given: int | Sequence[int] | None) -> list[int]:
    if given is None:
        raise UnsupportedError("axis=None: over samples")
    return [int(axis) for axis in np.atleast_1d(given)]


# --- putting together -----------------------------------------------------------------------------


@layer("Concatenate")
def concatenate(b: KerasBuilder, layer: Any, values: Sequence[Tensor]) -> Tensor:
    parts = sides(b, *values)
    return shapes.concatenate(b, parts, b.axis(layer.axis, len(parts[0].shape)))


@operation("Stack")
def stack(b: KerasBuilder, op: Any, values: Sequence[Tensor]) -> Tensor:
    parts = [expand_dims(b, op, value) for value in values]
    return shapes.concatenate(b, parts, b.axis(op.axis, len(parts[0].shape)))


@operation("Concatenate")
def concatenate_operation(b: KerasBuilder, op: Any, values: Sequence[Tensor]) -> Tensor:
    return concatenate(b, op, values)
