"""The reference itself, against central differences."""

import numpy as np
import pytest

import backlit as bl
from tests.reference import network
from tests.reference.network import central_differences


def smooth_layers(rng):
    return {
        "conv": bl.Conv2D(rng.normal(size=(4, 1, 3, 2)), rng.normal(size=4), 2, (1, 0, 2, 1), 1, 2),
        "dilated": bl.Conv2D(rng.normal(size=(3, 2, 2, 2)), None, 1, 1, 2),
        "max": bl.MaxPool2D(3, 2, 1, True),
        "average": bl.AvgPool2D((2, 3), 2, (1, 0), True),
        "average, no padding": bl.AvgPool2D(3, 2, 1, True, False),
        "global": bl.GlobalAvgPool2D(),
        "norm": bl.BatchNorm([1.5, 2], [0, 1], [0.5, 1], [2, 3]),
        "leaky": bl.LeakyReLU(0.2),
        "clip": bl.Clip(-0.5, 0.7),
        "sigmoid": bl.Sigmoid(),
        "tanh": bl.Tanh(),
        "relu": bl.ReLU(),
        "softmax": bl.Softmax(),
        "log-softmax": bl.LogSoftmax(),
        "residual": bl.Residual([bl.Tanh(), bl.Conv2D(rng.normal(size=(2, 2, 1, 1)))], [bl.ReLU()]),
    }


@pytest.mark.parametrize("name", smooth_layers(np.random.default_rng(0)))
def test_backward_is_the_derivative_of_forward(rng, name):
    layer = smooth_layers(rng)[name]
    x = rng.normal(size=(2, 2, 5, 6))
    g = rng.normal(size=network.forward([layer], x).shape)
    expected = central_differences(lambda v: (g * network.forward([layer], v)).sum(), x)
    np.testing.assert_allclose(network.backward([layer], x, g), expected, atol=1e-6)


@pytest.mark.parametrize("score", ["logit", "log_probability", "probability", "loss"])
def test_score_gradients(rng, score):
    z, targets = rng.normal(size=(3, 4)), np.array([0, 3, 1])
    expected = central_differences(lambda v: network.score_values(v, targets, score).sum(), z)
    np.testing.assert_allclose(network.score_gradient(z, targets, score), expected, atol=1e-8)
