"""The gallery: image, saliency and overlay of any number of samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps

import backlit as bl
from backlit.arguments import check_classifier
from backlit.checks import as_array
from backlit.images import as_labels, model_images
from backlit.model import check_model
from backlit.plots.scaling import PERCENTILE, check_percentile, pictures, scale, strongest_channel
from backlit.plots.style import (
    APART,
    CAPTION,
    DIVERGING,
    FAINT,
    GAP,
    PER_ROW,
    SEQUENTIAL,
    Blocks,
    Sheet,
    cell_size,
    said,
    text_width,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEFT = 0.85  # the rows' names
OPACITY = 0.8  # of the strongest pixels, above the image


def show_saliency(
    model: bl.Model,
    X_samples: npt.ArrayLike,
    y_samples: npt.ArrayLike,
    is_cnn: bool | None = None,
    *,
    target: npt.ArrayLike | None = None,
    score: str = "logit",
    signed: bool = False,
    percentile: float = PERCENTILE,
    title: str = "Saliency",
    show: bool | None = None,
) -> Figure:
    """Three rows per ten samples: the image, its saliency in `hot`, the one laid over the other.

    Each sample's title is its label, and in red what the model said where it is wrong. Each map
    is scaled by a high percentile of its own; of several channels the strongest is shown.

    Parameters
    ----------
    model : Model
        The model to explain.
    X_samples : array
        (N, C, H, W), (N, H, W) or, for a fully-connected model, (N, D); (N, H, W, C) for a model
        whose channels are last. N at least 1.
    y_samples : array of N ints
        The labels.
    is_cnn : bool, optional
        True demands image-shaped samples and a model that takes such, convolutional or not; False
        a model without convolutions, given images or flat samples. False and None work the picture
        of a flat sample out from the model's input shape or, for a square number of values, from
        that. Default None: whatever the model is.
    target, score : optional
        What is differentiated, as in `backlit.saliency`: by default the predicted class's logit.
    signed : bool
        Show the signed gradient on a diverging colour map centred on 0.
    percentile : float
        The percentile of each map that is shown at full strength. Default 99.
    title : str
        The figure's title.
    show : bool, optional
        True: show the figure by pyplot. False: do not. None: if matplotlib is interactive.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError, TypeError
        For no samples, another number of labels than samples, samples that are no pictures,
        an `is_cnn` that the model contradicts, a percentile out of range, and whatever
        `backlit.saliency` refuses.
    """
    check_model(model)
    check_percentile(percentile)
    check_classifier(model.outputs)
    check_kind(is_cnn, model)
    samples = as_array("X_samples", X_samples)
    if is_cnn and samples.ndim != 4:
        raise ValueError(
            f"X_samples must be (N, C, H, W) when is_cnn is True, got shape {samples.shape}"
        )
    images = model_images(model, samples, "X_samples")
    if len(images) == 0:
        raise ValueError(f"X_samples must hold at least one sample, got shape {samples.shape}")
    labels = as_labels(y_samples, len(images), "y_samples")

    attribute = bl.gradient if signed else bl.saliency
    maps = model_images(model, attribute(model, samples, target, score=score))
    shades = np.stack([scale(one, percentile) for one in strongest_channel(maps)])
    predicted = model.predict(samples)
    seen = pictures(images)
    rows: list[tuple[str, np.ndarray, dict[str, Any]]] = [
        ("image", seen, {}),
        ("gradient" if signed else "saliency", shades, map_colors(signed)),
        ("overlay", overlay(seen, shades, signed), {}),
    ]

    width, height = cell_size(*images.shape[2:])
    titles = [said(*both) for both in zip(labels, predicted, strict=True)]
    pitch = max(width + GAP, text_width(words for words, _ in titles) + APART)
    blocks = Blocks(len(images), LEFT, pitch, CAPTION + 3 * (height + GAP))
    sheet = Sheet(*blocks.size, title, how_to_read(signed, percentile), show=show)
    for index, (words, color) in enumerate(titles):
        middle, top = blocks.place(index)
        sheet.text(middle, top + CAPTION / 2, words, align="center", color=color)
        for place, (name, pixels, style) in enumerate(rows):
            below = top + CAPTION + place * (height + GAP)
            sheet.picture(middle - width / 2, below, (width, height), pixels[index], **style)
            if index % PER_ROW == 0:
                sheet.text(LEFT - 0.1, below + height / 2, name, color=FAINT, align="right")
    return sheet.done()


def check_kind(is_cnn: bool | None, model: bl.Model) -> None:
    """Whether the model is what `is_cnn` says of it."""
    if is_cnn and len(model.input_shape) == 1:
        raise ValueError(
            f"is_cnn must be False or None for a model of {model.input_shape[0]} features, "
            f"got {is_cnn}"
        )
    if is_cnn is not None and not is_cnn and model.is_convolutional:
        raise ValueError(f"is_cnn must be True or None for a model with convolutions, got {is_cnn}")


def map_colors(signed: bool) -> dict[str, Any]:
    """How a map within [-1, 1] is drawn: black to white, or blue to red about 0."""
    if signed:
        return {"cmap": DIVERGING, "vmin": -1, "vmax": 1}
    return {"cmap": SEQUENTIAL, "vmin": 0, "vmax": 1}


def how_to_read(signed: bool, percentile: float, black: str = "0") -> str:
    """What the colours of `map_colors` mean."""
    if signed:
        return (
            f"red: for, blue: against, full from percentile {percentile:g} of each map's magnitudes"
        )
    return f"black: {black}, white: from percentile {percentile:g} of each map"


def overlay(seen: np.ndarray, shades: np.ndarray, signed: bool) -> np.ndarray:
    """The maps' colours over dimmed grey images, the more opaque the stronger: (N, H, W, 3)."""
    style = map_colors(signed)
    colors = colormaps[style["cmap"]]((shades - style["vmin"]) / (1 - style["vmin"]))[..., :3]
    opacity = OPACITY * np.abs(shades)[..., np.newaxis]
    dimmed = 0.6 * seen.mean(axis=-1, keepdims=True)
    return (1 - opacity) * dimmed + opacity * colors
