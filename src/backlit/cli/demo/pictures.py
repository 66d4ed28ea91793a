"""The demo's pictures, each with what the page says of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import backlit as bl
from backlit.cli.demo.all_methods import Explained, in_words
from backlit.files import replacing
from backlit.plots.contact_sheet import contact_sheet
from backlit.words import plural

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS = 200  # per inch
NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight")  # of digits


class Picture(NamedTuple):
    """A figure, the name of its file, and what the page says of it."""

    name: str
    title: str
    caption: str
    figure: "Figure"


def one_of_each(y: np.ndarray) -> np.ndarray:
    """Where each digit comes first."""
    return np.unique(y, return_index=True)[1]


def draw(models: dict[str, bl.Model], X: np.ndarray, y: np.ndarray) -> Iterator[Picture]:
    """The pictures of saliency, and of the filters."""
    first = one_of_each(y)
    shown, labels = X[first], y[first]
    yield Picture(
        "comparison",
        "The two models on the same images",
        "Share of each map on the stroke, against that of an even map; concentration.",
        bl.compare(models, shown, labels, show=False),
    )
    for name, model in models.items():
        title = f"Saliency of {name}"
        figure = bl.show_saliency(model, shown, labels, title=title, show=False)
        yield Picture(f"saliency_{name}", title, "Image, map, overlay.", figure)
        title = f"Wrong predictions of {name}"
        figure = bl.wrong(model, X, y, title=title, show=False)
        yield Picture(f"wrong_{name}", title, "Most confident first.", figure)
    title = "First-layer filters of mnist_cnn"
    figure = bl.show_filters(models["mnist_cnn"], title=title, show=False)
    yield Picture("filters", title, "All on one scale.", figure)


def every_method(X: np.ndarray, explained: Explained) -> Picture:
    """The contact sheet of all methods."""
    maps, seconds, missing = explained
    notes = {
        model: {method: in_words(value) for method, value in times.items()}
        for model, times in seconds.items()
    }
    title = "Every method" + (f" but {', '.join(missing)}" if missing else "")
    number = NUMBERS[len(X) - 1]
    digits = f"{number} {plural(len(X), 'digit')}"
    caption = f"{digits.capitalize()}; at the right the time for each, in a batch of {number}."
    caption += "".join(f" Left out: {needs}." for needs in missing.values())
    figure = contact_sheet(X, maps, notes, title=f"{title}, on {digits}", show=False)
    return Picture("methods", title, caption, figure)


def write_picture(folder: Path, picture: Picture) -> dict[str, str]:
    """Write a picture; returns what the page says of it."""
    file_name = f"{picture.name}.png"
    with replacing(folder / file_name) as aside:
        picture.figure.savefig(aside, dpi=DOTS)
    return {"title": picture.title, "caption": picture.caption, "file": file_name}
