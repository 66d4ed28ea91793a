"""A contact sheet: the maps of many methods on the same samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from backlit.images import as_images
from backlit.plots.saliency import map_colors
from backlit.plots.scaling import PERCENTILE, pictures, scale, strongest_channel
from backlit.plots.style import CAPTION, FAINT, GAP, HEADER, MARGIN, Sheet, text_width

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEFT = 2.05  # the methods' names
CELL = 0.56
BETWEEN = 0.3  # two models


def contact_sheet(
    X: npt.ArrayLike,
    maps: Mapping[str, Mapping[str, npt.ArrayLike]],
    notes: Mapping[str, Mapping[str, str]] | None = None,
    *,
    percentile: float = PERCENTILE,
    title: str = "All methods",
    show: bool | None = None,
) -> Figure:
    """A row for each method, a column for each sample, the models side by side.

    Parameters
    ----------
    X : array of shape (N, C, H, W), (N, H, W) or (N, D)
        The samples.
    maps : mapping of models' names to mappings of methods' names to arrays
        Each array holds N maps. A method that a model lacks leaves a gap.
    notes : mapping like `maps`, of words to stand at the right of a row, optional
    percentile : float
        The percentile of each map's magnitudes that is shown at full strength.
    title : str
    show : bool, optional
        True: show the figure by pyplot. False: do not. None: if matplotlib is interactive.

    Returns
    -------
    matplotlib.figure.Figure
        Maps with negative values are red (for) and blue (against), others black, at their least
        value, to white.
    """
    images = as_images(X)
    if len(images) == 0 or not maps:
        raise ValueError("X and maps must not be empty")
    methods = list(dict.fromkeys(name for own in maps.values() for name in own))
    note_width = 0.75 if notes else 0.0
    width = max(len(images) * (CELL + GAP), text_width(maps, weight="bold"))
    block = width + note_width + BETWEEN
    top_line = HEADER + CAPTION + CELL + 2 * GAP
    sheet = Sheet(
        LEFT + len(maps) * block - BETWEEN + MARGIN,
        top_line + len(methods) * (CELL + GAP) + MARGIN,
        title,
        f"each map at full strength from its own {percentile:g}th percentile up; "
        "black is the least value of a map that has no negative ones",
        show=show,
    )
    for row, method in enumerate(methods):
        middle = top_line + row * (CELL + GAP) + CELL / 2
        sheet.text(LEFT - 0.1, middle, method.replace("_", " "), align="right")
    for number, (model, own) in enumerate(maps.items()):
        left = LEFT + number * block
        sheet.text(left + width / 2, HEADER + CAPTION / 2, model, align="center", weight="bold")
        for column, picture in enumerate(pictures(images)):
            sheet.picture(left + column * (CELL + GAP), HEADER + CAPTION, (CELL, CELL), picture)
        for row, method in enumerate(methods):
            if method not in own:
                continue
            top = top_line + row * (CELL + GAP)
            shown = as_images(np.asarray(own[method]), images.shape[1:], f"maps of {method}")
            signed = bool((shown < 0).any())
            style = map_colors(signed)
            for column, one in enumerate(strongest_channel(shown)):
                one = one if signed else one - one.min()
                place = left + column * (CELL + GAP)
                sheet.picture(place, top, (CELL, CELL), scale(one, percentile), **style)
            if notes:
                words = notes.get(model, {}).get(method, "")
                sheet.text(left + width + 0.04, top + CELL / 2, words, color=FAINT, size=8)
    return sheet.done()
