"""One model used by many: threads of the caller, copies, other processes."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import backlit as bl
from tests.helpers import run_python


@pytest.fixture
def model(rng):
    layers = [
        bl.Conv2D(rng.normal(size=(5, 1, 3, 3)), padding=1),
        bl.ReLU(),
        bl.MaxPool2D(2),
        bl.Residual([bl.Conv2D(rng.normal(size=(5, 5, 3, 3)), padding=1), bl.Tanh()]),
        bl.Flatten(),
        bl.Dense(rng.normal(size=(5 * 12 * 12, 4))),
    ]
    return bl.Model(layers, (1, 24, 24))


@pytest.fixture
def X(rng):
    return rng.normal(size=(150, 1, 24, 24)).astype(np.float32)


def test_threads_of_the_caller(model, X):
    """Programs are made while others run; each call has memory of its own."""

    def explain(i):
        return bl.gradient(model, X, i % 4, score="loss", threads=1 + i % 3)

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(explain, range(12)))
    for i, maps in enumerate(found):
        np.testing.assert_array_equal(maps, explain(i))


def test_copies(model, X):
    expected = bl.gradient(model, X)
    np.testing.assert_array_equal(bl.gradient(copy.copy(model), X), expected)
    np.testing.assert_array_equal(bl.gradient(copy.deepcopy(model), X), expected)


def test_another_process(tmp_path, model, X):
    """A program holds addresses of machine code, which mean nothing elsewhere."""
    expected = bl.gradient(model, X)
    (tmp_path / "model.pkl").write_bytes(pickle.dumps((model, X)))
    code = f"""
import pickle, numpy as np, backlit as bl
model, X = pickle.load(open({str(tmp_path / "model.pkl")!r}, "rb"))
np.save({str(tmp_path / "maps.npy")!r}, bl.gradient(model, X))
"""
    run_python(code)
    np.testing.assert_array_equal(np.load(tmp_path / "maps.npy"), expected)
