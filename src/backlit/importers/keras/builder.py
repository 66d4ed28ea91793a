"""The builder for Keras, whose images have their channels last.

Inside, values with three axes or more are held with the channels (Keras's last axis) right behind
the samples, as the layers here want them. Where the order of values matters, they are brought
into Keras's order; a dense layer behind such a step has its weights permuted instead. In a model
of ``data_format="channels_first"`` values are held as they are.
"""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from backlit.importers.builder import GraphBuilder, Tensor, UnsupportedError
from backlit.layers import Conv2D, Dense, Flatten
from backlit.operators import Reshape, Transpose


class KerasBuilder(GraphBuilder):
    """The builder, and how its values are held.

    Axes and shapes are Keras's in the methods `shape`, `axis`, `reorder` and `broadcast`.

    Attributes
    ----------
    channels_last : bool
        Whether Keras's last axis is held as axis 1.
    padded : dict of int to (Tensor, tuple)
        Tensors that are another one with zeros (top, left, bottom, right) around it.
    """

    def __init__(self, shape: Sequence[int], channels_last: bool, batch: int) -> None:
        # images are taken as they are held: the model moves the axes of samples
        super().__init__(shape, batch, moves_samples=channels_last and len(shape) == 3)
        self.channels_last = channels_last
        self.padded: dict[int, tuple[Tensor, tuple[int, ...]]] = {}

    # --- how values are held ---------------------------------------------------------------

    def first(self) -> Tensor:
        """The input, held."""
        return self.input if self.moves_samples else self.hold(self.input)

    def _held_axes(self, rank: int) -> list[int]:
        """Keras's axes in the order in which they are held."""
        axes = list(range(rank))
        return [0, rank - 1, *axes[1:-1]] if self.channels_last and rank > 2 else axes

    def shape(self, x: Tensor) -> tuple[int, ...]:
        """A value's shape in Keras."""
        held = self._held_axes(len(x.shape))
        return tuple(x.shape[held.index(axis)] for axis in range(len(held)))

    def axis(self, axis: int, rank: int) -> int:
        """Where an axis is held."""
        return self._held_axes(rank).index(int(axis) % rank)

    def hold(self, x: Tensor) -> Tensor:
        """A tensor in Keras's order, held."""
        return self.rearrange(x, self._held_axes(len(x.shape)))

    def reorder(self, x: Tensor, axes: Sequence[int] | None = None) -> Tensor:
        """A value's tensor with Keras's axes in this order; by default as they are."""
        rank = len(x.shape)
        wanted = range(rank) if axes is None else axes
        return self.rearrange(x, [self.axis(axis, rank) for axis in wanted])

    def images(self, x: Tensor, data_format: str) -> Tensor:
        """A value with its channels behind the samples, as a layer of that format sees it."""
        rank = len(x.shape)
        if data_format == "channels_first":
            return self.reorder(x)
        return self.reorder(x, [0, rank - 1, *range(1, rank - 1)])

    def from_images(self, x: Tensor, data_format: str) -> Tensor:
        """The value whose `images` these are."""
        rank = len(x.shape)
        held = self._held_axes(rank)
        places = range(rank) if data_format == "channels_first" else [0, *range(2, rank), 1]
        return self.rearrange(x, [places[axis] for axis in held])

    def broadcast(self, array: Any, rank: int) -> np.ndarray:
        """A constant that broadcasts to a value of Keras, as it broadcasts to what is held."""
        array = np.asarray(array)
        wide = array.reshape((1,) * (rank - array.ndim) + array.shape)
        return wide.transpose(self._held_axes(rank))

    # --- nodes -----------------------------------------------------------------------------

    def rearrange(self, x: Tensor, axes: Sequence[int]) -> Tensor:
        """Transpose; of transposes in a row one, or none, is left."""
        order = list(axes)
        node = self.graph.producer(x.number)
        if node and isinstance(node.layer, Transpose):
            inner = [0, *(axis + 1 for axis in node.layer.axes)]
            order = [inner[axis] for axis in order]
            x = self.of(node.inputs[0])
        long = [axis for axis in order if x.shape[axis] > 1]
        if long == sorted(long):
            return self.reshape(x, [x.shape[axis] for axis in order])
        return self.transpose(x, order)

    def flatten(self, x: Tensor) -> Tensor:
        """All values of a sample, in the order of a tensor's axes."""
        return self.append(Flatten(), x) if len(x.shape) > 2 else x

    def units(self, x: Tensor, weights: np.ndarray, bias: np.ndarray | None = None) -> Tensor:
        """``x @ weights + bias`` along Keras's last axis, of a value that is held."""
        if len(x.shape) == 2:
            x, weights = self._in_any_order(x, np.asarray(weights, np.float32))
            return self.append(Dense(weights, bias), x)
        if not self.channels_last:
            return self.dense(x, weights, bias)
        rows = x.shape[2:] if len(x.shape) == 4 else (1, prod(x.shape[2:]))
        image = self.reshape(x, (self.batch, x.shape[1], *rows))
        layer = Conv2D(np.asarray(weights, np.float32).T[:, :, None, None], bias)
        result = self.append(layer, image)
        return self.reshape(result, (self.batch, result.shape[1], *x.shape[2:]))

    def _in_any_order(self, x: Tensor, weights: np.ndarray) -> tuple[Tensor, np.ndarray]:
        """A row of features and the weights for it, without transposing before flattening."""
        node = self.graph.producer(x.number)
        if node is None or not isinstance(node.layer, Flatten | Reshape):
            return x, weights
        before = self.graph.producer(node.inputs[0])
        if before is None or not isinstance(before.layer, Transpose):
            return x, weights
        source = self.of(before.inputs[0])
        order = np.arange(prod(source.sample)).reshape(source.sample)
        places = order.transpose(before.layer.axes).reshape(-1)
        permuted = np.empty_like(weights)
        permuted[places] = weights
        label, self.label = self.label, f"{node.name}.channels_first"
        row = self.flatten(source)
        self.label = label
        return row, permuted


__all__ = ["KerasBuilder", "Tensor", "UnsupportedError"]
