"""Misclassified samples, and what the model looked at there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

import backlit as bl
from backlit.images import as_images, as_labels
from backlit.plots.saliency import map_colors
from backlit.plots.scaling import PERCENTILE, pictures, scale, strongest_channel
from backlit.plots.style import ALARM, CAPTION, FAINT, GAP, HEADER, MARGIN, Sheet, cell_size

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEFT = 1.05


def wrong(
    model: bl.Model,
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    most: int = 10,
    percentile: float = PERCENTILE,
    title: str = "Wrong predictions",
    show: bool | None = None,
) -> Figure:
    """Misclassified samples, most confident first, with the maps of what was said and of what is.

    Three rows: the sample, titled with what the model said and how surely; the saliency of the
    predicted class; that of the true class.

    Parameters
    ----------
    model : Model
    X : array of N samples
    y : array of N labels
    most : int
        How many to show at most.
    percentile : float
        The percentile of each map that is shown at full strength.
    title : str
    show : bool, optional
        True: show the figure by pyplot. False: do not. None: if matplotlib is interactive.

    Returns
    -------
    matplotlib.figure.Figure
        Of a model without mistakes, one that says so.
    """
    samples = np.asarray(X)
    images = as_images(samples, model.input_shape)
    labels = as_labels(y, len(images))
    probabilities = model.predict_proba(samples)
    predicted = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    mistakes = np.flatnonzero(predicted != labels)
    total = len(mistakes)
    mistakes = mistakes[np.argsort(-confidence[mistakes], kind="stable")][:most]
    width, height = cell_size(*images.shape[2:])
    width, height = width * 1.1, height * 1.1
    if total == 0:
        sheet = Sheet(0, HEADER + MARGIN, show=show)
        sheet.header(title, f"none among {len(labels)} samples")
        return sheet.done()

    chosen = samples[mistakes]
    rows = [
        bl.saliency(model, chosen, classes[mistakes]).reshape(-1, *images.shape[1:])
        for classes in (predicted, labels)
    ]
    sheet = Sheet(
        LEFT + len(mistakes) * (width + GAP) + MARGIN,
        HEADER + 2 * CAPTION + 3 * (height + GAP) + MARGIN,
        show=show,
    )
    order = f"the {len(mistakes)} most confident of " if total > len(mistakes) else ""
    sheet.header(title, f"{order}{total} among {len(labels)} samples")
    seen = pictures(images[mistakes])
    for column, index in enumerate(mistakes):
        left = LEFT + column * (width + GAP)
        middle = left + width / 2
        sheet.text(middle, HEADER + CAPTION / 2, f"is {labels[index]}", align="center")
        words = f"said {predicted[index]} ({confidence[index]:.0%})"
        sheet.text(middle, HEADER + 1.4 * CAPTION, words, align="center", color=ALARM, size=8)
        top = HEADER + 2 * CAPTION
        sheet.picture(left, top, (width, height), seen[column])
        for place, maps in enumerate(rows, 1):
            shade = scale(strongest_channel(maps[column : column + 1])[0], percentile)
            below = top + place * (height + GAP)
            sheet.picture(left, below, (width, height), shade, **map_colors(signed=False))
    for place, name in enumerate(("sample", "map of what\nit said", "map of what\nit is")):
        half = HEADER + 2 * CAPTION + place * (height + GAP) + height / 2
        sheet.text(LEFT - 0.1, half, name, align="right", color=FAINT)
    return sheet.done()
