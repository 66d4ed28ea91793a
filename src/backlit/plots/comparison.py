"""Several models side by side, on the same samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import backlit as bl
from backlit.images import as_images, as_labels
from backlit.metrics import focus, gini
from backlit.plots.saliency import map_colors
from backlit.plots.scaling import PERCENTILE, pictures, scale, strongest_channel
from backlit.plots.style import (
    CAPTION,
    FAINT,
    GAP,
    HEADER,
    INK,
    MARGIN,
    PER_ROW,
    Sheet,
    cell_size,
    said,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEFT = 1.25  # the models' names


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

    Beneath each map stands its focus: the share of its mass on the stroke (pixels above a
    threshold, widened by one), against the share expected of a map spread evenly; and its
    concentration (Gini). At each row's left are the means.

    Parameters
    ----------
    models : mapping of names to models, or sequence of models
        Without names, a model is called by its own name or its number.
    X : array of shape (N, C, H, W), (N, H, W) or (N, D)
        At least one sample.
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
    images = as_images(X, next(iter(named.values())).input_shape)
    if len(images) == 0:
        raise ValueError("X must hold at least one sample")
    labels = as_labels(y, len(images))
    seen = pictures(images)
    width, height = cell_size(*images.shape[2:])
    columns = min(len(images), PER_ROW)
    blocks = -(-len(images) // PER_ROW)
    line = height + 2 * CAPTION + 2 * GAP
    block = CAPTION + height + GAP + len(named) * line
    sheet = Sheet(
        LEFT + columns * (width + GAP) + MARGIN,
        HEADER + blocks * block + MARGIN,
        show=show,
    )
    sheet.header(
        title,
        "beneath each map: its share on the stroke, of a map spread evenly, and its Gini",
    )
    for index, label in enumerate(labels):
        row, column = divmod(index, PER_ROW)
        left, top = LEFT + column * (width + GAP), HEADER + row * block
        sheet.text(left + width / 2, top + CAPTION / 2, f"{label}", align="center")
        sheet.picture(left, top + CAPTION, (width, height), seen[index])
    for place, (name, model) in enumerate(named.items()):
        maps = bl.saliency(model, np.asarray(X)).reshape(images.shape)
        shades = [scale(one, percentile) for one in strongest_channel(maps)]
        found, spread = focus(maps, images, threshold), gini(maps)
        predicted = model.predict(np.asarray(X))
        for index in range(len(images)):
            row, column = divmod(index, PER_ROW)
            left = LEFT + column * (width + GAP)
            top = HEADER + row * block + CAPTION + height + GAP + place * line
            style = map_colors(signed=False)
            sheet.picture(left, top + GAP, (width, height), shades[index], **style)
            words, color = said(labels[index], predicted[index])
            middle, below = left + width / 2, top + GAP + height + CAPTION / 2
            share = f"{found.share[index]:.0%} / {found.expected[index]:.0%}"
            sheet.text(middle, below, share, align="center", size=8.5)
            note = f"Gini {spread[index]:.2f}" if color == INK else words.partition(", ")[2]
            tone = FAINT if color == INK else color
            sheet.text(middle, below + 0.17, note, align="center", color=tone, size=8)
            if column == 0:
                half = top + GAP + height / 2
                sheet.text(LEFT - 0.1, half - 0.16, name, align="right", weight="bold")
                means = f"{found.share.mean():.0%} / {found.expected.mean():.0%}"
                sheet.text(LEFT - 0.1, half + 0.02, means, align="right", size=8.5)
                concentration = f"Gini {spread.mean():.2f}"
                sheet.text(
                    LEFT - 0.1, half + 0.2, concentration, align="right", color=FAINT, size=8
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
