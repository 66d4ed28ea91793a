"""The filters of a model's first layer, as small multiples."""

from __future__ import annotations

from math import isqrt
from typing import TYPE_CHECKING

import numpy as np

import backlit as bl
from backlit.checks import whole
from backlit.images import model_images
from backlit.layers.base import Layer
from backlit.model import check_model
from backlit.plots.scaling import PERCENTILE, check_percentile, display_limit
from backlit.plots.style import CAPTION, FAINT, GAP, HEADER, MARGIN, PER_ROW, Sheet, cell_size

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 9.0  # of a row of filters


def show_filters(
    model: bl.Model,
    *,
    most: int = 256,
    percentile: float = PERCENTILE,
    title: str = "First-layer filters",
    show: bool | None = None,
) -> Figure:
    """The weights of the first layer that has any, a small grey picture for each filter.

    Of a convolution, one picture for each output channel (of up to ten input channels a row of
    pictures side by side, of more a square of them); of a dense layer, one for each unit, in the
    shape of the input. All share one scale, grey being 0.

    Parameters
    ----------
    model : Model
    most : int
        How many filters to show at most, 1 or more: the first.
    percentile : float
        The percentile of all magnitudes that is shown as black or white.
    title : str
    show : bool, optional
        True: show the figure by pyplot. False: do not. None: if matplotlib is interactive.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError, TypeError
        If no layer has weights, or those of the first are no pictures; if `most` or `percentile`
        is out of range.
    """
    check_model(model)
    most = whole("most", most, 1)
    check_percentile(percentile)
    filters = first_filters(model)
    total, channels, rows, columns = filters.shape
    limit = display_limit(filters, percentile)
    pictures, (width, height) = arranged(filters[:most])
    count = len(pictures)
    gap = GAP if channels == 1 else 3 * GAP  # seen from those between channels
    per_row = max(1, min(int((WIDTH + gap) / (width + gap)), count))
    lines = -(-count // per_row)
    shown = f"{count}" if count == total else f"the first {count} of {total} filters, each"
    sheet = Sheet(
        2 * MARGIN + per_row * (width + gap) - gap,
        HEADER + lines * (height + CAPTION + GAP) + MARGIN,
        title,
        f"{shown} of {rows}×{columns}; grey is 0, white positive, black negative",
        show=show,
    )
    for number, pixels in enumerate(pictures):
        row, column = divmod(number, per_row)
        left = MARGIN + column * (width + gap)
        top = HEADER + row * (height + CAPTION + GAP)
        style = {"cmap": "gray", "vmin": -limit, "vmax": limit}
        sheet.picture(left, top, (width, height), pixels, **style)
        place = top + height + CAPTION / 2
        sheet.text(left + width / 2, place, f"{number}", align="center", color=FAINT, size=8)
    return sheet.done()


def arranged(filters: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """A picture for each filter, of its channels side by side or in a square, and its inches."""
    count, channels, rows, columns = filters.shape
    in_a_row = channels <= PER_ROW
    across = channels if in_a_row else isqrt(channels - 1) + 1
    down = -(-channels // across)
    grid = np.full((count, down * across, rows + 1, columns + 1), np.nan)  # with gaps between
    grid[:, :channels, :rows, :columns] = filters
    grid = grid.reshape(count, down, across, rows + 1, columns + 1).transpose(0, 1, 3, 2, 4)
    pictures = grid.reshape(count, down * (rows + 1), across * (columns + 1))[:, :-1, :-1]
    if not in_a_row:
        return pictures, cell_size(3 * pictures.shape[1], 3 * pictures.shape[2])
    width, height = cell_size(rows, columns)
    share = min(1.0, WIDTH / (channels * width))
    return pictures, (share * channels * width, share * height)


def first_filters(model: bl.Model) -> np.ndarray:
    """The first weights, as (filters, channels, rows, columns)."""
    for layer in all_layers(model.layers):
        if isinstance(layer, bl.Conv2D):
            return layer.weights
        if isinstance(layer, bl.Dense):
            try:
                return model_images(model, layer.weights.T)
            except ValueError:
                raise ValueError(
                    f"model must take pictures to show filters of, but its first dense layer "
                    f"takes {layer.weights.shape[0]} values, which are none"
                ) from None
    raise ValueError("model must have a dense or convolution layer to show filters of")


def all_layers(layers: tuple[Layer, ...]) -> list[Layer]:
    """Layers in order, with those inside residual blocks."""
    found: list[Layer] = []
    for layer in layers:
        if isinstance(layer, bl.Residual):
            found += all_layers(tuple(layer.body)) + all_layers(tuple(layer.shortcut))
        else:
            found.append(layer)
    return found
