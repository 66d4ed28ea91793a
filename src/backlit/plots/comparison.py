"""Several models side by side, on the same samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import backlit as bl
from backlit.arguments import check_classifier
from backlit.images import as_labels, model_images
from backlit.metrics import focus, gini
from backlit.plots.saliency import map_colors
from backlit.plots.scaling import PERCENTILE, pictures, scale, strongest_channel
from backlit.plots.style import (
    ALARM,
    CAPTION,
    FAINT,
    GAP,
    HEADER,
    INK,
    MARGIN,
    PER_ROW,
    Sheet,
    cell_size,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEFT = 1.85  # the models' names, and what the numbers are
LINE = 0.18  # from one line of numbers to the next


def compare(
    models: Mapping[str, bl.Model] | Sequence[bl.Model],
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    threshold: float = 0.3,
    percentile: float = PERCENTILE,
    title: str = "What the models look at",
    show: bool | None = None,
) -> Figure:
    """The saliency of the same samples, a row for each model, with its focus beneath.

    Beneath each map stands its focus, the share of its mass on the stroke (pixels above a
    threshold, widened by one), and its concentration (Gini); beneath each image the share that a
    map spread evenly would have on the stroke. The left column has the means over all samples.
    Each map is scaled by a high percentile of its own, whatever the model.

    Parameters
    ----------
    models : mapping of names to models, or sequence of models
        Without names, a model is called by its own name or its number.
    X : array of shape (N, C, H, W), (N, H, W) or (N, D)
        At least one sample; (N, H, W, C) for models whose channels are last.
    y : array of N labels
    threshold : float
        What counts as stroke; see `backlit.metrics.stroke_mask`.
    percentile : float
        The percentile of each map that is shown at full strength.
    title : str
    show : bool, optional
        True: show the figure by pyplot. False: do not. None: if matplotlib is interactive.

    Returns
    -------
    matplotlib.figure.Figure
    """
    named = name_models(models)
    for model in named.values():
        check_classifier(model.outputs)
    samples = np.asarray(X)
    images = model_images(next(iter(named.values())), samples)
    if len(images) == 0:
        raise ValueError(f"X must hold at least one sample, got shape {samples.shape}")
    labels = as_labels(y, len(images))
    width, height = cell_size(*images.shape[2:])
    columns = min(len(images), PER_ROW)
    blocks = -(-len(images) // PER_ROW)
    line = height + 2 * LINE + 3 * GAP  # a map and its two lines of numbers
    block = CAPTION + len(named) * line + line - LINE
    sheet = Sheet(
        LEFT + columns * (width + GAP) + MARGIN - GAP,
        HEADER + blocks * block + MARGIN,
        show=show,
    )
    sheet.header(title, "which share of each map lies on the stroke, and how concentrated it is")

    def numbers(left: float, top: float, *lines: str, color: str = INK) -> None:
        """Lines beneath a picture, or (at the left) what they are."""
        named_here = left == 0
        for place, words in enumerate(lines):
            sheet.text(
                LEFT - 0.1 if named_here else left + width / 2,
                top + height + GAP + (place + 0.5) * LINE,
                words,
                align="right" if named_here else "center",
                color=FAINT if named_here or place else color,
                size=8,
            )

    def place_of(index: int, row: int) -> tuple[float, float]:
        """Where the picture of a sample is: row 0 has the images, the next ones the maps."""
        above, column = divmod(index, PER_ROW)
        below = CAPTION + row * line - (LINE if row else 0)
        return LEFT + column * (width + GAP), HEADER + above * block + below

    seen = pictures(images)
    expected = focus(images, images, threshold).expected
    for index, label in enumerate(labels):
        left, top = place_of(index, 0)
        sheet.text(left + width / 2, top - CAPTION / 2, f"{label}", align="center")
        sheet.picture(left, top, (width, height), seen[index])
        numbers(left, top, f"{expected[index]:.0%}")
        if index % PER_ROW == 0:
            numbers(0, top, f"if spread evenly, mean {expected.mean():.0%}")
    for row, (name, model) in enumerate(named.items(), 1):
        maps = model_images(model, bl.saliency(model, samples))
        share, spread = focus(maps, images, threshold).share, gini(maps)
        predicted = model.predict(samples)
        for index, shades in enumerate(strongest_channel(maps)):
            left, top = place_of(index, row)
            style = map_colors(signed=False)
            sheet.picture(left, top, (width, height), scale(shades, percentile), **style)
            right = predicted[index] == labels[index]
            words = f"{share[index]:.0%}" + ("" if right else f", said {predicted[index]}")
            numbers(left, top, words, f"{spread[index]:.2f}", color=INK if right else ALARM)
            if index % PER_ROW == 0:
                sheet.text(LEFT - 0.1, top + height / 2, name, align="right", weight="bold")
                numbers(
                    0,
                    top,
                    f"on the stroke, mean {share.mean():.0%}",
                    f"Gini, mean {spread.mean():.2f}",
                )
    return sheet.done()


def name_models(models: Any) -> dict[str, bl.Model]:
    """Models by name."""
    if isinstance(models, Mapping):
        named = dict(models)
    else:
        models = [models] if isinstance(models, bl.Model) else models
        named = {model.name or f"model {n}": model for n, model in enumerate(models, 1)}
        if len(named) != len(models):
            named = {f"model {n}": model for n, model in enumerate(models, 1)}
    if not named:
        raise ValueError("models must hold at least one model")
    return named
