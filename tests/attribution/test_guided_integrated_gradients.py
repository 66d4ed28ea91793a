"""Guided integrated gradients, against a slow reference written from the paper."""

import numpy as np
import pytest

import backlit as bl
from tests.attribution.networks import NETWORKS, fully_connected, residual, samples


def reference(model, x, x0, target, steps, fraction, most):
    """One sample, in float64, with positions on the way (alpha) as the state."""
    gap = (x - x0).ravel()
    alpha, total = np.zeros(gap.size), np.zeros(gap.size)
    for step in range(1, steps + 1):
        point = (x0.ravel() + alpha * gap).reshape(x.shape)
        gradient = bl.gradient(model, point[None].astype(np.float32), target)[0].ravel()
        size = np.abs(gradient).astype(np.float64)
        due = step / steps
        least, furthest = max(due - most, 0.0), min(due + most, 1.0)
        before = alpha.copy()
        alpha = np.maximum(alpha, least)
        goal = np.abs(gap).sum() * (1 - due)
        while True:
            rest = np.abs(gap) @ (1 - alpha)
            if rest - goal <= 1e-6 * np.abs(gap).sum():
                break
            size[(alpha >= furthest - 1e-12) | (gap == 0)] = np.inf
            threshold = np.quantile(size, fraction, method="lower")
            chosen = (size <= threshold) & np.isfinite(size)
            reach = np.abs(gap)[chosen] @ (furthest - alpha[chosen])
            if not chosen.any():
                break
            share = min(1.0, (rest - goal) / reach)
            alpha[chosen] += share * (furthest - alpha[chosen])
        total += (alpha - before) * gap * gradient
    return total.reshape(x.shape)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(("fraction", "most"), [(0.25, 0.02), (0.1, 0.3), (1.0, 1.0)])
def test_equals_the_reference(network, fraction, most):
    model = NETWORKS[network]()
    x, x0 = samples(model, 10), samples(model, 10, 7)
    x[:, ..., :2] = x0[:, ..., :2]  # features that have no way to go
    target = model.predict(x)
    options = {"steps": 12, "fraction": fraction, "max_distance": most}
    maps = bl.guided_integrated_gradients(model, x, baseline=x0, **options)
    expected = np.stack(
        [
            reference(model, *each, 12, fraction, most)
            for each in zip(x.astype(float), x0.astype(float), target, strict=True)
        ]
    )
    axes = tuple(range(1, x.ndim))
    apart = np.abs(maps - expected).max(axis=axes) / np.abs(expected).max(axis=axes)
    # rounding may exchange two features of nearly equal gradients, after which paths differ
    assert (apart < 1e-3).sum() >= 9


@pytest.mark.parametrize("network", NETWORKS)
def test_straight_path_is_the_left_riemann_sum(network):
    model = NETWORKS[network]()
    x = samples(model, 11)
    maps = bl.guided_integrated_gradients(model, x, steps=20, max_distance=0.0)
    expected = bl.integrated_gradients(model, x, steps=20, rule="riemann_left")
    np.testing.assert_allclose(maps, expected, atol=1e-3 * np.abs(expected).max())


def test_linear_model_whatever_the_path():
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((6, 3))
    x = rng.standard_normal((9, 6))
    model = bl.Model([bl.Dense(weights)], (6,))
    maps = bl.guided_integrated_gradients(model, x, 1, baseline=0.5, steps=7, max_distance=0.4)
    np.testing.assert_allclose(maps, (x - 0.5) * weights[:, 1], atol=1e-5)


def test_adds_up_to_the_difference_of_scores_near_the_straight_path():
    model = residual()
    x = samples(model, 10)
    target = model.predict(x)
    zero = model.logits(np.zeros((1, *model.input_shape)))[0, target]
    difference = model.logits(x)[np.arange(10), target] - zero
    gaps = []
    for most in (0.1, 0.02, 0.002):
        maps = bl.guided_integrated_gradients(model, x, steps=1000, max_distance=most)
        gaps.append(np.abs(maps.sum(axis=(1, 2, 3)) - difference).max())
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 0.02 * np.abs(difference).max()


def test_input_that_is_the_baseline():
    model = fully_connected()
    x = samples(model, 2)
    np.testing.assert_array_equal(
        bl.guided_integrated_gradients(model, x, baseline=x.copy()), np.zeros_like(x)
    )


@pytest.mark.parametrize("network", NETWORKS)
def test_same_bits_whatever_the_threads_and_split(network):
    model = NETWORKS[network]()
    x = samples(model, 41)
    whole = bl.guided_integrated_gradients(model, x, steps=5, threads=1)
    again = bl.guided_integrated_gradients(model, x, steps=5, threads=3)
    np.testing.assert_array_equal(again, whole)
    for part in (slice(0, 1), slice(3, 20), slice(40, 41)):
        maps = bl.guided_integrated_gradients(model, x[part], steps=5)
        np.testing.assert_array_equal(maps, whole[part])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps"),
        ({"fraction": 0.0}, "fraction"),
        ({"fraction": 1.5}, "fraction"),
        ({"max_distance": -0.1}, "max_distance"),
    ],
)
def test_refuses(options, message):
    model = fully_connected()
    with pytest.raises(ValueError, match=message):
        bl.guided_integrated_gradients(model, samples(model, 2), **options)
