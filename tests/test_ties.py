"""Max-pooling after Winograd's convolution: equal patches keep their ties, the first takes all."""

import numpy as np
import pytest

import backlit as bl
from backlit.lowering import convolution
from tests.reference.network import input_gradient


def stripes(rng, count, size):
    """Images of slanted stripes: full of patches that are equal at a diagonal's distance."""
    rows, columns = np.indices((size, size))
    phases = rng.integers(0, 7, count)[:, None, None]
    slants = rng.choice([-1, 1], count)[:, None, None]
    return ((rows + slants * columns + phases) % 7 < 3)[:, None].astype(np.float32)


def network(rng, size, pool, relu=True, channels=20):
    layers = [
        bl.Conv2D(rng.normal(size=(16, 1, 3, 3)) * 0.3, rng.normal(size=16) * 0.1, padding=1),
        bl.ReLU(),
        bl.Conv2D(
            rng.normal(size=(channels, 16, 3, 3)) * 0.1, rng.normal(size=channels), padding=1
        ),
        *([bl.ReLU()] if relu else []),
        bl.MaxPool2D(*pool),
        bl.Flatten(),
    ]
    features = bl.Model(layers, (1, size, size)).classes
    weights, bias = rng.normal(size=(features, 3)), rng.normal(size=3)
    return bl.Model([*layers, bl.Dense(weights, bias)], (1, size, size))


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize(("size", "pool"), [(14, (2,)), (13, (3,)), (12, ((2, 3), (3, 4)))])
def test_gradients_are_those_of_direct_sums(rng, monkeypatch, size, pool, relu):
    model = network(rng, size, pool, relu)
    X = stripes(rng, 17, size)
    settled = bl.gradient(model, X, 1)
    alone = np.concatenate([bl.gradient(model, x[None], 1) for x in X])
    np.testing.assert_array_equal(settled, alone)

    def gradient(changes):
        with monkeypatch.context() as patch:
            for name, value in changes.items():
                patch.setattr(convolution, name, value)
            return bl.gradient(bl.Model(model.layers, model.input_shape), X, 1)

    np.testing.assert_array_equal(settled, gradient({"pooling_to_settle": lambda *_: None}))
    unsettled = gradient({"emit_settle_ties": lambda *_: None})
    assert not np.allclose(settled, unsettled, rtol=0, atol=1e-3)  # there were ties to settle


def test_gradients_of_ties_are_the_references(rng):
    model = network(rng, 10, (2,))
    X = stripes(rng, 3, 10)
    expected = input_gradient(model, X, np.full(3, 1))
    np.testing.assert_allclose(bl.gradient(model, X, 1), expected, rtol=1e-4, atol=1e-5)


def test_flat_images_keep_their_ties(rng):
    model = network(rng, 12, (2,))
    X = np.full((2, 1, 12, 12), 0.4, np.float32)
    expected = input_gradient(model, X, np.full(2, 1))
    np.testing.assert_allclose(bl.gradient(model, X, 1), expected, rtol=1e-4, atol=1e-5)
