"""Checkpoints: tensors from which the way back takes a stage of the forward pass again.

What the forward pass leaves for the way back is then kept for one stage of the network at a time.
Chen, Xu, Zhang and Guestrin, "Training deep nets with sublinear memory cost", 2016.
"""

from collections.abc import Collection
from itertools import accumulate, pairwise
from math import prod
from typing import NamedTuple

from backlit.graph import Graph


class Stage(NamedTuple):
    """What is computed again at a time: from a tensor, the checkpoint, to another one."""

    checkpoint: int
    last: int


def checkpoints(graph: Graph, known: Collection[int]) -> list[Stage]:
    """The stages that are computed again, in order.

    A network is cut into `graph.stages` of about the same size at its bottlenecks, where these are
    `known` as they are. The last stage is not computed again.
    """
    if graph.stages == 1 or not known:
        return []
    begin = min(known)
    if begin >= graph.output:
        return []
    nodes = [node for node in graph.nodes if node.output > begin]
    sizes = accumulate(prod(graph.shapes[node.output]) for node in nodes)
    until = dict(zip((node.output for node in nodes), sizes, strict=True))
    choices = [tensor for tensor in bottlenecks(graph) if tensor in until and tensor in known]

    def nearest(size: float) -> int:
        return min(choices, key=lambda tensor: abs(until[tensor] - size))

    stage = until[graph.output] / graph.stages
    cuts = {nearest(stage * n) for n in range(1, graph.stages) if choices}
    return [Stage(*ends) for ends in pairwise([begin, *sorted(cuts)])]


def bottlenecks(graph: Graph) -> list[int]:
    """The tensors that all that comes after them is made of, but for the output."""
    last_use = {tensor: node.output for node in graph.nodes for tensor in node.inputs}
    found, needed = [], {0}
    for node in graph.nodes:
        needed = {tensor for tensor in needed if last_use.get(tensor, 0) > node.output}
        if not needed and node.output in last_use:
            found.append(node.output)
        needed.add(node.output)
    return found
