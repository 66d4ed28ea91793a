"""Shapes, and entries taken along an axis."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from backlit.importers.builder import arithmetic
from backlit.importers.builder.nodes import GraphBuilder
from backlit.importers.builder.values import (
    Tensor,
    UnsupportedError,
    Value,
    axis_from_front,
    sample_axis,
)
from backlit.operators import AxisMap, Concatenate, Reshape, Transpose

Row = list[tuple[int, float]]  # (input, weight) entries, which are added up


def reshape(b: GraphBuilder, x: Tensor, shape: Sequence[int]) -> Tensor:
    """The same values in another shape, which may hold one -1 and must keep the batch."""
    sizes = [int(n) for n in shape]
    total = prod(x.shape)
    if -1 in sizes:
        known = -prod(sizes)
        sizes[sizes.index(-1)] = total // known if known else 0
    if not sizes or sizes[0] != b.batch or prod(sizes) != total:
        raise UnsupportedError(f"reshaping {b.shown(x.shape)} to {b.shown(shape)} mixes samples")
    if node := b.merging(x, Reshape):  # of a reshaped tensor: one is enough
        x = b.of(node.inputs[0])
    if tuple(sizes) == x.shape:
        return x
    return b.append(Reshape(sizes[1:]), x)


def transpose(b: GraphBuilder, x: Tensor, axes: Sequence[int]) -> Tensor:
    """Axis i of the result is axis ``axes[i]`` of x."""
    order = [axis_from_front(axis, len(x.shape)) for axis in axes]
    if order[0] != 0:
        raise UnsupportedError(f"transposing axes {tuple(axes)} moves the samples' axis")
    if node := b.merging(x, Transpose):  # of a transposed tensor: one is enough
        assert isinstance(node.layer, Transpose)
        x = b.of(node.inputs[0])
        order = [0, *(node.layer.axes[axis - 1] + 1 for axis in order[1:])]
    if order == list(range(len(order))):
        return x
    if sorted(own := [axis for axis in order if x.shape[axis] != 1]) == own:
        return reshape(b, x, [x.shape[axis] for axis in order])
    return b.append(Transpose([axis - 1 for axis in order[1:]]), x)


def moved_axes(rank: int, source: Any, destination: Any) -> list[int]:
    """The order of axes after `numpy.moveaxis`."""
    # an array whose strides tell its axes apart
    axes = np.lib.stride_tricks.as_strided(np.empty(1, np.int8), (1,) * rank, range(rank))
    return list(np.moveaxis(axes, source, destination).strides)


def concatenate(b: GraphBuilder, values: Sequence[Value], axis: int) -> Tensor:
    rank = next(len(v.shape) for v in values if isinstance(v, Tensor))
    axis = sample_axis(axis, rank)
    shape = (0,) * rank
    tensors = [b.tensor(value, shape) for value in values]
    return tensors[0] if len(tensors) == 1 else b.append(Concatenate(axis), *tensors)


def gather(b: GraphBuilder, x: Tensor, axis: int, indices: Sequence[int] | np.ndarray) -> Tensor:
    """The entries at `indices` along an axis, -1 standing for zeros: slices, padding, flips."""
    axis = sample_axis(axis, len(x.shape))
    wanted = np.asarray(indices, np.int64)
    if np.array_equal(wanted, np.arange(x.sample[axis])):
        return x
    return b.append(AxisMap.gather(axis, x.sample[axis], wanted), x)


def take_along(b: GraphBuilder, x: Tensor, axis: int, places: np.ndarray) -> Tensor:
    """Of each row along an axis the entries at places of its own; of rows beyond, none."""
    axis = sample_axis(axis, len(x.shape))
    if len(places) != b.batch or not (places == places[:1]).all():
        raise UnsupportedError("an index that differs from sample to sample")
    rows = tuple(slice(None if i == axis else n) for i, n in enumerate(places.shape[1:]))
    order = np.arange(prod(x.sample)).reshape(x.sample)[rows]
    wanted = np.take_along_axis(order, places[0] % x.sample[axis], axis)
    row = reshape(b, x, (b.batch, prod(x.sample)))
    return reshape(b, gather(b, row, 1, wanted.reshape(-1)), (b.batch, *wanted.shape))


def linear_map(b: GraphBuilder, x: Tensor, axis: int, rows: Sequence[Row]) -> Tensor:
    """Along an axis, sums of weighted entries: for each output its row."""
    axis = sample_axis(axis, len(x.shape))
    return b.append(AxisMap.of_rows(axis, x.sample[axis], rows), x)


def expand(b: GraphBuilder, x: Tensor, shape: Sequence[int]) -> Tensor:
    """Repeat axes of extent 1 (NumPy's broadcasting)."""
    target = b.common_shape(x.shape, [int(n) for n in shape])
    if len(target) != len(x.shape) or target[0] != b.batch:
        raise UnsupportedError(f"expanding {b.shown(x.shape)} to {b.shown(shape)} mixes samples")
    for axis, (own, wanted) in enumerate(zip(x.shape, target, strict=True)):
        if own != wanted:
            x = gather(b, x, axis, [0] * wanted)
    return x


def pad(
    b: GraphBuilder,
    x: Tensor,
    axis: int,
    before: int,
    after: int,
    mode: str = "constant",
    value: float = 0,
) -> Tensor:
    """Pad an axis by a mode of `numpy.pad`, constant if none; negative amounts crop."""
    size = x.shape[axis % len(x.shape)]
    if not before and not after:
        return x
    inner = np.arange(size)[max(-before, 0) : size - max(-after, 0)]
    amounts = (max(before, 0), max(after, 0))
    if mode != "constant":
        return gather(b, x, axis, np.pad(inner, amounts, mode=mode))  # type: ignore[call-overload]
    indices = np.pad(inner, amounts, constant_values=-1)
    result = gather(b, x, axis, indices)
    if value:
        shape = [1] * len(x.shape)
        shape[axis % len(x.shape)] = len(indices)
        outside = np.where(indices < 0, value, 0.0).reshape(shape)
        result = arithmetic.binary(b, "add", result, outside)
    return result
