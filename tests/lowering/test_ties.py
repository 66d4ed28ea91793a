"""Max-pooling after Winograd's convolution: equal patches keep their ties, the first takes all."""

import numpy as np
import pytest

import backlit as bl
from backlit.lowering import convolution, settling, winograd
from tests.reference.network import input_gradient


def stripes(rng, count, size):
    """Images of slanted stripes: full of patches that are equal at a diagonal's distance."""
    rows, columns = np.indices(size if isinstance(size, tuple) else (size, size))
    phases = rng.integers(0, 7, count)[:, None, None]
    slants = rng.choice([-1, 1], count)[:, None, None]
    return ((rows + slants * columns + phases) % 7 < 3)[:, None].astype(np.float32)


RELU = (bl.ReLU(),)


def network(rng, size, between=RELU, channels=20):
    layers = [
        bl.Conv2D(rng.normal(size=(16, 1, 3, 3)) * 0.3, rng.normal(size=16) * 0.1, padding=1),
        bl.ReLU(),
        bl.Conv2D(
            rng.normal(size=(channels, 16, 3, 3)) * 0.1, rng.normal(size=channels), padding=1
        ),
        *between,
        bl.MaxPool2D(2),
        bl.Flatten(),
    ]
    shape = (1, *size) if isinstance(size, tuple) else (1, size, size)
    features = bl.Model(layers, shape).classes
    weights, bias = rng.normal(size=(features, 3)), rng.normal(size=3)
    return bl.Model([*layers, bl.Dense(weights, bias)], shape)


@pytest.mark.parametrize("between", [[bl.ReLU()], [bl.Clip(0, 0.4)], []], ids=str)
@pytest.mark.parametrize("size", [14, 13, (9, 300)], ids=str)
def test_gradients_are_those_of_direct_sums(rng, monkeypatch, size, between):
    model = network(rng, size, between)
    X = stripes(rng, 17, size)
    found = bl.gradient(model, X, 1)
    alone = np.concatenate([bl.gradient(model, x[None], 1) for x in X])
    np.testing.assert_array_equal(found, alone)

    def gradient(changes):
        with monkeypatch.context() as patch:
            for name, value in changes.items():
                for module in (convolution, winograd, settling):
                    if hasattr(module, name):
                        patch.setattr(module, name, value)
            return bl.gradient(bl.Model(model.layers, model.input_shape), X, 1)

    np.testing.assert_array_equal(found, gradient({"pooling_to_settle": lambda *_: None}))
    unsettled = gradient({"CLOSE": 0})
    assert not np.allclose(found, unsettled, rtol=0, atol=1e-3)  # there were ties to settle


def test_outputs_that_are_wanted(rng, monkeypatch):
    """Of the convolution, the ReLU and the pooling, where all of them are kept."""
    model = network(rng, 13)
    X = stripes(rng, 17, 13)
    found = [bl.layer_activation(model, X, layer=layer) for layer in (2, 3, 4)]
    inner = [bl.layer_gradient(model, X, 1, layer=layer) for layer in (2, 3, 4)]
    monkeypatch.setattr(convolution, "forward_patches", lambda *_: 0)
    direct = bl.Model(model.layers, model.input_shape)
    for layer, values, gradient in zip((2, 3, 4), found, inner, strict=True):
        expected = bl.layer_activation(direct, X, layer=layer)
        np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-5)
        expected = bl.layer_gradient(direct, X, 1, layer=layer)
        np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-5)


def test_gradients_of_ties_are_the_references(rng):
    model = network(rng, 10)
    X = stripes(rng, 3, 10)
    expected = input_gradient(model, X, np.full(3, 1))
    np.testing.assert_allclose(bl.gradient(model, X, 1), expected, rtol=1e-4, atol=1e-5)


def test_flat_images_keep_their_ties(rng):
    model = network(rng, 12)
    X = np.full((2, 1, 12, 12), 0.4, np.float32)
    expected = input_gradient(model, X, np.full(2, 1))
    np.testing.assert_allclose(bl.gradient(model, X, 1), expected, rtol=1e-4, atol=1e-5)


def large_network(rng, size):
    """Three poolings, Winograd's method before the last two."""
    layers, channels = [], 1
    for outputs in (16, 16, 20):
        weights = rng.normal(size=(outputs, channels, 3, 3)) * (0.6 / np.sqrt(channels))
        bias = rng.normal(size=outputs) * 0.1
        layers += [bl.Conv2D(weights, bias, padding=1), bl.ReLU(), bl.MaxPool2D(2)]
        channels = outputs
    layers.append(bl.Flatten())
    features = bl.Model(layers, (1, size, size)).classes
    return bl.Model([*layers, bl.Dense(rng.normal(size=(features, 3)))], (1, size, size))


def test_large_flat_and_straight_pictures_keep_their_ties(rng, monkeypatch):
    """Flat pictures, and edges along an axis: the differences that would round vanish exactly."""
    size = 64
    X = np.full((5, 1, size, size), 0.4, np.float32)
    X[1, :, :, 21:] = 0.9
    X[2, :, 34:] = 0.1
    X[3, :, 11:40] = X[4, :, :, 9:] = 0.7
    model = large_network(rng, size)
    assert patches(model) == [0, 2, 2]
    found = bl.gradient(model, X, 1)
    monkeypatch.setattr(convolution, "forward_patches", lambda *_: 0)
    expected = bl.gradient(bl.Model(model.layers, model.input_shape), X, 1)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_small_pictures_with_poolings_to_come_are_summed_directly(rng):
    assert patches(large_network(rng, 32)) == [0, 0, 2]  # before the last


def patches(model):
    graph = model._programs.graph
    nodes = [node for node in graph.nodes if isinstance(node.layer, bl.Conv2D)]
    return [winograd.forward_patches(graph, node) for node in nodes]
