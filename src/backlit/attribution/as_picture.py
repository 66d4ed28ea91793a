"""Layers whose output is a picture in another arrangement: channels last, or a row of tokens.

Class activation maps know (channels, rows, columns). Where a layer gives another form, as those of
vision transformers do, the network is the same with the picture in between: the form is turned into
one and back. Samples of another form than the picture that they are read as, such as rows of
pixels, are taken for that picture.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import prod

import numpy as np

from backlit.graph import Graph
from backlit.layers.base import Shape
from backlit.operators import AxisMap, Concatenate, Reshape, Transpose
from backlit.picture_axes import COLUMNS, NEITHER, PICTURE, ROWS, image_axes, is_picture
from backlit.programs import ProgramStore

# Of a graph, a tensor and a name: the numbers of a picture of it, and of the tensor made again
Insert = Callable[[Graph, int, str], tuple[int, int]]
MOST_OTHERS = 8  # tokens before those of the picture: a class's, a teacher's, registers


def of_pictures(programs: ProgramStore) -> ProgramStore | None:
    """Programs of the network that takes pictures, with the same tensors, if samples are such."""
    graph = programs.graph
    if len(graph.shapes[0]) == 3:
        return programs
    if 0 not in programs.pictured:
        picture = _first_picture(graph)
        if picture is None:
            return None
        twin = ProgramStore(replace(graph, shapes=[picture, *graph.shapes[1:]]))
        programs.pictured[0] = twin, 0
    return programs.pictured[0][0]


def _first_picture(graph: Graph) -> Shape | None:
    """The shape that samples are given before windows move over them."""
    axes, found = image_axes(graph), set()
    for node in graph.consumers(0):
        users = graph.consumers(node.output)
        windows = any(axes[user.output] == PICTURE for user in users)
        found.add(graph.shapes[node.output] if windows and isinstance(node.layer, Reshape) else ())
    return found.pop() or None if len(found) == 1 else None


def pictured(programs: ProgramStore, tensor: int) -> tuple[ProgramStore, int]:
    """Programs of the network in which a tensor is a picture, and its number there."""
    if tensor not in programs.pictured:
        graph, picture = _with_picture(programs.graph, tensor)
        same = graph is programs.graph
        programs.pictured[tensor] = (programs if same else ProgramStore(graph)), picture
    return programs.pictured[tensor]


def _with_picture(graph: Graph, tensor: int) -> tuple[Graph, int]:
    shape, axes = graph.shapes[tensor], image_axes(graph)[tensor]
    if len(shape) == 3 and axes != PICTURE and set(axes) == set(PICTURE):
        order = tuple(map(axes.index, (NEITHER, ROWS, COLUMNS)))
        return _through(graph, tensor, partial(_turned, order=order))
    if len(shape) == 2 and (grid := _grid_of_tokens(graph, tensor)):
        return _through(graph, tensor, partial(_of_tokens, grid=grid))
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


def _through(graph: Graph, tensor: int, insert: Insert) -> tuple[Graph, int]:
    """The graph with a picture between a tensor and its users, and the picture's number."""
    result = Graph(graph.shapes[:1], outputs_are=graph.outputs_are, constants=graph.constants)
    renamed, picture = {0: 0}, 0
    for node in graph.nodes:
        inputs = tuple(renamed[t] for t in node.inputs)
        renamed[node.output] = result.append(node.layer, inputs, node.name)
        if node.output == tensor:
            picture, renamed[tensor] = insert(result, renamed[tensor], node.name)
    result.output = renamed[graph.output]
    return result, picture


def _turned(graph: Graph, tensor: int, name: str, order: tuple[int, ...]) -> tuple[int, int]:
    """A picture of a tensor's axes in an order, and the tensor again."""
    picture = graph.append(Transpose(order), (tensor,), name)
    back = tuple(int(n) for n in np.argsort(order))
    return picture, graph.append(Transpose(back), (picture,), name)


def _of_tokens(graph: Graph, tensor: int, name: str, grid: tuple[int, int]) -> tuple[int, int]:
    """A picture of the last tokens, and all tokens again."""
    tokens, channels = graph.shapes[tensor]
    others = tokens - prod(grid)
    own = graph.append(AxisMap.gather(0, tokens, range(others, tokens)), (tensor,), name)
    turned = graph.append(Transpose((1, 0)), (own,), name)
    picture = graph.append(Reshape((channels, *grid)), (turned,), name)
    flat = graph.append(Reshape((channels, prod(grid))), (picture,), name)
    back = graph.append(Transpose((1, 0)), (flat,), name)
    if not others:
        return picture, back
    rest = graph.append(AxisMap.gather(0, tokens, range(others)), (tensor,), name)
    return picture, graph.append(Concatenate(0), (rest, back), name)
