"""Random networks of every kind of layer against the reference, and what must not matter."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings

import backlit as bl
from backlit import engine
from tests.helpers import assert_close, filled_with
from tests.reference import network
from tests.strategies import cases

few = settings(max_examples=60, deadline=None)


def gradient(case, **options):
    return bl.gradient(case.model, case.X, case.target, score=case.score, **options)


@few
@given(case=cases())
def test_logits_and_gradients(case):
    logits = network.logits(case.model, case.X)  # of values up to 1, which may cancel
    np.testing.assert_allclose(case.model.logits(case.X), logits, rtol=2e-5, atol=2e-6)
    expected, largest = reference_gradient(case)
    difference = np.abs(gradient(case) - expected).max()
    assert difference <= 2e-5 * np.abs(expected).max() + 1e-6 * largest


def reference_gradient(case):
    """The input's gradient, and the largest entry on the way: what rounding is to be judged by.

    Gradients may cancel, as those of a softmax whose inputs rise together.
    """
    layers = network.before_softmax(case.model.layers)
    values = [case.X.astype(np.float64)]
    for layer in layers:
        values.append(network.step(layer, values[-1]))
    g = network.score_gradient(values.pop(), case.target, case.score)
    largest = np.abs(g).max()
    for layer, value in zip(reversed(layers), reversed(values), strict=True):
        g = network.backward([layer], value, g)
        largest = max(largest, np.abs(g).max())
    return g, largest


@few
@given(case=cases())
def test_alone_or_in_company(case):
    """A sample's bits do not depend on its batch, nor on what memory held before."""
    logits, maps = case.model.logits(case.X), gradient(case)
    for i in {0, len(case.X) // 2, len(case.X) - 1}:
        one = slice(i, i + 1)
        np.testing.assert_array_equal(case.model.logits(case.X[one]), logits[one])
        alone = bl.gradient(case.model, case.X[one], case.target[one], score=case.score)
        np.testing.assert_array_equal(alone, maps[one])
    for filling in (np.nan, 1e30):
        with mock.patch.object(engine, "aligned", filled_with(filling)):
            np.testing.assert_array_equal(case.model.logits(case.X), logits)
            np.testing.assert_array_equal(gradient(case), maps)


@pytest.mark.parametrize("score", ["logit", "log_probability", "probability", "loss"])
def test_central_differences(rng, score):
    """The whole way, from the reference's forward pass alone."""
    layers = [
        bl.Conv2D(rng.normal(size=(4, 2, 3, 2)) / 3, rng.normal(size=4), (1, 2), (1, 0, 2, 1)),
        bl.Tanh(),
        bl.Residual([bl.Conv2D(rng.normal(size=(4, 1, 3, 3)), padding=1, groups=4)], []),
        bl.AvgPool2D(3, 2, 1, ceil_mode=True, count_include_pad=False),
        bl.Sigmoid(),
        bl.Flatten(),
        bl.Dense(rng.normal(size=(32, 3))),
    ]
    model = bl.Model(layers, (2, 5, 6))
    X, target = rng.normal(size=(2, 2, 5, 6)).astype(np.float32), np.array([2, 0])

    def total(x):
        return network.score_values(network.logits(model, x), target, score).sum()

    expected = network.central_differences(total, X.astype(np.float64))
    assert_close(bl.gradient(model, X, target, score=score), expected, 1e-5)
