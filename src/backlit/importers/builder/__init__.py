"""Building a graph from another framework's operations.

Shapes and axes here are the framework's own, the batch being axis 0. Values that do not depend
on the input are NumPy arrays, and stay so: only what meets the input becomes a node.

Each file adds a kind of operation to the builder of the one before: nodes, shapes, arithmetic,
comparisons, axes, products, pooling.
"""

from collections.abc import Sequence
from math import prod

from backlit.graph import HEADS, Node
from backlit.importers.builder.channels import TO_END
from backlit.importers.builder.nodes import Tensor, UnsupportedError, Value
from backlit.importers.builder.pooling import PoolingBuilder
from backlit.layers import Flatten, Layer, LogSoftmax, Sigmoid, Softmax
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
    moves_samples : bool
        Whether that shape has the channels last, though the graph's input has them first.

    Attributes
    ----------
    input : Tensor
        The graph's.
    label : str
        What the next operation is called; an operation of several nodes gives its label to the
        last of them.
    """

    def __init__(
        self, shape: Sequence[int], batch: int = 1, *, moves_samples: bool = False
    ) -> None:
        super().__init__((shape[-1], *shape[:-1]) if moves_samples else shape, batch)
        self.moves_samples = moves_samples

    def first(self) -> Tensor:
        """The input as the framework has it."""
        return self.transpose(self.input, TO_END) if self.moves_samples else self.input

    def finish(self, output: Tensor, name: str | None = None, outputs: str | None = None) -> Model:
        """The model whose last layer is `output`; `outputs` as for `backlit.Model`."""
        output = self._head_last(output, outputs)
        if len(output.shape) != 2:
            self.label = self.numbered(self.label)  # the last layer's is what it computes itself
            output = self.reshape(output, (self.batch, prod(output.sample)))
        graph = self.graph
        graph.output = output.number
        graph.drop_unused()
        self._name_what_is_computed()
        return Model.of_graph(graph, name, outputs=outputs, channels_last=self.moves_samples)

    def _name_what_is_computed(self) -> None:
        """Drop all other names; of several tensors, one may be all that is computed."""
        graph = self.graph
        live = {node.output: node.name for node in graph.nodes}
        graph.names = {label: tensor for label, tensor in graph.names.items() if tensor in live}
        for label, numbers in self._several.items():
            left = [number for number in numbers if number in live]
            if len(left) > 1:
                graph.several[label] = [live[number] for number in left]
            elif left:
                graph.names[label] = left[0]

    def _head_last(self, output: Tensor, outputs: str | None) -> Tensor:
        """A softmax or sigmoid after which only shapes change, put behind them instead.

        It is no part of what the model computes. Names of it, and of what comes behind it, stand
        for the logits.
        """
        head, behind = self._head(output)
        set_aside = Layer if outputs is None else HEADS.get(outputs, ())
        if head is None or not isinstance(head.layer, set_aside):
            return output
        meant = dict(self.graph.names)
        for node in (head, *behind):
            self.graph.names.pop(node.name, None)
        scores = self.of(head.inputs[0])
        stands = {head.output: scores.number}
        for node in behind:
            self.label = node.name
            scores = self.append(node.layer, scores)
            self.keep(scores)
            stands[node.output] = scores.number
        self.label = head.name
        output = self.append(head.layer, self.reshape(scores, (self.batch, prod(scores.sample))))
        self._rename(meant, stands)
        return output

    def _rename(self, meant: dict[str, int], stands: dict[int, int]) -> None:
        """Let what labels meant be what stands for it now."""
        self.graph.names |= {label: stands.get(tensor, tensor) for label, tensor in meant.items()}
        for label, numbers in self._several.items():
            self._several[label] = tuple(stands.get(number, number) for number in numbers)

    def _head(self, output: Tensor) -> tuple[Node | None, list[Node]]:
        """The softmax or sigmoid at the end, if there is one, and the changes of shape behind."""
        behind: list[Node] = []
        node = self.graph.producer(output.number)
        while node and isinstance(node.layer, Reshape | Flatten | Transpose):
            own = self.graph.shapes[node.output]
            if isinstance(node.layer, Transpose) and prod(own) != max(own):
                return None, []  # the order changes
            behind.insert(0, node)
            node = self.graph.producer(node.inputs[0])
        if node is None or not isinstance(node.layer, Softmax | LogSoftmax | Sigmoid):
            return None, []
        before = self.graph.shapes[node.inputs[0]]
        if not isinstance(node.layer, Sigmoid) and before[0] != prod(before):
            return None, []  # a softmax at each of several places
        return node, behind
