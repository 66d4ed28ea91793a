"""Several models side by side, on the same samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import backlit as bl
from backlit.arguments import check_classifier
from backlit.images import as_labels, model_images
from backlit.layers.base import as_array
from backlit.metrics import focus, gini
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
    INK,
    MARGIN,
    PER_ROW,
    Sheet,
    cell_size,
    text_width,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEFT, WIDEST = 1.95, 4.0  # the models' names, and what the numbers are
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

    Images have strokes if they are of one channel and, over all samples, some pixels but no more
    than half are on the stroke; of others (photographs, dark signs on a bright ground) the
    concentration alone is given.

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

    Raises
    ------
    ValueError, TypeError
        For no models or no samples, models that tell no classes apart, another number of labels
        than samples, samples that are no pictures, a threshold or percentile out of range.
    """
    named = name_models(models)
    check_percentile(percentile)
    for model in named.values():
        check_classifier(model.outputs)
    samples = as_array("X", X)
    images = model_images(next(iter(named.values())), samples)
    if len(images) == 0:
        raise ValueError(f"X must hold at least one sample, got shape {samples.shape}")
    labels = as_labels(y, len(images))
    measured = {}  # of each model: maps, focus, concentration, predictions
    for name, model in named.items():
        maps = model_images(model, bl.saliency(model, samples))
        share = focus(maps, images, threshold, channels_last=False).share
        measured[name] = maps, share, gini(maps), model.predict(samples)
    expected = focus(images, images, threshold, channels_last=False).expected
    strokes = have_strokes(images, expected)

    def beneath(share: float, spread: float, predicted: int, label: int) -> list[str]:
        """The lines beneath a map; the first says what the model said, where it is wrong."""
        first, *more = [f"{share:.0%}", f"{spread:.2f}"] if strokes else [f"{spread:.2f}"]
        return [first if predicted == label else f"{first}, said {predicted}", *more]

    width, height = cell_size(*images.shape[2:])
    written = {
        name: [beneath(*one) for one in zip(share, spread, predicted, labels, strict=True)]
        for name, (_, share, spread, predicted) in measured.items()
    }
    firsts = (first for lines in written.values() for first, *_ in lines)
    pitch = max(width + GAP, text_width(firsts, size=8) + APART)
    left_edge = min(max(LEFT, text_width(named, weight="bold") + 0.1 + MARGIN), WIDEST)
    columns = min(len(images), PER_ROW)
    blocks = -(-len(images) // PER_ROW)
    line = height + (1 + strokes) * LINE + 3 * GAP  # a map and its lines of numbers
    block = CAPTION + len(named) * line + line - LINE
    sheet = Sheet(
        left_edge + columns * pitch + MARGIN - GAP,
        HEADER + blocks * block + MARGIN,
        title,
        "\n".join(explanation(strokes, threshold, percentile)),
        show=show,
    )

    def numbers(left: float, top: float, *lines: str, color: str = INK) -> None:
        """Lines beneath a picture, or (at the left) what they are."""
        named_here = left == 0
        for place, words in enumerate(lines):
            sheet.text(
                left_edge - 0.1 if named_here else left + width / 2,
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
        middle = left_edge + (column + 0.5) * pitch - GAP / 2
        return middle - width / 2, HEADER + above * block + below

    seen = pictures(images)
    for index, label in enumerate(labels):
        left, top = place_of(index, 0)
        sheet.text(left + width / 2, top - CAPTION / 2, f"{label}", align="center")
        sheet.picture(left, top, (width, height), seen[index])
        if strokes:
            numbers(left, top, f"{expected[index]:.0%}")
        if strokes and index % PER_ROW == 0:
            numbers(0, top, f"if spread evenly, mean {expected.mean():.0%}")
    for row, (name, (maps, share, spread, predicted)) in enumerate(measured.items(), 1):
        means = [f"on the stroke, mean {share.mean():.0%}"] if strokes else []
        means.append(f"Gini, mean {spread.mean():.2f}")
        lines = wrapped(name, left_edge - 0.1 - MARGIN, weight="bold")
        for index, shades in enumerate(strongest_channel(maps)):
            left, top = place_of(index, row)
            style = map_colors(signed=False)
            sheet.picture(left, top, (width, height), scale(shades, percentile), **style)
            right = predicted[index] == labels[index]
            numbers(left, top, *written[name][index], color=INK if right else ALARM)
            if index % PER_ROW == 0:
                middle = top + height / 2
                sheet.text(left_edge - 0.1, middle, lines, align="right", weight="bold")
                numbers(0, top, *means)
    return sheet.done()


def have_strokes(images: np.ndarray, expected: np.ndarray) -> bool:
    """Whether there are bright strokes on a dark ground, that a map can lie on or beside."""
    return images.shape[1] == 1 and 0 < expected.mean() <= 0.5


def explanation(strokes: bool, threshold: float, percentile: float) -> list[str]:
    """How to read the maps, and what each number is."""
    lines = [how_to_read(False, percentile)]
    if strokes:
        lines.append(
            f"%: share of a map's mass on the stroke: pixels above {threshold:g}, and neighbours"
        )
    lines.append("Gini: how concentrated a map is, from 0 (evenly spread) to 1 (a single pixel)")
    return lines


def name_models(models: Any) -> dict[str, bl.Model]:
    """Models by name; those without one, and all where two have the same, by number."""
    if isinstance(models, Mapping):
        names = [str(name) for name in models]
        for name, model in zip(names, models.values(), strict=True):
            check_model(model, f"models[{name!r}]")
        models = list(models.values())
    else:
        models = [models] if isinstance(models, bl.Model) else models
        if not isinstance(models, Iterable) or isinstance(models, str):
            raise TypeError(f"models must be backlit Models, not {type(models).__name__}")
        models = list(models)
        for n, model in enumerate(models):
            check_model(model, f"models[{n}]")
        names = [model.name or "" for model in models]
    if not models:
        raise ValueError("models must hold at least one model")
    numbered = [f"model {n}" for n in range(1, len(models) + 1)]
    named = [name.strip() or number for name, number in zip(names, numbered, strict=True)]
    unique = len(set(named)) == len(models)
    return dict(zip(named if unique else numbered, models, strict=True))
