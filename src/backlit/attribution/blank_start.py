"""Paths from a blank baseline: the first max pooling chooses the same pixels all along.

Where the pixels of a window begin with one value, each goes on by its own share of the way to the
end: which of them is the largest does not change. Up to that pooling the network is then affine
along the path, and path integrals begin behind it.
"""

import numpy as np

from backlit.affine_parts import affine_prefix
from backlit.baselines import Baseline
from backlit.graph import Graph
from backlit.layers import Conv2D, MaxPool2D, ReLU
from backlit.rewriting import pool_first


def starts_blank(graph: Graph, baseline: Baseline, positions: np.ndarray) -> bool:
    """Whether a path starts with windows of equal pixels, and has no point at its very start.

    There all of a window's pixels are largest, and the first one is chosen.
    """
    start = affine_prefix(graph)
    first = graph.producer(start)
    if first is None or first.inputs != (0,) or not isinstance(first.layer, Conv2D):
        return False
    users = graph.consumers(start)
    if len(users) == 1 and isinstance(users[0].layer, ReLU):
        users = graph.consumers(users[0].output)
    if len(users) != 1 or not isinstance(users[0].layer, MaxPool2D):
        return False
    if baseline.per_sample or positions.min() <= 0:
        return False
    channels = baseline.values.reshape(graph.shapes[0][0], -1)
    level = (channels == channels[:, :1]).all()
    return bool(level and not (any(first.layer.padding) and channels.any()))  # zeros around


def past_first_pooling(graph: Graph) -> tuple[Graph, int]:
    """The same function, and its tensor that is affine along a path that starts blank."""
    start = affine_prefix(graph)
    graph = pool_first(graph, start)
    (pooling,) = graph.consumers(start)
    return graph, pooling.output
