"""The builder for Keras, whose images have their channels last.

Inside, values with three axes or more are held with the channels (Keras's last axis) right behind
the samples, as the layers here want them. Where the order of values matters, they are brought
into Keras's order; a dense layer behind such a step has its weights permuted instead. In a model
of ``data_format="channels_first"`` values are held as they are.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from backlit.importers.builder import GraphBuilder, Tensor


class KerasBuilder(GraphBuilder):
    """The builder, and how its values are held.

    Axes and shapes are Keras's in the methods `shape`, `axis` and `broadcast`.

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

    def held_axes(self, rank: int) -> list[int]:
        """Keras's axes in the order in which they are held."""
        axes = list(range(rank))
        return [0, rank - 1, *axes[1:-1]] if self.channels_last and rank > 2 else axes

    def axis(self, axis: int, rank: int) -> int:
        """Where an axis is held."""
        return self.held_axes(rank).index(int(axis) % rank)

    def shape(self, x: Tensor) -> tuple[int, ...]:
        """A value's shape in Keras."""
        held = self.held_axes(len(x.shape))
        return tuple(x.shape[held.index(axis)] for axis in range(len(held)))

    def broadcast(self, array: Any, rank: int) -> np.ndarray:
        """A constant that broadcasts to a value of Keras, as it broadcasts to what is held."""
        array = np.asarray(array)
        wide = array.reshape((1,) * (rank - array.ndim) + array.shape)
        return wide.transpose(self.held_axes(rank))
