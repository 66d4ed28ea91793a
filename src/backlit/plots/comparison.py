"""Several models side by side, on the same samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

import backlit as bl
from backlit.arguments import check_classifier
from backlit.checks import as_array
from backlit.images import as_labels, model_images
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
    INK,
    MARGIN,
    PER_ROW,
    Blocks,
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
    y : array of N ints
        The labels.
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
    measured = {name: measure(model, samples, images, threshold) for name, model in named.items()}
    expected = focus(images, images, threshold, channels_last=False).expected
    strokes = have_strokes(images, expected)
    plan = plan_sheet(measured, labels, images.shape[2:], strokes)
    lines = explanation(strokes, threshold, percentile)
    sheet = Sheet(*plan.blocks.size, title, "\n".join(lines), show=show)
    draw_images(sheet, plan, images, labels, expected if strokes else None)
    for row, (name, found) in enumerate(measured.items(), 1):
        draw_maps(sheet, plan, row, name, found, labels, percentile)
    return sheet.done()


class Measured(NamedTuple):
    """What a model makes of N samples."""

    maps: np.ndarray  # (N, C, H, W)
    share: np.ndarray  # (N,): of a map's mass, what lies on the stroke
    gini: np.ndarray  # (N,)
    predicted: np.ndarray  # (N,)

    def beneath(self, index: int, label: int, strokes: bool) -> list[str]:
        """The lines beneath a map; the first says what the model said, where it is wrong."""
        numbers = [f"{self.share[index]:.0%}", f"{self.gini[index]:.2f}"]
        first, *more = numbers if strokes else numbers[1:]
        predicted = self.predicted[index]
        return [first if predicted == label else f"{first}, said {predicted}", *more]


def measure(model: bl.Model, samples: np.ndarray, images: np.ndarray, threshold: float) -> Measured:
    maps = model_images(model, bl.saliency(model, samples))
    share = focus(maps, images, threshold, channels_last=False).share
    return Measured(maps, share, gini(maps), model.predict(samples))


class Plan(NamedTuple):
    """Where things are on the sheet, in inches."""

    blocks: Blocks
    picture: tuple[float, float]  # the width and height of one
    line: float  # from a row of maps to the next
    strokes: bool  # whether there are shares to tell

    @property
    def names(self) -> float:
        """Where names of models and of numbers end."""
        return self.blocks.left - 0.1

    def place(self, index: int, row: int) -> tuple[float, float]:
        """Where the picture of a sample is: row 0 has the images, the next ones the maps."""
        middle, top = self.blocks.place(index)
        below = CAPTION + row * self.line - (LINE if row else 0)  # images have a line fewer
        return middle - self.picture[0] / 2, top + below

    def beneath(self, top: float, number: int) -> float:
        """The height of a line of numbers beneath a picture."""
        return top + self.picture[1] + GAP + (number + 0.5) * LINE


def plan_sheet(
    measured: Mapping[str, Measured], labels: np.ndarray, pixels: Sequence[int], strokes: bool
) -> Plan:
    width, height = cell_size(*pixels)
    firsts = (
        found.beneath(index, label, strokes)[0]
        for found in measured.values()
        for index, label in enumerate(labels)
    )
    pitch = max(width + GAP, text_width(firsts, size=8) + APART)
    left = min(max(LEFT, text_width(measured, weight="bold") + 0.1 + MARGIN), WIDEST)
    line = height + (1 + strokes) * LINE + 3 * GAP
    block = CAPTION + len(measured) * line + line - LINE - GAP
    return Plan(Blocks(len(labels), left, pitch, block), (width, height), line, strokes)


def draw_images(
    sheet: Sheet, plan: Plan, images: np.ndarray, labels: np.ndarray, expected: np.ndarray | None
) -> None:
    """The samples with their labels, and the share that a map spread evenly would have."""
    for index, seen in enumerate(pictures(images)):
        left, top = plan.place(index, 0)
        middle = left + plan.picture[0] / 2
        sheet.text(middle, top - CAPTION / 2, f"{labels[index]}", align="center")
        sheet.picture(left, top, plan.picture, seen)
        if expected is not None:
            write_numbers(sheet, plan, middle, top, [f"{expected[index]:.0%}"])
            if index % PER_ROW == 0:
                write_names(sheet, plan, top, [f"if spread evenly, mean {expected.mean():.0%}"])


def draw_maps(
    sheet: Sheet,
    plan: Plan,
    row: int,
    name: str,
    found: Measured,
    labels: np.ndarray,
    percentile: float,
) -> None:
    """A model's maps with their numbers, and at the left its name and the numbers' means."""
    means = [f"on the stroke, mean {found.share.mean():.0%}"] if plan.strokes else []
    means.append(f"Gini, mean {found.gini.mean():.2f}")
    style = map_colors(signed=False)
    for index, shades in enumerate(strongest_channel(found.maps)):
        left, top = plan.place(index, row)
        sheet.picture(left, top, plan.picture, scale(shades, percentile), **style)
        lines = found.beneath(index, labels[index], plan.strokes)
        color = INK if found.predicted[index] == labels[index] else ALARM
        write_numbers(sheet, plan, left + plan.picture[0] / 2, top, lines, color)
        if index % PER_ROW == 0:
            words = wrapped(name, plan.names - MARGIN, weight="bold")
            sheet.text(plan.names, top + plan.picture[1] / 2, words, align="right", weight="bold")
            write_names(sheet, plan, top, means)


def write_numbers(
    sheet: Sheet, plan: Plan, middle: float, top: float, lines: Sequence[str], color: str = INK
) -> None:
    """Lines beneath a picture, of which the first is read first."""
    for number, words in enumerate(lines):
        place = middle, plan.beneath(top, number)
        sheet.text(*place, words, align="center", color=FAINT if number else color, size=8)


def write_names(sheet: Sheet, plan: Plan, top: float, lines: Sequence[str]) -> None:
    """What the lines beneath a row of pictures are."""
    for number, words in enumerate(lines):
        place = plan.names, plan.beneath(top, number)
        sheet.text(*place, words, align="right", color=FAINT, size=8)


def have_strokes(images: np.ndarray, expected: np.ndarray) -> bool:
    """Whether there are bright strokes on a dark ground, that a map can lie on or beside."""
    return images.shape[1] == 1 and bool(0 < expected.mean() <= 0.5)


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
