"""Which axes of a graph's tensors are a picture's rows and columns."""

from math import prod

from backlit.graph import Graph, Node
from backlit.layers import AvgPool2D, Conv2D, ConvTranspose2D, Dense, Flatten, MaxPool2D
from backlit.layers.base import Shape
from backlit.operators import Constant, MatMul, Reshape, Transpose

NEITHER, ROWS, COLUMNS = range(3)
PICTURE = (NEITHER, ROWS, COLUMNS)
Axes = tuple[int, ...]


def is_picture(graph: Graph) -> list[bool]:
    """Of each tensor, whether it has channels, rows and columns, in any order, and pixels.

    Windows make pictures; attention, say, has tensors with three axes that are none.
    """
    return [_are_pixels(*both) for both in zip(image_axes(graph), graph.shapes, strict=True)]


def image_axes(graph: Graph) -> list[Axes]:
    """What the axes of each tensor are, samples of three axes being pictures."""
    rank = len(graph.shapes[0])
    return axes_of(graph, PICTURE if rank == 3 else (NEITHER,) * rank)


def _are_pixels(axes: Axes, shape: Shape) -> bool:
    if sorted(axes) == sorted(PICTURE):
        return shape[axes.index(ROWS)] * shape[axes.index(COLUMNS)] > 1
    one_row = len(shape) == 3 and shape[1] == 1 < shape[2]
    return one_row and axes == (NEITHER, NEITHER, COLUMNS)


def axes_of(graph: Graph, first: Axes) -> list[Axes]:
    """What the axes of each tensor are, those of the samples being `first`."""
    axes = [first] + [(NEITHER,) * len(shape) for shape in graph.shapes[1:]]
    for node in graph.nodes:
        axes[node.output] = _axes(graph, node, [axes[tensor] for tensor in node.inputs])
    return axes


def _axes(graph: Graph, node: Node, inputs: list[Axes]) -> Axes:
    layer = node.layer
    if isinstance(layer, Conv2D | ConvTranspose2D):
        return PICTURE if min(layer.weights.shape[2:]) > 1 else inputs[0]
    if isinstance(layer, MaxPool2D | AvgPool2D):
        return PICTURE if min(layer.size) > 1 else inputs[0]
    if isinstance(layer, Constant):
        return (NEITHER,) * len(graph.shapes[node.output])
    if isinstance(layer, Dense):
        return (*inputs[0][:-1], NEITHER)
    if isinstance(layer, Reshape | Flatten):
        return _reshaped(graph.shapes[node.inputs[0]], inputs[0], graph.shapes[node.output])
    if isinstance(layer, Transpose):
        return tuple(inputs[0][axis] for axis in layer.axes)
    if isinstance(layer, MatMul):
        return (*inputs[0][:-1], inputs[1][-1])
    # what several tensors have is the picture's: additions restore what a branch has lost
    rank = max(map(len, inputs))  # tensors of fewer axes are repeated along the first ones
    return tuple(map(max, zip(*((NEITHER,) * (rank - len(a)) + a for a in inputs), strict=True)))


def _reshaped(source: Shape, axes: Axes, target: Shape) -> Axes:
    """Axes that are neither split nor put together stay what they are."""
    kept = {(prod(source[:i]), n): axes[i] for i, n in enumerate(source) if n > 1}
    return tuple(kept.get((prod(target[:i]), n), NEITHER) for i, n in enumerate(target))
