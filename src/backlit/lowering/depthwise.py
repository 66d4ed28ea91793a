"""Depthwise convolutions of single samples: see `backlit_kernels.depthwise`."""

from dataclasses import dataclass

import numpy as np
from backlit_kernels.depthwise import depthwise

from backlit.instructions import ByChannel
from backlit.lowering.context import Lowering
from backlit.lowering.fusing import Finish
from backlit.lowering.images import Image, Windows

MOST_COLUMNS = 8  # vectors of positions at a time
WIDEST = 8  # pixels of a window's row: two neighbouring vectors hold them, however shifted


@dataclass(frozen=True)
class Window:
    """Patch offsets that are rows of neighbouring pixels, in order or `backwards`."""

    rows: int
    width: int
    row: int
    backwards: bool

    @property
    def first(self) -> int:
        """From the first offset to the leftmost of its row."""
        return 1 - self.width if self.backwards else 0


def window_of(taps: np.ndarray) -> Window | None:
    """What window these patch offsets are, if it is one of several neighbouring pixels."""
    steps = np.diff(taps)
    if not len(steps) or abs(steps[0]) != 1:
        return None
    ends = np.flatnonzero(steps != steps[0])
    width = int(ends[0]) + 1 if len(ends) else len(taps)
    rows, rest = divmod(len(taps), width)
    row = int(taps[width] - taps[0]) if rows > 1 else 0
    window = Window(rows, width, row, bool(steps[0] < 0))
    grid = np.arange(rows)[:, None] * row + np.arange(width) * steps[0]
    regular = not rest and np.array_equal(taps - taps[0], grid.reshape(-1))
    return window if regular and width <= WIDEST else None


def columns_of_tile(vectors: int) -> int:
    """The fewest that take as few tiles as the most would."""
    return -(-vectors // -(-vectors // MOST_COLUMNS))


def emit_depthwise(
    lowering: Lowering,
    x: Image,
    out: Image,
    windows: Windows,
    window: Window,
    vectors: int,
    weights: np.ndarray,
    bias: np.ndarray,
    finish: Finish,
) -> None:
    """A window for each channel, over so many vectors of the flat image."""
    planes = {"x": x.layout.plane, "out": out.layout.plane}
    lowering.tape.emit(
        depthwise(columns_of_tile(vectors), window.width, window.backwards),
        ByChannel(len(weights), "channels", {**planes, "weights": weights[0].size, "bias": 1}),
        out=out.at(*windows.out_start),
        x=x.at().at(int(windows.taps[0]) + window.first),
        weights=lowering.tape.constants.place(weights),
        bias=lowering.tape.constants.place(bias),
        rows=window.rows,
        x_row=window.row,
        channels=len(weights),
        vectors=vectors,
        x_channel=x.layout.plane,
        out_channel=out.layout.plane,
        **vars(finish),
    )
