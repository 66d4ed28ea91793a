"""The builder: nodes, their names, and what is a tensor."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from backlit.graph import Graph, Node
from backlit.importers.builder.batches import STAND_INS
from backlit.importers.builder.values import Tensor, UnsupportedError, Value
from backlit.layers import Layer
from backlit.operators import Constant, Reshape, Transpose


class GraphBuilder:
    """A graph that operations append nodes to.

    Parameters
    ----------
    shape : tuple of ints
        The shape of one sample, as the framework has it.
    batch : int
        The number of samples that the framework's shapes speak of.
    moves_samples : bool
        Whether that shape has the channels last, though the graph's input has them first.

    Attributes
    ----------
    graph : Graph
        What has been built.
    input : Tensor
        The graph's.
    label : str
        What the next operation is called; an operation of several nodes gives its label to the
        last of them.
    several : dict of str to tuple of ints
        Labels that stand for several tensors, with their numbers.
    """

    def __init__(
        self, shape: Sequence[int], batch: int = 1, *, moves_samples: bool = False
    ) -> None:
        own = (shape[-1], *shape[:-1]) if moves_samples else shape
        self.batch = batch
        self.moves_samples = moves_samples
        self.graph = Graph([tuple(int(n) for n in own)])
        self.input = self.of(0)
        self.label = ""
        self.several: dict[str, tuple[int, ...]] = {}
        self._kept: set[int] = set()

    # --- tensors ------------------------------------------------------------------------------

    def of(self, number: int) -> Tensor:
        """A tensor by its number."""
        return Tensor(number, (self.batch, *self.graph.shapes[number]))

    def append(self, layer: Layer, *inputs: Tensor) -> Tensor:
        """Add a node of any layer or operator (whose shapes are those of one sample)."""
        numbers = tuple(tensor.number for tensor in inputs)
        label = self.label or type(layer).__name__.lower()
        self._free(label)  # an operation's earlier node gives it up
        return self.of(self.graph.append(layer, numbers, label))

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
        """What a constant is for every sample; builders may be less strict."""
        if len(array) > 1 and not (array == array[:1]).all():
            raise UnsupportedError("a constant that differs from sample to sample")
        return array[0]

    def merging(self, x: Tensor, kind: type[Layer]) -> Node | None:
        """The node of a kind that computes a tensor, if the next of that kind may replace it."""
        if x.number in self._kept:
            return None
        node = self.graph.producer(x.number)
        return node if node and isinstance(node.layer, kind) else None

    # --- shapes -------------------------------------------------------------------------------

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

    # --- names --------------------------------------------------------------------------------

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
            self.several[label] = numbers

    def keep(self, x: Tensor) -> None:
        """Have a tensor computed, as it has a name: what comes next must not take its place."""
        self._kept.add(x.number)

    def name_results(self, results: Sequence[Any], *, moves: bool) -> None:
        """Let the label stand for what an operation returns, if that is a tensor.

        Operations that only move values need not be computed: nobody asks for them.
        """
        tensors = [value for value in results if isinstance(value, Tensor)]
        if not moves:
            self._keep_shapes(tensors)
        if len(tensors) > 1:
            self.entitle(self.label, tensors)

    def _keep_shapes(self, results: Sequence[Tensor]) -> None:
        """Keep those results of an operation that have their shape from its last step.

        Otherwise the next operation that changes shapes would leave that step out, and the
        operation's name would be lost.
        """
        for result in results:
            node = self.graph.producer(result.number)
            if node and node.name == self.label and isinstance(node.layer, Reshape | Transpose):
                self.keep(result)

    def _free(self, label: str) -> None:
        """Take a label from what it means: a node of that name has a number behind it instead."""
        names = self.graph.names
        self.several.pop(label, None)
        if label not in names:
            return
        tensor, other = names.pop(label), self.numbered(label)
        node = self.graph.producer(tensor)
        if node is not None and node.name == label:
            names[other] = tensor
            self.graph.exchange(node, name=other)
