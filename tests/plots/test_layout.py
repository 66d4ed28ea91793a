"""Nothing that is written on a picture runs over its edge or into a neighbour."""

import numpy as np
import pytest

import backlit as bl
from backlit.plots.contact_sheet import contact_sheet


def boxes(figure):
    renderer = figure.canvas.get_renderer()
    return {text: text.get_window_extent(renderer) for text in figure.texts if text.get_text()}


def figures(models, mnist, count):
    X, y = mnist
    model = models["mnist_cnn"]
    mistakes = np.flatnonzero(model.predict(X) != y)[:count]
    X, y = X[mistakes], y[mistakes]  # the longest titles
    yield bl.show_saliency(model, X, y)
    yield bl.show_saliency(model, X, y, signed=True)
    yield bl.compare([models["mnist_fc"], model], X, y)
    yield bl.wrong(model, X, y, most=count)
    yield bl.wrong(model, X, model.predict(X))
    yield bl.show_filters(model)


def strangers(rng):
    """Words longer than their place, and pictures of unusual shapes."""
    title = "A long title that goes on about what the models look at, at some length, and more"
    for shape, classes in (
        ((3, 32, 32), 1000),
        ((1, 9, 40), 2000),
        ((1, 2, 200), 3),
        ((1, 120, 4), 3),
    ):
        layers = [bl.Flatten(), bl.Dense(rng.normal(size=(np.prod(shape), classes)))]
        model = bl.Model(layers, shape)
        X = rng.random((3, *shape))
        y = (model.predict(X) + classes // 2) % classes
        named = {"a network with a name of fifty letters or thereabouts": model, "x" * 90: model}
        yield bl.show_saliency(model, X, y, title=title)
        yield bl.show_saliency(model, X, y)
        yield bl.wrong(model, X, y, most=2, title=title)
        yield bl.compare(named, X, y, title=title)
        yield bl.show_filters(model, most=12, title=title)
        maps = {name: {"saliency": X} for name in named}
        yield contact_sheet(X, maps, title=title)
    convolution = bl.Conv2D(rng.normal(size=(24, 64, 3, 3)))
    yield bl.show_filters(
        bl.Model([convolution, bl.Flatten(), bl.Dense(np.ones((24, 2)))], (64, 3, 3))
    )


def test_unusual_shapes_and_long_words(rng):
    for figure in strangers(rng):
        check_texts(figure)
        check_pictures(figure)
        assert max(figure.get_size_inches()) < 20


@pytest.mark.parametrize("count", [1, 12])
def test_texts_and_pictures_are_within_the_figure_and_apart(models, mnist, count):
    for figure in figures(models, mnist, count):
        check_texts(figure)
        check_pictures(figure)


def check_texts(figure):
    found = list(boxes(figure).items())
    for text, box in found:
        assert box.x0 >= 0, text
        assert box.y0 >= 0, text
        assert box.x1 <= figure.bbox.width, text
        assert box.y1 <= figure.bbox.height, text
    for n, (text, box) in enumerate(found):
        for other, neighbour in found[:n]:
            assert not box.overlaps(neighbour), (text, other)


def check_pictures(figure):
    found = [axes.get_position() for axes in figure.axes]
    words = [box.transformed(figure.transFigure.inverted()) for box in boxes(figure).values()]
    for n, box in enumerate(found):
        assert min(box.x0, box.y0) >= 0
        assert max(box.x1, box.y1) <= 1
        assert not any(box.overlaps(other) for other in (*found[:n], *words))
