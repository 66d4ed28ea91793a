"""Wide 3x3 convolutions by Winograd's method: see `backlit_kernels.winograd`.

Going forward, only where no maximum over pixels follows: there, equal patches of an image must give
equal bits wherever they lie, or else a max-pooling breaks their ties by rounding (of 1,000 MNIST
digits 39 got another gradient that way, and none by direct convolution). Before the last pooling,
values too close to tell are done again: see `backlit.lowering.ties`.
"""

from typing import Any

import numpy as np
from backlit_kernels.vector import LANES
from backlit_kernels.winograd import transform_input, transform_output

from backlit.graph import Node
from backlit.layers import Conv2D
from backlit.layout import CACHE_LINE
from backlit.lowering.context import Lowering
from backlit.lowering.products import emit_product
from backlit.tape import Buffer

# Transforms cost more than they save below so many channels, in and out.
LEAST_CHANNELS = 16
# Transformed patches of the input at hand: beyond as many bytes as the weights take, within these
# bounds, a strip is cut in pieces. Small pieces stay in the cache, but each reads all weights anew.
LEAST_BYTES, MOST_BYTES = 128 * 1024, 1536 * 1024

FILTER_TRANSFORM = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])


def takes_winograd(layer: Conv2D, size: tuple[int, ...]) -> bool:
    """Whether an image of `size`, a layer's output or its input's gradient, is computed this way.

    It must not depend on the number of lanes: results are the same bits for any batch.
    """
    outputs, inputs, *kernel = layer.weights.shape
    plain = layer.stride == layer.dilation == (1, 1) and layer.groups == 1
    wide = min(outputs, inputs) >= LEAST_CHANNELS
    even = size[-2] % 2 == 0 and size[-1] % 2 == 0
    # a patch that hangs over writes into the border, which is one pixel wide on both sides then
    padded = layer.padding == (1, 1, 1, 1)
    return kernel == [3, 3] and plain and wide and (padded or (even and max(layer.padding) <= 2))


def winograd_forward(lowering: Lowering, node: Node, out: Buffer, after: dict[str, Any]) -> None:
    layer = node.layer
    assert isinstance(layer, Conv2D)
    x = node.inputs[0]
    shift = layer.padding[0], layer.padding[1]
    tensors = x, node.output
    emit_winograd(
        lowering, tensors, lowering.activations[x], out, layer.weights, layer.bias, shift, after
    )


def winograd_backward(lowering: Lowering, node: Node, out: Buffer, after: dict[str, Any]) -> None:
    """The gradient of a convolution's input: a convolution with flipped, transposed filters."""
    layer = node.layer
    assert isinstance(layer, Conv2D)
    filters = layer.weights[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
    shift = 2 - layer.padding[0], 2 - layer.padding[1]
    tensors = node.output, node.inputs[0]
    zeros = np.zeros(len(filters))
    g = lowering.gradients[node.output]
    emit_winograd(lowering, tensors, g, out, filters, zeros, shift, after)


def emit_winograd(
    lowering: Lowering,
    tensors: tuple[int, int],
    x: Buffer,
    out: Buffer,
    filters: np.ndarray,
    bias: np.ndarray,
    shift: tuple[int, int],
    after: dict[str, Any],
) -> None:
    """A convolution from a buffer of one tensor's layout to one of another's.

    The first patch's corner lies `shift` (rows, columns) before the input's first pixel.
    """
    source, target = (lowering.layouts[tensor] for tensor in tensors)
    outputs, inputs = filters.shape[:2]
    lanes = lowering.lanes
    _, height, width = target.image
    transformed = FILTER_TRANSFORM @ filters.astype(np.float64) @ FILTER_TRANSFORM.T
    weights = transformed.transpose(2, 3, 0, 1).reshape(16, outputs, inputs)
    # the bias belongs to the entry that all four outputs of a patch contain once
    entries = np.zeros((16, outputs))
    entries[5] = bias
    rows = -(-height // 2)
    across = -(-width // 2)  # patches of a strip
    strip = across * lanes  # floats of a strip
    patches = -(-strip // LANES)  # vectors of a strip
    piece_bytes = int(np.clip(4 * weights.size, LEAST_BYTES, MOST_BYTES))
    room = piece_bytes // (16 * inputs * LANES * 4)
    pieces = -(-patches // max(room, 1))
    length = -(-patches // pieces)
    together = max(1, min(rows, room // patches)) if pieces == 1 else 1
    patch = 2 * LANES  # floats from a vector of patches to the next
    # right to left: of a single sample, what is written past a row's end is overwritten later
    for first_row in range(0, rows, together):
        strips = min(together, rows - first_row)
        for first in reversed(range(0, patches, length)):
            vectors = min(length, patches - first)
            floats = (strips - 1) * strip + vectors * LANES
            count = -(-floats // LANES)
            x_entry = odd_lines(inputs * count * LANES)
            y_entry = odd_lines(outputs * count * LANES)
            before = lowering.tape.buffer(16 * x_entry)
            behind = lowering.tape.buffer(16 * y_entry)
            row = 2 * first_row
            corner = (row - shift[0]) * source.pitch - shift[1] * lanes + first * patch
            lowering.tape.emit(
                transform_input(lanes),
                x=x.at(source.origin + corner),
                out=before,
                channels=inputs,
                plane=source.plane,
                pitch=source.pitch,
                pixel=lanes,
                strips=strips,
                vectors=vectors,
                out_strip=strip,
                out_channel=count * LANES,
                out_entry=x_entry,
            )
            steps = {"runs": 1, "length": count, "last": count, "x_run": 0, "out_run": 0}
            steps |= {"x_step": LANES, "out_step": LANES, "out_channel": count * LANES}
            steps |= {"x_group": x_entry, "out_group": y_entry}
            emit_product(
                lowering,
                before.at(0),
                behind,
                0,
                weights,
                entries,
                np.arange(inputs) * count * LANES,
                count,
                steps,
                lowering.after_forward(None),
                aligned=True,
            )
            lowering.tape.emit(
                transform_output(lanes),
                x=behind,
                out=out.at(target.origin + row * target.pitch + first * patch),
                channels=outputs,
                plane=target.plane,
                pitch=target.pitch,
                pixel=lanes,
                strips=strips,
                vectors=vectors,
                x_strip=strip,
                x_channel=count * LANES,
                x_entry=y_entry,
                **after,
            )


def odd_lines(size: int) -> int:
    """A size rounded up to an odd number of cache lines.

    The sixteen entries of a patch would otherwise often fall into one set of the cache.
    """
    lines = -(-size // CACHE_LINE)
    return (lines | 1) * CACHE_LINE
