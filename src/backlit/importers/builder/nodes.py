"""Nodes, their names, and what is a tensor: what every kind of operation is built with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backlit.graph import Graph, Node
from backlit.layers import Layer
from backlit.operators import Constant, Reshape, Transpose


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


def axis_from_front(axis: int, rank: int) -> int:
    """An axis of a tensor of so many, counted from the front.

    Raises
    ------
    ValueError
        If there is no such axis.
    """
    if not -rank <= axis < rank:
        raise ValueError(f"axis {axis} is out of range for a tensor of rank {rank}")
    return int(axis) % rank


class NodeBuilder:
    """Appends nodes to a graph. See `GraphBuilder`."""

    def __init__(self, shape: Sequence[int], batch: int = 1) -> None:
        self.batch = batch
        self.graph = Graph([tuple(int(n) for n in shape)])
        self.input = self.of(0)
        self.label = ""
        self._kept: set[int] = set()
        self._several: dict[str, tuple[int, ...]] = {}

    def of(self, number: int) -> Tensor:
        """A tensor by its number."""
        return Tensor(number, (self.batch, *self.graph.shapes[number]))

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
        label = self.label or type(layer).__name__.lower()
        self._free(label)  # an operation's earlier node gives it up
        return self.of(self.graph.append(layer, numbers, label))

    def _free(self, label: str) -> None:
        """Take a label from what it means: a node of that name has a number behind it instead."""
        names = self.graph.names
        self._several.pop(label, None)
        if label not in names:
            return
        tensor, other = names.pop(label), self.numbered(label)
        node = self.graph.producer(tensor)
        if node is not None and node.name == label:
            names[other] = tensor
            self.graph.exchange(node, name=other)

    def numbered(self, label: str) -> str:
        """The label and a number, which no node has yet."""
        number = 1
        while f"{label}.{number}" in self.graph.names:
            number += 1
        return f"{label}.{number}"

    def entitle(self, label: str, tensors: Sequence[Tensor]) -> None:
        """Let a label mean what a part of the model returns; several tensors have no common one."""
        numbers = tuple(dict.fromkeys(tensor.number for tensor in tensors))
        if self.graph.names.get(label) not in numbers or len(numbers) > 1:
            self._free(label)
        if len(numbers) == 1:
            self.graph.names[label] = numbers[0]
        else:
            self._several[label] = numbers

    def keep(self, x: Tensor) -> None:
        """Have a tensor computed, as it has a name: what comes next must not take its place."""
        self._kept.add(x.number)

    def name_results(self, results: Sequence[Any], *, moves: bool) -> None:
        """Let the label stand for what an operation returns, if that is a tensor.

        Operations that only move values need not be computed: nobody asks for them.
        """
        tensors = [value for value in results if isinstance(value, Tensor)]
        if not moves:
            self.keep_shape(*tensors)
        if len(tensors) > 1:
            self.entitle(self.label, tensors)

    def keep_shape(self, *results: Any) -> None:
        """Keep those results of an operation that have their shape from its last step.

        Otherwise the next operation that changes shapes would leave that step out, and the
        operation's name would be lost.
        """
        for result in results:
            node = self.graph.producer(result.number) if isinstance(result, Tensor) else None
            if node and node.name == self.label and isinstance(node.layer, Reshape | Transpose):
                self.keep(result)

    def merging(self, x: Tensor, kind: type[Layer]) -> Node | None:
        """The node of a kind that computes a tensor, if the next of that kind may replace it."""
        if x.number in self._kept:
            return None
        node = self.graph.producer(x.number)
        return node if node and isinstance(node.layer, kind) else None

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
        axis = axis_from_front(axis, rank)
        if axis == 0:
            raise UnsupportedError("an operation along the samples' axis")
        return axis - 1
