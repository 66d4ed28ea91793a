"""Building a graph from another framework's operations.

Shapes and axes here are the framework's own, the batch being axis 0. Values that do not depend
on the input are NumPy arrays, and stay so: only what meets the input becomes a node.

`GraphBuilder` holds the graph. Operations are functions of it, in a module for each kind, and are
called by their modules' names: ``shapes.reshape(b, x, shape)``. `finish` makes the model.
"""

from backlit.importers.builder.finishing import finish
from backlit.importers.builder.nodes import GraphBuilder
from backlit.importers.builder.values import Tensor, UnsupportedError, Value

__all__ = ["GraphBuilder", "Tensor", "UnsupportedError", "Value", "finish"]
