"""Integrated gradients: definition, properties, baselines, tolerance."""

import tracemalloc

import numpy as np
import pytest

import backlit as bl
from backlit.attribution.quadrature import quadrature
from tests.helpers import assert_close
from tests.reference import network

RULES = ["gauss_legendre", "trapezoid", "riemann_left", "riemann_right", "riemann_middle"]


def reference(model, X, target, baseline, rule, steps, score="logit", multiply=True):
    """The sum over the path's points, in float64."""
    base = np.broadcast_to(np.asarray(baseline, np.float64), X.shape)
    total = np.zeros(X.shape)
    for position, weight in zip(*quadrature(rule, steps), strict=True):
        point = base + position * (X - base)
        total += weight * network.input_gradient(model, point, target, score)
    return (X - base) * total if multiply else total


@pytest.fixture
def model(rng):
    layers = [
        bl.Conv2D(rng.normal(size=(3, 2, 3, 3)), rng.normal(size=3), padding=1),
        bl.Tanh(),
        bl.AvgPool2D(2),
        bl.Flatten(),
        bl.Dense(rng.normal(size=(27, 5)) / 3, rng.normal(size=5)),
        bl.Sigmoid(),
        bl.Dense(rng.normal(size=(5, 3))),
    ]
    return bl.Model(layers, (2, 6, 6))


@pytest.fixture
def X(rng):
    return rng.normal(size=(9, 2, 6, 6)).astype(np.float32)


@pytest.mark.parametrize("rule", RULES)
def test_rules_are_textbook(rule):
    for steps in (2, 5, 50):
        positions, weights = quadrature(rule, steps)
        assert len(positions) == len(weights) == steps
        np.testing.assert_allclose(weights.sum(), 1)
        assert (positions >= 0).all()
        assert (positions <= 1).all()
    if rule not in ("riemann_left", "riemann_right"):
        np.testing.assert_allclose(weights @ positions, 0.5)  # exact for straight lines


def test_gauss_legendre():
    for steps in (1, 2, 3, 20, 101):
        nodes, weights = np.polynomial.legendre.leggauss(steps)
        positions, found = quadrature("gauss_legendre", steps)
        np.testing.assert_allclose(positions, (nodes + 1) / 2, atol=1e-14)
        np.testing.assert_allclose(found, weights / 2, rtol=1e-10)
    positions, weights = quadrature("gauss_legendre", 4096)
    np.testing.assert_allclose(weights @ positions**9, 0.1)


@pytest.mark.parametrize("multiply", [True, False])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("score", ["logit", "probability"])
def test_definition(model, X, rule, score, multiply):
    expected = reference(model, X, 1, 0.0, rule, 7, score, multiply)
    options = {"rule": rule, "steps": 7, "score": score, "multiply_by_inputs": multiply}
    assert_close(bl.integrated_gradients(model, X, 1, **options), expected)


@pytest.mark.parametrize("steps", [6, "exact"])
def test_averaged_gradients(models, mnist, steps):
    """Times the difference they are the attributions; at the baseline, the gradient there."""
    model, X = models["mnist_cnn"], mnist[0][:5]
    options = {"steps": steps, "baseline": 0.25, "multiply_by_inputs": False}
    averaged = bl.integrated_gradients(model, X, **options)
    expected = bl.integrated_gradients(model, X, steps=steps, baseline=0.25)
    assert_close((X - np.float32(0.25)) * averaged, expected, 1e-6)
    at_itself = bl.integrated_gradients(model, X, **options | {"baseline": X})
    assert_close(at_itself, bl.gradient(model, X), 1e-5)
    for more in ({"return_delta": True}, {"tolerance": 0.1}):
        with pytest.raises(ValueError, match="multiply_by_inputs must be True with return_delta"):
            bl.integrated_gradients(model, X, **options, **more)
    with pytest.raises(TypeError, match="multiply_by_inputs must be True or False"):
        bl.integrated_gradients(model, X, multiply_by_inputs=None)


def test_baselines(rng, model, X):
    one, each = rng.normal(size=X.shape[1:]), rng.normal(size=X.shape)
    for baseline in (0.5, one, each):
        expected = reference(model, X, 0, baseline, "riemann_middle", 5)
        found = bl.integrated_gradients(
            model, X, 0, baseline=baseline, rule="riemann_middle", steps=5
        )
        assert_close(found, expected)
    parts = [bl.integrated_gradients(model, X, 0, baseline=b) for b in (0.5, one, each)]
    mean = bl.integrated_gradients(model, X, 0, baseline=[0.5, one, each])
    assert_close(mean, np.mean(parts, axis=0))


def test_target_is_predicted_once(rng, model, X):
    """Not again along the path."""
    predicted = model.predict(X)
    np.testing.assert_array_equal(
        bl.integrated_gradients(model, X), bl.integrated_gradients(model, X, predicted)
    )


def test_completeness(model, X):
    for score in ("logit", "log_probability", "probability", "loss"):
        found, delta = bl.integrated_gradients(model, X, score=score, return_delta=True)
        gap = bl.completeness_gap(model, X, found, score=score)
        np.testing.assert_allclose(gap, 0, atol=2e-5)
        np.testing.assert_allclose(delta, gap, atol=1e-5)


def test_linear_model_is_exact(rng):
    model = bl.Model([bl.Dense(rng.normal(size=(6, 3)), rng.normal(size=3))], (6,))
    X = rng.normal(size=(5, 6)).astype(np.float32)
    found = bl.integrated_gradients(model, X, 2, steps=1)
    assert_close(found, X * model.layers[0].weights[:, 2])


def test_tolerance(models, mnist):
    model, X = models["mnist_cnn"], mnist[0][:30]
    _, before = bl.integrated_gradients(model, X, steps=10, return_delta=True)
    found, delta = bl.integrated_gradients(model, X, steps=10, tolerance=0.02, return_delta=True)
    assert np.abs(before).max() > 0.02 >= np.abs(delta).max()
    np.testing.assert_allclose(bl.completeness_gap(model, X, found), delta, atol=1e-4)
    message = "did not converge to 1e-09 within 4096 steps for"
    with pytest.warns(RuntimeWarning, match=message) as caught:
        bl.integrated_gradients(model, X[:2], tolerance=1e-9)
    assert caught[0].filename == __file__


def test_paper_example():
    """Section 4 of the paper's two networks of equal outputs: at (3, 1) both give (1.5, -0.5).

    f = relu(relu(x1) - 1 - relu(x2)), g = relu(relu(x1 - 1) - relu(x2)).
    """
    combine = bl.Dense([[1.0], [-1.0]])
    f = [bl.ReLU(), bl.Dense([[1.0], [-1.0]], [-1.0]), bl.ReLU()]
    g = [bl.Dense(np.eye(2), [-1.0, 0.0]), bl.ReLU(), combine, bl.ReLU()]
    for layers in (f, g):
        model = bl.Model(layers, (2,))
        found = bl.integrated_gradients(model, [[3.0, 1.0]], 0, steps=3000, rule="riemann_middle")
        np.testing.assert_allclose(found, [[1.5, -0.5]], atol=2e-3)


def test_exact_is_complete(models, mnist):
    """No discretisation error: the attributions add up to the last digits."""
    for name in ("mnist_fc", "mnist_cnn"):
        model = models[name]
        X = mnist[0][:3].reshape(3, *model.input_shape)
        found, delta = bl.integrated_gradients(model, X, steps="exact", return_delta=True)
        size = np.abs(model.logits(X)).max()
        np.testing.assert_allclose(delta, 0, atol=2e-5 * size)
        many = bl.integrated_gradients(model, X, steps=3000, rule="riemann_middle")
        assert_close(found, many, 5e-3)
        alone = bl.integrated_gradients(model, X[1:2], steps="exact")
        np.testing.assert_array_equal(alone, found[1:2])


@pytest.mark.parametrize("rule", ["trapezoid", "riemann_left"])
def test_rules_have_no_part_in_exact(models, mnist, rule):
    model, X = models["mnist_cnn"], mnist[0][:1]
    found = bl.integrated_gradients(model, X, steps="exact", rule=rule)
    np.testing.assert_array_equal(found, bl.integrated_gradients(model, X, steps="exact"))


def test_exact_in_little_memory(rng):
    """Few pieces at a time: the same integral, and arrays of no more than so many gradients."""
    layers = [bl.Conv2D(rng.normal(size=(2, 3, 3, 3)), stride=4), bl.ReLU(), bl.Flatten()]
    model = bl.Model([*layers, bl.Dense(rng.normal(size=(2 * 12 * 12, 3)))], (3, 48, 48))
    X = rng.normal(size=(2, 3, 48, 48)).astype(np.float32)
    expected = bl.integrated_gradients(model, X, 1, steps="exact")
    budget = 4 << 20
    tracemalloc.start()
    found, delta = bl.integrated_gradients(
        model, X, 1, steps="exact", memory=budget, return_delta=True
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * budget
    assert_close(found, expected, 1e-6)
    np.testing.assert_allclose(delta, 0, atol=2e-4)


def test_exact_on_the_papers_example():
    f = [bl.ReLU(), bl.Dense([[1.0], [-1.0]], [-1.0]), bl.ReLU()]
    found = bl.integrated_gradients(bl.Model(f, (2,)), [[3.0, 1.0]], 0, steps="exact")
    np.testing.assert_allclose(found, [[1.5, -0.5]], rtol=1e-6)


def test_exact_is_refused(model, X, models, mnist):
    with pytest.raises(ValueError, match="piecewise-linear networks, but layer 1 is Tanh"):
        bl.integrated_gradients(model, X, steps="exact")
    with pytest.raises(ValueError, match="rule must be"):
        bl.integrated_gradients(models["mnist_cnn"], mnist[0][:1], steps="exact", rule="simpson")
    with pytest.raises(ValueError, match="score must be 'logit' with steps='exact'"):
        bl.integrated_gradients(models["mnist_cnn"], mnist[0][:1], steps="exact", score="loss")


def test_same_bits(models, mnist):
    model, X = models["mnist_cnn"], mnist[0][:37]
    whole = bl.integrated_gradients(model, X, steps=5)
    parts = [bl.integrated_gradients(model, X[i : i + 1], steps=5, threads=2) for i in range(37)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
