"""Nothing that is written on a picture runs over its edge or into a neighbour."""

import numpy as np
import pytest

import backlit as bl


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


@pytest.mark.parametrize("count", [1, 12])
def test_texts_are_within_the_figure_and_apart(models, mnist, count):
    for figure in figures(models, mnist, count):
        found = list(boxes(figure).items())
        for text, box in found:
            assert box.x0 >= 0, text
            assert box.y0 >= 0, text
            assert box.x1 <= figure.bbox.width, text
            assert box.y1 <= figure.bbox.height, text
        for n, (text, box) in enumerate(found):
            for other, neighbour in found[:n]:
                assert not box.overlaps(neighbour), (text, other)


@pytest.mark.parametrize("count", [1, 12])
def test_pictures_are_within_the_figure_and_apart(models, mnist, count):
    for figure in figures(models, mnist, count):
        found = [axes.get_position() for axes in figure.axes]
        words = [box.transformed(figure.transFigure.inverted()) for box in boxes(figure).values()]
        for n, box in enumerate(found):
            assert min(box.x0, box.y0) >= 0
            assert max(box.x1, box.y1) <= 1
            assert not any(box.overlaps(other) for other in (*found[:n], *words))
