"""Wide 3x3 convolutions by Winograd's method: see `backlit_kernels.winograd`.

Going back, where no kink follows, F(4x4, 3x3) or F(2x2, 3x3). Going forward, the larger patches
only in layers whose biases are all there: F(2x2, 3x3) gives exact zeros for windows of zeros.
Before a maximum over pixels, F(2x2, 3x3) at most: there, equal patches of an image must give equal
bits wherever they lie, or else a max-pooling breaks their ties by rounding (of 1,000 MNIST digits
39 got another gradient that way, and none by direct convolution). Before the last pooling, and in
large pictures, values too close to tell are done again: see `backlit.lowering.ties`.
"""

import numpy as np
from backlit_kernels.target import target
from backlit_kernels.vector import LANES

from backlit.graph import Graph, Node
from backlit.layers import Conv2D
from backlit.lowering.context import Lowering
from backlit.lowering.fusing import Finish
from backlit.lowering.images import Image, image_of
from backlit.lowering.ties import PICKS_PIXELS, picks_matter, pooling_to_settle
from backlit.lowering.winograd_filters import Convolution
from backlit.lowering.winograd_fused import emit_fused
from backlit.lowering.winograd_strips import Follow, emit_strips

# Transforms cost more than they save below so many channels, in and out: those of whole strips,
# and those of one patch after the other, of which there are none for single samples. Each product
# of these takes a weight of its own: without AVX-512, whose multiply-adds read it themselves,
# direct sums take less time (of 4 to 8 channels half as much). More channels must be summed where
# additions take multipliers' time (of 4 to 8 channels, direct sums take a fifth less).
LEAST_CHANNELS = 16
LEAST_IN_TILES = 4 if target().accumulators >= 24 else LEAST_CHANNELS
LEAST_SUMMED = 4 if target().adds_aside else 8
MOST_IN_TILES = 64 * 64  # pixels; larger ones are computed of single samples
# Weights of more bytes come from beyond the cache, which takes as long as using them for so many
# patches.
FAR_WEIGHTS, LEAST_PATCHES = 16 * 1024 * 1024, 12
# Patches that hang over must not cost more products than this share of those of direct sums.
MOST_PRODUCTS = 0.7


def forward_patches(graph: Graph, node: Node) -> int:
    """How many outputs on a side the patches of a layer's output have; 0 for direct sums.

    It must not depend on the number of lanes: results are the same bits for any batch.
    """
    layer, y = node.layer, node.output
    assert isinstance(layer, Conv2D)
    inputs = layer.weights.shape[1]
    if not graph.reaches(y, PICKS_PIXELS):
        # without a bias, zeros give zeros, where a ReLU has its kink: they must be exact
        return _patches(layer, inputs, graph.shapes[y], [4, 2] if layer.bias.all() else [2])
    if pooling_to_settle(graph, node) is not None or not picks_matter(graph, y):
        return _patches(layer, inputs, graph.shapes[y], [2])
    return 0


def backward_patches(layer: Conv2D, size: tuple[int, ...]) -> int:
    """The same of the input's gradient, for an input of this size."""
    return _patches(layer, len(layer.weights), size, [4, 2])


def _patches(layer: Conv2D, summed: int, size: tuple[int, ...], choices: list[int]) -> int:
    """For sums over so many channels, in pictures of this size."""
    outputs, inputs, *kernel = layer.weights.shape
    plain = layer.stride == layer.dilation == (1, 1) and layer.groups == 1
    if kernel != [3, 3] or not plain or max(layer.padding) > 2:
        return 0
    height, width = size[-2:]
    if not is_wide(layer.weights):
        few = min(outputs, inputs) < LEAST_IN_TILES or summed < LEAST_SUMMED
        if few or height * width > MOST_IN_TILES:
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


def one_by_one(lowering: Lowering, filters: np.ndarray) -> bool:
    """Whether patches are computed one after the other: in tiles, those of few channels."""
    return lowering.lanes == LANES and not is_wide(filters)


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
    out: Image,
    finish: Finish,
    follow: Follow | None = None,
) -> None:
    """To an image with a layout of its own, if that is `strip_layout`."""
    layer, x = node.layer, node.inputs[0]
    assert isinstance(layer, Conv2D)
    convolution = Convolution(
        x=image_of(lowering, x, lowering.activations[x]),
        out=out,
        size=lowering.layouts[node.output].image[1:],
        filters=layer.weights,
        bias=layer.bias,
        shift=layer.padding[:2],
    )
    if one_by_one(lowering, layer.weights):
        emit_fused(lowering, convolution, finish)
        if follow is not None:
            follow(convolution.size[0])
    else:
        emit_strips(lowering, convolution, m, finish, follow)


def winograd_backward(lowering: Lowering, node: Node, m: int, out: Image, finish: Finish) -> None:
    """The gradient of a convolution's input: a convolution with flipped, transposed filters."""
    layer, y = node.layer, node.output
    assert isinstance(layer, Conv2D)
    filters = layer.weights[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
    convolution = Convolution(
        x=image_of(lowering, y, lowering.gradients[y]),
        out=out,
        size=out.layout.image[1:],
        filters=filters,
        bias=np.zeros(len(filters)),
        shift=(2 - layer.padding[0], 2 - layer.padding[1]),
    )
    if one_by_one(lowering, filters):
        emit_fused(lowering, convolution, finish)
    else:
        emit_strips(lowering, convolution, m, finish)
