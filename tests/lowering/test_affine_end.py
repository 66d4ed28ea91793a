"""What comes after the last non-linearity: computed if it is asked for, passed back once."""

import numpy as np
import pytest
from backlit_kernels.scores import LOGIT, PROBABILITY
from backlit_kernels.vector import LANES

import backlit as bl
from backlit.affine_parts import affine_end
from backlit.attribution.expected_gradients import BackgroundPaths
from backlit.attribution.gradients import InputGradient
from backlit.attribution.integrated_gradients import PathIntegral
from backlit.attribution.smoothgrad import NoisyGradients
from backlit.lowering.context import Lowering
from tests.attribution.networks import NETWORKS, samples
from tests.helpers import assert_close, ending
from tests.reference.network import input_gradient


def end_of(layers, input_shape):
    model = bl.Model(layers, input_shape)
    return affine_end(model._programs.graph), len(model._programs.graph.nodes)


def test_where_it_begins(rng):
    conv, dense = bl.Conv2D(np.ones((2, 1, 3, 3))), bl.Dense(np.ones((2, 4)))
    assert end_of([bl.Dense(np.ones((3, 2)))], (3,)) == (0, 1)
    assert end_of([bl.Dense(np.ones((3, 2))), bl.ReLU(), dense], (3,)) == (2, 3)
    assert end_of([bl.Dense(np.ones((3, 2))), bl.ReLU()], (3,)) == (2, 2)
    assert end_of([conv, bl.ReLU(), bl.GlobalAvgPool2D(), bl.Flatten(), dense], (1, 5, 5))[0] == 2
    branches = bl.Residual([bl.Flatten()], [bl.Flatten()])
    assert end_of([conv, branches, bl.Dense(np.ones((18, 2)))], (1, 5, 5))[0] == 4  # behind the sum


@pytest.mark.parametrize("score", ["logit", "probability"])
@pytest.mark.parametrize("network", NETWORKS)
def test_given_and_predicted_targets(network, score):
    model = NETWORKS[network]()
    X = samples(model, LANES + 1)
    predicted = model.predict(X)
    for method, own in (
        (bl.gradient, {}),
        (bl.integrated_gradients, {"steps": 5}),
        (bl.smoothgrad, {"samples": 5}),
        (bl.expected_gradients, {"samples": 6, "background": X[:3]}),
        (bl.deeplift, {}),
        (bl.lrp, {}),
        (bl.guided_integrated_gradients, {"steps": 3}),
    ):
        maps = method(model, X, score=score, **own)
        np.testing.assert_array_equal(method(model, X, predicted, score=score, **own), maps)
    for layer in range(-len(model.layers), 0, 3):
        for kind in ("gradient_x_activation", "conductance", "integrated_gradients"):
            options = {"layer": layer, "method": kind, "score": score}
            maps = bl.layer_attribution(model, X, **options)
            found = bl.layer_attribution(model, X, predicted, **options)
            np.testing.assert_array_equal(found, maps)


def test_an_affine_model(rng):
    """All of it is the end, and the start as well."""
    model = bl.Model([bl.Flatten(), bl.Dense(rng.normal(size=(12, 3)))], (3, 2, 2))
    X = rng.normal(size=(5, 3, 2, 2)).astype(np.float32)
    target = np.array([0, 1, 2, 1, 0])
    slopes = input_gradient(model, X, target)
    assert_close(bl.gradient(model, X, target), slopes)
    assert_close(bl.integrated_gradients(model, X, target, steps=3), X * slopes)
    assert_close(bl.smoothgrad(model, X, target, samples=3), slopes)
    background = X[:2]
    expected = (X - background.mean(axis=0)) * slopes
    found = bl.expected_gradients(model, X, target, background=background, samples=4)
    assert_close(found, expected)


def instructions(probe, graph, section):
    tape = probe.lower(graph, LANES).tape
    return [i.kernel.name for i in tape.instructions[section]]


def network(rng):
    layers = [bl.Conv2D(rng.normal(size=(4, 1, 3, 3))), bl.Tanh(), bl.Conv2D(np.ones((2, 4, 3, 3)))]
    return ending(rng, [*layers, bl.ReLU()], (1, 9, 9))


def test_logits_that_nobody_asks_for(rng, monkeypatch):
    """Where targets are given, a logit's gradient needs no logits."""
    model = network(rng)
    graph = model._programs.graph
    given = model._programs.for_given_targets.graph
    assert given.targets_given
    assert not graph.targets_given
    asked = []
    monkeypatch.setattr(Lowering, "logits", counted(Lowering.logits, asked))
    for score, where, times in ((LOGIT, given, 0), (LOGIT, graph, 1), (PROBABILITY, given, 1)):
        asked.clear()
        InputGradient(score, False).lower(where, LANES)
        assert len(asked) == times


def counted(function, calls):
    def call(self):
        calls.append(self)
        return function(self)

    return call


@pytest.mark.parametrize(
    "probe",
    [
        lambda score: PathIntegral(score, 0),
        lambda score: NoisyGradients(score, "mean", False),
        lambda score: BackgroundPaths(score, 2, 2),
    ],
)
def test_seeds_of_steps(rng, probe):
    """A logit's derivative is the same at every step; that of a probability is not."""
    graph = network(rng)._programs.graph
    assert "scores_seed_score" in instructions(probe(PROBABILITY), graph, "body")
    assert "scores_seed_score" not in instructions(probe(LOGIT), graph, "body")
    assert "scores_seed_score" in instructions(probe(LOGIT), graph, "prologue")
