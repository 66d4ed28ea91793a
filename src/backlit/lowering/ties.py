"""Winograd's convolution before a max-pooling: see `backlit_kernels.ties`.

The pooling's ties are settled by direct sums, which is as good as direct convolution if no other
pooling follows; one that does would see the rounding of these maxima. In large pictures that is
accepted: F(2x2, 3x3) gives equal bits to the outputs of equal patches in flat areas and along
straight edges, where its differences vanish exactly, and other equal patches are rare.
"""

from math import prod

from backlit.graph import Graph, Node
from backlit.layers import MaxPool2D, rectifies
from backlit.lowering.fused_pooling import by_twos
from backlit.operators import Reduce

PICKS_PIXELS = (MaxPool2D, Reduce)  # of equal values, they send the gradient to some
LARGE_PICTURE = 64 * 64  # pixels of the input


def pooling_to_settle(graph: Graph, node: Node) -> Node | None:
    """The 2x2 pooling that alone picks from a convolution's output, in windows side by side.

    Of small pictures, what comes after it must pick no more.
    """
    tensor = rectified(graph, node)
    users = graph.consumers(tensor)
    if len(users) == 1 and isinstance(layer := users[0].layer, MaxPool2D):
        plain = by_twos(layer) and not layer.ceil_mode
        if plain and not picks_matter(graph, users[0].output):
            return users[0]
    return None


def picks_matter(graph: Graph, tensor: int) -> bool:
    """Whether the rounding of a tensor may decide which of equal values a layer picks."""
    large = prod(graph.shapes[0][1:]) >= LARGE_PICTURE
    return not large and graph.reaches(tensor, PICKS_PIXELS)


def rectified(graph: Graph, node: Node) -> int:
    """The output of the ReLU that alone uses a layer's output, or else that output."""
    users = graph.consumers(node.output)
    if len(users) == 1 and rectifies(users[0].layer):
        return users[0].output
    return node.output
