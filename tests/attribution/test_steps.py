"""Steps that add up: the same bits in tiles, alone, and dealt out to the lanes of a tile."""

import numpy as np
import pytest
from backlit_kernels.vector import LANES

import backlit as bl
from backlit import portions, programs
from backlit.attribution.step_arrays import step_values, step_weights
from backlit.portions import SHARES
from tests.attribution.networks import NETWORKS, samples

METHODS = {
    "integrated_gradients": {"steps": 3 * LANES + 2},
    "integrated_gradients, several baselines": {"steps": 5, "baseline": [0.0, 0.5]},
    "integrated_gradients, averaged": {"steps": 3 * LANES + 2, "multiply_by_inputs": False},
    "smoothgrad": {"samples": 2 * LANES + 3},
    "smoothgrad, squared": {"samples": 20, "statistic": "squared"},
    "smoothgrad, antithetic": {"samples": 20, "antithetic": True},
    "smoothgrad, variance": {"samples": 20, "statistic": "variance"},
    "expected_gradients": {"samples": 45, "background": 5},
    "expected_gradients, apart": {"samples": 33, "background": 5},
    "expected_gradients, averaged": {"samples": 45, "background": 5, "multiply_by_inputs": False},
    "deeplift_shap": {"background": LANES + 3},
    "deeplift_shap, averaged": {"background": LANES + 3, "multiply_by_inputs": False},
    "deeplift": {},
}


@pytest.fixture
def dealt(monkeypatch):
    """dealt(yes, share): whether steps are dealt out from now on, to so many lanes a sample."""
    monkeypatch.setattr(programs, "SERIAL_WORK", 0)

    def switch(yes, share=LANES):
        monkeypatch.setattr(portions, "SHARES", (share,))
        # what surrounds the steps of a tile costs nothing, or more than anything
        monkeypatch.setattr(portions, "AROUND_STEPS", -(10**6) if yes else 10**6)
        monkeypatch.setattr(portions, "ALONE", -1 if yes else 0)

    return switch


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", METHODS)
def test_same_bits_dealt_out_or_not(name, network, dealt):
    model = NETWORKS[network]()
    X, options = samples(model, LANES + 3), dict(METHODS[name])
    if "background" in options:
        options["background"] = samples(model, options["background"])[::-1]
    method = getattr(bl, name.partition(",")[0])
    dealt(False)
    expected = method(model, X, threads=1, **options)
    assert not dealt_programs(model)
    for yes, share in ((False, LANES), *((True, share) for share in SHARES)):
        dealt(yes, share)
        for threads, count in ((1, 1), (2, 2), (3, LANES - 1), (2, LANES + 3)):
            found = method(model, X[:count], threads=threads, **options)
            np.testing.assert_array_equal(found, expected[:count])
    never = name in ("smoothgrad, variance", "deeplift")  # what follows one another; one step
    assert bool(dealt_programs(model)) != never


def dealt_programs(model):
    return [p for p, *_ in model._programs._programs if getattr(p, "dealt", False)]


def test_arrays_reach_whole_vectors():
    values = np.arange(2 * (LANES + 1)).reshape(-1, 1)
    found = step_values(values, per_step=2)
    assert found.shape == (4 * LANES, 1)
    np.testing.assert_array_equal(found[: len(values)], values)
    np.testing.assert_array_equal(found[-2:], values[-2:])
    weights = step_weights(np.ones(LANES + 1))
    assert weights.shape == (2 * LANES,)
    assert weights.sum() == LANES + 1
    for whole in (step_values(np.ones(LANES)), step_weights(np.ones(LANES))):
        np.testing.assert_array_equal(whole, np.ones(LANES))
