"""Winograd's method one patch after the other: of few channels, in tiles of samples."""

import numpy as np
import pytest
from backlit_kernels.vector import LANES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import backlit as bl
from backlit.attribution.gradients import InputGradient
from backlit.lowering import convolution, settling, winograd
from backlit.probes import Logits
from tests.lowering.test_single_samples import check, kernels_of, normal, with_scores
from tests.lowering.test_ties import stripes

few = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(autouse=True)
def on_every_processor(monkeypatch):
    """Whether or not it is fast there."""
    monkeypatch.setattr(winograd, "LEAST_IN_TILES", 4)
    monkeypatch.setattr(winograd, "LEAST_SUMMED", 4)


def filters(rng, outputs, inputs):
    return rng.normal(size=(outputs, inputs, 3, 3)) / np.sqrt(9 * inputs)


def counted(model, name, probe=None):
    probe = probe or InputGradient(0, False)
    return sum(name in kernel for kernel in kernels_of(model, LANES, probe))


@few
@given(
    seed=st.integers(0, 2**32 - 1),
    outputs=st.integers(4, 17),
    inputs=st.integers(4, 17),
    size=st.tuples(st.integers(4, 11), st.integers(4, 11)),
    padding=st.tuples(*[st.integers(0, 2)] * 4),
    biased=st.booleans(),
    after=st.sampled_from([[], [bl.ReLU()], [bl.Clip(0, 0.5)], [bl.Tanh()]]),
)
def test_convolutions(seed, outputs, inputs, size, padding, biased, after):
    rng = np.random.default_rng(seed)
    bias = rng.normal(size=outputs) if biased else None
    conv = bl.Conv2D(filters(rng, outputs, inputs), bias, padding=padding)
    model = with_scores(rng, [conv, *after], (inputs, *size))
    check(model, normal(rng, inputs, *size, count=LANES + 1), 2e-5)


@few
@given(
    seed=st.integers(0, 2**32 - 1),
    outputs=st.integers(4, 15),
    inputs=st.integers(4, 17),
    size=st.tuples(st.integers(4, 11), st.integers(4, 11)),
    padding=st.integers(0, 2),
    between=st.sampled_from([[], [bl.ReLU()], [bl.Clip(0, 0.5)], [bl.LeakyReLU(0.1)]]),
)
def test_poolings(seed, outputs, inputs, size, padding, between):
    rng = np.random.default_rng(seed)
    conv = bl.Conv2D(filters(rng, outputs, inputs), rng.normal(size=outputs), padding=padding)
    model = with_scores(rng, [conv, *between, bl.MaxPool2D(2), bl.Tanh()], (inputs, *size))
    check(model, normal(rng, inputs, *size, count=LANES + 1), 2e-5)


def test_it_is_taken(rng):
    conv = bl.Conv2D(filters(rng, 8, 4), rng.normal(size=8), padding=1)
    pool = [bl.ReLU(), bl.MaxPool2D(2)]
    model = with_scores(rng, [conv, *pool], (4, 10, 10))
    assert counted(model, "pooled_winograd") == 1
    model = with_scores(rng, [conv, bl.ReLU()], (4, 10, 10))
    assert counted(model, "fused_winograd", Logits()) == 1
    assert counted(model, "fused_winograd") == 2
    for layer in [
        bl.Conv2D(filters(rng, 8, 3), padding=1),
        bl.Conv2D(filters(rng, 8, 4), padding=1, dilation=2),
        bl.Conv2D(filters(rng, 8, 4), stride=2),
        bl.Conv2D(filters(rng, 8, 4), padding=(1, 3, 1, 1)),
    ]:
        shape = (layer.weights.shape[1], 10, 10)
        assert counted(with_scores(rng, [layer, *pool], shape), "winograd") == 0


def test_sums_of_few_channels_where_additions_take_multipliers_time(rng, monkeypatch):
    monkeypatch.setattr(winograd, "LEAST_SUMMED", 8)
    few, many = (
        with_scores(rng, [bl.Conv2D(filters(rng, *shape), padding=1)], (shape[1], 10, 10))
        for shape in ((8, 4), (4, 8))
    )
    assert [counted(model, "winograd", Logits()) for model in (few, many)] == [0, 1]
    assert [counted(model, "winograd") for model in (few, many)] == [1, 1]  # back: as many as out


def test_between_other_layers(rng):
    """Additions, marks and borders of others."""
    inner = [bl.Conv2D(filters(rng, 6, 6), rng.normal(size=6), padding=1) for _ in range(2)]
    layers = [
        bl.Conv2D(rng.normal(size=(6, 3, 5, 5)) / 8, padding=2),
        bl.Residual([bl.ReLU(), inner[0], bl.ReLU(), inner[1]]),
        bl.ReLU(),
        bl.Conv2D(filters(rng, 4, 6), stride=2, padding=(1, 0, 2, 3)),
        bl.ReLU(),
    ]
    model = with_scores(rng, layers, (3, 9, 12))
    assert counted(model, "fused_winograd") == 4
    check(model, normal(rng, 3, 9, 12), 2e-5)


def striped(rng, size, between):
    layers = [
        bl.Conv2D(rng.normal(size=(5, 1, 3, 3)) * 0.3, rng.normal(size=5) * 0.1, padding=1),
        bl.ReLU(),
        bl.Conv2D(filters(rng, 7, 5), rng.normal(size=7), padding=1),
        *between,
        bl.MaxPool2D(2),
    ]
    return with_scores(rng, layers, (1, *size)), stripes(rng, LANES + 1, size)


@pytest.mark.parametrize("between", [[bl.ReLU()], [bl.Clip(0, 1.5)], []], ids=str)
@pytest.mark.parametrize("size", [(14, 14), (13, 9)], ids=str)
def test_ties_are_those_of_direct_sums(rng, monkeypatch, size, between):
    """Of slanted stripes: equal patches of a window do not lie along one axis."""
    model, X = striped(rng, size, between)
    found = bl.gradient(model, X, 1)
    alone = np.concatenate([bl.gradient(model, x[None], 1) for x in X])
    np.testing.assert_array_equal(found, alone)

    def again():
        return bl.gradient(bl.Model(model.layers, model.input_shape), X, 1)

    with monkeypatch.context() as patch:
        patch.setattr(convolution, "forward_patches", lambda *_: 0)
        np.testing.assert_allclose(found, again(), rtol=0, atol=2e-5)
    monkeypatch.setattr(settling, "CLOSE", 0)
    assert not np.allclose(found, again(), rtol=0, atol=1e-3)  # there were ties to settle


def test_threads_that_share_a_tile(rng):
    """As many as there are rooms, and more: whatever a thread's part is."""
    conv = bl.Conv2D(filters(rng, 9, 5), rng.normal(size=9), padding=1)
    model = with_scores(rng, [conv, bl.ReLU(), bl.MaxPool2D(2)], (5, 11, 13))
    X = normal(rng, 5, 11, 13)
    expected = bl.gradient(model, X, 1, threads=1)
    for threads in (2, 3, 5):
        np.testing.assert_array_equal(bl.gradient(model, X, 1, threads=threads), expected)
