"""Planning layouts: how wide the borders of tensors are, and how long their rows."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from backlit.graph import Graph, Node
from backlit.layers import Layer
from backlit.layout import NO_BORDER, Border, Layout, widest


@dataclass(frozen=True)
class Needs:
    """What a window operation needs of the layouts of its input and its output.

    For single samples, their rows are to be equally long (`in_line`), or else at least so many
    pixels (`pitches`), so that products can run over the flat image.
    """

    borders: tuple[Border, Border]
    in_line: bool
    pitches: tuple[int, int] = (0, 0)


NEEDS: dict[type[Layer], Callable[[Graph, Node], Needs]] = {}
ELEMENTWISE: set[type[Layer]] = set()


def plan_layouts(graph: Graph, lanes: int) -> list[Layout]:
    """Every tensor's layout. Tensors that meet in elementwise operations share theirs.

    A border is wide enough for the windows that read a tensor forward and its gradient backward.
    """
    alike, in_line = Groups(len(graph.shapes)), Groups(len(graph.shapes))
    needs = {
        n.output: NEEDS[type(n.layer)](graph, n) for n in graph.nodes if type(n.layer) in NEEDS
    }
    for node in graph.nodes:
        for tensor in node.inputs:
            if type(node.layer) in ELEMENTWISE:
                alike.join(tensor, node.output)
                in_line.join(tensor, node.output)
            elif node.output in needs and needs[node.output].in_line and lanes == 1:
                in_line.join(tensor, node.output)
    reads = [[NO_BORDER] * len(graph.shapes) for _ in range(2)]  # of values, and of gradients
    least = [0] * len(graph.shapes)
    for node in graph.nodes:
        if node.output in needs:
            for side, tensor in enumerate((node.inputs[0], node.output)):
                leader = alike.leader(tensor)
                reads[side][leader] = widest(reads[side][leader], needs[node.output].borders[side])
                least[tensor] = max(least[tensor], needs[node.output].pitches[side])
    bordered = []
    for tensor, shape in enumerate(graph.shapes):
        forward, back = (read[alike.leader(tensor)] for read in reads)
        bordered.append(
            Layout(
                shape,
                lanes,
                widest(forward, back),
                values_read=forward != NO_BORDER,
                gradient_read=back != NO_BORDER,
            )
        )
    pitches = [0] * len(graph.shapes)
    for tensor, layout in enumerate(bordered):
        leader = in_line.leader(tensor)
        rows = least[tensor] if lanes == 1 else 0
        pitches[leader] = max(pitches[leader], layout.pitch_pixels, rows)
    return [
        replace(layout, least_pitch=pitches[in_line.leader(tensor)])
        for tensor, layout in enumerate(bordered)
    ]


class Groups:
    """Sets of tensors, joined pair by pair."""

    def __init__(self, count: int) -> None:
        self._above = list(range(count))

    def leader(self, tensor: int) -> int:
        while self._above[tensor] != tensor:
            tensor = self._above[tensor]
        return tensor

    def join(self, a: int, b: int) -> None:
        self._above[self.leader(a)] = self.leader(b)
