"""Feature ablation and permutation, and RISE."""

import tracemalloc

import numpy as np
import pytest

import backlit as bl
from backlit.attribution.by_segment import seeded
from backlit.attribution.rise import random_masks
from backlit.interpolation import interpolation_matrix
from tests.attribution.networks import NETWORKS, fully_connected, pooled, samples
from tests.attribution.peers import assert_maps_agree, tensor, twin
from tests.helpers import assert_close
from tests.reference.perturbation import Game, logit


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("per_value", [True, False])
def test_ablation_equals_captum(network, per_value):
    attr = pytest.importorskip("captum.attr")
    model = NETWORKS[network]()
    x = samples(model, 3)
    segments = None if per_value else np.arange(x[0].size).reshape(x[0].shape) // 7
    theirs = attr.FeatureAblation(twin(model)).attribute(
        tensor(x),
        target=2,
        baselines=0.25,
        feature_mask=None if per_value else tensor(segments[None]).long(),
    )
    own = None if per_value else segments[None]  # as many samples as channels
    found = bl.feature_ablation(model, x, 2, segments=own, fill=0.25)
    assert_maps_agree(found, theirs)


def test_ablation_by_segment():
    model = pooled()
    x = samples(model, 2)
    segments = np.arange(11) // 4 + np.zeros((9, 1), int)
    found = bl.feature_ablation(model, x, 1, segments=segments, per_segment=True)
    for one in range(2):
        game = Game(model, x[one], 1, segments)
        expected = [game([0, 1, 2]) - game([j for j in range(3) if j != i]) for i in range(3)]
        assert_close(found[one], np.array(expected))


def test_permutation_takes_segments_from_other_samples():
    model = fully_connected()
    x = samples(model, 6)
    found = bl.feature_permutation(model, x, 2, segments=3, seed=5, per_segment=True)
    random = seeded(5)(3)
    for segment in range(3):
        own = slice(7 * segment, 7 * segment + 7)
        changed = x.copy()
        changed[:, own] = x[random.permutation(6)][:, own]
        expected = model.logits(x)[:, 2] - model.logits(changed)[:, 2]
        assert_close(found[:, segment], expected, 1e-4)


def test_permutation_needs_others_and_common_segments():
    model = pooled()
    with pytest.raises(ValueError, match="X must hold at least two samples"):
        bl.feature_permutation(model, samples(model, 1))
    with pytest.raises(ValueError, match="segments must be the same for all samples"):
        bl.feature_permutation(model, samples(model, 3), segments=np.zeros((3, 9, 11), int))


@pytest.mark.parametrize("network", NETWORKS)
def test_values_are_segments_of_their_own(network, monkeypatch):
    model = NETWORKS[network]()
    x = samples(model, 3)
    own = np.arange(x[0].size).reshape(1, *x[0].shape)
    for method in (bl.feature_ablation, bl.feature_permutation):
        found = method(model, x, 2)
        # a window that moves computes what changes alone: by direct sums, where all the rest may
        # go by Winograd's method
        assert_close(found, method(model, x, 2, segments=own))
        by_value = method(model, x, 2, per_segment=True)
        np.testing.assert_array_equal(by_value, found.reshape(3, -1))
    monkeypatch.setattr("backlit.attribution.ablation.MASK_BYTES", 1)  # one after another
    np.testing.assert_array_equal(bl.feature_permutation(model, x, 2), found)


@pytest.mark.parametrize("method", [bl.feature_ablation, bl.feature_permutation])
def test_many_values_in_little_memory(method):
    rng = np.random.default_rng(0)
    layers = [bl.Conv2D(rng.normal(size=(2, 3, 3, 3)), stride=8), bl.ReLU(), bl.Flatten()]
    model = bl.Model([*layers, bl.Dense(rng.normal(size=(32, 3)))], (3, 32, 32))
    x = rng.normal(size=(2, 3, 32, 32)).astype(np.float32)
    method(model, x, 0, memory=4 << 20)  # compiling takes memory, too
    tracemalloc.start()
    method(model, x, 0, memory=4 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20  # a mask for each of the 3072 values: 38 MB


def test_rise_equals_its_definition():
    model = pooled()
    x = samples(model, 2)
    found = bl.rise(model, x, 3, samples=40, grid=(3, 4), keep=0.6, baseline=0.1, seed=2)
    masks = np.concatenate(list(random_masks((9, 11), (3, 4), 0.6, 40, seeded(2)(0))))
    for one in range(2):
        total = np.zeros((9, 11))
        for mask in masks.reshape(-1, 9, 11).astype(float):
            total += mask * logit(model, mask * x[one] + (1 - mask) * 0.1, 3)
        assert_close(found[one], np.broadcast_to(total / (40 * 0.6), (2, 9, 11)))


def test_rise_masks():
    masks = np.concatenate(list(random_masks((28, 28), (7, 7), 0.3, 2000, seeded(0)(0))))
    assert masks.shape == (2000, 784)
    assert masks.min() >= 0
    assert masks.max() <= 1
    assert np.abs(masks.mean(axis=0) - 0.3).max() < 0.05  # nowhere more often than elsewhere
    matrix = interpolation_matrix(3, 12)
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    np.testing.assert_allclose(matrix[4:8, 1], [0.625, 0.875, 0.875, 0.625])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"keep": 0}, "keep must be in"),
        ({"grid": (1, 2, 3)}, "grid must be"),
        ({"samples": 0}, "samples must be"),
    ],
)
def test_bad_rise_arguments(options, words):
    model = pooled()
    with pytest.raises(ValueError, match=words):
        bl.rise(model, samples(model, 2), **options)


@pytest.mark.parametrize("samples", [2, 3])
def test_permutation_always_moves_something(samples):
    model = bl.Model([bl.Dense(np.ones((40, 1)))], (40,), outputs="values")
    X = np.random.default_rng(0).normal(size=(samples, 40))
    assert np.all(bl.feature_permutation(model, X).any(axis=0))
    assert bl.feature_permutation(model, X[:0]).shape == (0, 40)
