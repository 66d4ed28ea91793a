"""Which parts of a network are affine: what is done there need not be done for every point."""

from backlit.graph import Graph
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
)
from backlit.operators import AxisMap, Reduce, Reshape, Transpose

AFFINE = (  # of one tensor
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


def is_affine(layer: Layer) -> bool:
    """Whether a layer is an affine function of its one input."""
    if isinstance(layer, Reduce):
        return layer.function == "add"
    scales = isinstance(layer, Activation) and layer.name == "scale"
    return scales or isinstance(layer, AFFINE)


def affine_prefix(graph: Graph) -> int:
    """The last tensor that is an affine function of the input and that all else is made of."""
    tensor = 0
    while len(users := graph.consumers(tensor)) == 1 and is_affine(users[0].layer):
        tensor = users[0].output
    return tensor


def affine_end(graph: Graph) -> int:
    """The first tensor that all logits are affine functions of, and of nothing else."""
    tensor = graph.output
    while (node := graph.producer(tensor)) and is_affine(node.layer):
        if isinstance(node.layer, Activation):  # is passed back by its input
            break
        (tensor,) = node.inputs
    return tensor
