"""The graph: a model as nodes and tensors."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from backlit.constants import Constants
from backlit.layers import Layer, LogSoftmax, Residual, Sigmoid, Softmax
from backlit.layers.base import Shape
from backlit.operators import Add

OUTPUTS_KEY = "backlit.outputs"  # of what the outputs are, in the metadata of ONNX files
HEADS: dict[str, tuple[type[Layer], ...]] = {  # what makes logits the outputs that people know
    "classes": (Softmax, LogSoftmax),
    "binary": (Sigmoid,),
    "labels": (Sigmoid,),
    "values": (),
}


@dataclass(frozen=True)
class Node:
    """One operation: tensors are numbers, `name` is where its layer stands in the model."""

    layer: Layer
    inputs: tuple[int, ...]
    output: int
    name: str


@dataclass
class Graph:
    """Nodes in the order of computation, and tensors, which are known by their numbers.

    Attributes
    ----------
    shapes : list of tuples of ints
        ``shapes[t]`` is that of tensor t for one sample. Tensor 0 is the input.
    nodes : list of Node
        To be read; `append`, `exchange` and `drop_unused` change it.
    output : int
        The tensor that the model returns.
    names : dict
        Which tensor a layer computes, by the layer's name.
    several : dict
        Parts of the model that compute more than one tensor, as a module of PyTorch's that returns
        a tuple does: the names of the layers that compute these. Such a part is in no `names`.
    outputs_are : str
        What the output means: a key of `HEADS`, see `backlit.Model`.
    constants : Constants
        Those of all programs of the model, shared with graphs made from this one.
    stages : int
        How many the way back takes one at a time: see `backlit.lowering.checkpoints`.
    targets_given : bool
        Whether targets come with the samples, so that none is predicted.
    """

    shapes: list[Shape]
    nodes: list[Node] = field(default_factory=list)
    output: int = 0
    names: dict[str, int] = field(default_factory=dict)
    several: dict[str, list[str]] = field(default_factory=dict)
    outputs_are: str = "classes"
    constants: Constants = field(default_factory=Constants, repr=False, compare=False)
    stages: int = 1
    targets_given: bool = False
    _makers: dict[int, int] = field(init=False, repr=False, compare=False)  # places in `nodes`
    _readers: dict[int, list[int]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._enter_all()

    def _enter_all(self) -> None:
        """Note which nodes make and read each tensor."""
        self._makers, self._readers = {}, {}
        for place, node in enumerate(self.nodes):
            self._enter(node, place)

    def _enter(self, node: Node, place: int) -> None:
        self._makers[node.output] = place
        for tensor in set(node.inputs):
            self._readers.setdefault(tensor, []).append(place)

    def append(self, layer: Layer, inputs: tuple[int, ...], name: str) -> int:
        """Add a node; returns its output tensor."""
        try:
            shape = layer.output_shape(*(self.shapes[tensor] for tensor in inputs))
        except ValueError as error:
            raise ValueError(f"layer {name}: {error}") from None
        tensor = len(self.shapes)
        node = Node(layer, inputs, tensor, name)
        self._enter(node, len(self.nodes))
        self.shapes.append(shape)
        self.nodes.append(node)
        self.names[name] = tensor
        return tensor

    def exchange(self, node: Node, **changes: Any) -> None:
        """Give a node another layer or name."""
        self.nodes[self._makers[node.output]] = replace(node, **changes)

    def drop_unused(self) -> None:
        """Keep the nodes that the output is computed by."""
        self.nodes = self.leading_to(self.output)
        self._enter_all()

    def consumers(self, tensor: int) -> list[Node]:
        """The nodes that read a tensor."""
        return [self.nodes[place] for place in self._readers.get(tensor, ())]

    def leading_to(self, tensor: int) -> list[Node]:
        """The nodes that a tensor is computed by."""
        wanted, found = {tensor}, []
        for node in reversed(self.nodes):
            if node.output in wanted:
                found.append(node)
                wanted.update(node.inputs)
        return found[::-1]

    def computed_from(self, tensors: set[int]) -> set[int]:
        """Tensors, and those that are computed from some of them."""
        reached = set(tensors)
        for node in self.nodes:
            if not reached.isdisjoint(node.inputs):
                reached.add(node.output)
        return reached

    def reaches(self, tensor: int, kinds: tuple[type[Layer], ...]) -> bool:
        """Whether a layer of some kind is computed from a tensor."""
        reached = self.computed_from({tensor}) - {tensor}
        return any(isinstance(n.layer, kinds) for n in self.nodes if n.output in reached)

    def producer(self, tensor: int) -> Node | None:
        """The node that computes a tensor; None for the input."""
        place = self._makers.get(tensor)
        return None if place is None else self.nodes[place]


def build_graph(layers: Sequence[Layer], input_shape: Shape) -> Graph:
    """The graph of a model: a chain, with the branches of residual additions."""
    graph = Graph([input_shape])
    graph.output = _append_chain(graph, layers, 0, "")
    return graph


def _append_chain(graph: Graph, layers: Sequence[Layer], tensor: int, prefix: str) -> int:
    for number, layer in enumerate(layers):
        name = f"{prefix}{number}"
        if isinstance(layer, Residual):
            try:
                layer.output_shape(graph.shapes[tensor])
            except ValueError as error:
                raise ValueError(f"layer {name}: {error}") from None
            branches = (("body", layer.body), ("shortcut", layer.shortcut))
            ends = [_append_chain(graph, b, tensor, f"{name}.{part}.") for part, b in branches]
            tensor = graph.append(Add(), (ends[0], ends[1]), name)
        else:
            tensor = graph.append(layer, (tensor,), name)
    return tensor
