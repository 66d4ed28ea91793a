"""Noisy copies of the input."""

from backlit_kernels.noise import add_noise

from backlit.lowering.context import Lowering
from backlit.tape import Buffer


def noisy_input(
    lowering: Lowering,
    x: Buffer,
    key: tuple[Buffer, Buffer],
    scale: Buffer,
    antithetic: bool,
) -> Buffer:
    """The input plus `scale` (a lane value) times normal noise of the lanes' streams."""
    layout = lowering.layouts[0]
    channels, height, width = layout.image
    out = lowering.new_buffer(0)
    lowering.tape.emit(
        add_noise,
        x=x.at(layout.origin),
        out=out.at(layout.origin),
        key=key[0],
        other=key[1],
        scale=scale,
        antithetic=int(antithetic),
        channels=channels,
        height=height,
        width=width,
        plane=layout.plane,
        row=layout.pitch,
        lanes=lowering.lanes,
    )
    lowering.clear_border(0, out)
    return out
