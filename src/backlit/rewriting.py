"""Graphs that compute the same as a given one by other nodes, which cost less or round better."""

from dataclasses import replace

import numpy as np

from backlit.graph import HEADS, Graph, Node
from backlit.layers import (
    Activation,
    BatchNorm,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Layer,
    MaxPool2D,
    ReLU,
    scales_up,
)


def simplify(graph: Graph, fold: bool = True) -> Graph:
    """The same logits from fewer nodes: no final softmax; normalisations and scales folded.

    A layer that one is folded into loses its name: its own output is not computed.
    """
    result = Graph([graph.shapes[0]], outputs_are=graph.outputs_are, constants=graph.constants)
    output, heads = graph.output, HEADS[graph.outputs_are]
    if (last := graph.producer(output)) and isinstance(last.layer, heads):
        output = last.inputs[0]
    renamed, folded = {0: 0}, set()
    for node in graph.leading_to(output):
        inputs = tuple(renamed[t] for t in node.inputs)
        if fold and _folds(node.layer) and _takes_up(graph, node, result.producer(inputs[0])):
            _fold(result, inputs[0], node.layer)
            renamed[node.output] = inputs[0]
            folded.add(node.inputs[0])
        else:
            renamed[node.output] = result.append(node.layer, inputs, node.name)
    result.output = renamed[output]
    computed = renamed.keys() - folded
    result.names = {name: renamed[t] for name, t in graph.names.items() if t in computed}
    return result


def _folds(layer: Layer) -> bool:
    """Whether it is a normalisation, or a scale that keeps signs: rules of LRP go by them."""
    return isinstance(layer, BatchNorm) or scales_up(layer)


def _takes_up(graph: Graph, node: Node, before: Node | None) -> bool:
    """Whether the layer before a node that folds, and whose output only it reads, can do both."""
    if before is None or len(graph.consumers(node.inputs[0])) > 1:
        return False
    of_features = isinstance(before.layer, Dense) and len(graph.shapes[node.output]) == 1
    return of_features or isinstance(before.layer, Conv2D | ConvTranspose2D)


def _fold(graph: Graph, tensor: int, affine: Layer) -> None:
    """Have the layer that computes a tensor scale and shift it as well."""
    node = graph.producer(tensor)
    assert node is not None
    if isinstance(affine, BatchNorm):
        scale, shift = affine.scale_and_shift()
    else:
        assert isinstance(affine, Activation)
        scale, shift = (np.full(graph.shapes[tensor][0], n) for n in affine.parameters)
    graph.exchange(node, layer=scaled(node.layer, scale, shift))


def scaled(layer: Layer, scale: np.ndarray, shift: np.ndarray) -> Layer:
    """The layer that computes ``scale * layer(x) + shift``, one of each for each channel."""
    assert isinstance(layer, Conv2D | ConvTranspose2D | Dense)
    bias = layer.bias * scale + shift
    if isinstance(layer, Dense):
        return Dense(layer.weights * scale, bias)
    if isinstance(layer, Conv2D):
        return replace(layer, weights=layer.weights * scale[:, None, None, None], bias=bias)
    by_group = layer.weights.reshape(layer.groups, -1, *layer.weights.shape[1:])
    by_group = by_group * scale.reshape(layer.groups, 1, -1, 1, 1)
    return replace(layer, weights=by_group.reshape(layer.weights.shape), bias=bias)


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
