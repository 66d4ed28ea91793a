"""The graph: a model as nodes and tensors, and the simplifications made before lowering."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from backlit.constants import Constants
from backlit.layers import (
    Activation,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Flatten,
    GlobalAvgPool2D,
    Layer,
    LogSoftmax,
    MaxPool2D,
    ReLU,
    Residual,
    Sigmoid,
    Softmax,
)
from backlit.layers.base import Shape
from backlit.operators import Add, AxisMap, Reduce, Reshape, Transpose

OUTPUTS_KEY = "backlit.outputs"  # of what the outputs are, in the metadata of ONNX files


@dataclass(frozen=True)
class Node:
    """One operation: tensors are numbers, `name` is where its layer stands in the model."""

    layer: Layer
    inputs: tuple[int, ...]
    output: int
    name: str


@dataclass
class Graph:
    """Nodes in the order of computation; ``shapes[t]`` is tensor t's shape for one sample.

    Tensor 0 is the input; ``names`` says which tensor the layer of a name computes, ``several`` by
    which layers a part of the model computes more than one;
    ``outputs_are`` says what the last tensor means (see `backlit.Model`);
    ``constants`` are those of all programs of the model, and of graphs made from this one;
    ``stages`` is how many the way back takes one at a time: see `backlit.lowering.checkpoints`;
    ``targets_given`` says whether targets come with the samples, so that none is predicted.
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

    def append(self, layer: Layer, inputs: tuple[int, ...], name: str) -> int:
        """Add a node; returns its output tensor."""
        try:
            shape = layer.output_shape(*(self.shapes[tensor] for tensor in inputs))
        except ValueError as error:
            raise ValueError(f"layer {name}: {error}") from None
        self.shapes.append(shape)
        self.nodes.append(Node(layer, inputs, len(self.shapes) - 1, name))
        self.names[name] = len(self.shapes) - 1
        return len(self.shapes) - 1

    def consumers(self, tensor: int) -> list[Node]:
        return [node for node in self.nodes if tensor in node.inputs]

    def leading_to(self, tensor: int) -> list[Node]:
        """The nodes that a tensor is computed by."""
        wanted, found = {tensor}, []
        for node in reversed(self.nodes):
            if node.output in wanted:
                found.append(node)
                wanted.update(node.inputs)
        return found[::-1]

    def reaches(self, tensor: int, kinds: tuple[type[Layer], ...]) -> bool:
        """Whether a layer of some kind is computed from a tensor."""
        reached = {tensor}
        for node in self.nodes:
            if reached.intersection(node.inputs):
                if isinstance(node.layer, kinds):
                    return True
                reached.add(node.output)
        return False

    def producer(self, tensor: int) -> Node | None:
        return next((node for node in self.nodes if node.output == tensor), None)


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


# What makes logits the outputs that people know
HEADS: dict[str, tuple[type[Layer], ...]] = {
    "classes": (Softmax, LogSoftmax),
    "binary": (Sigmoid,),
    "labels": (Sigmoid,),
    "values": (),
}


def simplify(graph: Graph, fold: bool = True) -> Graph:
    """The same logits from fewer nodes: no final softmax, batch normalisation folded.

    A layer that a normalisation is folded into loses its name: its own output is not computed.
    """
    result = Graph([graph.shapes[0]], outputs_are=graph.outputs_are, constants=graph.constants)
    output, heads = graph.output, HEADS[graph.outputs_are]
    if (last := graph.producer(output)) and isinstance(last.layer, heads):
        output = last.inputs[0]
    renamed, folded = {0: 0}, set()
    for node in graph.leading_to(output):
        source = graph.producer(node.inputs[0]) if node.inputs else None
        layer = node.layer
        if (
            fold
            and isinstance(layer, BatchNorm)
            and source is not None
            and isinstance(source.layer, Conv2D | ConvTranspose2D | Dense)
            and len(graph.consumers(node.inputs[0])) == 1
        ):
            at = renamed[node.inputs[0]]
            place = next(i for i, n in enumerate(result.nodes) if n.output == at)
            before = result.nodes[place]
            result.nodes[place] = Node(
                fold_batch_norm(before.layer, layer), before.inputs, before.output, before.name
            )
            renamed[node.output] = at
            folded.add(node.inputs[0])
            continue
        inputs = tuple(renamed[t] for t in node.inputs)
        renamed[node.output] = result.append(layer, inputs, node.name)
    result.output = renamed[output]
    computed = renamed.keys() - folded
    result.names = {name: renamed[t] for name, t in graph.names.items() if t in computed}
    return result


LINEAR = (  # of one tensor
    AvgPool2D,
    AxisMap,
    BatchNorm,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Flatten,
    GlobalAvgPool2D,
    Reshape,
    Transpose,
)


def is_linear(layer: Layer) -> bool:
    """Whether a layer is an affine function of its one input."""
    if isinstance(layer, Reduce):
        return layer.function == "add"
    scales = isinstance(layer, Activation) and layer.name == "scale"
    return scales or isinstance(layer, LINEAR)


def pool_first(graph: Graph, of: int | None = None) -> Graph:
    """The same function with max pooling before a ReLU that only the pooling reads.

    The ReLU then has less to do. This is done for all such ReLUs, or for that `of` a tensor.
    """
    return _exchanged(graph, ReLU, MaxPool2D, of)


def relu_first(graph: Graph) -> Graph:
    """The same function, and gradient, with a ReLU before max pooling that only the ReLU reads.

    The ReLU is then computed with the layer before.
    """
    return _exchanged(graph, MaxPool2D, ReLU)


def _exchanged(
    graph: Graph, first: type[Layer], second: type[Layer], of: int | None = None
) -> Graph:
    """With layers of one kind behind one of another that alone reads them.

    They lose their names: their own outputs are not computed.
    """
    result = replace(graph, shapes=graph.shapes[:1], nodes=[], names={})
    renamed: dict[int, int] = {0: 0}
    waiting: dict[int, Node] = {}  # those put off, by their output
    for node in graph.nodes:
        users = [type(user.layer) for user in graph.consumers(node.output)]
        meant = of is None or node.inputs == (of,)
        if meant and isinstance(node.layer, first) and users == [second]:
            waiting[node.output] = node
            renamed[node.output] = renamed[node.inputs[0]]
            continue
        tensor = result.append(node.layer, tuple(renamed[t] for t in node.inputs), node.name)
        late = waiting.get(node.inputs[0]) if node.inputs else None
        if late is not None:
            tensor = result.append(late.layer, (tensor,), late.name)
        renamed[node.output] = tensor
    result.output = renamed[graph.output]
    result.names = {name: renamed[t] for name, t in graph.names.items() if t not in waiting}
    return result


def centred_classes(graph: Graph) -> Graph:
    """The same probabilities from a last dense layer whose logits add up to 0.

    What all logits have in common, however large, then takes no digits from their differences.
    """
    last = graph.producer(graph.output)
    if graph.outputs_are != "classes" or last is None or not isinstance(last.layer, Dense):
        return graph
    weights, bias = (np.asarray(v, np.float64) for v in (last.layer.weights, last.layer.bias))
    centred = Dense(weights - weights.mean(axis=1, keepdims=True), bias - bias.mean())
    nodes = [replace(n, layer=centred) if n is last else n for n in graph.nodes]
    return replace(graph, nodes=nodes)


def affine_prefix(graph: Graph) -> int:
    """The last tensor that is an affine function of the input and that all else is made of."""
    tensor = 0
    while len(users := graph.consumers(tensor)) == 1 and is_linear(users[0].layer):
        tensor = users[0].output
    return tensor


def affine_end(graph: Graph) -> int:
    """The first tensor that all logits are affine functions of, and of nothing else."""
    tensor = graph.output
    while (node := graph.producer(tensor)) and is_linear(node.layer):
        if isinstance(node.layer, Activation):  # is passed back by its input
            break
        (tensor,) = node.inputs
    return tensor


def fold_batch_norm(layer: Layer, norm: BatchNorm) -> Layer:
    """The layer that computes ``norm(layer(x))``."""
    assert isinstance(layer, Conv2D | ConvTranspose2D | Dense)
    scale, shift = norm.scale_and_shift()
    bias = layer.bias * scale + shift
    if isinstance(layer, Dense):
        return Dense(layer.weights * scale, bias)
    if isinstance(layer, Conv2D):
        return replace(layer, weights=layer.weights * scale[:, None, None, None], bias=bias)
    by_group = layer.weights.reshape(layer.groups, -1, *layer.weights.shape[1:])
    by_group = by_group * scale.reshape(layer.groups, 1, -1, 1, 1)
    return replace(layer, weights=by_group.reshape(layer.weights.shape), bias=bias)


def multiply_adds(graph: Graph) -> int:
    """Multiply-adds of one forward pass of one sample, in dense and convolution layers."""
    total = 0
    for node in graph.nodes:
        if isinstance(node.layer, Dense):
            total += node.layer.weights.size
        elif isinstance(node.layer, Conv2D):
            positions = np.prod(graph.shapes[node.output][1:], dtype=np.int64)
            total += int(node.layer.weights.size * positions)
    return total
