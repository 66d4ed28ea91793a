"""Each operator over its attributes: outputs and gradients, the same bits for any batch."""

import numpy as np
import pytest

import backlit as bl

pytest.importorskip("onnx")

from tests.importers.onnx.models import by_batches, in_float64, one_operator, slopes
from tests.importers.onnx.operator_cases import all_cases

CASES = dict(all_cases())
NOT_IN_ONNXRUNTIME = {
    "convolutions: cropping": "onnxruntime takes no negative padding",
    "normalization: LRN even": "onnxruntime takes odd sizes only",
}
SAMPLES = 17


def samples(model):
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim[1:]]
    rng = np.random.default_rng(3)
    return rng.standard_normal((SAMPLES, *shape)).astype(np.float32)


def close(found, expected, tolerance):
    scale = np.abs(expected).max(initial=1e-6)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("name", CASES)
def test_outputs_and_gradients(name):
    """Against ONNX's reference implementation in float64, and its differences."""
    model = CASES[name]
    X, ours, exact = samples(model), bl.load(model, outputs="values"), in_float64(model, name)
    found = ours.logits(X)
    close(found, exact(X).reshape(found.shape), 1e-5)

    rng = np.random.default_rng(4)
    targets = rng.integers(0, found.shape[1], SAMPLES)
    gradient = bl.gradient(ours, X, targets)
    for _ in range(4):
        directions = rng.standard_normal(X.shape)
        along = (gradient * directions).reshape(SAMPLES, -1).sum(axis=1)
        close(along, slopes(exact, X, targets, directions), 1e-4)
    for count in (1, 3):
        assert (ours.logits(X[:count]) == found[:count]).all()
        assert (bl.gradient(ours, X[:count], targets[:count]) == gradient[:count]).all()


OF_ALL_DIGITS = {
    "Cosh": (np.cosh, np.sinh),
    "Sinh": (np.sinh, np.cosh),
    "Tan": (np.tan, lambda x: 1 / np.cos(x) ** 2),
}


@pytest.mark.parametrize("kind", OF_ALL_DIGITS)
def test_what_is_made_of_several_functions_keeps_its_digits(kind):
    """To a few units in the last place, near 0 as well as near poles and far out."""
    near = np.geomspace(1e-6, 80, 2000).astype(np.float32)
    X = np.concatenate([-near, near])[:, None]
    ours = bl.load(one_operator(kind, (1,)), outputs="values")
    function, slope = OF_ALL_DIGITS[kind]
    np.testing.assert_allclose(ours.logits(X), function(X.astype(np.float64)), rtol=5e-7)
    np.testing.assert_allclose(bl.gradient(ours, X), slope(X.astype(np.float64)), rtol=5e-7)


@pytest.mark.parametrize("name", CASES)
def test_outputs_are_those_of_onnxruntime(name):
    if name in NOT_IN_ONNXRUNTIME:
        pytest.skip(NOT_IN_ONNXRUNTIME[name])
    runtime = pytest.importorskip("onnxruntime")
    model = CASES[name]
    X = samples(model)
    try:
        session = runtime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
    except runtime.capi.onnxruntime_pybind11_state.NotImplemented as error:
        pytest.skip(f"onnxruntime: {error}")
    expected = by_batches(model, lambda X: session.run(None, {"x": X})[0])(X)
    found = bl.load(model, outputs="values").logits(X)
    close(found, expected.reshape(found.shape), 1e-5)
