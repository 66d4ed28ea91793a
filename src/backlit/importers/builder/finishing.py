"""From a graph that is built to a model."""

from math import prod

from backlit.graph import HEADS, Node
from backlit.importers.builder import shapes
from backlit.importers.builder.nodes import GraphBuilder
from backlit.importers.builder.values import Tensor
from backlit.layers import Flatten, Layer, LogSoftmax, Sigmoid, Softmax
from backlit.model import Model
from backlit.operators import Reshape, Transpose


def finish(
    b: GraphBuilder, output: Tensor, name: str | None = None, outputs: str | None = None
) -> Model:
    """The model whose last layer is `output`; `outputs` as for `backlit.Model`."""
    output = _head_last(b, output, outputs)
    if len(output.shape) != 2:
        b.label = b.numbered(b.label)  # the last layer's is what it computes itself
        output = _as_row(b, output)
    graph = b.graph
    graph.output = output.number
    graph.drop_unused()
    _name_what_is_computed(b)
    return Model.of_graph(graph, name, outputs=outputs, channels_last=b.moves_samples)


def _as_row(b: GraphBuilder, x: Tensor) -> Tensor:
    return shapes.reshape(b, x, (b.batch, prod(x.sample)))


def _name_what_is_computed(b: GraphBuilder) -> None:
    """Drop all other names; of several tensors, one may be all that is computed."""
    graph = b.graph
    live = {node.output: node.name for node in graph.nodes}
    graph.names = {label: tensor for label, tensor in graph.names.items() if tensor in live}
    for label, numbers in b.several.items():
        left = [number for number in numbers if number in live]
        if len(left) > 1:
            graph.several[label] = [live[number] for number in left]
        elif left:
            graph.names[label] = left[0]


def _head_last(b: GraphBuilder, output: Tensor, outputs: str | None) -> Tensor:
    """A softmax or sigmoid after which only shapes change, put behind them instead.

    It is no part of what the model computes. Names of it, and of what comes behind it, stand
    for the logits.
    """
    head, behind = _head(b, output)
    set_aside = Layer if outputs is None else HEADS.get(outputs, ())
    if head is None or not isinstance(head.layer, set_aside):
        return output
    meant = dict(b.graph.names)
    for node in (head, *behind):
        b.graph.names.pop(node.name, None)
    scores = b.of(head.inputs[0])
    stands = {head.output: scores.number}
    for node in behind:
        b.label = node.name
        scores = b.append(node.layer, scores)
        b.keep(scores)
        stands[node.output] = scores.number
    b.label = head.name
    output = b.append(head.layer, _as_row(b, scores))
    _rename(b, meant, stands)
    return output


def _head(b: GraphBuilder, output: Tensor) -> tuple[Node | None, list[Node]]:
    """The softmax or sigmoid at the end, if there is one, and the changes of shape behind."""
    behind: list[Node] = []
    node = b.graph.producer(output.number)
    while node and isinstance(node.layer, Reshape | Flatten | Transpose):
        own = b.graph.shapes[node.output]
        if isinstance(node.layer, Transpose) and prod(own) != max(own):
            return None, []  # the order changes
        behind.insert(0, node)
        node = b.graph.producer(node.inputs[0])
    if node is None or not isinstance(node.layer, Softmax | LogSoftmax | Sigmoid):
        return None, []
    before = b.graph.shapes[node.inputs[0]]
    if not isinstance(node.layer, Sigmoid) and before[0] != prod(before):
        return None, []  # a softmax at each of several places
    return node, behind


def _rename(b: GraphBuilder, meant: dict[str, int], stands: dict[int, int]) -> None:
    """Let what labels meant be what stands for it now."""
    b.graph.names |= {label: stands.get(tensor, tensor) for label, tensor in meant.items()}
    for label, numbers in b.several.items():
        b.several[label] = tuple(stands.get(number, number) for number in numbers)
