"""Path integrals from a blank baseline, which begin behind the first max pooling."""

import numpy as np
import pytest
from backlit_kernels.vector import LANES

import backlit as bl
from backlit.affine_parts import affine_prefix
from backlit.attribution import integrated_gradients
from backlit.attribution.blank_start import past_first_pooling, starts_blank
from backlit.attribution.quadrature import quadrature
from backlit.baselines import Baseline
from tests.helpers import assert_close, ending
from tests.reference.network import input_gradient

INSIDE = np.array([0.25, 0.75])


def network(rng, before=(), pool=None, size=(11, 12), activation=True, padding=1):
    conv = bl.Conv2D(rng.normal(size=(5, 2, 3, 3)), rng.normal(size=5), padding=padding)
    middle = bl.Conv2D(rng.normal(size=(3, 5, 3, 3)) / 3, rng.normal(size=3), padding=1)
    rectify = [bl.ReLU()] if activation else []
    layers = [*before, conv, *rectify, pool or bl.MaxPool2D(2), middle, bl.ReLU(), bl.MaxPool2D(2)]
    return ending(rng, layers, (2, *size))


def mean_gradient(model, X, baseline, steps, rule):
    """By the definition, in float64, times the difference."""
    total = np.zeros(X.shape)
    for position, weight in zip(*quadrature(rule, steps), strict=True):
        point = baseline + position * (X.astype(np.float64) - baseline)
        total += weight * input_gradient(model, point, np.ones(len(X), int))
    return total * (X - baseline)


def is_blank(model, values, positions=INSIDE, per_sample=0):
    values = np.broadcast_to(np.asarray(values, np.float32), (1, *model.input_shape))
    return starts_blank(model._programs.graph, Baseline(values, per_sample), positions)


POOLINGS = {
    "2x2": bl.MaxPool2D(2),
    "overlapping": bl.MaxPool2D(3, stride=2, padding=1),
    "ceil": bl.MaxPool2D(2, ceil_mode=True),
    "apart": bl.MaxPool2D(2, stride=3),
}


@pytest.mark.parametrize("activation", [True, False])
@pytest.mark.parametrize("pool", POOLINGS)
@pytest.mark.parametrize("count", [1, LANES, LANES + 3])
def test_definition(rng, pool, activation, count):
    model = network(rng, pool=POOLINGS[pool], activation=activation)
    assert is_blank(model, 0.0)
    X = rng.normal(size=(count, *model.input_shape)).astype(np.float32)
    some = [0, count // 2, count - 1]
    for rule in ("gauss_legendre", "riemann_right"):
        found, delta = bl.integrated_gradients(model, X, 1, steps=9, rule=rule, return_delta=True)
        assert_close(found[some], mean_gradient(model, X[some], 0.0, 9, rule), 1e-4)
        scores = model.logits(X)[:, 1] - model.logits(np.zeros_like(X))[:, 1]
        assert_close(delta, found.sum(axis=(1, 2, 3)) - scores, 1e-3)


@pytest.mark.parametrize("options", [{}, {"steps": 40}, {"score": "probability"}])
def test_the_same_as_otherwise(models, mnist, monkeypatch, options):
    model, X = models["mnist_cnn"], mnist[0][:40]
    maps = bl.integrated_gradients(model, X, **options)
    np.testing.assert_array_equal(bl.integrated_gradients(model, X[5:6], **options)[0], maps[5])
    monkeypatch.setattr(integrated_gradients, "starts_blank", lambda *_: False)
    assert_close(maps, bl.integrated_gradients(model, X, **options), 1e-5)


def test_a_colour_for_each_channel(rng):
    """Without zeros around the picture, any plain one is blank."""
    model = network(rng, padding=0)
    colour = np.array([0.5, -0.25], np.float32)[:, None, None]
    assert is_blank(model, colour)
    X = rng.normal(size=(LANES, *model.input_shape)).astype(np.float32)
    baseline = np.broadcast_to(colour, model.input_shape)
    found = bl.integrated_gradients(model, X, 1, baseline=baseline, steps=8)
    assert_close(found, mean_gradient(model, X, baseline, 8, "gauss_legendre"), 1e-4)


def test_what_is_not_blank(rng):
    plain = network(rng)
    assert is_blank(plain, 0.0)
    assert not is_blank(plain, 0.5)  # other values than those around the picture
    assert not is_blank(plain, 0.0, per_sample=1)
    spot = np.zeros(plain.input_shape)
    spot[1, 3, 4] = 1
    assert not is_blank(plain, spot)
    for rule in ("trapezoid", "riemann_left"):  # at the start the first pixels are chosen
        assert not is_blank(plain, 0.0, quadrature(rule, 5)[0])
    scaled = network(rng, [bl.BatchNorm([1.0] * 2, [0.0] * 2, [0.1] * 2, [1.0] * 2)])
    assert not is_blank(scaled, 0.0)
    dense = ending(rng, [bl.Dense(rng.normal(size=(6, 4))), bl.ReLU()], (6,))
    assert not is_blank(dense, 0.0)
    conv = bl.Conv2D(rng.normal(size=(4, 2, 3, 3)))
    for after in ([bl.Tanh(), bl.MaxPool2D(2)], [bl.ReLU(), bl.AvgPool2D(2)], [bl.AvgPool2D(2)]):
        assert not is_blank(ending(rng, [conv, *after], (2, 8, 8)), 0.0)
    branches = bl.Residual([bl.ReLU(), bl.MaxPool2D(2)], [bl.MaxPool2D(2)])
    assert not is_blank(ending(rng, [conv, branches], (2, 8, 8)), 0.0)


def test_only_the_first_pooling_is_moved(rng):
    graph = network(rng)._programs.graph
    moved, start = past_first_pooling(graph)
    kinds = [type(node.layer).__name__ for node in moved.nodes]
    assert kinds[:3] == ["Conv2D", "MaxPool2D", "ReLU"]
    assert kinds[3:6] == ["Conv2D", "ReLU", "MaxPool2D"]
    assert start == 2 == affine_prefix(graph) + 1
    assert moved.constants is graph.constants


def test_windows_that_rise_together(rng):
    """Equal pixels stay equal along the path: the first of them takes the gradient."""
    weights = np.zeros((1, 1, 3, 3), np.float32)
    weights[0, 0, 1, 1] = 1
    layers = [bl.Conv2D(weights, padding=1), bl.ReLU(), bl.MaxPool2D(2)]
    model = ending(rng, layers, (1, 4, 4))
    X = np.ones((LANES, 1, 4, 4), np.float32)
    X[:, :, 2:] *= -1
    found = bl.integrated_gradients(model, X, 1, steps=4)
    assert_close(found, mean_gradient(model, X, 0.0, 4, "gauss_legendre"))
    assert (found[:, :, 1::2] == 0).all()
    assert (found[:, :, :, 1::2] == 0).all()
