"""Shapes, and entries taken along an axis."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from backlit.importers.builder.nodes import (
    NodeBuilder,
    Tensor,
    UnsupportedError,
    Value,
    axis_from_front,
)
from backlit.operators import AxisMap, Concatenate, Reshape, Transpose

Row = list[tuple[int, float]]  # (input, weight) entries, which are added up


def moved_axes(rank: int, source: Any, destination: Any) -> list[int]:
    """The order of axes after `numpy.moveaxis`."""
    # an array whose strides tell its axes apart
    axes = np.lib.stride_tricks.as_strided(np.empty(1, np.int8), (1,) * rank, range(rank))
    return list(np.moveaxis(axes, source, destination).strides)


class ShapeBuilder(NodeBuilder):
    """Operations that move values or add them up along an axis."""

    def reshape(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        """The same values in another shape, which may hold one -1 and must keep the batch."""
        sizes = [int(n) for n in shape]
        total = prod(x.shape)
        if -1 in sizes:
            known = -prod(sizes)
            sizes[sizes.index(-1)] = total // known if known else 0
        if not sizes or sizes[0] != self.batch or prod(sizes) != total:
            shapes = f"{self.shown(x.shape)} to {self.shown(shape)}"
            raise UnsupportedError(f"reshaping {shapes} mixes samples")
        if node := self.merging(x, Reshape):  # of a reshaped tensor: one is enough
            x = self.of(node.inputs[0])
        if tuple(sizes) == x.shape:
            return x
        return self.append(Reshape(sizes[1:]), x)

    def transpose(self, x: Tensor, axes: Sequence[int]) -> Tensor:
        """Axis i of the result is axis ``axes[i]`` of x."""
        order = [axis_from_front(axis, len(x.shape)) for axis in axes]
        if order[0] != 0:
            raise UnsupportedError(f"transposing axes {tuple(axes)} moves the samples' axis")
        if node := self.merging(x, Transpose):  # of a transposed tensor: one is enough
            assert isinstance(node.layer, Transpose)
            x = self.of(node.inputs[0])
            order = [0, *(node.layer.axes[axis - 1] + 1 for axis in order[1:])]
        if order == list(range(len(order))):
            return x
        if sorted(own := [axis for axis in order if x.shape[axis] != 1]) == own:
            return self.reshape(x, [x.shape[axis] for axis in order])
        return self.append(Transpose([axis - 1 for axis in order[1:]]), x)

    def concatenate(self, values: Sequence[Value], axis: int) -> Tensor:
        rank = next(len(v.shape) for v in values if isinstance(v, Tensor))
        axis = self._axis(axis, rank)
        shape = (0,) * rank
        tensors = [self.tensor(value, shape) for value in values]
        return tensors[0] if len(tensors) == 1 else self.append(Concatenate(axis), *tensors)

    def gather(self, x: Tensor, axis: int, indices: Sequence[int] | np.ndarray) -> Tensor:
        """The entries at `indices` along an axis, -1 standing for zeros: slices, padding, flips."""
        axis = self._axis(axis, len(x.shape))
        wanted = np.asarray(indices, np.int64)
        if np.array_equal(wanted, np.arange(x.sample[axis])):
            return x
        return self.append(AxisMap.gather(axis, x.sample[axis], wanted), x)

    def take_along(self, x: Tensor, axis: int, places: np.ndarray) -> Tensor:
        """Of each row along an axis the entries at places of its own; of rows beyond, none."""
        axis = self._axis(axis, len(x.shape))
        if len(places) != self.batch or not (places == places[:1]).all():
            raise UnsupportedError("an index that differs from sample to sample")
        rows = tuple(slice(None if i == axis else n) for i, n in enumerate(places.shape[1:]))
        order = np.arange(prod(x.sample)).reshape(x.sample)[rows]
        wanted = np.take_along_axis(order, places[0] % x.sample[axis], axis)
        row = self.reshape(x, (self.batch, prod(x.sample)))
        return self.reshape(self.gather(row, 1, wanted.reshape(-1)), (self.batch, *wanted.shape))

    def linear_map(self, x: Tensor, axis: int, rows: Sequence[Row]) -> Tensor:
        """Along an axis, sums of weighted entries: for each output its row."""
        axis = self._axis(axis, len(x.shape))
        return self.append(AxisMap.of_rows(axis, x.sample[axis], rows), x)

    def expand(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        """Repeat axes of extent 1 (NumPy's broadcasting)."""
        target = self.common_shape(x.shape, [int(n) for n in shape])
        if len(target) != len(x.shape) or target[0] != self.batch:
            shapes = f"{self.shown(x.shape)} to {self.shown(shape)}"
            raise UnsupportedError(f"expanding {shapes} mixes samples")
        for axis, (own, wanted) in enumerate(zip(x.shape, target, strict=True)):
            if own != wanted:
                x = self.gather(x, axis, [0] * wanted)
        return x
