"""Masked scores of networks that start with a dense layer, by sums of what segments add."""

import numpy as np
import pytest
from backlit_kernels.vector import LANES

import backlit as bl
from backlit.attribution import segment_sums
from tests.attribution.networks import dense
from tests.helpers import assert_close
from tests.reference import perturbation

FEATURES, SEGMENTS = 30, 5


def network(outputs, shape=(FEATURES,), activation=bl.Tanh):
    """A scaler of each value, and two dense layers."""
    rng = np.random.default_rng(outputs)
    gamma, beta, mean, variance = rng.uniform(0.5, 1.5, (4, shape[0]))
    first = [bl.BatchNorm(gamma, beta, mean, variance)] + [bl.Flatten()] * (len(shape) > 1)
    layers = [*first, dense(rng, FEATURES, outputs), activation(), dense(rng, outputs, 3)]
    return bl.Model(layers, shape)


def samples(count, shape=(FEATURES,)):
    return np.random.default_rng(count).normal(size=(count, *shape)).astype(np.float32)


SHAPES = [(FEATURES,), (2, 3, 5)]
OUTPUTS = [1, LANES - 1, LANES, LANES + 1, 2 * LANES + 3]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("outputs", OUTPUTS)
@pytest.mark.parametrize("count", [1, LANES + 1])
def test_values_are_exact(outputs, count, shape):
    model, X = network(outputs, shape), samples(count, shape)
    segments = np.random.default_rng(0).permutation(np.arange(FEATURES) % SEGMENTS).reshape(shape)
    assert segment_sums.pays(model._programs.graph, LANES, SEGMENTS, 2**SEGMENTS)
    baseline = samples(3, shape)[1]
    found = bl.exact_shapley(
        model, X, 1, segments=segments[None], baseline=baseline, per_segment=True
    )
    for one in {0, count - 1}:
        game = perturbation.Game(model, X[one], 1, segments, baseline)
        assert_close(found[one], np.array(perturbation.shapley(game)))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("outputs", [3, LANES + 5])
def test_same_bits_alone_in_company_and_by_threads(outputs, shape):
    model, X = network(outputs, shape), samples(2 * LANES + 3, shape)
    baseline = samples(len(X) + 1, shape)[1:]

    def explain(some, threads):
        options = {"segments": np.arange(FEATURES).reshape(shape)[None] // 6, "samples": 1003}
        start = baseline[some]
        return bl.lime(model, X[some], 2, threads=threads, baseline=start, **options)

    whole = explain(slice(None), 1)
    np.testing.assert_array_equal(explain(slice(None), 2), whole)
    for some in (slice(0, 1), slice(4, 6), slice(LANES, 2 * LANES + 1)):
        for threads in (1, 2):
            np.testing.assert_array_equal(explain(some, threads), whole[some])


@pytest.mark.parametrize("outputs", [3, LANES + 5])
def test_segments_of_each_sample_its_own(outputs, rng):
    model, X = network(outputs), samples(LANES + 3)
    own = np.stack([rng.permutation(np.arange(FEATURES) % SEGMENTS) for _ in X])
    options = {"samples": 300, "per_segment": True}
    together = bl.lime(model, X, 1, segments=own, **options)
    for one in (0, 4, LANES + 2):
        alone = bl.lime(model, X[one : one + 1], 1, segments=own[one : one + 1], **options)
        np.testing.assert_array_equal(alone[0], together[one])
        common = bl.lime(model, X, 1, segments=own[one], **options)
        np.testing.assert_array_equal(common[one], together[one])


def test_as_without(monkeypatch):
    model, X = network(19), samples(LANES + 2)
    options = {"segments": np.arange(FEATURES) // 6, "samples": 300}
    summed = bl.lime(model, X, **options)
    monkeypatch.setattr(segment_sums, "LEAST_MASKS", 10**9)
    assert_close(bl.lime(network(19), X, **options), summed)


def test_where_it_pays():
    def pays(layers, shape, segments=4, masks=100):
        graph = bl.Model([*layers, bl.Flatten()], shape)._programs.graph
        return segment_sums.pays(graph, LANES, segments, masks)

    first = bl.Dense(np.ones((24, 6)))
    assert pays([first], (24,))
    assert pays([bl.Flatten(), first], (2, 3, 4))
    scaler = bl.BatchNorm(np.ones(24), np.ones(24), np.zeros(24), np.ones(24))
    assert pays([scaler, first], (24,))
    assert not pays([first], (24,), segments=9)
    assert not pays([first], (24,), masks=15)
    assert not pays([bl.ReLU(), first], (24,))
    assert not pays(
        [bl.Conv2D(np.ones((2, 2, 1, 1))), bl.Flatten(), bl.Dense(np.ones((24, 6)))], (2, 3, 4)
    )
