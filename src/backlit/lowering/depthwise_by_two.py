"""Depthwise convolutions with a stride of two: see `backlit_kernels.depthwise_by_two`."""

import numpy as np
from backlit_kernels import depthwise_by_two as kernels

from backlit.instructions import ByChannel
from backlit.layers import Conv2D
from backlit.lowering.context import Lowering
from backlit.lowering.fusing import Finish
from backlit.lowering.images import Image
from backlit.lowering.phases import phase_taps
from backlit.lowering.products import count_pieces


def moves_by_two(layer: Conv2D) -> bool:
    """Whether a convolution has a filter of its own for each channel, and a stride of two."""
    outputs, inputs, rows, columns = layer.weights.shape
    alone = inputs == 1 and outputs == layer.groups
    plain = layer.stride == (2, 2) and layer.dilation == (1, 1)
    return alone and plain and count_pieces(rows * columns) == 1


def depthwise_by_two(
    lowering: Lowering, layer: Conv2D, x: Image, out: Image, bias: np.ndarray, finish: Finish
) -> None:
    """The convolution of an image."""
    source, target = x.layout, out.layout
    channels, height, width = target.image
    _, _, rows, columns = layer.weights.shape
    lowering.tape.emit(
        kernels.depthwise_by_two(rows, columns),
        ByChannel(
            channels,
            "channels",
            {"x": source.plane, "out": target.plane, "weights": rows * columns, "bias": 1},
        ),
        out=out.at(),
        x=x.at(-layer.padding[0], -layer.padding[1]),
        weights=lowering.tape.constants.place(layer.weights),
        bias=lowering.tape.constants.place(bias),
        channels=channels,
        height=height,
        width=width,
        x_channel=source.plane,
        x_row=source.pitch,
        out_channel=target.plane,
        out_row=target.pitch,
        **vars(finish),
    )


def depthwise_by_two_back(
    lowering: Lowering, layer: Conv2D, x: Image, out: Image, bias: np.ndarray, finish: Finish
) -> None:
    """The gradient of its input, from one of its output: sums of few weights for each phase."""
    source, target = x.layout, out.layout
    channels, height, width = target.image
    weights, offsets = [], []
    for row, column in np.ndindex(2, 2):
        i, dy = phase_taps(layer, 0, row)
        j, dx = phase_taps(layer, 1, column)
        weights.append(layer.weights[:, 0, i][..., j].reshape(channels, -1))
        offsets.append(np.add.outer(dy * source.pitch, dx).reshape(-1))
    counts = tuple(map(len, offsets))
    lowering.tape.emit(
        kernels.depthwise_by_two_back(counts),
        ByChannel(
            channels,
            "channels",
            {"g": source.plane, "out": target.plane, "weights": sum(counts), "bias": 1},
        ),
        out=out.at(),
        g=x.at(),
        weights=lowering.tape.constants.place(np.hstack(weights)),
        bias=lowering.tape.constants.place(bias),
        offsets=np.concatenate(offsets),
        channels=channels,
        height=height,
        width=width,
        g_channel=source.plane,
        g_row=source.pitch,
        out_channel=target.plane,
        out_row=target.pitch,
        **vars(finish),
    )
