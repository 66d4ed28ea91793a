"""Large matrices are kept once: both ways of a sample alone read the same weights."""

import numpy as np
from backlit_kernels.vector import LANES
from hypothesis import given
from hypothesis import strategies as st

import backlit as bl
from backlit import programs
from backlit.lowering import dense
from tests.lowering.test_single_samples import check, few, kernels_of, normal, seeds, with_scores


@few
@given(seed=seeds, size=st.integers(LANES, 150), outputs=st.integers(1, 300))
def test_large_matrices_are_kept_once(monkeypatch, seed, size, outputs):
    monkeypatch.setattr(dense, "LARGE", 0)
    monkeypatch.setattr(programs, "TEAM_WORK", 0)
    rng = np.random.default_rng(seed)
    layers = [bl.Tanh(), bl.Dense(rng.normal(size=(size, outputs)), rng.normal(size=outputs))]
    model = with_scores(rng, [*layers, bl.ReLU()], (size,))
    assert "matrix_vector_back" in " ".join(kernels_of(model))
    X = normal(rng, size)
    check(model, X)
    for threads in (2, 3):  # that share the one sample
        one = bl.gradient(model, X[:1], 1, threads=threads)
        np.testing.assert_array_equal(one, bl.gradient(model, X[:1], 1, threads=1))


@few
@given(seed=seeds, size=st.integers(LANES, 100), classes=st.integers(1, 500))
def test_one_logit_among_many(monkeypatch, seed, size, classes):
    monkeypatch.setattr(dense, "LARGE", 0)
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(size, classes)).astype(np.float32)
    model = bl.Model([bl.Tanh(), bl.Dense(weights)], input_shape=(size,), outputs="values")
    assert "matrix_vector_back" in " ".join(kernels_of(model))
    X = normal(rng, size)
    for target in {0, classes // 2, classes - 1}:
        slopes = 1 - np.tanh(X[:1].astype(np.float64)) ** 2
        alone = bl.gradient(model, X[:1], target)
        np.testing.assert_allclose(alone, slopes * weights[:, target], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(alone, bl.gradient(model, X, target)[:1])


def test_a_large_matrix_is_packed_once(rng):
    size = dense.LARGE // 512
    model = with_scores(rng, [bl.Dense(rng.normal(size=(size, 512))), bl.ReLU()], (size,))
    bl.gradient(model, normal(rng, size)[:1], 1)
    kept = [made() for _, made in model._programs.graph.constants._made.values()]
    large = [array for array in kept if array is not None and array.size >= dense.LARGE]
    assert len(large) == 1
