"""What must hold of all methods on random networks with wide and deep convolutions."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backlit as bl
from backlit import engine
from tests.attribution.random_networks import METHODS, network, options
from tests.helpers import examples, filled_with


@pytest.mark.parametrize("name", METHODS)
@settings(max_examples=examples(40), deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_batches_threads_and_what_was_in_memory(name, seed):
    """Neither changes a bit."""
    rng = np.random.default_rng(seed)
    model = network(rng)
    count = int(rng.choice([17, 20, 32]))
    X, target = rng.normal(size=(count, *model.input_shape)), rng.integers(0, 4, count)
    own, method = options(rng, name, X), getattr(bl, name)
    maps = method(model, X, target, threads=2, **own)
    assert np.isfinite(maps).all()
    with mock.patch.object(engine, "aligned", filled_with(np.nan)):
        again = method(model, X, target, threads=1, **own)
        alone = [method(model, X[i : i + 1], target[i : i + 1], threads=2, **own) for i in (0, 1)]
    np.testing.assert_array_equal(again, maps)
    np.testing.assert_array_equal(np.concatenate(alone), maps[:2])
