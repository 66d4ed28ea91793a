"""Figures of merit on cases worked out by hand."""

import numpy as np
import pytest

import backlit as bl
from backlit.metrics import accuracy, focus, gini, map_agreement, stroke_mask


def test_stroke_is_widened_by_one():
    X = np.zeros((2, 1, 5, 6))
    X[0, 0, 2, 2] = 1
    X[1, 0, 0, 5] = 0.31
    mask = stroke_mask(X)
    expected = np.zeros((2, 5, 6), bool)
    expected[0, 1:4, 1:4] = True
    expected[1, :2, 4:] = True
    np.testing.assert_array_equal(mask, expected)
    np.testing.assert_array_equal(stroke_mask(X, dilation=0)[:, None], X > 0.3)


def test_focus():
    X = np.zeros((3, 1, 5, 5))
    X[:, 0, 2, 2] = 1
    maps = np.ones((3, 1, 5, 5))
    maps[1] = -(X[1] * 4)
    maps[2] = 0
    found = focus(maps, X)
    np.testing.assert_allclose(found.expected, 9 / 25)
    np.testing.assert_allclose(found.share, [9 / 25, 1, 9 / 25])
    with pytest.raises(ValueError, match="maps must be of the shape of X"):
        focus(maps[:2], X)


def test_gini():
    maps = np.zeros((4, 10))
    maps[0] = 1
    maps[1, 3] = -5
    maps[2] = np.arange(10)
    # mean absolute difference over twice the mean
    pairs = np.abs(maps[2][:, None] - maps[2]).mean() / (2 * maps[2].mean())
    np.testing.assert_allclose(gini(maps), [0, 0.9, pairs, 0], atol=1e-12)
    assert gini(maps[:0]).shape == (0,)


def test_gini_is_the_same_alone_and_in_company(rng):
    maps = rng.random((37, 784))
    np.testing.assert_array_equal(gini(maps), np.concatenate([gini(one[None]) for one in maps]))


def test_magnitudes_of_any_dtype():
    """-128 has no magnitude in int8, and sums of large values none in float64."""
    maps = np.array([[-128, 127, 0, 0]], np.int8)
    same = maps.astype(np.float64)
    np.testing.assert_array_equal(gini(maps), gini(same))
    np.testing.assert_array_equal(map_agreement(maps, -same), [1])
    X = np.array([[[[1, 0, 0, 0]]]])
    share = focus(maps.reshape(X.shape), X, dilation=0).share
    np.testing.assert_allclose(share, 128 / 255)
    for scale in (1e306, 1e-310):
        np.testing.assert_allclose(gini(scale * same), gini(same))
        np.testing.assert_allclose(
            focus((scale * same).reshape(X.shape), X, dilation=0).share, share
        )


def test_channels_last(rng):
    X, maps = rng.random((2, 5, 3, 6, 7)) - 0.5
    last = [np.moveaxis(one, 1, -1) for one in (maps, X)]
    np.testing.assert_array_equal(
        stroke_mask(last[1], dilation=0, channels_last=True), stroke_mask(X, dilation=0)
    )
    for found, expected in zip(focus(*last, channels_last=True), focus(maps, X), strict=True):
        np.testing.assert_allclose(found, expected)
    np.testing.assert_allclose(gini(last[0]), gini(maps))
    np.testing.assert_allclose(map_agreement(*last), map_agreement(maps, X))


def test_axes_are_not_misread():
    X = np.ones((2, 28, 28, 3))
    for call, name in ((lambda: stroke_mask(X), "X"), (lambda: focus(X, X), "X")):
        with pytest.raises(ValueError, match=rf"{name} looks like \(N, H, W, C\): give channels_"):
            call()
    assert stroke_mask(X, channels_last=False).shape == (2, 28, 3)
    with pytest.raises(TypeError, match="channels_last must be True or False, not str"):
        stroke_mask(X, channels_last="yes")
    with pytest.raises(ValueError, match="a and b must have the same axes"):
        map_agreement(X, X.transpose(0, 3, 1, 2))
    a = np.arange(32.0).reshape(2, 1, 4, 4)
    for b in (a[:, 0], a.reshape(2, 16), a.transpose(0, 2, 3, 1)):
        np.testing.assert_allclose(map_agreement(a, b), 1)


def test_agreement_is_spearmans(rng):
    a = rng.integers(0, 5, (6, 40)).astype(float)
    b = a.copy()
    b[1] = -b[1]  # magnitudes count
    b[2] = 4 - a[2]
    b[3] = 7
    b[4:] = rng.integers(0, 5, (2, 40))
    found = map_agreement(a, b)
    np.testing.assert_allclose(found[:4], [1, 1, -1, 0], atol=1e-12)

    def ranks(v):
        return np.array([(v < x).sum() + ((v == x).sum() - 1) / 2 for x in v])

    for n in (4, 5):
        expected = np.corrcoef(ranks(a[n]), ranks(b[n]))[0, 1]
        np.testing.assert_allclose(found[n], expected)
    many = np.tile(a, (100, 1)), np.tile(b, (100, 1))  # more than a block
    np.testing.assert_array_equal(map_agreement(*many), np.tile(found, 100))
    assert map_agreement(a[:0], b[:0]).shape == (0,)
    with pytest.raises(ValueError, match="a and b must hold as many maps"):
        map_agreement(a, b[:, :3])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_maps_must_be_finite(bad):
    X = np.ones((2, 1, 3, 3))
    for call, name in (
        (lambda: map_agreement(bad * X, X), "a"),
        (lambda: map_agreement(X, bad * X), "b"),
        (lambda: gini(bad * X), "maps"),
        (lambda: focus(bad * X, X), "maps"),
        (lambda: focus(X, bad * X), "X"),
        (lambda: stroke_mask(bad * X), "X"),
    ):
        with pytest.raises(ValueError, match=f"{name} must be finite"):
            call()


def test_refused():
    with pytest.raises(ValueError, match="maps must hold a map for each sample, got the number 3"):
        gini(3)
    with pytest.raises(TypeError, match="threshold must be a number, not str"):
        stroke_mask(np.ones((1, 4)), "a")
    with pytest.raises(TypeError, match=r"dilation must be an int, not float: 1\.5"):
        stroke_mask(np.ones((1, 4)), dilation=1.5)


def test_accuracy(models, mnist):
    X, y = mnist
    share = np.mean(models["mnist_cnn"].predict(X[:500]) == y[:500])
    assert 0.9 < accuracy(models["mnist_cnn"], X[:500], y[:500]) == share < 1
    model = bl.Model([bl.Dense([[1.0]])], (1,), outputs="binary")
    assert accuracy(model, [[-1], [2], [3], [0]], [0, 1, 0, 0]) == 0.75
    assert accuracy(model, [[-1], [2]], 1) == 0.5


def test_accuracy_is_of_classes():
    values = bl.Model([bl.Dense(np.eye(2))], (2,), outputs="values")
    with pytest.raises(ValueError, match="model must tell classes apart"):
        accuracy(values, np.ones((3, 2)), [0, 1, 0])
    model = bl.Model([bl.Dense(np.eye(2))], (2,))
    with pytest.raises(ValueError, match=r"y must be one class or one for each of the 3 samples"):
        accuracy(model, np.ones((3, 2)), [0, 1])
    with pytest.raises(ValueError, match=r"y must be in 0 \.\.\. 1, got 2"):
        accuracy(model, np.ones((3, 2)), [0, 1, 2])
    with pytest.raises(TypeError, match="y must be the true classes"):
        accuracy(model, np.ones((3, 2)), None)
    with pytest.raises(ValueError, match="X must hold at least one sample"):
        accuracy(model, np.ones((0, 2)), [])
