"""Forward passes of inputs that changed in a box only: what the box does not reach is kept.

Through convolutions, pooling and elementwise layers a box reaches a region that grows from layer to
layer. While that is a small part of the tensor, each stage crops what the region is made from,
computes it as a small picture of its own, and puts it into the unchanged activations, until the
regions are put back. Bits are those of the whole pass, as every sum has the same terms in order;
but where Winograd's method is taken, patches lie elsewhere, and results round differently: of few
channels it is not.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from backlit_kernels import masking

from backlit.graph import Graph, Node
from backlit.instructions import Buffer
from backlit.layers import (
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Elementwise,
    Layer,
    MaxPool2D,
    ReLU,
)
from backlit.lowering.context import Lowering

BY_VALUE = (ReLU, Elementwise, BatchNorm)
LARGEST_SHARE = 0.6  # of a tensor: regions from there on are not worth the copies


@dataclass(frozen=True)
class Regions:
    """Rectangles of one size, one for each step: (rows, columns) and where they begin (M, 2)."""

    size: tuple[int, int]
    starts: np.ndarray

    @classmethod
    def covering(cls, first: np.ndarray, last: np.ndarray, shape: tuple[int, ...]) -> "Regions":
        """Inside an image, as small as will cover the pixels from `first` to `last` (M, 2)."""
        first, last = (np.clip(ends, 0, np.array(shape) - 1) for ends in (first, last))
        size = np.maximum((last - first).max(axis=0) + 1, 1)
        starts = np.minimum(first, np.array(shape) - size)
        return cls((int(size[0]), int(size[1])), starts)


@dataclass(frozen=True)
class Stage:
    """A layer with a window, and the elementwise ones that follow it."""

    nodes: list[Node]
    window: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]

    @property
    def source(self) -> int:
        return self.nodes[0].inputs[0]

    @property
    def output(self) -> int:
        return self.nodes[-1].output

    def reached(self, regions: Regions, shape: tuple[int, ...]) -> Regions:
        """The regions of the output that regions of the input reach."""
        stride, padding = np.array(self.stride), np.array(self.padding)
        before = regions.starts + padding
        first = -((np.array(self.window) - 1 - before) // stride)
        last = (before + np.array(regions.size) - 1) // stride
        return Regions.covering(first, last, shape)

    def needed(self, regions: Regions) -> Regions:
        """The regions of the padded input that regions of the output are made from."""
        stride = np.array(self.stride)
        size = (np.array(regions.size) - 1) * stride + self.window
        return Regions((int(size[0]), int(size[1])), regions.starts * stride - self.padding)


def next_stage(graph: Graph, tensor: int) -> Stage | None:
    """What follows a tensor, if it is one layer that regions can be carried through."""
    nodes: list[Node] = []
    window, stride, padding = (1, 1), (1, 1), (0, 0)
    while len(users := graph.consumers(tensor)) == 1 and len(users[0].inputs) == 1:
        layer = users[0].layer
        if not nodes and isinstance(layer, Conv2D):
            (rows, columns), spread = layer.weights.shape[2:], layer.dilation
            window = (rows - 1) * spread[0] + 1, (columns - 1) * spread[1] + 1
            stride, padding = layer.stride, layer.padding[:2]
        elif not nodes and isinstance(layer, MaxPool2D | AvgPool2D):
            if any(layer.padding) or layer.ceil_mode:
                break
            window, stride = layer.size, layer.stride
        elif not isinstance(layer, BY_VALUE):
            break
        nodes.append(users[0])
        tensor = users[0].output
    return Stage(nodes, window, stride, padding) if nodes else None


def without_padding(layer: Layer) -> Layer:
    if isinstance(layer, Conv2D):
        return Conv2D(layer.weights, layer.bias, layer.stride, 0, layer.dilation, layer.groups)
    return layer


def plan_stages(graph: Graph, boxes: np.ndarray) -> list[tuple[Stage, Regions]]:
    """The stages that boxes (M, 6) stay small through, with the regions of their outputs."""
    stages: list[tuple[Stage, Regions]] = []
    if len(graph.shapes[0]) != 3:
        return stages
    tensor = 0
    regions = Regions.covering(boxes[:, [2, 4]], boxes[:, [3, 5]] - 1, graph.shapes[0][1:])
    while (stage := next_stage(graph, tensor)) is not None:
        tensor = stage.output
        shape = graph.shapes[tensor][1:]
        regions = stage.reached(regions, shape)
        if np.prod(regions.size) > LARGEST_SHARE * np.prod(shape):
            break
        stages.append((stage, regions))
    return stages


class LocalForward:
    """Writes the passes of changed inputs, for a tape that has run the unchanged one."""

    def __init__(self, own: Lowering, stages: list[tuple[Stage, Regions]]) -> None:
        self.own = own
        self.stages = stages
        self.patches: list[tuple[int, Regions, Lowering]] = []

    def forward(self, point: Lowering) -> None:
        """From the changed input of `point` to its logits."""
        tensor, whole = 0, point.activations[0]
        for stage, regions in self.stages:
            graph = Graph([(self.own.graph.shapes[tensor][0], *stage.needed(regions).size)])
            for number, node in enumerate(stage.nodes):
                graph.output = graph.append(without_padding(node.layer), (number,), node.name)
            small = Lowering(graph, self.own.lanes)
            small.tape, small.winograd_from = self.own.tape, self.own.winograd_from
            small.activations[0] = small.new_buffer(0)
            self.move(tensor, whole, stage.needed(regions), small, 0)
            small.clear_border(0, small.activations[0])
            small.forward(graph.output)
            tensor = stage.output
            whole = point.activations[tensor] = self.own.activations[tensor]
            self.move(tensor, whole, regions, small, graph.output)
            self.patches.append((tensor, regions, small))
        point.forward()

    def restore(self) -> None:
        """Put the unchanged activations back."""
        for tensor, regions, small in self.patches:
            whole = self.own.activations[tensor]
            self.move(tensor, whole, regions, small, small.graph.output)

    def move(
        self, tensor: int, whole: Buffer, regions: Regions, small: Lowering, patch: int
    ) -> None:
        """Crop regions to a patch's input, or exchange them with its output."""
        layout, target = self.own.layouts[tensor], small.layouts[patch]
        operands: dict[str, Any] = {
            "starts": regions.starts @ np.array([layout.pitch, self.own.lanes]),
            "whole": whole.at(layout.origin),
            "patch": small.activations[patch].at(target.origin),
        }
        self.own.tape.emit(
            masking.move_region,
            **operands,
            channels=layout.image[0],
            height=regions.size[0],
            width=regions.size[1],
            plane=layout.plane,
            row=layout.pitch,
            patch_plane=target.plane,
            patch_row=target.pitch,
            exchange=int(patch != 0),
            lanes=self.own.lanes,
        )
