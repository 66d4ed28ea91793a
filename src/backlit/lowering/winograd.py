"""Wide 3x3 convolutions by Winograd's method: see `backlit_kernels.winograd`.

Going back, where no kink follows, F(4x4, 3x3) or F(2x2, 3x3). Going forward, the larger patches
only in layers whose biases are all there: F(2x2, 3x3) gives exact zeros for windows of zeros.
Before a maximum over pixels, F(2x2, 3x3) at most: there, equal patches of an image must give equal
bits wherever they lie, or else a max-pooling breaks their ties by rounding (of 1,000 MNIST digits
39 got another gradient that way, and none by direct convolution). Before the last pooling, and in
large pictures, values too close to tell are done again: see `backlit.lowering.ties`.
"""

from collections.abc import Callable
from itertools import product

import numpy as np
from backlit_kernels.target import target
from backlit_kernels.vector import LANES
from backlit_kernels.winograd import transform_input, transform_output

from backlit.graph import Graph, Node
from backlit.layers import Conv2D
from backlit.layout import CACHE_LINE, Layout
from backlit.lowering.context import Lowering
from backlit.lowering.fusing import Finish, plain_finish
from backlit.lowering.products import Positions, emit_product
from backlit.lowering.ties import PICKS_PIXELS, picks_matter, pooling_to_settle
from backlit.lowering.winograd_filters import Filters
from backlit.lowering.winograd_fused import emit_fused
from backlit.tape import Buffer

# Transforms cost more than they save below so many channels, in and out: those of whole strips,
# and those of one patch after the other, of which there are none for single samples. Each product
# of these takes a weight of its own: without AVX-512, whose multiply-adds read it themselves,
# direct sums take less time (of 4 to 8 channels half as much).
LEAST_CHANNELS = 16
LEAST_IN_TILES = 4 if target().accumulators >= 24 else LEAST_CHANNELS
MOST_IN_TILES = 64 * 64  # pixels; larger ones are computed of single samples
# Transformed patches of the input at hand: beyond as many bytes as the weights take, within these
# bounds, a strip is cut in pieces. Small pieces stay in the cache, but each reads all weights anew,
# the more often the fewer lanes there are.
LEAST_BYTES, MOST_BYTES = 2 * 1024 * 1024 // LANES, 8 * 1024 * 1024
# Weights of more bytes come from beyond the cache, which takes as long as using them for so many
# patches.
FAR_WEIGHTS, LEAST_PATCHES = 16 * 1024 * 1024, 12
# Patches that hang over must not cost more products than this share of those of direct sums.
MOST_PRODUCTS = 0.7

Follow = Callable[[int], None]


def forward_patches(graph: Graph, node: Node) -> int:
    """How many outputs on a side the patches of a layer's output have; 0 for direct sums.

    It must not depend on the number of lanes: results are the same bits for any batch.
    """
    layer, y = node.layer, node.output
    assert isinstance(layer, Conv2D)
    if not graph.reaches(y, PICKS_PIXELS):
        # without a bias, zeros give zeros, where a ReLU has its kink: they must be exact
        return _patches(layer, graph.shapes[y], [4, 2] if layer.bias.all() else [2])
    if pooling_to_settle(graph, node) is not None or not picks_matter(graph, y):
        return _patches(layer, graph.shapes[y], [2])
    return 0


def backward_patches(layer: Conv2D, size: tuple[int, ...]) -> int:
    """The same of the input's gradient, for an input of this size."""
    return _patches(layer, size, [4, 2])


def _patches(layer: Conv2D, size: tuple[int, ...], choices: list[int]) -> int:
    outputs, inputs, *kernel = layer.weights.shape
    plain = layer.stride == layer.dilation == (1, 1) and layer.groups == 1
    if kernel != [3, 3] or not plain or max(layer.padding) > 2:
        return 0
    height, width = size[-2:]
    if not is_wide(layer.weights):
        if min(outputs, inputs) < LEAST_IN_TILES or height * width > MOST_IN_TILES:
            return 0
        choices = [2]

    def products(m: int) -> int:
        entries, patches = (m + 2) ** 2, -(-height // m) * -(-width // m)
        far = entries * outputs * inputs * 4 > FAR_WEIGHTS
        return entries * (max(patches, LEAST_PATCHES) if far else patches)

    best = min(choices, key=products)
    return best if products(best) <= MOST_PRODUCTS * 9 * height * width else 0


def is_wide(filters: np.ndarray) -> bool:
    """Whether patches are transformed by whole strips, for any number of samples."""
    return min(filters.shape[:2]) >= LEAST_CHANNELS


def by_patches(lowering: Lowering, layer: Conv2D) -> bool:
    """Whether Winograd's method may be taken."""
    return min(layer.weights.shape[:2]) >= lowering.winograd_from


def patches_reach(m: int, shift: int, outputs: int, inputs: int) -> int:
    """How far beyond `inputs` pixels the patches of `outputs` reach, on one axis."""
    return max(m * -(-outputs // m) + 2 - shift - inputs, 0)


def winograd_forward(
    lowering: Lowering,
    node: Node,
    m: int,
    out: Buffer,
    target: Layout,
    finish: Finish,
    follow: Follow | None = None,
) -> None:
    """To a buffer with a layout of its own, if that is `strip_layout`."""
    layer, x = node.layer, node.inputs[0]
    assert isinstance(layer, Conv2D)
    emit_winograd(
        lowering,
        m,
        x=lowering.activations[x],
        source=lowering.layouts[x],
        out=out,
        target=target,
        size=lowering.layouts[node.output].image[1:],
        filters=layer.weights,
        bias=layer.bias,
        shift=layer.padding[:2],
        finish=finish,
        follow=follow,
    )


def winograd_backward(
    lowering: Lowering, node: Node, m: int, out: Buffer, finish: Finish
) -> None:
    """The gradient of a convolution's input: a convolution with flipped, transposed filters."""
    layer = node.layer
    assert isinstance(layer, Conv2D)
    filters = layer.weights[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
    target = lowering.layouts[node.inputs[0]]
    emit_winograd(
        lowering,
        m,
        x=lowering.gradients[node.output],
        source=lowering.layouts[node.output],
        out=out,
        target=target,
        size=target.image[1:],
        filters=filters,
        bias=np.zeros(len(filters)),
        shift=(2 - layer.padding[0], 2 - layer.padding[1]),
        finish=finish,
    )


def strip_layout(lowering: Lowering, layer: Conv2D, m: int, whole: Layout) -> Layout:
    """The layout of what `emit_winograd` makes of an output at a time."""
    channels, height, width = whole.image
    together, _ = cut_patches(lowering.lanes, m, layer.weights, (height, width))
    return Layout((channels, m * together, width), lowering.lanes)


def cut_patches(lanes: int, m: int, filters: np.ndarray, size: tuple[int, ...]) -> tuple[int, int]:
    """How many strips are transformed at a time, and how many vectors of each one's patches."""
    rows, across = (-(-pixels // m) for pixels in size)
    entries, inputs = (m + 2) ** 2, filters.shape[1]
    patches = -(-across * lanes // LANES)
    piece_bytes = int(np.clip(4 * entries * filters[:, :, 0, 0].size, LEAST_BYTES, MOST_BYTES))
    room = max(piece_bytes // (entries * inputs * LANES * 4), 1)
    pieces = -(-patches // room)
    together = max(1, min(rows, room // patches)) if pieces == 1 else 1
    return together, -(-patches // pieces)


def emit_winograd(
    lowering: Lowering,
    m: int,
    *,
    x: Buffer,
    source: Layout,
    out: Buffer,
    target: Layout,
    size: tuple[int, ...],
    filters: np.ndarray,
    bias: np.ndarray,
    shift: tuple[int, ...],
    finish: Finish,
    follow: Follow | None = None,
) -> None:
    """A convolution with outputs of some size, from a buffer to another.

    The first patch's corner lies `shift` (rows, columns) before the input's first pixel. When some
    rows are done, `follow` is told how many there are by now. The target may have room for what is
    made at a time only (`strip_layout`): what is made next then takes the place.
    """
    outputs, inputs = filters.shape[:2]
    lanes, tape = lowering.lanes, lowering.tape
    height, width = size
    if lanes == LANES and not is_wide(filters):
        corner = source.origin - shift[0] * source.pitch - shift[1] * lanes
        emit_fused(
            lowering,
            x=x.at(corner),
            source=source,
            out=out,
            target=target,
            size=size,
            filters=filters,
            bias=bias,
            finish=finish,
        )
        if follow is not None:
            follow(height)
        return
    weights, entries = Filters(lowering, filters, m), (m + 2) ** 2
    rows, across = -(-height // m), -(-width // m)  # strips, and patches of one
    strip = across * lanes  # floats of a strip
    patches = -(-strip // LANES)  # vectors of a strip
    together, length = cut_patches(lanes, m, filters, size)
    vector = LANES // lanes * m  # pixels from a vector of patches to the next
    shift_after = tape.constants.place(bias)
    spare = tape.buffer(outputs * LANES)
    for first_row, first in product(range(0, rows, together), range(0, patches, length)):
        strips = min(together, rows - first_row)
        vectors = min(length, patches - first)
        before_last = (strips - 1) * strip
        count = -(-(before_last + min(vectors * LANES, strip - first * LANES)) // LANES)
        channel = -(-(before_last + vectors * LANES) // LANES) * LANES
        x_entry, y_entry = odd_lines(inputs * channel), odd_lines(outputs * channel)
        before, behind = tape.buffer(entries * x_entry), tape.buffer(entries * y_entry)
        row, column = m * first_row, vector * first
        corner = (row - shift[0]) * source.pitch + (column - shift[1]) * lanes
        piece = {"strips": strips, "vectors": vectors, "count": count, "pixel": lanes}
        tape.emit(
            transform_input(lanes, m),
            x=x.at(source.origin + corner),
            out=before,
            channels=inputs,
            plane=source.plane,
            pitch=source.pitch,
            pixels=m * across + 2 - column,
            out_strip=strip,
            out_channel=channel,
            out_entry=x_entry,
            **piece,
        )
        emit_product(
            lowering,
            before.at(0),
            behind.at(0),
            weights,
            np.arange(inputs) * channel,
            Positions.in_one_run(count, out_channel=channel, x_group=x_entry, out_group=y_entry),
            plain_finish(lowering),
            aligned=True,
        )
        tape.emit(
            transform_output(lanes, m),
            x=behind,
            out=out.at(target.origin + row % target.image[1] * target.pitch + column * lanes),
            spare=spare,
            bias=shift_after,
            channels=outputs,
            plane=target.plane,
            pitch=target.pitch,
            height=height - row,
            width=width - column,
            x_strip=strip,
            x_channel=channel,
            x_entry=y_entry,
            **piece,
            **vars(finish),
        )
        if follow is not None and first + vectors == patches:
            follow(min(row + m * strips, height))


def odd_lines(size: int) -> int:
    """A size rounded up to an odd number of cache lines.

    The entries of a patch would otherwise often fall into one set of the cache.
    """
    lines = -(-size // CACHE_LINE)
    return (lines | 1) * CACHE_LINE
