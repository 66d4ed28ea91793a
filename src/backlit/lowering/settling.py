"""What a max-pooling behind Winograd's method settles ties by: see `backlit_kernels.ties`."""

from dataclasses import dataclass, replace

import numpy as np
from backlit_kernels.ties import largest_magnitude
from backlit_kernels.vector import LANES

from backlit.graph import Node
from backlit.instructions import Buffer
from backlit.layers import Conv2D
from backlit.lowering.context import Lowering
from backlit.lowering.images import window_offsets
from backlit.lowering.products import count_pieces

# A channel's values are close that differ by less than this share of the largest sum its weights
# give. Winograd's method was seen to err by 2^-24 of it, by 2^-22 where all terms are positive.
CLOSE = 2.0**-20


@dataclass(frozen=True)
class Settling:
    """Which values are close, and what they are by direct sums. Operands: see `pool_settled`."""

    largest: Buffer
    weights: int
    bias: int
    tolerance: int
    offsets: np.ndarray
    depth: int
    pieces: int

    def from_channel(self, first: int) -> "Settling":
        """The same for the channels from one on."""
        return replace(
            self,
            weights=self.weights + first * self.depth,
            bias=self.bias + first,
            tolerance=self.tolerance + first,
        )


def settling_of(lowering: Lowering, node: Node) -> Settling:
    """For a convolution's output."""
    layer, x = node.layer, node.inputs[0]
    assert isinstance(layer, Conv2D)
    constants = lowering.tape.constants
    weights = layer.weights.reshape(len(layer.weights), -1)
    return Settling(
        largest=emit_largest(lowering, x),
        weights=constants.place(weights),
        bias=constants.place(layer.bias),
        tolerance=constants.place(CLOSE * np.abs(weights).sum(axis=1)),
        offsets=window_offsets(lowering.layouts[x], layer),
        depth=weights.shape[1],
        pieces=count_pieces(weights.shape[1]),
    )


def emit_largest(lowering: Lowering, tensor: int) -> Buffer:
    """The largest magnitude of a tensor, as a lane value."""
    layout, lanes = lowering.layouts[tensor], lowering.lanes
    largest = lowering.tape.buffer(max(lanes, LANES))
    channels, height, width = layout.image
    lowering.tape.emit(
        largest_magnitude,
        x=lowering.activations[tensor].at(layout.origin),
        out=largest,
        channels=channels,
        height=height,
        row=width * lanes,
        plane=layout.plane,
        pitch=layout.pitch,
        lanes=lanes,
    )
    return largest
