"""DeepLIFT through activation functions: multipliers keep their digits at any distance."""

import numpy as np
import pytest

import backlit as bl
from backlit.importers.builder import GraphBuilder, arithmetic, finish, products, shapes
from backlit.layers import Activation
from tests.lowering.test_activation_functions import FUNCTIONS, is_positive
from tests.reference import operators as reference

DISTANCES = np.concatenate([np.geomspace(1e-5, 4, 200), -np.geomspace(1e-5, 4, 200)])


def pairs(positive):
    """Values and references at many distances, within -6 ... 6, on both sides of kinks too."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-5, 5, (40, len(DISTANCES)))
    x[:8] = rng.choice([-3.0, -1.0, 0.0, 1.0, 3.0], (8, len(DISTANCES)))
    x0 = np.clip(x + DISTANCES, -6, 6)
    if positive:
        x, x0 = np.abs(x) + 0.01, np.abs(x0) + 0.01
    x, x0 = x.astype(np.float32).ravel(), x0.astype(np.float32).ravel()
    return x[x != x0], x0[x != x0]


@pytest.mark.parametrize(("name", "parameters"), FUNCTIONS)
def test_multipliers(name, parameters):
    b = GraphBuilder((1,))
    model = finish(b, b.append(Activation(name, **parameters), b.input), outputs="values")
    x, x0 = pairs(is_positive(name, parameters) or name in ("reciprocal", "power"))
    found = bl.deeplift(model, x[:, None], baseline=x0[:, None])[:, 0]
    rise = x.astype(np.float64) - x0
    f = reference.ACTIVATIONS[name]
    exact = f(x.astype(np.float64), **parameters) - f(x0.astype(np.float64), **parameters)
    values = np.abs(model.logits(x[:, None])) + np.abs(model.logits(x0[:, None]))
    size = values[:, 0] + np.minimum(np.maximum(np.abs(x), np.abs(x0)), 1)
    # contributions to the rounding of the values, multipliers much better than their quotient
    assert (np.abs(found - exact) <= 2e-6 * size).all()
    if name != "thresholded_relu":  # which jumps
        slopes = exact / rise
        assert (np.abs(found / rise - slopes) <= 1e-4 * (np.abs(slopes) + 1)).all()


@pytest.mark.parametrize("name", ["log", "sqrt", "reciprocal", "exp"])
def test_borders_stay_zero(name):
    """Zeros around images are no values: functions that are infinite there do no harm."""
    rng = np.random.default_rng(0)
    b = GraphBuilder((2, 5, 4))

    def conv(x):
        return products.convolution(b, x, rng.normal(size=(2, 2, 3, 3)) / 4, None, padding=(1,) * 4)

    x = arithmetic.scale(b, arithmetic.unary(b, "square", conv(b.input)), shift=0.3)
    x = shapes.reshape(b, conv(arithmetic.unary(b, name, x)), (1, 40))
    model = finish(b, products.dense(b, x, rng.normal(size=(40, 3)) / 6))
    for count in (1, 19):
        x = rng.normal(size=(count, 2, 5, 4)).astype(np.float32)
        maps = bl.deeplift(model, x, 1)
        rise = (model.logits(x) - model.logits(0 * x))[:, 1]
        np.testing.assert_allclose(maps.sum(axis=(1, 2, 3)), rise, atol=2e-5)


def test_a_scale_is_linear():
    """However large its shift: the multiplier is its factor."""
    b = GraphBuilder((3,))
    model = finish(b, arithmetic.scale(b, b.input, 0.1, shift=1e4))
    maps = bl.deeplift(model, np.array([[1, 2, 3.0]]), 2, baseline=2.5)
    np.testing.assert_allclose(maps, [[0, 0, 0.05]], rtol=1e-6)
