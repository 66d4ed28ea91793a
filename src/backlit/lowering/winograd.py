"""The way back through wide 3x3 convolutions by Winograd's method: see `backlit_kernels.winograd`.

Only the way back, which is linear. Going forward, equal patches of an image (a plain background)
must give equal bits wherever they lie, or else a max-pooling behind them breaks their ties by
rounding: of 600 MNIST digits 22 got another gradient that way, and none by direct convolution.
"""

from typing import Any

import numpy as np
from backlit_kernels.vector import LANES
from backlit_kernels.winograd import transform_input, transform_output

from backlit.graph import Node
from backlit.layers import Conv2D
from backlit.lowering.context import Lowering
from backlit.lowering.products import emit_product
from backlit.tape import Buffer

# Transforms cost more than they save below so many channels, in and out.
LEAST_CHANNELS = 16
# Transformed patches at hand: beyond this a strip is cut in pieces.
STRIP_BYTES = 1024 * 1024

FILTER_TRANSFORM = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])


def takes_winograd(layer: Conv2D, size: tuple[int, ...]) -> bool:
    """Whether the gradient of a layer's input, an image of `size`, is computed this way.

    It must not depend on the number of lanes: results are the same bits for any batch.
    """
    outputs, inputs, *kernel = layer.weights.shape
    plain = layer.stride == layer.dilation == (1, 1) and layer.groups == 1
    wide = min(outputs, inputs) >= LEAST_CHANNELS
    even = size[-2] % 2 == 0 and size[-1] % 2 == 0
    return kernel == [3, 3] and plain and wide and even and max(layer.padding) <= 2


def emit_winograd_backward(
    lowering: Lowering, node: Node, out: Buffer, after: dict[str, Any]
) -> None:
    """The gradient of a convolution's input: a convolution with flipped, transposed filters."""
    layer = node.layer
    assert isinstance(layer, Conv2D)
    source, target = lowering.layouts[node.output], lowering.layouts[node.inputs[0]]
    filters = layer.weights[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
    shift = 2 - layer.padding[0], 2 - layer.padding[1]
    x = lowering.gradients[node.output]
    outputs, inputs = filters.shape[:2]
    lanes = lowering.lanes
    _, height, width = target.image
    transformed = FILTER_TRANSFORM @ filters.astype(np.float64) @ FILTER_TRANSFORM.T
    weights = transformed.transpose(2, 3, 0, 1).reshape(16, outputs, inputs)
    patches = width // 2 if lanes > 1 else -(-(width // 2) // LANES)  # in vectors
    bytes_each = 16 * (inputs + outputs) * LANES * 4
    pieces = -(-patches * bytes_each // STRIP_BYTES)
    length = -(-patches // pieces)
    patch = 2 * LANES  # floats from a vector of patches to the next
    # right to left: of a single sample, what is written past a row's end is overwritten later
    for row in range(0, height, 2):
        for first in reversed(range(0, patches, length)):
            count = min(length, patches - first)
            before = lowering.tape.buffer(16 * inputs * count * LANES)
            behind = lowering.tape.buffer(16 * outputs * count * LANES)
            corner = (row - shift[0]) * source.pitch - shift[1] * lanes + first * patch
            lowering.tape.emit(
                transform_input(lanes),
                x=x.at(source.origin + corner),
                out=before,
                channels=inputs,
                plane=source.plane,
                pitch=source.pitch,
                pixel=lanes,
                vectors=count,
                out_channel=count * LANES,
                out_entry=inputs * count * LANES,
            )
            steps = {"runs": 1, "length": count, "last": count, "x_run": 0, "out_run": 0}
            steps |= {"x_step": LANES, "out_step": LANES, "out_channel": count * LANES}
            steps |= {"x_group": inputs * count * LANES, "out_group": outputs * count * LANES}
            emit_product(
                lowering,
                before.at(0),
                behind,
                0,
                weights,
                np.zeros(16 * outputs),
                np.arange(inputs) * count * LANES,
                count,
                steps,
                {"rectify": 0, "mask": 0},
            )
            lowering.tape.emit(
                transform_output(lanes),
                x=behind,
                out=out.at(target.origin + row * target.pitch + first * patch),
                channels=outputs,
                plane=target.plane,
                pitch=target.pitch,
                pixel=lanes,
                vectors=count,
                x_channel=count * LANES,
                x_entry=outputs * count * LANES,
                **after,
            )
