"""The filters of a model's first layer, as small multiples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import backlit as bl
from backlit.images import model_images
from backlit.layers.base import Layer
from backlit.plots.scaling import PERCENTILE, display_limit
from backlit.plots.style import CAPTION, FAINT, GAP, HEADER, MARGIN, PER_ROW, Sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CELL = 0.84


def show_filters(
    model: bl.Model,
    *,
    percentile: float = PERCENTILE,
    title: str = "First-layer filters",
    show: bool | None = None,
) -> Figure:
    """The weights of the first layer that has any, a small grey picture for each filter.

    Of a convolution, one picture for each output channel (of several input channels, a row of
    pictures side by side); of a dense layer, one for each unit, in the shape of the input. All
    share one scale, grey being 0.

    Parameters
    ----------
    model : Model
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
    ValueError
        If no layer has weights.
    """
    filters = first_filters(model)
    count, channels, rows, columns = filters.shape
    pictures = filters.transpose(0, 2, 1, 3).reshape(count, rows, channels * columns)
    width = CELL * channels
    height = CELL * rows / columns
    per_row = max(1, min(PER_ROW // channels, count))
    lines = -(-count // per_row)
    sheet = Sheet(
        2 * MARGIN + per_row * (width + GAP) - GAP,
        HEADER + lines * (height + CAPTION + GAP) + MARGIN,
        show=show,
    )
    sheet.header(title, f"{count} of {rows}×{columns}; grey is 0, white positive, black negative")
    limit = display_limit(filters, percentile)
    for number, pixels in enumerate(pictures):
        row, column = divmod(number, per_row)
        left = MARGIN + column * (width + GAP)
        top = HEADER + row * (height + CAPTION + GAP)
        style = {"cmap": "gray", "vmin": -limit, "vmax": limit}
        sheet.picture(left, top, (width, height), pixels, **style)
        place = top + height + CAPTION / 2
        sheet.text(left + width / 2, place, f"{number}", align="center", color=FAINT, size=8)
    return sheet.done()


def first_filters(model: bl.Model) -> np.ndarray:
    """The first weights, as (filters, channels, rows, columns)."""
    for layer in all_layers(model.layers):
        if isinstance(layer, bl.Conv2D):
            return layer.weights
        if isinstance(layer, bl.Dense):
            return model_images(model, layer.weights.T, "the first layer's weights")
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
