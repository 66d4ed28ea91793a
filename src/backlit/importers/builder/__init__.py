"""Building a graph from another framework's operations.

Shapes and axes here are the framework's own, the batch being axis 0. Values that do not depend
on the input are NumPy arrays, and stay so: only what meets the input becomes a node.

Each file adds a kind of operation to the builder of the one before: nodes, shapes, arithmetic,
axes, products, pooling.
"""

from math import prod

from backlit.importers.builder.nodes import Tensor, UnsupportedError, Value
from backlit.importers.builder.pooling import PoolingBuilder
from backlit.layers import Flatten, LogSoftmax, Sigmoid, Softmax
from backlit.model import Model
from backlit.operators import Reshape, Transpose

__all__ = ["GraphBuilder", "Tensor", "UnsupportedError", "Value"]


class GraphBuilder(PoolingBuilder):
    """Appends nodes to a graph, one method for each kind of operation.

    Parameters
    ----------
    shape : tuple of ints
        The shape of one sample.
    batch : int
        The number of samples that the framework's shapes speak of.

    Attributes
    ----------
    input : Tensor
    label : str
        What the next operation is called; an operation of several nodes gives its label to the
        last of them.
    """

    def finish(
        self,
        output: Tensor,
        name: str | None = None,
        outputs: str | None = None,
        *,
        channels_last: bool = False,
    ) -> Model:
        """The model whose last layer is `output`; `outputs` as for `backlit.Model`.

        `channels_last` says that people give axis 1 of the builder's input as the last one.
        """
        output = self._head_last(output)
        if len(output.shape) != 2:
            output = self.reshape(output, (self.batch, prod(output.sample)))
        graph = self.graph
        graph.output = output.number
        graph.nodes = graph.leading_to(output.number)
        live = {node.output for node in graph.nodes}
        graph.names = {label: tensor for label, tensor in graph.names.items() if tensor in live}
        return Model.of_graph(self.graph, name, outputs=outputs, channels_last=channels_last)

    def _head_last(self, output: Tensor) -> Tensor:
        """A softmax or sigmoid after which only shapes change, put behind them instead."""
        node = self.graph.producer(output.number)
        while node and isinstance(node.layer, Reshape | Flatten | Transpose):
            own = self.graph.shapes[node.output]
            if isinstance(node.layer, Transpose) and prod(own) != max(own):
                return output  # the order changes
            node = self.graph.producer(node.inputs[0])
        if node is None or not isinstance(node.layer, Softmax | LogSoftmax | Sigmoid):
            return output
        before = self.graph.shapes[node.inputs[0]]
        if not isinstance(node.layer, Sigmoid) and before[0] != prod(before):
            return output  # a softmax at each of several places
        scores = Tensor(node.inputs[0], (self.batch, *before))
        return self.append(node.layer, self.reshape(scores, (self.batch, prod(before))))
