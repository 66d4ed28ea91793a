"""Derivatives where a function has none, or where it saturates, are PyTorch's."""

import numpy as np
import pytest

import backlit as bl

pytest.importorskip("onnx")
torch = pytest.importorskip("torch")
F = torch.nn.functional

from tests.importers.onnx.models import make_model, one_operator  # noqa: E402
from tests.importers.onnx.operator_cases import floats, integers, softpluses  # noqa: E402

NUMBERS = (8,)
KINKS = np.array([-3, -1, -0.5, 0, 0.5, 1, 3, 6], np.float32)
FAR = np.array([-200, -50, -20, -8, 8, 20, 50, 200], np.float32)

OF_ONE = {
    "Relu": ({}, F.relu),
    "LeakyRelu": ({"alpha": 0.1}, lambda x: F.leaky_relu(x, 0.1)),
    "Elu": ({}, F.elu),
    "Selu": ({}, F.selu),
    "Celu": ({}, F.celu),
    "ThresholdedRelu": ({}, lambda x: F.threshold(x, 1.0, 0.0)),
    "HardSigmoid": ({"alpha": 1 / 6}, F.hardsigmoid),
    "HardSwish": ({}, F.hardswish),
    "Abs": ({}, torch.abs),
    "Softsign": ({}, F.softsign),
    "Sigmoid": ({}, torch.sigmoid),
    "Tanh": ({}, torch.tanh),
    "Softplus": ({}, F.softplus),
    "Erf": ({}, torch.erf),
    "Mish": ({}, F.mish),
    "Floor": ({}, torch.floor),
    "Ceil": ({}, torch.ceil),
    "Round": ({}, torch.round),
}
MORE = {
    "ReLU6": (one_operator("Clip", NUMBERS, [np.float32(0), np.float32(6)]), F.relu6),
    "clamp": (
        one_operator("Clip", NUMBERS, [np.float32(-1), np.float32(0.5)]),
        lambda x: x.clamp(-1, 0.5),
    ),
    "clamp above": (one_operator("Clip", NUMBERS, [np.float32(-1)]), lambda x: x.clamp(min=-1)),
    "PRelu": (
        one_operator("PRelu", NUMBERS, [floats(*range(8))]),
        lambda x: F.prelu(x, torch.arange(8.0).double()),
    ),
    "Max": (one_operator("Max", NUMBERS, [floats(0.5)]), lambda x: x.maximum(x.new_tensor(0.5))),
    "Min": (one_operator("Min", NUMBERS, [floats(0.5)]), lambda x: x.minimum(x.new_tensor(0.5))),
    "Pow": (one_operator("Pow", NUMBERS, [np.float32(2)]), lambda x: x**2),
    "SiLU": (make_model([("Sigmoid", "x", "s", {}), ("Mul", "s x", "y", {})], NUMBERS), F.silu),
}
for kind, (attributes, function) in OF_ONE.items():
    MORE[kind] = one_operator(kind, NUMBERS, (), 18, **attributes), function

WRITTEN_OUT = dict(softpluses(NUMBERS))
MORE["softplus"] = WRITTEN_OUT["softplus"], lambda x: F.softplus(x, 2)
MORE["softplus by logarithm"] = WRITTEN_OUT["softplus by logarithm"], lambda x: F.softplus(x, 2)

IMAGE = (2, 4, 4)
OF_TIES = {
    "MaxPool": (
        one_operator("MaxPool", IMAGE, kernel_shape=[2, 2], strides=[1, 1]),
        lambda x: F.max_pool2d(x, 2, 1),
    ),
    "MaxPool uneven": (
        one_operator("MaxPool", IMAGE, kernel_shape=[3, 2], pads=[1, 1, 1, 1], strides=[2, 1]),
        lambda x: F.max_pool2d(x, (3, 2), (2, 1), 1),
    ),
    "MaxPool dilated": (
        one_operator("MaxPool", IMAGE, kernel_shape=[2, 2], dilations=[2, 2]),
        lambda x: F.max_pool2d(x, 2, 1, dilation=2),
    ),
    "GlobalMaxPool": (one_operator("GlobalMaxPool", IMAGE), lambda x: F.adaptive_max_pool2d(x, 1)),
    "ReduceMax": (
        one_operator("ReduceMax", IMAGE, [integers(1, 2)], 18),
        lambda x: x.amax((1, 2)),
    ),
    "ReduceMin": (one_operator("ReduceMin", IMAGE, [integers(3)], 18), lambda x: x.amin(3)),
    "ReduceProd": (one_operator("ReduceProd", IMAGE, [integers(3)], 18), lambda x: x.prod(3)),
    "Max of tensors": (
        make_model(
            [("Transpose", "x", "t", {"perm": [0, 1, 3, 2]}), ("Max", "x t", "y", {})], IMAGE
        ),
        lambda x: torch.maximum(x, x.transpose(2, 3)),
    ),
}


def check(model, function, X, tolerance=1e-6):
    ours = bl.load(model, outputs="values")
    for target in range(ours.classes):
        points = torch.tensor(X, dtype=torch.float64, requires_grad=True)
        function(points).flatten(1)[:, target].sum().backward()
        expected = points.grad.numpy()
        found = bl.gradient(ours, X, target)
        scale = np.abs(expected).max(initial=1e-30)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=tolerance * scale)


@pytest.mark.parametrize("name", MORE)
@pytest.mark.parametrize("numbers", [KINKS, FAR], ids=["kinks", "saturated"])
def test_functions_of_one_number(name, numbers):
    model, function = MORE[name]
    check(model, function, np.stack([np.roll(numbers, n) for n in range(17)]))


@pytest.mark.parametrize("name", OF_TIES)
def test_equal_maxima(name):
    model, function = OF_TIES[name]
    check(model, function, np.random.default_rng(0).integers(0, 2, (17, *IMAGE)).astype(np.float32))
