"""Terms left out of sums, their inputs being zero in every lane: the bits stay the same."""

from itertools import pairwise

import numpy as np
import pytest
from backlit_kernels.prefetch import AHEAD
from backlit_kernels.terms import list_terms
from backlit_kernels.vector import LANES
from hypothesis import given
from hypothesis import strategies as st

import backlit as bl
from backlit.lowering.dense import LEAST_OUTPUTS
from backlit.portions import FEATURE_LANES
from tests.builds import assert_same_bits
from tests.helpers import assert_close


@given(
    depth=st.integers(1, 30),
    pieces=st.integers(1, 4),
    lanes=st.sampled_from([LANES, 2 * LANES]),
    seed=st.integers(0, 2**32 - 1),
)
def test_list(depth, pieces, lanes, seed):
    rng = np.random.default_rng(seed)
    kept = rng.random(depth) < rng.random()
    rows = np.where(rng.random((depth, lanes)) < 0.5, -0.0, 0.0)
    rows[kept, rng.integers(lanes, size=kept.sum())] = rng.choice([1.0, -1e-45, np.nan])
    room = pieces + depth + AHEAD
    arena = np.concatenate([rows.reshape(-1), np.full(room, 7)]).astype(np.float32)
    terms = depth * lanes
    list_terms(lanes)(arena, 0, terms, depth, pieces, lanes)
    found = arena[terms:].view(np.int32)
    ends, entries = found[:pieces] - pieces, found[pieces:]
    piece = -(-depth // pieces)
    expected = np.flatnonzero(kept)
    for p in range(pieces):
        own = entries[ends[p - 1] if p else 0 : ends[p]]
        np.testing.assert_array_equal(own, expected[expected // piece == p])
    assert ends[-1] == kept.sum()


@pytest.fixture
def model(rng):
    """Sums of several pieces, forward and backward, behind a ReLU that lets little through."""
    widths, layers = [200, 130, LEAST_OUTPUTS, LEAST_OUTPUTS + 45], []
    for inputs, outputs in pairwise(widths):
        shift = np.where(rng.random(outputs) < 0.6, -9, 0.1)
        layers += [bl.Dense(rng.normal(size=(inputs, outputs)) / 8, shift), bl.ReLU()]
    return bl.Model([*layers, bl.Dense(rng.normal(size=(widths[-1], 4)))], (widths[0],))


def samples(rng, share):
    """Some features are there in some samples only, others in none."""
    X = rng.normal(size=(FEATURE_LANES + LANES + 3, 200))
    X *= rng.random(200) < share
    X[:, :20] *= rng.random((len(X), 20)) < 0.1
    return X.astype(np.float32)


@pytest.mark.parametrize("share", [0, 0.02, 0.5, 1])
def test_dense_layers(rng, model, share):
    X = samples(rng, share)
    target = rng.integers(4, size=len(X))
    assert_same_bits(model, X, target)
    x, masks = X.astype(np.float64), []
    for layer in model.layers[:-1:2]:
        x = x @ layer.weights.astype(np.float64) + layer.bias
        masks.append(x > 0)
        x = np.maximum(x, 0)
    last = model.layers[-1].weights.astype(np.float64)
    assert_close(model.logits(X), x @ last)
    g = last[:, target].T
    for layer, mask in zip(model.layers[-3::-2], masks[::-1], strict=True):
        g = (g * mask) @ layer.weights.T.astype(np.float64)
    assert_close(bl.gradient(model, X, target), g)


def test_values_too_large(model):
    """What is infinite on the way counts as there."""
    X = np.zeros((LANES, 200), np.float32)
    X[3, 150:] = 3e38
    X[4, 150:] = 1
    alone = np.concatenate([model.logits(x[None]) for x in X])
    assert not np.isfinite(alone[3]).all()
    np.testing.assert_array_equal(model.logits(X), alone)
