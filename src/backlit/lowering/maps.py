"""Maps of one channel, made of a layer's activations within the tape."""

from typing import Any

from backlit_kernels import maps
from backlit_kernels.samples import store_samples

from backlit.instructions import Buffer, Place
from backlit.interpolation import neighbours
from backlit.layout import Layout
from backlit.lowering.context import Lowering
from backlit.lowering.ports import OUTPUT


class Map:
    """A channel of `height` by `width` pixels, without border."""

    def __init__(self, lowering: Lowering, height: int, width: int) -> None:
        self.layout = Layout((1, height, width), lowering.lanes)
        self.buffer = lowering.tape.buffer(self.layout.size)

    @property
    def size(self) -> tuple[int, int]:
        return self.layout.image[1:]


def pixels(layout: Layout) -> dict[str, int]:
    """`Layout.pixels` by the names of the kernels of maps, whose own width is that of vectors."""
    found = layout.pixels
    found["image_width"] = found.pop("width")
    return found


def first_pixel(lowering: Lowering, tensor: int, buffer: Buffer) -> Place:
    return buffer.at(lowering.layouts[tensor].origin)


def channel_weights(lowering: Lowering, tensor: int, rule: int) -> Buffer:
    """Weights of a tensor's channels, from its activations and gradients."""
    layout = lowering.layouts[tensor]
    out = lowering.tape.buffer(layout.image[0] * lowering.lanes)
    lowering.tape.emit(
        maps.channel_weights(lowering.lanes, rule),
        x=first_pixel(lowering, tensor, lowering.activations[tensor]),
        g=first_pixel(lowering, tensor, lowering.gradients[tensor]),
        out=out,
        **pixels(layout),
    )
    return out


def weighted_map(lowering: Lowering, tensor: int, weights: Buffer, kind: int, rectify: bool) -> Map:
    """The sum of a tensor's channels, each or each pixel weighted."""
    layout = lowering.layouts[tensor]
    result = Map(lowering, *layout.image[1:])
    lowering.tape.emit(
        maps.weighted_map(lowering.lanes, kind),
        x=first_pixel(lowering, tensor, lowering.activations[tensor]),
        weights=weights if kind == maps.CHANNELS else first_pixel(lowering, tensor, weights),
        out=result.buffer,
        rectify=int(rectify),
        **pixels(layout),
    )
    return result


def upsample(
    lowering: Lowering, layout: Layout, x: Place, out: Map, *, per_step: int = 0, add: bool = False
) -> None:
    """Bring one channel, at `x`, to the size of a map."""
    (height, width), (_, rows, columns) = out.size, layout.image
    between, shares = neighbours(rows, height)
    across, column_shares = neighbours(columns, width)
    lowering.tape.emit(
        maps.upsample(lowering.lanes),
        x=x,
        per_step=per_step,
        row=layout.pitch,
        rows=between,
        columns=across,
        row_shares=lowering.tape.constants.place(shares),
        column_shares=lowering.tape.constants.place(column_shares),
        line=lowering.tape.buffer(columns * lowering.lanes),
        source_width=columns,
        out=out.buffer,
        height=height,
        image_width=width,
        lanes=lowering.lanes,
        accumulate=int(add),
    )


def sum_channels(
    lowering: Lowering,
    layout: Layout,
    x: Place,
    out: Map,
    *,
    scale: Any,
    magnitude: bool,
    epsilon: float,
) -> None:
    """The sum of an image's channels, scaled, after bringing all of them to the range 0 to 1."""
    low, high = (lowering.tape.buffer(lowering.lanes) for _ in range(2))
    lowering.tape.emit(
        maps.sum_channels(lowering.lanes),
        x=x,
        scale=lowering.tape.constants.place(scale),
        magnitude=int(magnitude),
        out=out.buffer,
        low=low,
        high=high,
        **pixels(layout),
    )
    lowering.tape.emit(
        maps.normalize_map(lowering.lanes),
        x=out.buffer,
        low=low,
        high=high,
        channels=layout.image[0],
        epsilon=lowering.tape.constants.place([epsilon]),
        pixels=out.size[0] * out.size[1],
        lanes=lowering.lanes,
    )


def finish(lowering: Lowering, result: Map, enlarge: bool) -> None:
    """Write a map to the output, enlarged to the input's size or as it is."""
    if enlarge:
        small, result = result, Map(lowering, *lowering.layouts[0].image[1:])
        upsample(lowering, small.layout, small.buffer.at(0), result)
    store(lowering, result)


def store(lowering: Lowering, result: Map) -> None:
    lowering.tape.emit(
        store_samples,
        port=OUTPUT,
        x=result.buffer,
        **result.layout.pixels,
        per_sample=1,
        per_step=0,
        magnitude=0,
    )
