"""The same bits for any number of threads, any batch split, any company."""

import numpy as np
import pytest

import backlit as bl
from tests.helpers import grid


def make(name):
    rng = np.random.default_rng(1)
    if name == "dense":
        return bl.Model(
            [bl.Dense(rng.normal(size=(50, 33))), bl.ReLU(), bl.Dense(rng.normal(size=(33, 7)))],
            (50,),
        )
    stride = 2 if name == "strided" else 1
    layers = [
        bl.Conv2D(rng.normal(size=(5, 2, 3, 3)), rng.normal(size=5), stride, 1),
        bl.ReLU(),
        bl.Residual([bl.Conv2D(rng.normal(size=(5, 5, 3, 3)), padding=1), bl.Sigmoid()]),
        bl.MaxPool2D(2),
        bl.AvgPool2D(3, 1, 1),
        bl.Flatten(),
    ]
    shape = (2, 12, 10)
    for layer in layers:
        shape = layer.output_shape(shape)
    return bl.Model([*layers, bl.Dense(rng.normal(size=(shape[0], 6)))], (2, 12, 10))


@pytest.mark.parametrize("score", ["logit", "loss"])
@pytest.mark.parametrize("name", ["dense", "flat", "strided"])
def test_same_bits(rng, name, score):
    model = make(name)
    X = rng.normal(size=(70, *model.input_shape)).astype(np.float32)
    whole = bl.gradient(model, X, score=score)
    for threads in (1, 2, 3):
        np.testing.assert_array_equal(bl.gradient(model, X, score=score, threads=threads), whole)
    for size in (1, 7, 16, 33):
        parts = [bl.gradient(model, X[i : i + size], score=score) for i in range(0, 70, size)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)
    order = rng.permutation(70)
    np.testing.assert_array_equal(bl.gradient(model, X[order], score=score), whole[order])


def test_threads_share_large_jobs(models, mnist):
    model, X = models["mnist_cnn"], mnist[0][:2000]
    one = bl.saliency(model, X, threads=1)
    np.testing.assert_array_equal(bl.saliency(model, X, threads=3), one)


def test_first_of_equal_logits_is_predicted(rng):
    """Classes 1 and 3 score 2 * (x0 + x1) each, from different weights where x0 = x1."""
    weights = np.array([[1.0, 3, 0, 1], [1, 1, 0, 3]])
    model = bl.Model([bl.Dense(weights)], (2,))
    X = np.repeat(np.abs(grid(rng, 20, 1)) + 1, 2, axis=1)
    np.testing.assert_array_equal(model.predict(X), 1)
    for part in (X, X[:1]):
        np.testing.assert_array_equal(bl.gradient(model, part), np.tile([3, 1], (len(part), 1)))
