"""Layers by the names of ONNX's nodes: what `layer_activation` finds is what the nodes compute."""

import numpy as np
import pytest

import backlit as bl
from tests.helpers import assert_close

onnx = pytest.importorskip("onnx")

from onnx.reference import ReferenceEvaluator  # noqa: E402

from tests.importers.onnx.models import make_model  # noqa: E402
from tests.importers.onnx.operator_cases import integers, normal  # noqa: E402

CONSTANTS = {"w": normal(4, 3, 3), "v": normal(4, 4, 2), "d": normal(4, 3), "m": normal(4, 4)}
CONSTANTS["axis"] = integers(2)
POOL = {"kernel_shape": [2], "strides": [2]}
SIGNAL = [
    ("Conv", "x w", "a", {}),
    ("MaxPool", "a", "b", POOL),
    ("Conv", "b v", "c", {}),
    ("AveragePool", "c", "e", POOL),
    ("AveragePool", "e", "f", POOL),
    ("Squeeze", "f axis", "g", {}),
    ("MatMul", "g d", "y", {}),
]
MATRICES = [
    ("MatMul", "x m", "a", {}),
    ("Transpose", "a", "b", {"perm": [0, 2, 1]}),
    ("ReduceMax", "b", "c", {"axes": [2], "keepdims": 0}),
    ("MatMul", "c d", "y", {}),
]
IMAGE = [("Conv", "x w", "a", {}), ("GlobalAveragePool", "a", "y", {})]
HEAD = [("MatMul", "x d", "a", {}), ("Softmax", "a", "y", {"axis": 1})]
CASES = {
    "signal": (SIGNAL, (3, 12)),
    "matrices": (MATRICES, (5, 4)),
    "no row at the end": (IMAGE, (3, 12)),
}
MOVES = {"Squeeze", "Transpose"}  # these have names only where they are computed


def computed(nodes, output, shape, X):
    model = make_model(nodes, shape, CONSTANTS, output=output)
    return ReferenceEvaluator(model).run(None, {"x": X})[0]


@pytest.mark.parametrize("name", CASES)
def test_every_node_is_found_by_its_name(name):
    nodes, shape = CASES[name]
    model, X = bl.load(make_model(nodes, shape, CONSTANTS)), normal(3, *shape)
    for number, (kind, _, output, _) in enumerate(nodes):
        if kind not in MOVES:
            found = bl.layer_activation(model, X, layer=f"{kind}_{number}")
            assert_close(found, computed(nodes, output, shape, X))


def test_a_softmax_that_is_set_aside_stands_for_the_logits():
    model, X = make_model(HEAD, (4,), CONSTANTS), normal(3, 4)
    for name in ("MatMul_0", "Softmax_1"):
        assert_close(bl.layer_activation(bl.load(model), X, layer=name), X @ CONSTANTS["d"])
    values = bl.load(model, outputs="values")
    assert_close(bl.layer_activation(values, X, layer="Softmax_1"), computed(HEAD, "y", (4,), X))


def test_nodes_of_several_outputs_are_no_layers():
    nodes = [("Split", "x", "a b", {"axis": 1}), ("Mul", "a b", "y", {})]
    model, X = bl.load(make_model(nodes, (6,), opset=13)), normal(3, 6)
    message = r"'Split_0' returns 2 tensors; name one of the layers within: Split_0\.1, Split_0\.2"
    with pytest.raises(ValueError, match=message):
        bl.layer_activation(model, X, layer="Split_0")
    for number in (0, 1):
        found = bl.layer_activation(model, X, layer=f"Split_0.{number + 1}")
        np.testing.assert_array_equal(found, X[:, 3 * number :][:, :3])
