"""Keras on PyTorch, in float64: what imported models are checked against."""

import os
import sys

import numpy as np
import pytest

import backlit as bl
from tests.helpers import assert_close

if "keras" not in sys.modules:
    os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")
torch = pytest.importorskip("torch")
if keras.backend.backend() != "torch":
    pytest.skip("needs Keras on PyTorch: KERAS_BACKEND=torch", allow_module_level=True)


@pytest.fixture(autouse=True)
def in_float64():
    keras.utils.clear_session()  # layers' names are counted anew
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx("float32")


def fill(model, rng):
    """Random weights that float32 holds."""
    for weight in model.weights:
        values = rng.normal(size=weight.shape) / np.sqrt(max(np.prod(weight.shape[:-1]), 1))
        if "variance" in weight.path:
            values = 0.5 + np.abs(values)
        elif weight.path.endswith(("gamma", "scale")):
            values = 1 + 0.3 * values
        weight.assign(values.astype(np.float32))


def gradients(model, X, target):
    """The model's outputs before any softmax or sigmoid given apart, and the input gradient."""
    x = torch.tensor(X.astype(np.float64), requires_grad=True)
    scores = model(x, training=False)
    scores.reshape(len(X), -1)[:, target].sum().backward()
    return scores.detach().numpy().reshape(len(X), -1), x.grad.numpy()


def agree(model, rng, X=None, target=1, tolerance=1e-5, **options):
    """The imported model; logits and gradients must be Keras's, and the same for any batch."""
    if X is None:
        shape = options.get("input_shape") or model.inputs[0].shape[1:]
        X = rng.normal(size=(17, *shape)).astype(np.float32)
    own = bl.from_keras(model, **options)
    logits, expected = gradients(model, X, target)
    found = own.logits(X)
    maps = bl.gradient(own, X, target)
    assert_close(found, logits, tolerance)
    assert maps.shape == X.shape
    assert_close(maps, expected, tolerance)
    for count in (1, 3):
        np.testing.assert_array_equal(own.logits(X[:count]), found[:count])
        np.testing.assert_array_equal(bl.gradient(own, X[:count], target), maps[:count])
    return own
