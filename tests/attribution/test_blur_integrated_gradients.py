"""Blur integrated gradients, against a slow reference along the same path."""

from itertools import pairwise

import numpy as np
import pytest

import backlit as bl
from backlit.attribution.blur_integrated_gradients import levels
from tests.attribution.networks import NETWORKS, fully_connected, pooled, samples

IMAGES = {name: NETWORKS[name] for name in ("pooled", "residual")}


def blur(x, sigma):
    """A float64 Gaussian blur of the last two axes, zero beyond the edges, as SciPy's."""
    reach = int(4 * sigma + 0.5)
    if reach == 0:
        return x.astype(np.float64)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights /= weights.sum()
    for axis in (-1, -2):
        size = x.shape[axis]
        distance = np.subtract.outer(np.arange(size), np.arange(size))
        near = np.abs(distance) <= reach
        matrix = np.zeros((size, size))
        matrix[near] = weights[distance[near] + reach]
        x = np.moveaxis(np.moveaxis(x, axis, -1) @ matrix.T, -1, axis)
    return x


def reference(model, x, target, steps, max_sigma):
    points = [blur(x, s) for s in max_sigma * np.linspace(1, 0, steps + 1) ** 2]
    total = np.zeros(x.shape)
    for a, b in pairwise(points):
        total += (b - a) * bl.gradient(model, (a + b) / 2, target)
    return total


@pytest.mark.parametrize("network", IMAGES)
def test_equals_the_reference(network):
    model = IMAGES[network]()
    x = samples(model, 10)
    target = model.predict(x)
    maps = bl.blur_integrated_gradients(model, x, steps=8, max_sigma=3.0)
    expected = reference(model, x, target, 8, 3.0)
    np.testing.assert_allclose(maps, expected, atol=1e-4 * np.abs(expected).max())


def test_blur_equals_scipy():
    ndimage = pytest.importorskip("scipy.ndimage")
    x = np.random.default_rng(0).standard_normal((2, 9, 14))
    for sigma in (0.3, 1.0, 2.5, 20.0):
        theirs = ndimage.gaussian_filter(x, [0, sigma, sigma], mode="constant")
        np.testing.assert_allclose(blur(x, sigma), theirs, atol=1e-12)


def test_converges_to_the_integral_of_pair():
    """PAIR's sum: the gradient at each blur times a difference quotient, in even steps."""
    model = pooled()
    x = samples(model, 4)
    target = model.predict(x)
    theirs = np.zeros(x.shape)
    steps, max_sigma = 1500, 3.0
    for sigma in np.arange(steps) * max_sigma / steps:
        change = (blur(x, sigma + 0.001) - blur(x, sigma)) / 0.001
        theirs -= max_sigma / steps * change * bl.gradient(model, blur(x, sigma), target)
    ours = bl.blur_integrated_gradients(model, x, steps=400, max_sigma=max_sigma)
    # theirs jumps where the truncated kernel grows by a pixel, so agreement is not to the digit
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("network", IMAGES)
def test_adds_up_to_the_difference_of_scores(network):
    model = IMAGES[network]()
    x = samples(model, 9)
    target = model.predict(x)
    maps = bl.blur_integrated_gradients(model, x, steps=300, max_sigma=6.0)
    rows = np.arange(9)
    difference = model.logits(x)[rows, target] - model.logits(blur(x, 6.0))[rows, target]
    np.testing.assert_allclose(maps.sum(axis=(1, 2, 3)), difference, atol=0.02)


def test_same_bits_whatever_the_threads_and_split():
    for model in (pooled(), fully_connected()):
        shape = model.input_shape if len(model.input_shape) == 3 else (3, 7)
        x = samples(model, 41).reshape(41, *shape)
        whole = bl.blur_integrated_gradients(model, x, steps=3, threads=1)
        np.testing.assert_array_equal(
            bl.blur_integrated_gradients(model, x, steps=3, threads=3), whole
        )
        for part in (slice(0, 1), slice(3, 20), slice(40, 41)):
            maps = bl.blur_integrated_gradients(model, x[part], steps=3)
            np.testing.assert_array_equal(maps, whole[part])


def test_fully_connected_model_of_images():
    model = fully_connected()
    x = samples(model, 5).reshape(5, 1, 3, 7)
    target = model.predict(x)
    maps = bl.blur_integrated_gradients(model, x, steps=6, max_sigma=2.0)
    expected = reference(model, x, target, 6, 2.0)
    np.testing.assert_allclose(maps, expected, atol=1e-4 * np.abs(expected).max())


def test_levels():
    table = levels(4, 2.0, 30)
    np.testing.assert_array_equal(table[:, 0], [8, 5, 2, 1, 0])
    np.testing.assert_allclose(2 * table[:, 1:].sum(axis=1) - table[:, 1], 1, rtol=1e-6)
    np.testing.assert_array_equal(table[-1, 1:3], [1, 0])


@pytest.mark.parametrize(
    ("options", "message"),
    [({"steps": 0}, "steps"), ({"max_sigma": 0.0}, "max_sigma"), ({"max_sigma": -1}, "max_sigma")],
)
def test_refuses(options, message):
    model = pooled()
    with pytest.raises(ValueError, match=message):
        bl.blur_integrated_gradients(model, samples(model, 2), **options)


def test_refuses_what_is_no_image():
    model = fully_connected()
    with pytest.raises(ValueError, match="images"):
        bl.blur_integrated_gradients(model, samples(model, 2))
