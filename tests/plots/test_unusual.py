"""Pictures of unusual samples, maps and models, and that each says how to read it."""

import warnings

import numpy as np
import pytest
from matplotlib.font_manager import fontManager

import backlit as bl
from backlit.plots.contact_sheet import contact_sheet
from tests.plots.test_pictures import pictures, subtitle, texts


def dense(rng, shape, classes=3, **options):
    layers = [bl.Flatten(), bl.Dense(rng.normal(size=(np.prod(shape), classes)))]
    return bl.Model(layers, shape, **options)


def every_figure(rng, shape):
    """Each kind of figure, of two pictures of a shape."""
    model = dense(rng, shape)
    X = rng.random((2, *shape))
    y = (model.predict(X) + 1) % 3
    yield bl.show_saliency(model, X, y)
    yield bl.show_saliency(model, X, y, signed=True)
    yield bl.compare([model], X, y)
    yield bl.wrong(model, X, y)
    yield bl.show_filters(model)
    yield contact_sheet(X, {"model": {"saliency": X, "gradient": X - 0.5}})


def is_white(figure, axes):
    """Along a picture's edge, on which its frame is."""
    figure.canvas.draw()
    drawn = np.asarray(figure.canvas.buffer_rgba())[::-1, :, :3]
    box = axes.get_window_extent()
    rows, columns = slice(int(box.y0) + 2, int(box.y1) - 2), slice(int(box.x0) - 1, int(box.x0) + 2)
    return (drawn[rows, columns] == 255).all(axis=(1, 2)).any()


def test_white_pictures_have_frames(rng):
    even = bl.Model([bl.Flatten(), bl.Dense(np.ones((81, 2)))], (1, 9, 9))
    X, y = np.ones((2, 1, 9, 9)), [0, 1]
    for figure in (bl.show_saliency(even, X, y), bl.compare([even], X, y), bl.show_filters(even)):
        assert not any(is_white(figure, axes) for axes in figure.axes)


def test_the_image_is_seen_below_a_strong_map(rng):
    even = bl.Model([bl.Flatten(), bl.Dense(np.ones((81, 2)))], (1, 9, 9))
    X = rng.integers(0, 2, size=(1, 1, 9, 9)).astype(float)
    for signed in (False, True):
        image, _, overlay = pictures(bl.show_saliency(even, X, [0], signed=signed))
        assert np.ptp(overlay) > 0.1
        assert np.corrcoef(overlay[..., 1].ravel(), image[..., 1].ravel())[0, 1] > 0.99


def test_pixels_are_squares(rng):
    for shape in ((1, 9, 40), (1, 40, 9), (3, 6, 60), (1, 50, 3), (1, 1, 1)):
        for figure in every_figure(rng, shape):
            for axes in figure.axes:
                box = axes.get_window_extent()
                rows, columns = axes.images[0].get_array().shape[:2]
                assert box.width / columns == pytest.approx(box.height / rows)


def test_few_pictures_fill_their_sheet(rng):
    for figure in every_figure(rng, (1, 28, 28)):
        right = max(axes.get_window_extent().x1 for axes in figure.axes)
        assert right > 0.7 * figure.bbox.width


def test_colours_are_explained(models, mnist):
    model, X, y = models["mnist_cnn"], mnist[0][:3], mnist[1][:3]
    unsigned = "black: 0, white: from percentile 98 of each map"
    for figure in (
        bl.show_saliency(model, X, y, percentile=98),
        bl.compare([model], X, y, percentile=98),
        bl.wrong(model, X, (y + 1) % 10, percentile=98),
    ):
        assert unsigned in subtitle(figure)
        assert "red: for" not in subtitle(figure)
    assert subtitle(bl.show_saliency(model, X, y, signed=True)).startswith(
        "red: for, blue: against"
    )
    for low, words in ((0, False), (-1, True)):
        maps = {"model": {"a": X, "b": X + low}}
        assert ("red: for, blue: against" in subtitle(contact_sheet(X, maps))) is words


def test_shares_on_the_stroke_only_where_there_are_strokes(models, mnist, rng):
    model, X, y = models["mnist_fc"], mnist[0][:3], mnist[1][:3]
    colour = dense(rng, (3, 9, 9))
    dark = np.zeros((3, 3, 9, 9))
    dark[:, 0, 4] = 1
    for one, samples, strokes in (
        (model, X, True),
        (model, (X - 0.1307) / 0.3081, True),  # as many models of MNIST take it
        (model, 1 - X, False),
        (model, rng.normal(size=X.shape), False),
        (model, 0 * X, False),
        (colour, dark, False),
    ):
        words = texts(bl.compare([one], samples, y))
        assert any("%" in text for text in words) is strokes
        assert any("stroke" in text for text in words) is strokes
        assert any(text.startswith("Gini, mean") for text in words)
        for label, said in zip(y, one.predict(samples), strict=True):
            assert label == said or any(text.endswith(f", said {said}") for text in words)


def test_a_table_is_no_picture(rng):
    model = bl.Model([bl.Dense(rng.normal(size=(16, 3)))], (16,))
    X, y = rng.random((2, 16)), [0, 1]
    for draw in (bl.show_saliency, bl.wrong, bl.compare):
        with pytest.raises(ValueError, match="16 values per sample, too few to be taken for"):
            draw(model, X, y)
    with pytest.raises(ValueError, match="model must take pictures"):
        bl.show_filters(model)
    assert pictures(bl.show_saliency(model, X.reshape(2, 4, 4), y))[0].shape == (4, 4, 3)


def test_a_single_score_is_explained_once(rng):
    model = dense(rng, (1, 9, 9), 1, outputs="binary")
    X = rng.random((3, 1, 9, 9))
    figure = bl.wrong(model, X, 1 - model.predict(X))
    assert len(figure.axes) == 2 * 3
    assert "map of\neither" in texts(figure)


def test_what_the_model_said_is_what_it_predicts():
    """Also where probabilities cannot tell."""
    model = bl.Model([bl.Dense(np.full((64, 1), 1e-10))], (64,), outputs="binary")
    X = np.ones((2, 64))
    assert "none among 2 samples" in texts(bl.wrong(model, X, model.predict(X)))
    assert "said 1 (50.0%)" in texts(bl.wrong(model, X, 1 - model.predict(X)))


def test_tensors_are_pictures(models, mnist):
    torch = pytest.importorskip("torch")
    X = torch.tensor(mnist[0][:2], requires_grad=True)
    for draw in (bl.show_saliency, bl.wrong, bl.compare):
        assert draw(models["mnist_cnn"], X, mnist[1][:2]) is not None


def test_models_without_names_of_their_own(rng):
    X, y = rng.random((2, 1, 9, 9)), [0, 1]
    one, two = (dense(rng, (1, 9, 9), name=name) for name in ("", "  "))
    for models in ([one, two], {"": one, " ": two}, {1: one, "1": two}):
        assert {"model 1", "model 2"} <= set(texts(bl.compare(models, X, y)))
    assert {"a", "model 2"} <= set(texts(bl.compare({"a": one, "": two}, X, y)))


@pytest.mark.skipif(
    "Last Resort High-Efficiency" not in fontManager.get_font_names(), reason="an older matplotlib"
)
def test_letters_that_no_font_has(rng, caplog):
    X, y = rng.random((2, 1, 9, 9)), [0, 1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = bl.compare({"模型 é": dense(rng, (1, 9, 9))}, X, y, title="比较")
        figure.canvas.draw()
    assert not caplog.records
    weights = {text.get_text(): text.get_weight() for text in figure.texts}
    assert weights["模型 é"] == "normal"


def test_maps_that_are_not_finite(rng):
    maps = np.ones((2, 1, 4, 4))
    maps[0, 0, 0] = np.nan
    maps[0, 0, 1] = np.inf
    maps[1] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = contact_sheet(np.zeros((2, 1, 4, 4)), {"model": {"method": maps}})
        figure.canvas.draw()
    _, _, first, second = pictures(figure)
    np.testing.assert_array_equal(first.filled(np.nan)[:, 0], [np.nan, 1, 0, 0])
    assert second.mask.all()


def test_four_channels_are_colours_and_another(rng):
    X = rng.random((2, 4, 5, 6))
    figure = bl.show_saliency(dense(rng, (4, 5, 6)), X, [0, 1])
    np.testing.assert_allclose(pictures(figure)[0], X[0, :3].transpose(1, 2, 0))
