"""Expected gradients (GradientSHAP)."""

import numpy as np
import pytest

import backlit as bl
from backlit.attribution.call import Call
from backlit.attribution.expected_gradients import Draws, draw, explain
from tests.attribution.networks import NETWORKS, fully_connected, pooled, samples
from tests.attribution.peers import assert_maps_agree, tensor, twin


def explain_at(model, x, target, background, index, positions, multiply):
    """Expected gradients with given baselines and positions on their paths."""
    call = Call(model, x, target, "logit", None, False, None, None)
    strata = np.stack([positions, np.zeros_like(positions)], axis=1).astype(np.float32)
    return explain(call, background, Draws(np.asarray(index), strata, 1), 0, multiply)


@pytest.mark.parametrize("multiply", [True, False])
@pytest.mark.parametrize("network", NETWORKS)
def test_equals_captum_at_given_points(network, multiply, monkeypatch):
    attr = pytest.importorskip("captum.attr")
    model = NETWORKS[network]()
    x, background = samples(model, 1, 5), samples(model, 4, 6)
    index = np.array([3, 0, 0, 2, 1, 3])
    positions = np.random.default_rng(0).uniform(size=6)
    monkeypatch.setattr(np.random, "choice", lambda count, size: index)
    monkeypatch.setattr(np.random, "uniform", lambda low, high, size: positions.reshape(size))
    theirs = attr.GradientShap(twin(model), multiply).attribute(
        tensor(x), tensor(background), n_samples=6, stdevs=0.0, target=1
    )
    ours = explain_at(model, x, 1, background, index, positions, multiply)
    assert_maps_agree(ours, theirs.detach())


@pytest.mark.parametrize("multiply", [True, False])
@pytest.mark.parametrize("network", NETWORKS)
def test_is_the_mean_of_integrated_gradients(network, multiply):
    model = NETWORKS[network]()
    x, background = samples(model, 11), samples(model, 5, 9)
    target = model.predict(x)
    expected = bl.integrated_gradients(
        model, x, target, baseline=list(background), steps=400, rule="riemann_middle",
        multiply_by_inputs=multiply,
    )  # fmt: skip
    maps = bl.expected_gradients(
        model, x, background=background, samples=5000, multiply_by_inputs=multiply
    )
    np.testing.assert_allclose(maps, expected, atol=0.01 * np.abs(expected).max())


def test_adds_up_to_the_difference_of_scores():
    model = pooled()
    x, background = samples(model, 12), samples(model, 8, 9)
    target = model.predict(x)
    maps = bl.expected_gradients(model, x, background=background, samples=4000)
    scores = model.logits(x)[np.arange(12), target] - model.logits(background)[:, target].mean(0)
    np.testing.assert_allclose(maps.sum(axis=(1, 2, 3)), scores, atol=0.02 * np.abs(scores).max())


def test_linear_model():
    """x - mean of the background, times the weight, whatever the positions."""
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((6, 3))
    x, background = rng.standard_normal((9, 6)), rng.standard_normal((4, 6))
    maps = bl.expected_gradients(
        bl.Model([bl.Dense(weights)], (6,)), x, 2, background=background, samples=12
    )
    np.testing.assert_allclose(maps, (x - background.mean(axis=0)) * weights[:, 2], atol=1e-5)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("count", [3, 7, 24])
def test_same_bits_whatever_the_threads_split_and_order(network, count):
    model = NETWORKS[network]()
    x = samples(model, 41)
    options = {"background": samples(model, 4, 9), "samples": count, "seed": 3}
    whole = bl.expected_gradients(model, x, threads=1, **options)
    np.testing.assert_array_equal(bl.expected_gradients(model, x, threads=3, **options), whole)
    for part in (slice(0, 1), slice(3, 20), slice(40, 41), slice(None, None, -1)):
        np.testing.assert_array_equal(bl.expected_gradients(model, x[part], **options), whole[part])


@pytest.mark.parametrize(
    ("count", "background", "per_step"),
    [
        (50, 10, 5),
        (50, 1, 10),
        (48, 2, 8),
        (200, 10, 10),
        (24, 4, 6),
        (10, 10, 1),
        (7, 20, 1),
        (11, 1, 1),
        (9, 4, 1),
    ],
)
def test_draws_are_balanced(count, background, per_step):
    draws = draw(count, background, 0)
    assert draws.per_step == per_step
    taken = np.bincount(draws.baselines, minlength=background)
    assert taken.sum() == count
    assert taken.max() - taken.min() <= 1
    groups = draws.baselines.reshape(-1, per_step)
    assert (groups == groups[:, :1]).all()
    lowest = np.sort(draws.strata[:, 0])
    np.testing.assert_allclose(lowest, np.arange(count) / count, rtol=1e-6)
    np.testing.assert_allclose(draws.strata[:, 1], 1 / count, rtol=1e-6)


def test_draws_sharing_a_baseline_change_nothing():
    model = NETWORKS["residual"]()
    x, background = samples(model, 9), samples(model, 3, 9)
    draws = draw(24, 3, 5)
    assert draws.per_step == 8
    call = Call(model, x, None, "logit", None, False, None, None)
    shared = explain(call, background, draws, 5)
    apart = explain(call, background, draws._replace(per_step=1), 5)
    np.testing.assert_allclose(shared, apart, atol=1e-5 * np.abs(apart).max())


def test_positions_differ_between_samples_and_seeds():
    model = fully_connected()
    x = samples(model, 3)
    options = {"background": samples(model, 2, 9), "samples": 4}
    assert (
        bl.expected_gradients(model, x, seed=1, **options)
        != bl.expected_gradients(model, x, seed=2, **options)
    ).any()


def test_image_shaped_samples_of_a_fully_connected_model():
    model = fully_connected()
    x, background = samples(model, 3), samples(model, 2, 9)
    flat = bl.expected_gradients(model, x, background=background)
    shaped = bl.expected_gradients(
        model, x.reshape(3, 1, 3, 7), background=background.reshape(2, 1, 3, 7)
    )
    np.testing.assert_array_equal(shaped, flat.reshape(3, 1, 3, 7))
    assert bl.expected_gradients(model, x[:0], background=background).shape == (0, 21)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"background": np.zeros((0, 21))}, ValueError, "background"),
        ({"background": np.zeros(21)}, ValueError, "background"),
        ({"background": np.full((1, 21), np.nan)}, ValueError, "background"),
        ({"background": np.zeros((1, 21)), "samples": 0}, ValueError, "samples"),
        ({"background": np.zeros((1, 21)), "seed": "0"}, TypeError, "seed"),
    ],
)
def test_refuses(options, error, message):
    model = fully_connected()
    with pytest.raises(error, match=message):
        bl.expected_gradients(model, samples(model, 2), **options)
