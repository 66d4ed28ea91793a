"""Shapley values of log-odds: the link "logit" of probabilities."""

import numpy as np
import pytest

import backlit as bl
from tests.attribution.networks import NETWORKS, dense, pooled, samples
from tests.helpers import assert_close
from tests.reference import perturbation
from tests.reference.network import logits

LOG_ODDS = {"score": "probability", "link": "logit", "per_segment": True}


def log_odds(model, x, target):
    """Of each sample, in float64, whatever the softmax leaves of p or 1 - p."""
    z = logits(model, x)
    others = np.delete(z, target, axis=1)
    return z[:, target] - np.logaddexp.reduce(others, axis=1)


def of_the_mean(several):
    """The log-odds of the mean probability."""
    p = np.mean(1 / (1 + np.exp(-np.asarray(several))), axis=0)
    return np.log(p / (1 - p))


class Game(perturbation.Game):
    """The log-odds of the mean probability over several baselines."""

    def __init__(self, model, x, target, segments, background):
        super().__init__(model, x, target, segments)
        self.background = background

    def __call__(self, coalition):
        kept = np.isin(self.segments, [self.players[i] for i in coalition])
        masked = np.where(kept, self.x, self.background)
        return float(of_the_mean(log_odds(self.model, masked, self.target)))


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("network", NETWORKS)
def test_equals_the_textbook_sum(network, count):
    model = NETWORKS[network]()
    x, background = samples(model, 2), samples(model, count, seed=3)
    segments = np.arange(x[0].size).reshape(x[0].shape) % 5
    games = [Game(model, one, 1, segments, background) for one in x]
    expected = np.array([perturbation.shapley(game) for game in games])
    for method in (bl.kernel_shap, bl.exact_shapley):
        found = method(model, x, 1, segments=segments[None], background=background, **LOG_ODDS)
        assert_close(found, expected)


def test_efficiency_holds_in_log_odds():
    model = pooled()
    x, background = samples(model, 19), samples(model, 4, seed=3)
    values, details = bl.kernel_shap(
        model, x, 2, segments=(3, 4), samples=60, background=background, return_details=True,
        **LOG_ODDS,
    )  # fmt: skip
    gain = log_odds(model, x, 2) - of_the_mean(log_odds(model, background, 2))
    assert_close(values.sum(axis=1, dtype=float), gain)
    assert (details["standard_error"] > 0).all()


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("method", [bl.shapley_sampling, bl.partition_shap])
def test_efficiency_of_sampled_orders_and_hierarchies(method, count):
    model = pooled()
    x, background = samples(model, 19), samples(model, count, seed=3)
    values = method(model, x, 2, segments=(3, 4), background=background, **LOG_ODDS)
    gain = log_odds(model, x, 2) - of_the_mean(log_odds(model, background, 2))
    assert_close(values.sum(axis=1, dtype=float), gain)


def test_a_hierarchy_of_two_has_shapley_values():
    model = pooled()
    x = samples(model, 5)
    options = {"segments": (1, 2), **LOG_ODDS}
    assert_close(
        bl.partition_shap(model, x, 1, **options), bl.exact_shapley(model, x, 1, **options)
    )


def test_certainty_costs_no_digits():
    """Of logits that differ by hundreds p is 0 or 1: the log-odds are as exact as any."""
    rng = np.random.default_rng(0)
    weights = 100 * rng.normal(size=(5, 2))
    model = bl.Model([bl.Dense(weights)], (5,))
    x = rng.normal(size=(9, 5)).astype(np.float32)
    found = bl.kernel_shap(model, x, 0, segments=5, **LOG_ODDS)
    assert_close(found, x * (weights[:, 0] - weights[:, 1]), 1e-6)


@pytest.mark.parametrize("outputs", ["binary", "labels"])
def test_of_a_sigmoid_they_are_the_logit(outputs):
    rng = np.random.default_rng(0)
    layers = [dense(rng, 6, 8), bl.ReLU(), dense(rng, 8, 1 if outputs == "binary" else 3)]
    model = bl.Model(layers, (6,), outputs=outputs)
    x = samples(model, 5)
    found = bl.kernel_shap(model, x, 0, segments=6, **LOG_ODDS)
    assert_close(found, bl.kernel_shap(model, x, 0, segments=6, per_segment=True), 1e-6)


@pytest.mark.parametrize(
    "method", [bl.kernel_shap, bl.exact_shapley, bl.shapley_sampling, bl.partition_shap]
)
def test_refused(method):
    model = bl.Model([bl.Dense(np.ones((6, 1)))], (6,), outputs="classes")
    with pytest.raises(ValueError, match="link must be 'identity' for one class"):
        method(model, samples(model, 2), segments=6, **LOG_ODDS)
    with pytest.raises(ValueError, match="score must be 'probability' with link='logit'"):
        method(model, samples(model, 2), segments=6, link="logit")
    with pytest.raises(ValueError, match="link must be one of 'identity', 'logit', got 'log'"):
        method(model, samples(model, 2), segments=6, link="log")


@pytest.mark.parametrize("count", [1, 3])
def test_shap_agrees(count):
    shap = pytest.importorskip("shap")
    rng = np.random.default_rng(0)
    model = bl.Model([dense(rng, 7, 12), bl.ReLU(), dense(rng, 12, 4)], (7,))
    x, background = samples(model, 3), samples(model, count, seed=3)
    explainer = shap.KernelExplainer(
        lambda rows: 1 / (1 + np.exp(-log_odds(model, rows, 1))), background, link="logit"
    )
    theirs = explainer.shap_values(x, nsamples=126, l1_reg=False, silent=True)
    options = {"segments": 7, "samples": "exact", "background": background}
    assert_close(bl.kernel_shap(model, x, 1, **options, **LOG_ODDS), theirs)
