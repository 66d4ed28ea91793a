"""Nodes, their names, and what is a tensor: what every kind of operation is built with."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backlit.graph import Graph
from backlit.layers import Layer
from backlit.operators import Constant


@dataclass(frozen=True)
class Tensor:
    """A value that depends on the input; `shape` begins with the batch."""

    number: int
    shape: tuple[int, ...]

    @property
    def sample(self) -> tuple[int, ...]:
        return self.shape[1:]


Value = Tensor | np.ndarray

# Numbers of samples, where that is open: numbers that no shape has by chance
STAND_INS = 97, 101


class UnsupportedError(ValueError):
    """Something that cannot be expressed; its message says what."""


class NodeBuilder:
    """Appends nodes to a graph. See `GraphBuilder`."""

    def __init__(self, shape: Sequence[int], batch: int = 1) -> None:
        self.batch = batch
        self.graph = Graph([tuple(int(n) for n in shape)])
        self.input = Tensor(0, (batch, *self.graph.shapes[0]))
        self.label = ""

    def shown(self, shape: Sequence[int]) -> str:
        """A shape in words: people do not know the number of samples that stands in for any."""
        sizes = [str(n) for n in shape]
        for axis, n in enumerate(shape):
            if n == self.batch and (axis == 0 or n in STAND_INS):
                sizes[axis] = "samples"
            elif self.batch in STAND_INS and n > 0 and n % self.batch == 0:
                sizes[axis] = f"samples * {n // self.batch}"
        return f"({', '.join(sizes)})"

    def common_shape(self, *shapes: Sequence[int]) -> tuple[int, ...]:
        """The shape that shapes have together."""
        try:
            return np.broadcast_shapes(*map(tuple, shapes))
        except ValueError:
            raise ValueError(f"shapes {' and '.join(map(self.shown, shapes))} do not fit") from None

    def append(self, layer: Layer, *inputs: Tensor) -> Tensor:
        """Add a node of any layer or operator (whose shapes are those of one sample)."""
        numbers = tuple(tensor.number for tensor in inputs)
        number = self.graph.append(layer, numbers, self._name(layer))
        return Tensor(number, (self.batch, *self.graph.shapes[number]))

    def _name(self, layer: Layer) -> str:
        """The label; before the last node of an operation, the kind of layer and a number."""
        names = self.graph.names
        label = self.label or type(layer).__name__.lower()
        if label in names:  # an operation's earlier node gives up the label
            tensor = names.pop(label)
            number = 1
            while f"{label}.{number}" in names:
                number += 1
            names[f"{label}.{number}"] = tensor
            at = next(i for i, node in enumerate(self.graph.nodes) if node.output == tensor)
            before = self.graph.nodes[at]
            self.graph.nodes[at] = type(before)(
                before.layer, before.inputs, before.output, f"{label}.{number}"
            )
        return label

    def tensor(self, value: Value, shape: Sequence[int] | None = None) -> Tensor:
        """A value as a tensor; a constant is repeated for all samples if it must be.

        A constant's axis 0 is the batch's where it has as many axes as `shape`.
        """
        if isinstance(value, Tensor):
            return value
        array = np.asarray(value, np.float32)
        if shape is not None and array.ndim == len(shape):
            array = self._of_one_sample(array)
        return self.append(Constant(array))

    def _of_one_sample(self, array: np.ndarray) -> np.ndarray:
        if len(array) > 1 and not (array == array[:1]).all():
            raise UnsupportedError("a constant that differs from sample to sample")
        return array[0]

    def _axis(self, axis: int, rank: int) -> int:
        """An axis of one sample."""
        axis = int(axis) % rank
        if axis == 0:
            raise UnsupportedError("an operation along the samples' axis")
        return axis - 1
