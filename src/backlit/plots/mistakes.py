"""Misclassified samples, and what the model looked at there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

import backlit as bl
from backlit.arguments import check_classifier
from backlit.images import as_labels, model_images
from backlit.plots.saliency import map_colors
from backlit.plots.scaling import PERCENTILE, pictures, scale, strongest_channel
from backlit.plots.style import (
    ALARM,
    CAPTION,
    FAINT,
    GAP,
    HEADER,
    MARGIN,
    PER_ROW,
    Sheet,
    cell_size,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEFT = 1.05  # the rows' names
ROWS = ("image", "map of what\nit said", "map of what\nit is")


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

    Three rows for each ten: the image, titled with what the model said and how surely; the
    saliency of the predicted class; that of the true class.

    Parameters
    ----------
    model : Model
    X : array of N samples
    y : array of N labels
    most : int
        How many to show at most, 1 or more.
    percentile : float
        The percentile of each map that is shown at full strength.
    title : str
    show : bool, optional
        True: show the figure by pyplot. False: do not. None: if matplotlib is interactive.

    Returns
    -------
    matplotlib.figure.Figure
        Of a model without mistakes, one that says so.

    Raises
    ------
    ValueError
        If `most` is below 1, the labels are not as many as the samples, samples are no pictures,
        or the model's outputs are no classes.
    """
    if most < 1:
        raise ValueError(f"most must be at least 1, got {most}")
    check_classifier(model.outputs)
    samples = np.asarray(X)
    images = model_images(model, samples)
    labels = as_labels(y, len(images))
    probabilities = model.predict_proba(samples)
    predicted = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    mistakes = np.flatnonzero(predicted != labels)
    total = len(mistakes)
    mistakes = mistakes[np.argsort(-confidence[mistakes], kind="stable")][:most]
    if total == 0:
        sheet = Sheet(0, HEADER + MARGIN, show=show)
        sheet.header(title, f"none among {len(labels)} samples")
        return sheet.done()

    chosen = samples[mistakes]
    seen = pictures(images[mistakes])
    maps = [
        strongest_channel(model_images(model, bl.saliency(model, chosen, classes[mistakes])))
        for classes in (predicted, labels)
    ]
    width, height = (1.1 * inches for inches in cell_size(*images.shape[2:]))
    columns = min(len(mistakes), PER_ROW)
    blocks = -(-len(mistakes) // PER_ROW)
    block = 2 * CAPTION + 3 * (height + GAP)
    sheet = Sheet(
        LEFT + columns * (width + GAP) + MARGIN - GAP,
        HEADER + blocks * (block + GAP) + MARGIN - GAP,
        show=show,
    )
    order = f"the {len(mistakes)} most confident of " if total > len(mistakes) else ""
    sheet.header(title, f"{order}{total} among {len(labels)} samples")
    for number, index in enumerate(mistakes):
        row, column = divmod(number, PER_ROW)
        left, top = LEFT + column * (width + GAP), HEADER + row * (block + GAP)
        middle = left + width / 2
        sheet.text(middle, top + 0.5 * CAPTION, f"is {labels[index]}", align="center")
        words = f"said {predicted[index]} ({percentage(confidence[index])})"
        sheet.text(middle, top + 1.4 * CAPTION, words, align="center", color=ALARM, size=8)
        for place, name in enumerate(ROWS):
            below = top + 2 * CAPTION + place * (height + GAP)
            if place == 0:
                sheet.picture(left, below, (width, height), seen[number])
            else:
                shades = scale(maps[place - 1][number], percentile)
                sheet.picture(left, below, (width, height), shades, **map_colors(signed=False))
            if column == 0:
                half = below + height / 2
                sheet.text(LEFT - 0.1, half, name, align="right", color=FAINT)
    return sheet.done()


def percentage(probability: float) -> str:
    """With one decimal place; never 100 % for what only rounds to it."""
    return ">99.9%" if probability > 0.9995 else f"{probability:.1%}"
