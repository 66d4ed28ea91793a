"""Noisy copies of the input."""

from backlit_kernels.noise import add_noise

from backlit.instructions import Buffer
from backlit.lowering.context import Lowering


def noisy_input(
    lowering: Lowering,
    x: Buffer,
    key: tuple[Buffer, Buffer],
    scale: Buffer,
    antithetic: bool,
) -> Buffer:
    """The input plus `scale` (a lane value) times normal noise of the lanes' streams."""
    layout = lowering.layouts[0]
    out = lowering.new_buffer(0)
    lowering.tape.emit(
        add_noise,
        x=x.at(layout.origin),
        out=out.at(layout.origin),
        key=key[0],
        other=key[1],
        scale=scale,
        antithetic=int(antithetic),
        **layout.pixels,
    )
    lowering.clear_border(0, out)
    return out
