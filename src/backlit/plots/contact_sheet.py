"""A contact sheet: the maps of many methods on the same samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from backlit.images import as_images
from backlit.plots.saliency import how_to_read, map_colors
from backlit.plots.scaling import PERCENTILE, finite, pictures, scale, strongest_channel
from backlit.plots.style import CAPTION, FAINT, GAP, HEADER, MARGIN, Sheet, cell_size, text_width

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMALLER = 2 / 3  # than in a gallery
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

    Raises
    ------
    ValueError
        If there is nothing to show, or it is no pictures.
    """
    images = as_images(X)
    if len(images) == 0 or not maps:
        raise ValueError("X and maps must not be empty")
    methods = list(dict.fromkeys(name for own in maps.values() for name in own))
    shown = {
        (model, method): as_images(
            np.asarray(own[method], np.float64), images.shape[1:], f"maps of {method}"
        )
        for model, own in maps.items()
        for method in own
    }
    signed = {place: bool((one < 0).any()) for place, one in shown.items()}
    names = [method.replace("_", " ") for method in methods]
    first = MARGIN + text_width(names) + 0.1
    note_width = 0.75 if notes else 0.0
    wide, high = (SMALLER * inches for inches in cell_size(*images.shape[2:]))
    width = max(len(images) * (wide + GAP), text_width(maps, weight="bold"))
    block = width + note_width + BETWEEN
    top_line = HEADER + CAPTION + high + 2 * GAP
    sheet = Sheet(
        first + len(maps) * block - BETWEEN + MARGIN,
        top_line + len(methods) * (high + GAP) + MARGIN,
        title,
        "\n".join(
            how_to_read(kind, percentile, "least value") for kind in sorted(set(signed.values()))
        ),
        show=show,
    )
    for row, name in enumerate(names):
        middle = top_line + row * (high + GAP) + high / 2
        sheet.text(first - 0.1, middle, name, align="right")
    for number, model in enumerate(maps):
        left = first + number * block
        sheet.text(left + width / 2, HEADER + CAPTION / 2, model, align="center", weight="bold")
        for column, picture in enumerate(pictures(images)):
            sheet.picture(left + column * (wide + GAP), HEADER + CAPTION, (wide, high), picture)
        for row, method in enumerate(methods):
            if (model, method) not in shown:
                continue
            top = top_line + row * (high + GAP)
            style = map_colors(signed[model, method])
            for column, one in enumerate(strongest_channel(shown[model, method])):
                one = one if signed[model, method] else one - finite(one).min()
                place = left + column * (wide + GAP)
                sheet.picture(place, top, (wide, high), scale(one, percentile), **style)
            if notes:
                words = notes.get(model, {}).get(method, "")
                sheet.text(left + width + 0.04, top + high / 2, words, color=FAINT, size=8)
    return sheet.done()
