"""Layers whose output is a picture in another arrangement: channels last, or a row of tokens.

Class activation maps know (channels, rows, columns). Where a layer gives another form, as those of
vision transformers do, the network is the same with the picture in between: the form is turned into
one and back.
"""

from math import prod

import numpy as np

from backlit.graph import Graph
from backlit.operators import AxisMap, Concatenate, Reshape, Transpose
from backlit.picture_axes import COLUMNS, NEITHER, PICTURE, ROWS, axes_of, is_picture
from backlit.probes import ProgramStore

MOST_OTHERS = 8  # tokens before those of the picture: a class's, a teacher's, registers


def pictured(programs: ProgramStore, tensor: int) -> tuple[ProgramStore, int]:
    """Programs of the network in which a tensor is a picture, and its number there."""
    if tensor not in programs.pictured:
        graph, picture = _with_picture(programs.graph, tensor)
        same = graph is programs.graph
        programs.pictured[tensor] = (programs if same else ProgramStore(graph)), picture
    return programs.pictured[tensor]


def _with_picture(graph: Graph, tensor: int) -> tuple[Graph, int]:
    shape = graph.shapes[tensor]
    first = PICTURE if len(graph.shapes[0]) == 3 else (NEITHER,) * len(graph.shapes[0])
    axes = axes_of(graph, first)[tensor]
    if len(shape) == 3 and axes != PICTURE and set(axes) == set(PICTURE):
        return _split(graph, tensor, order=tuple(map(axes.index, (NEITHER, ROWS, COLUMNS))))
    if len(shape) == 2 and (grid := _grid_of_tokens(graph, tensor)):
        return _split(graph, tensor, grid=grid)
    return graph, tensor


def _grid_of_tokens(graph: Graph, tensor: int) -> tuple[int, int] | None:
    """Rows and columns of the last picture before that as many tokens may stand for."""
    tokens, found = graph.shapes[tensor][0], None
    before = {node.output for node in graph.leading_to(tensor)}
    for other, pixels in enumerate(is_picture(graph)):
        grid = graph.shapes[other][1:]
        if pixels and other in before and 0 <= tokens - prod(grid) <= MOST_OTHERS:
            found = grid[0], grid[1]
    return found


def _split(
    graph: Graph,
    tensor: int,
    *,
    order: tuple[int, ...] = (),
    grid: tuple[int, int] = (0, 0),
) -> tuple[Graph, int]:
    """The graph with a picture between a tensor and its users: its axes in an order, or a grid."""
    result = Graph(graph.shapes[:1], outputs_are=graph.outputs_are, constants=graph.constants)
    renamed, picture = {0: 0}, 0
    for node in graph.nodes:
        inputs = tuple(renamed[t] for t in node.inputs)
        made = renamed[node.output] = result.append(node.layer, inputs, node.name)
        if node.output != tensor:
            continue
        name = node.name
        if order:
            picture = result.append(Transpose(order), (made,), name)
            back = tuple(int(n) for n in np.argsort(order))
            renamed[tensor] = result.append(Transpose(back), (picture,), name)
            continue
        tokens, channels = graph.shapes[tensor]
        others = tokens - prod(grid)
        own = result.append(AxisMap.gather(0, tokens, range(others, tokens)), (made,), name)
        turned = result.append(Transpose((1, 0)), (own,), name)
        picture = result.append(Reshape((channels, *grid)), (turned,), name)
        flat = result.append(Reshape((channels, prod(grid))), (picture,), name)
        renamed[tensor] = result.append(Transpose((1, 0)), (flat,), name)
        if others:
            rest = result.append(AxisMap.gather(0, tokens, range(others)), (made,), name)
            renamed[tensor] = result.append(Concatenate(0), (rest, renamed[tensor]), name)
    result.output = renamed[graph.output]
    return result, picture
