"""The ONNX graph while it is written: its nodes, its constants, and the names of values.

Axes here are ONNX's, the batch being axis 0. A tensor that does not depend on the input has a
batch of 1 there, which most operators repeat by themselves.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backlit.graph import Graph, Node
from backlit.layers import Layer

BATCH = "N"  # the name of the batch's open extent

Form = Callable[["Writer", Node], str]
FORMS: dict[type[Layer], Form] = {}


def form(*kinds: type[Layer]) -> Callable[[Form], Form]:
    """Make a function known that writes layers of these kinds, and returns their value's name."""

    def known(function: Form) -> Form:
        FORMS.update(dict.fromkeys(kinds, function))
        return function

    return known


class Writer:
    """Nodes and constants of an ONNX graph.

    Attributes
    ----------
    graph : Graph
        What is written.
    values : dict
        The name in ONNX of each tensor that is written, by its number.
    result : str
        What the output's value is called.
    nodes, constants : lists of onnx.NodeProto and of onnx.TensorProto
    """

    def __init__(self, graph: Graph, entry: str, result: str) -> None:
        self.graph = graph
        self.result = result
        self.values = {0: entry}
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._taken = {entry, result}
        self._fixed: set[int] = set()
        self._label = entry

    def write(self, node: Node) -> None:
        """Write a layer; the last of its ONNX nodes has the layer's name, as has its value."""
        if type(node.layer) not in FORMS:
            raise TypeError(f"layer {node.name}: {type(node.layer).__name__} has no ONNX form")
        self._label = self._unique(node.name)
        first = len(self.nodes)
        value = FORMS[type(node.layer)](self, node)
        if all(tensor in self._fixed for tensor in node.inputs):
            self._fixed.add(node.output)
        if node.inputs:
            if len(self.nodes) == first:  # nothing to do
                value = self.emit("Identity", value)
            self.nodes[-1].name, self.nodes[-1].output[0] = node.name, self._label
            value = self._label
        self.values[node.output] = value

    def finish(self) -> None:
        """Give the output its name."""
        value = self.repeated(self.graph.output)
        if not self.nodes or self.nodes[-1].output[0] != value:
            self.emit("Identity", value)
        self.nodes[-1].output[0] = self.result

    def emit(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Append an ONNX node; returns its value's name."""
        from onnx import helper

        name = self._unique(f"{self._label}.{kind.lower()}")
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def constant(self, meaning: str, values: Any, dtype: Any = np.float32) -> str:
        """Add an array; returns its name. Numbers are arrays without axes."""
        from onnx import numpy_helper

        name = self._unique(f"{self._label}.{meaning}")
        array = np.ascontiguousarray(values, dtype).reshape(np.shape(values))
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def integers(self, meaning: str, values: Sequence[int]) -> str:
        return self.constant(meaning, list(values), np.int64)

    def input(self, node: Node, index: int = 0) -> str:
        """The value of a layer's input."""
        return self.values[node.inputs[index]]

    def shape(self, node: Node, index: int = 0) -> tuple[int, ...]:
        """The shape of one sample of a layer's input."""
        return self.graph.shapes[node.inputs[index]]

    def is_fixed(self, tensor: int) -> bool:
        """Whether a tensor does not depend on the input."""
        return tensor in self._fixed

    def repeated(self, tensor: int) -> str:
        """A tensor's value for each sample, even if it does not depend on the input."""
        value = self.values[tensor]
        if not self.is_fixed(tensor):
            return value
        batch = self.emit("Shape", self.values[0], start=0, end=1)
        rest = self.integers("shape", self.graph.shapes[tensor])
        shape = self.emit("Concat", batch, rest, axis=0)
        return self.emit("Expand", value, shape)

    def of_rank(self, tensor: int, rank: int) -> str:
        """A tensor's value with axes of extent 1 put before those of its samples."""
        shape = self.graph.shapes[tensor]
        if len(shape) == rank:
            return self.values[tensor]
        wanted = (-1, *[1] * (rank - len(shape)), *shape)
        return self.emit("Reshape", self.values[tensor], self.integers("shape", wanted))

    def _unique(self, name: str) -> str:
        number, result = 1, name
        while result in self._taken:
            number += 1
            result = f"{name}_{number}"
        self._taken.add(result)
        return result
