"""One look for all pictures: a sheet laid out in inches from its top left corner.

Nothing is moved or clipped by automatic layout, and a sheet that is not shown never touches
pyplot, so no figure stays behind in memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import wrap
from typing import Any, Literal, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from backlit.plots.fonts import font

SEQUENTIAL = "hot"
DIVERGING = "RdBu_r"
INK, FAINT, ALARM = "#1c1c1e", "#6e6e73", "#c5221f"
FRAME = "#a9a9ae"  # round each picture: pale ones end where it is
NOTHING = "#cfe3f5"  # behind each picture, seen where it has no value; no colour map's colour

DOTS = 100  # per inch, on screen
GAP = 0.06  # between neighbouring pictures
MARGIN = 0.15
HEADER = 0.62  # title and subtitle
CAPTION = 0.24  # a line of text above or below a picture
NARROWEST = 2.6  # room for title and subtitle above a single picture
PER_ROW = 10
THINNEST, TALLEST = 0.36, 2.52  # places of pictures
STRIP = 0.08  # the thinnest picture
APART = 0.18  # neighbouring words


def cell_size(height: int, width: int) -> tuple[float, float]:
    """Inches (width, height) of a place for one picture: a dot per pixel or more, within reason.

    The place of a strip is wider than it, for its title and its row's name.
    """
    inches = max(width / DOTS, 0.84, THINNEST * width / height)
    inches = min(inches, 1.68, TALLEST * width / height)
    return max(inches, THINNEST), max(inches * height / width, THINNEST)


def fitted(size: tuple[float, float], height: int, width: int) -> tuple[float, float]:
    """Inches (width, height) of a picture within its place.

    Pixels are squares, except in strips that would be too thin to see.
    """
    pixel = min(size[0] / width, size[1] / height)
    return max(pixel * width, STRIP), max(pixel * height, STRIP)


class Blocks(NamedTuple):
    """Where samples are on a sheet: `PER_ROW` of them side by side in blocks, one below the other.

    In inches.
    """

    samples: int
    left: float  # of the first column
    pitch: float  # from a column to the next
    height: float  # of a block

    @property
    def size(self) -> tuple[float, float]:
        """The width and height of the sheet."""
        columns, blocks = min(self.samples, PER_ROW), -(-self.samples // PER_ROW)
        width = self.left + columns * self.pitch + MARGIN - GAP
        return width, HEADER + blocks * (self.height + GAP) + MARGIN - GAP

    def place(self, index: int) -> tuple[float, float]:
        """The middle of a sample's column, and the upper edge of its block."""
        above, column = divmod(index, PER_ROW)
        middle = self.left + (column + 0.5) * self.pitch - GAP / 2
        return middle, HEADER + above * (self.height + GAP)


def text_width(words: Iterable[str], size: float = 9.0, weight: str = "normal") -> float:
    """Inches that the widest of some words takes."""
    figure = Figure(dpi=DOTS)
    FigureCanvasAgg(figure)
    texts = [
        figure.text(0, 0, one, fontsize=size, parse_math=False, **font(one, weight))
        for one in words
    ]
    return max((text.get_window_extent().width / DOTS for text in texts), default=0.0)


def wrapped(words: str, room: float, **style: Any) -> str:
    """Words, in as many lines as it takes to stay within so many inches."""
    letters = len(words)
    lines = words
    while (width := text_width([lines], **style)) > room and letters > 1:
        letters = min(letters - 1, int(letters * room / width) + 1)
        lines = "\n".join(line for own in words.splitlines() for line in wrap(own, letters))
    return lines


def stays_open(show: bool | None) -> bool:
    """Whether a figure is to be shown: if asked for, or (None) if matplotlib is interactive."""
    return matplotlib.is_interactive() if show is None else show


class Sheet:
    """A figure of `width` × `height` inches on which pictures are put one by one.

    Parameters
    ----------
    title, subtitle
        What the sheet shows, and in fainter letters how to read it. Where they take more lines
        than one, the sheet gets higher and all that is put on it moves down.
    show
        True: shown when done, by pyplot. False: not. None: if matplotlib is interactive.
    """

    def __init__(
        self, width: float, height: float, title: str, subtitle: str, *, show: bool | None
    ) -> None:
        self.width = max(width, NARROWEST)
        room = self.width - 2 * MARGIN
        title = wrapped(str(title), room, size=11.5, weight="bold")
        subtitle = wrapped(subtitle, room, size=8.5)
        above, more = 0.2 * title.count("\n"), 0.15 * subtitle.count("\n")
        self.moved = above + more
        self.height = height + self.moved
        self.shown = stays_open(show)
        size = (self.width, self.height)
        if self.shown:
            import matplotlib.pyplot as plt

            self.figure = plt.figure(figsize=size, dpi=DOTS, facecolor="white")
        else:
            self.figure = Figure(figsize=size, dpi=DOTS, facecolor="white")
            FigureCanvasAgg(self.figure)
        self.text(MARGIN, 0.24 - more - above / 2, title, size=11.5, weight="bold")
        self.text(MARGIN, 0.45 - more / 2, subtitle, size=8.5, color=FAINT)

    def text(
        self,
        left: float,
        top: float,
        words: str,
        *,
        size: float = 9.0,
        color: str = INK,
        align: Literal["left", "center", "right"] = "left",
        weight: str = "normal",
    ) -> None:
        """Words whose middle line is `top` inches below the upper edge."""
        top += self.moved
        self.figure.text(
            left / self.width,
            1 - top / self.height,
            words,
            fontsize=size,
            color=color,
            ha=align,
            va="center_baseline",
            parse_math=False,
            **font(words, weight),
        )

    def picture(
        self,
        left: float,
        top: float,
        size: tuple[float, float],
        pixels: np.ndarray,
        **style: Any,
    ) -> Axes:
        """One picture, in the middle of a place of `size`, in a frame.

        Pixels are (H, W) with a colour map in `style`, or (H, W, 3) in [0, 1]. They are shown as
        squares, unless there are more of them than dots.
        """
        rows, columns = pixels.shape[:2]
        width, height = fitted(size, rows, columns)
        left += (size[0] - width) / 2
        top += self.moved + (size[1] - height) / 2
        axes = self.figure.add_axes(
            (
                left / self.width,
                1 - (top + height) / self.height,
                width / self.width,
                height / self.height,
            ),
            facecolor=NOTHING,
            xticks=(),
            yticks=(),
        )
        axes.spines[:].set(color=FRAME, linewidth=0.5)
        fits = columns <= width * DOTS and rows <= height * DOTS
        axes.imshow(pixels, aspect="auto", interpolation="nearest" if fits else "auto", **style)
        return axes

    def done(self) -> Figure:
        """The figure; shown, if it is to be."""
        if self.shown:
            import matplotlib.pyplot as plt

            plt.show()
        return self.figure


def said(label: int, predicted: int) -> tuple[str, str]:
    """Title and colour for a sample: its label, and what the model said where that differs."""
    if label == predicted:
        return f"{label}", INK
    return f"{label}, said {predicted}", ALARM
