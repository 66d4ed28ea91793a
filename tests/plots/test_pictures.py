"""Pictures: what is on them, for any number and shape of samples."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

import backlit as bl
from backlit.graph import build_graph
from backlit.model import Model
from backlit.plots import display_limit, scale
from backlit.plots.contact_sheet import contact_sheet
from tests.helpers import grid


def texts(figure):
    return [text.get_text() for text in figure.texts]


def subtitle(figure):
    """In one line."""
    return " ".join(texts(figure)[1].split())


def pictures(figure):
    return [axes.images[0].get_array() for axes in figure.axes]


@pytest.mark.parametrize("count", [1, 10, 13])
@pytest.mark.parametrize("name", ["mnist_fc", "mnist_cnn"])
def test_three_rows_of_ten(models, mnist, name, count):
    X, y = mnist[0][:count], mnist[1][:count]
    figure = bl.show_saliency(models[name], X, y)
    assert len(figure.axes) == 3 * count
    words = texts(figure)
    for label, said in zip(y, models[name].predict(X), strict=True):
        assert (f"{label}" if said == label else f"{label}, said {said}") in words
    tops = {round(axes.get_position().y0, 3) for axes in figure.axes}
    assert len(tops) == 3 * -(-count // 10)
    figure.canvas.draw()
    assert plt.get_fignums() == []


def test_heat_maps_are_hot_and_scaled(models, mnist):
    X, y = mnist[0][:2], mnist[1][:2]
    figure = bl.show_saliency(models["mnist_cnn"], X, y)
    heat = [axes.images[0] for axes in figure.axes if axes.images[0].cmap.name == "hot"]
    maps = bl.saliency(models["mnist_cnn"], X)
    for image, one in zip(heat, maps[:, 0], strict=True):
        expected = np.minimum(one / np.percentile(one, 99), 1)
        np.testing.assert_allclose(image.get_array(), expected, rtol=1e-5)
        assert image.get_clim() == (0, 1)


def test_flat_samples_are_square_pictures(models, mnist):
    X = mnist[0][:3].reshape(3, 784)
    for is_cnn in (None, False):
        figure = bl.show_saliency(models["mnist_fc"], X, mnist[1][:3], is_cnn)
        assert pictures(figure)[0].shape == (28, 28, 3)
    with pytest.raises(ValueError, match=r"X_samples must be \(N, C, H, W\) when is_cnn"):
        bl.show_saliency(models["mnist_cnn"], X, mnist[1][:3], True)


def test_is_cnn_and_the_model_agree(models, mnist, rng):
    X, y = mnist[0][:3], mnist[1][:3]
    dense = bl.Model([bl.Flatten(), bl.Dense(grid(rng, 784, 10))], (1, 28, 28))
    for model, samples, is_cnn in (
        (models["mnist_cnn"], X, True),
        (models["mnist_cnn"], X, None),
        (models["mnist_fc"], X, False),
        (models["mnist_fc"], X.reshape(3, 784), False),
        (dense, X, False),
        (dense, X, True),
    ):
        assert pictures(bl.show_saliency(model, samples, y, is_cnn))[0].shape == (28, 28, 3)
    with pytest.raises(ValueError, match=r"is_cnn must be False or None .* 784 features, got True"):
        bl.show_saliency(models["mnist_fc"], X, y, is_cnn=True)
    with pytest.raises(ValueError, match=r"is_cnn must be True or None .* convolutions, got False"):
        bl.show_saliency(models["mnist_cnn"], X, y, is_cnn=False)


def test_colour(rng):
    model = bl.Model([bl.Flatten(), bl.Dense(grid(rng, 60, 3))], (3, 4, 5))
    figure = bl.show_saliency(model, rng.random((2, 3, 4, 5)), [0, 1], signed=True)
    assert pictures(figure)[0].shape == (4, 5, 3)


def test_refused(models, mnist):
    model, X, y = models["mnist_cnn"], *mnist
    with pytest.raises(ValueError, match="X_samples must hold at least one sample"):
        bl.show_saliency(model, X[:0], y[:0])
    with pytest.raises(ValueError, match="y_samples must hold one label for each of the 2 samples"):
        bl.show_saliency(model, X[:2], y[:3])


def test_arguments_are_named(models, mnist):
    model, X, y = models["mnist_cnn"], mnist[0][:5], mnist[1][:5]
    for call in (bl.show_saliency, bl.wrong):
        with pytest.raises(TypeError, match="model must be a backlit Model, not str"):
            call("x", X, y)
    with pytest.raises(TypeError, match="model must be a backlit Model, not str"):
        bl.show_filters("x")
    for bad, words in (
        (["x"], r"models\[0\] must be a backlit Model, not str"),
        ({"one": 3}, r"models\['one'\] must be a backlit Model, not int"),
        ("x", "models must be backlit Models, not str"),
        (3, "models must be backlit Models, not int"),
    ):
        with pytest.raises(TypeError, match=words):
            bl.compare(bad, X, y)
    with pytest.raises(ValueError, match=r"^y must be in 0 \.\.\. 9, got 99"):
        bl.wrong(model, X, [99] * 5)
    for most in (2.5, "a"):
        with pytest.raises(TypeError, match="most must be an int"):
            bl.wrong(model, X, y, most=most)
    for draw in (bl.show_saliency, bl.wrong, bl.compare):
        with pytest.raises(TypeError, match="percentile must be a number, not str"):
            draw(model, X, y, percentile="a")
    features = bl.Model([bl.Dense(np.ones((13, 3)))], (13,))
    with pytest.raises(ValueError, match=r"model must take pictures .* takes 13 values"):
        bl.show_filters(features)


def test_shown_only_if_asked(models, mnist, monkeypatch):
    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(1))
    model, X, y = models["mnist_cnn"], mnist[0][:1], mnist[1][:1]
    bl.show_saliency(model, X, y)
    assert not shown
    bl.show_saliency(model, X, y, show=True)
    assert len(shown) == 1
    with matplotlib.rc_context():
        plt.ion()
        bl.show_saliency(model, X, y)
        plt.ioff()
    assert len(shown) == 2
    plt.close("all")


def test_filters(models, rng):
    figure = bl.show_filters(models["mnist_cnn"])
    assert [p.shape for p in pictures(figure)] == [(3, 3)] * 4
    weights = models["mnist_cnn"].layers[0].weights
    np.testing.assert_array_equal(pictures(figure)[2], weights[2, 0])
    assert len(bl.show_filters(models["mnist_fc"]).axes) == 128
    with pytest.raises(ValueError, match="model must have a dense or convolution layer"):
        bl.show_filters(bl.Model([bl.ReLU()], (4,)))


def test_filters_of_many_channels(rng):
    weights = rng.normal(size=(5, 12, 3, 3)).astype(np.float32)
    layers = [bl.Conv2D(weights), bl.Flatten(), bl.Dense(np.ones((5, 2)))]
    figure = bl.show_filters(bl.Model(layers, (12, 3, 3)), most=4)
    shown = pictures(figure)
    assert [p.shape for p in shown] == [(11, 15)] * 4  # three rows of four, and gaps
    np.testing.assert_array_equal(shown[3][4:7, 8:11], weights[3, 6])
    assert any(text.startswith("the first 4 of 5 filters, each of 3×3") for text in texts(figure))


def test_compare(models, mnist):
    X, y = mnist[0][:4], mnist[1][:4]
    chosen = {"dense": models["mnist_fc"], "convolutional": models["mnist_cnn"]}
    figure = bl.compare(chosen, X, y)
    assert len(figure.axes) == 3 * 4
    words = texts(figure)
    assert {"dense", "convolutional"} <= set(words)
    found = bl.metrics.focus(bl.saliency(models["mnist_cnn"], X), X)
    for value in (found.share[1], found.expected[1]):
        assert any(text.startswith(f"{value:.0%}") for text in words)
    assert {"mnist_fc", "mnist_cnn"} <= set(texts(bl.compare(list(chosen.values()), X, y)))


def test_wrong(models, mnist):
    model, X, y = models["mnist_cnn"], mnist[0][:2000], mnist[1][:2000]
    probabilities = model.predict_proba(X)
    predicted = probabilities.argmax(axis=1)
    mistakes = np.flatnonzero(predicted != y)
    first = mistakes[probabilities.max(axis=1)[mistakes].argmax()]
    figure = bl.wrong(model, X, y, most=5)
    assert len(figure.axes) == 15
    assert f"is {y[first]}" in texts(figure)
    np.testing.assert_allclose(pictures(figure)[0][..., 0], X[first, 0])
    total = len(mistakes)
    words = f"the most confident of {total} among 2000 samples"
    assert subtitle(bl.wrong(model, X, y, most=1)).startswith(words)
    assert subtitle(bl.wrong(model, X[[first]], y[[first]])).startswith("1 among 1 sample")
    right = bl.wrong(model, X[:5], predicted[:5])
    assert "none among 5 samples" in texts(right)


def test_scaling():
    values = np.arange(-100.0, 101)
    assert display_limit(values, 99) == pytest.approx(99, abs=0.5)
    assert scale(values).min() == -1
    assert scale(values)[100] == 0
    assert display_limit(np.zeros(4)) == 1
    sparse = np.zeros(1000)
    sparse[3] = 5
    assert display_limit(sparse) == 5
    assert display_limit([np.nan]) == 1
    assert display_limit([np.nan, np.inf, 3, -3]) == 3
    np.testing.assert_array_equal(scale([np.nan, np.inf, 0, -3]), [np.nan, 1, 0, -1])
    assert display_limit(np.full(3, -128, np.int8)) == 128
    assert scale([0.0] * 99 + [1e-300, 1e300]).max() == 1
    for bad in (0, 101):
        with pytest.raises(ValueError, match="percentile must be"):
            display_limit(values, bad)


@pytest.mark.parametrize("draw", ["show_saliency", "wrong", "compare"])
def test_models_with_channels_last(draw, rng):
    """The same pictures, whichever axis the channels are."""
    layers = [
        bl.Conv2D(rng.normal(size=(4, 3, 3, 3))),
        bl.ReLU(),
        bl.Flatten(),
        bl.Dense(rng.normal(size=(4 * 6 * 7, 2))),
    ]
    first = Model.of_graph(build_graph(layers, (3, 8, 9)))
    last = Model.of_graph(build_graph(layers, (3, 8, 9)), channels_last=True)
    X = rng.uniform(size=(4, 3, 8, 9)).astype(np.float32)
    y = 1 - first.predict(X)
    drawn = []
    for model, samples in ((first, X), (last, X.transpose(0, 2, 3, 1))):
        models = {"one": model} if draw == "compare" else model
        drawn.append(pictures(getattr(bl, draw)(models, samples, y)))
    assert len(drawn[0]) >= 8
    for one, other in zip(*drawn, strict=True):
        np.testing.assert_array_equal(one, other)


def test_contact_sheet_shows_what_little_differs():
    """RISE's maps are averages of scores: far from 0, and nearly even."""
    even = np.linspace(5, 6, 16).reshape(1, 1, 4, 4)
    maps = {"unsigned": even, "signed": even - 5.5}
    figure = contact_sheet(np.zeros((1, 1, 4, 4)), {"model": maps}, show=False)
    _, unsigned, signed = pictures(figure)
    assert unsigned.min() == 0
    assert unsigned.max() == 1
    assert signed.min() == -1
    assert signed.max() == 1
