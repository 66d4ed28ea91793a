"""The data set and the models that the package carries."""

import numpy as np
import pytest

import backlit as bl


def test_mnist(mnist):
    X, y = mnist
    assert X.shape == (10000, 1, 28, 28)
    assert X.dtype == np.float32
    assert (X.min(), X.max()) == (0, 1)
    assert y.shape == (10000,)
    assert y.dtype == np.int64
    np.testing.assert_array_equal(y[:5], [7, 2, 1, 0, 4])


ACCURACY = {"mnist_fc": 0.97, "mnist_cnn": 0.98, "mnist_cnn_wide": 0.98}


@pytest.mark.parametrize("name", ACCURACY)
def test_accuracy(models, mnist, name):
    X, y = mnist
    X, y = (X[:3000], y[:3000]) if name == "mnist_cnn_wide" else (X, y)
    assert (models[name].predict(X) == y).mean() >= ACCURACY[name]


def test_architectures(models):
    def shapes(name):
        return [a.weights.shape for a in models[name].layers if hasattr(a, "weights")]

    assert shapes("mnist_fc") == [(784, 128), (128, 64), (64, 10)]
    assert shapes("mnist_cnn") == [(4, 1, 3, 3), (8, 4, 3, 3), (392, 10)]
    wide = [(32, 1, 3, 3), (64, 32, 3, 3), (12544, 128), (128, 10)]
    assert shapes("mnist_cnn_wide") == wide
    assert bl.models.mnist_fc().name == "mnist_fc"
