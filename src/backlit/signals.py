"""Signals: tensors of (channels, length), computed as pictures of one row.

One-dimensional convolutions are those of such pictures, between reshapes. Here all that is between
them becomes a picture too: layers meet without reshapes, sums and normalisations are fused as those
of pictures are, and a normalisation folds into its convolution.

Where a method takes pictures, the samples become such as well. What it does with rows and columns
has its meaning then: windows, grids and maps run along the length, and take all channels.
"""

from typing import NamedTuple

from backlit.graph import Graph, Node
from backlit.layers import AvgPool2D, BatchNorm, Conv2D, Flatten, MaxPool2D, ReLU
from backlit.layers.activations import Elementwise
from backlit.layers.base import Layer, Shape
from backlit.operators import Add, Binary, Concatenate, Reshape, Transpose
from backlit.picture_axes import COLUMNS, NEITHER, PICTURE, ROWS, Axes, axes_of

FIRST, LAST = (NEITHER, COLUMNS), (COLUMNS, NEITHER)  # where a signal has its channels


class Signal(NamedTuple):
    """A model's graph for samples of (channels, 1, length), and whether its own are otherwise."""

    graph: Graph
    channels_last: bool


def as_signal(graph: Graph) -> Signal | None:
    """The graph for pictures of one row, if samples have two axes and windows move along one."""
    axes = _sample_axes(graph)
    if axes not in (FIRST, LAST):
        return None
    return Signal(_Rows(graph, axes, takes_rows=True).result, axes == LAST)


def in_rows(graph: Graph) -> Graph:
    """The same function with pictures of one row for signals.

    What then is computed in another shape loses its name.
    """
    axes = _sample_axes(graph)
    if axes is None or not {FIRST, LAST}.intersection(axes_of(graph, axes)):
        return graph
    return _Rows(graph, axes, takes_rows=False).result


def _sample_axes(graph: Graph) -> Axes | None:
    """What a sample's axes are: a picture's, or a signal's if windows move along one of two."""
    rank = len(graph.shapes[0])
    if rank != 2:
        return PICTURE if rank == 3 else None
    axes = axes_of(graph, (ROWS, COLUMNS))
    for node in graph.nodes:
        layer = node.layer
        if not isinstance(layer, Conv2D | MaxPool2D | AvgPool2D):
            continue
        height, width = layer.weights.shape[2:] if isinstance(layer, Conv2D) else layer.size
        if height == width == 1:
            continue
        moves = axes[node.inputs[0]][2 if width > 1 else 1]
        signal = min(height, width) == 1 and moves in (ROWS, COLUMNS)
        return (FIRST if moves == COLUMNS else LAST) if signal else None
    return None


class _Rows:
    """Makes the graph in which each (channels, length) and (length, channels) is a row."""

    def __init__(self, graph: Graph, axes: Axes, *, takes_rows: bool) -> None:
        self.graph, self.axes, self.takes_rows = graph, axes_of(graph, axes), takes_rows
        self.result = Graph(
            [(takes_rows and self._row(0)) or graph.shapes[0]],
            several=graph.several,
            outputs_are=graph.outputs_are,
            constants=graph.constants,
        )
        # by the tensors that they stand for: pictures of one row, and those of the same shape
        self.rows: dict[int, int] = {0: 0} if takes_rows else {}
        self.own: dict[int, int] = {} if takes_rows else {0: 0}
        for node in graph.nodes:
            self._append(node)
        self.result.output = self._in_own_shape(graph.output)
        made = self.own | (self.rows if takes_rows else {})
        self.result.names = {name: made[t] for name, t in graph.names.items() if made.get(t)}

    def _append(self, node: Node) -> None:
        layer, tensor, inputs = node.layer, node.output, node.inputs
        rows = tuple(self.rows[t] for t in inputs if t in self.rows)
        row, first = self._row(tensor), rows and self.axes[inputs[0]] == FIRST
        becomes_row = self.axes[tensor] == FIRST and row == self._shape(inputs[0])
        if self._is_place_by_place(node):
            self.rows[tensor] = self.result.append(_of_rows(layer), rows, node.name)
        elif rows and isinstance(layer, Transpose):
            self.rows[tensor] = rows[0]
        elif first and isinstance(layer, Reshape) and self._shape(tensor) == self._row(inputs[0]):
            self.own[tensor] = rows[0]
        elif first and isinstance(layer, Flatten | Reshape):
            self.own[tensor] = self.result.append(layer, rows, node.name)
        elif isinstance(layer, Reshape) and becomes_row:
            self.rows[tensor] = self.own[inputs[0]]
        else:
            own = tuple(self._in_own_shape(t) for t in inputs)
            made = self.result.append(layer, own, node.name)
            if row is None or not self.takes_rows:
                self.own[tensor] = made
                return
            if self.axes[tensor] == LAST:
                made = self.result.append(Transpose((1, 0)), (made,), "")
            self.rows[tensor] = self.result.append(Reshape(row), (made,), node.name)

    def _is_place_by_place(self, node: Node) -> bool:
        """Whether a layer does to rows what it does to signals."""
        axes = self.axes[node.output]
        if not all(t in self.rows and self.axes[t] == axes for t in node.inputs):
            return False
        if isinstance(node.layer, Concatenate):
            return axes[node.layer.axis] == NEITHER
        if isinstance(node.layer, BatchNorm):
            return axes == FIRST
        return isinstance(node.layer, Add | Binary | Elementwise | ReLU)

    def _shape(self, tensor: int) -> Shape:
        return self.graph.shapes[tensor]

    def _row(self, tensor: int) -> Shape | None:
        """The shape of a signal as a picture; None for what is no signal."""
        shape, axes = self._shape(tensor), self.axes[tensor]
        if axes not in (FIRST, LAST) or shape[axes.index(COLUMNS)] == 1:
            return None
        channels, length = shape if axes == FIRST else shape[::-1]
        return channels, 1, length

    def _in_own_shape(self, tensor: int) -> int:
        if tensor not in self.own:
            row = self.rows[tensor]
            channels, _, length = self.result.shapes[row]
            made = self.result.append(Reshape((channels, length)), (row,), "")
            if self.axes[tensor] == LAST:
                made = self.result.append(Transpose((1, 0)), (made,), "")
            self.own[tensor] = made
        return self.own[tensor]


def _of_rows(layer: Layer) -> Layer:
    return Concatenate(0) if isinstance(layer, Concatenate) else layer
