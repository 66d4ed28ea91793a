"""Whole models: scores, targets, kinds of input, output arrays."""

import numpy as np
import pytest

import backlit as bl
from tests.helpers import assert_close, grid
from tests.reference import network

SCORES = ["logit", "log_probability", "probability", "loss"]


@pytest.fixture
def model(rng):
    layers = [
        bl.Conv2D(rng.normal(size=(3, 1, 3, 3)), rng.normal(size=3), padding=1),
        bl.Tanh(),
        bl.MaxPool2D(2),
        bl.Flatten(),
        bl.Dense(rng.normal(size=(36, 4)) / 6, rng.normal(size=4)),
        bl.Softmax(),
    ]
    return bl.Model(layers, (1, 8, 6))


@pytest.fixture
def X(rng):
    return rng.normal(size=(19, 1, 8, 6)).astype(np.float32)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("target", [None, 2, "each"])
def test_scores_and_targets(model, X, score, target):
    target = np.arange(19) % 4 if target == "each" else target
    expected = network.input_gradient(model, X, target, score)
    assert_close(bl.gradient(model, X, target, score=score), expected)
    assert_close(bl.saliency(model, X, target, score=score), np.abs(expected))


@pytest.mark.parametrize("place", [0, 1, 2])
def test_saturated_scores_keep_their_digits(place):
    """1 - p is computed from the other classes, not by subtraction, wherever the target stands."""
    weights = np.insert([1.0, -3], place, 30)
    X = np.insert([[0.5, 0.1]], place, 1, axis=1)
    odds = np.exp(weights * X[0] - 30)
    odds[place] = 0  # of the other classes
    by_logit = -odds  # of the log-probability
    by_logit[place] = odds.sum()
    by_input = weights * by_logit / (1 + odds.sum())
    factors = {"log_probability": 1, "loss": -1, "probability": 1 / (1 + odds.sum())}
    model = bl.Model([bl.Dense(np.diag(weights))], (3,))
    for score, factor in factors.items():
        found = bl.gradient(model, X.astype(np.float32), place, score=score)
        assert_close(found, factor * by_input[None])


def test_logits_probabilities_predictions(model, X):
    z = network.logits(model, X)
    assert_close(model.logits(X), z)
    probabilities = model.predict_proba(X)
    assert_close(probabilities, network.softmax(z))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    predicted = model.predict(X)
    assert predicted.dtype == np.int64
    np.testing.assert_array_equal(predicted, z.argmax(axis=1))


def test_empty_batch(model):
    X = np.empty((0, 1, 8, 6))
    assert model.logits(X).shape == (0, 4)
    assert model.predict(X).shape == (0,)
    assert bl.saliency(model, X).shape == X.shape


@pytest.mark.parametrize("dtype", [np.float64, np.int32, np.uint8, bool, np.float16])
def test_input_of_any_kind(rng, model, dtype):
    X = grid(rng, 5, 1, 8, 6, most=1).clip(0, 1).astype(dtype)
    np.testing.assert_array_equal(bl.saliency(model, X), bl.saliency(model, X.astype(np.float32)))


def test_input_in_any_order(model, X):
    expected = bl.saliency(model, X)
    np.testing.assert_array_equal(bl.saliency(model, np.asfortranarray(X)), expected)
    np.testing.assert_array_equal(bl.saliency(model, np.repeat(X, 2, axis=3)[..., ::2]), expected)
    X.flags.writeable = False
    np.testing.assert_array_equal(bl.saliency(model, X), expected)
    np.testing.assert_array_equal(bl.saliency(model, X.tolist()), expected)


def test_dense_model_takes_images(rng):
    model = bl.Model([bl.Dense(grid(rng, 12, 3)), bl.ReLU(), bl.Dense(grid(rng, 3, 2))], (12,))
    X = grid(rng, 7, 1, 3, 4)
    maps = bl.saliency(model, X)
    assert maps.shape == X.shape
    np.testing.assert_array_equal(maps.reshape(7, 12), bl.saliency(model, X.reshape(7, 12)))
    flattening = bl.Model([bl.Flatten(), *model.layers], (1, 3, 4))
    np.testing.assert_array_equal(bl.saliency(flattening, X.reshape(7, 12)), maps.reshape(7, 12))


def test_out(model, X):
    out = np.empty_like(X)
    assert bl.saliency(model, X, out=out) is out
    np.testing.assert_array_equal(out, bl.saliency(model, X))


def test_progress_goes_to_standard_error(model, X, capsys):
    expected = bl.saliency(model, X)
    np.testing.assert_array_equal(bl.saliency(model, X, progress=True), expected)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "19/19" in captured.err


@pytest.mark.parametrize(
    ("method", "options", "count"),
    [
        (bl.integrated_gradients, {"baseline": [0.0, 1.0]}, 38),
        (bl.kernel_shap, {"segments": 2, "masks": "per_image"}, 19),
        (bl.kernel_shap, {"segments": 2, "background": np.eye(2, 48).reshape(2, 1, 8, 6)}, 38),
        (bl.feature_permutation, {}, 19),
    ],
)
def test_one_bar_for_all_passes(model, X, capsys, method, options, count):
    method(model, X, 0, progress=True, **options)
    assert capsys.readouterr().err.count(f"{count}/{count}") == 1


def test_memory_budget_changes_nothing(model, X):
    np.testing.assert_array_equal(bl.saliency(model, X, memory=1), bl.saliency(model, X))


def test_nan_survives_relu(rng):
    """An overflow inside the network is seen, not turned into a number."""
    huge = np.full((2, 2), 1e38, np.float32)
    model = bl.Model(
        [
            bl.Dense(huge),
            bl.Dense(huge * [1, -1]),
            bl.Dense([[1], [1]]),
            bl.ReLU(),
            bl.Dense([[1]]),
        ],
        (2,),
    )
    assert np.isnan(model.logits(np.ones((3, 2)))).all()
