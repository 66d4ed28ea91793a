"""Misclassified samples, and what the model looked at there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

import backlit as bl
from backlit.arguments import check_classifier, check_targets
from backlit.checks import as_array, whole
from backlit.images import as_labels, model_images
from backlit.model import check_model
from backlit.plots.saliency import how_to_read, map_colors
from backlit.plots.scaling import PERCENTILE, check_percentile, pictures, scale, strongest_channel
from backlit.plots.style import (
    ALARM,
    APART,
    CAPTION,
    FAINT,
    GAP,
    HEADER,
    MARGIN,
    PER_ROW,
    Blocks,
    Sheet,
    cell_size,
    text_width,
)
from backlit.words import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEFT = 1.05  # the rows' names


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
    saliency of the predicted class; that of the true class. Where a single score tells two classes
    apart these are the same, and drawn once.

    Parameters
    ----------
    model : Model
    X : array of shape (N, C, H, W), (N, H, W) or (N, D)
        The samples; (N, H, W, C) for a model whose channels are last.
    y : array of N ints
        The labels.
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
    ValueError, TypeError
        If `most` is below 1, the labels are not as many as the samples or no classes of the
        model's, samples are no pictures, or the model's outputs are no classes.
    """
    check_model(model)
    most = whole("most", most, 1)
    check_percentile(percentile)
    check_classifier(model.outputs)
    samples = as_array("X", X)
    images = model_images(model, samples)
    labels = as_labels(y, len(images))
    check_targets(labels, len(images), model.classes, model.outputs, "y")
    predicted = model.predict(samples)
    mistakes = np.flatnonzero(predicted != labels)
    total = len(mistakes)
    confidence = np.zeros(len(labels))
    confidence[mistakes] = model.predict_proba(samples[mistakes]).max(axis=1)
    mistakes = mistakes[np.argsort(-confidence[mistakes], kind="stable")][:most]
    among = counted(len(labels), "sample")
    if total == 0:
        return Sheet(0, HEADER + MARGIN, title, f"none among {among}", show=show).done()

    chosen = samples[mistakes]
    seen = pictures(images[mistakes])
    explained = {"map of what\nit said": predicted, "map of what\nit is": labels}
    if model.outputs == "binary":
        explained = {"map of\neither": predicted}
    maps = [
        strongest_channel(model_images(model, bl.saliency(model, chosen, classes[mistakes])))
        for classes in explained.values()
    ]
    width, height = (1.1 * inches for inches in cell_size(*images.shape[2:]))
    titles = [f"said {predicted[i]} ({percentage(confidence[i])})" for i in mistakes]
    pitch = max(width + GAP, text_width(titles, size=8) + APART)
    blocks = Blocks(len(mistakes), LEFT, pitch, 2 * CAPTION + (1 + len(maps)) * (height + GAP))
    order = ""
    if total > len(mistakes):
        order = f"the {f'{most} ' if most > 1 else ''}most confident of "
    sheet = Sheet(
        *blocks.size,
        title,
        f"{order}{total} among {among}\n{how_to_read(False, percentile)}",
        show=show,
    )
    for number, index in enumerate(mistakes):
        middle, top = blocks.place(number)
        left = middle - width / 2
        sheet.text(middle, top + 0.5 * CAPTION, f"is {labels[index]}", align="center")
        words = titles[number]
        sheet.text(middle, top + 1.4 * CAPTION, words, align="center", color=ALARM, size=8)
        for place, name in enumerate(("image", *explained)):
            below = top + 2 * CAPTION + place * (height + GAP)
            if place == 0:
                sheet.picture(left, below, (width, height), seen[number])
            else:
                shades = scale(maps[place - 1][number], percentile)
                sheet.picture(left, below, (width, height), shades, **map_colors(signed=False))
            if number % PER_ROW == 0:
                half = below + height / 2
                sheet.text(LEFT - 0.1, half, name, align="right", color=FAINT)
    return sheet.done()


def percentage(probability: float) -> str:
    """With one decimal place; never 100 % for what only rounds to it."""
    return ">99.9%" if probability > 0.9995 else f"{probability:.1%}"
