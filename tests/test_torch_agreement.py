"""Layers, and the reference that other tests trust, against PyTorch in float64 where installed."""

import numpy as np
import pytest

import backlit as bl
from tests.helpers import assert_close, ending
from tests.reference import network

torch = pytest.importorskip("torch")
functional = torch.nn.functional


def tensor(array):
    return torch.tensor(np.array(array), dtype=torch.float64)


def conv(stride=1, padding=0, dilation=1, groups=1, size=(3, 2)):
    rng = np.random.default_rng(2)
    layer = bl.Conv2D(
        rng.normal(size=(4, 4 // groups, *size)),
        rng.normal(size=4),
        stride,
        padding,
        dilation,
        groups,
    )
    top, left, bottom, right = layer.padding

    def twin(x):
        x = functional.pad(x, (left, right, top, bottom))
        weights, bias = tensor(layer.weights), tensor(layer.bias)
        return functional.conv2d(x, weights, bias, layer.stride, 0, layer.dilation, groups)

    return layer, twin


def max_pool(size, stride=None, padding=0, ceil_mode=False):
    layer = bl.MaxPool2D(size, stride, padding, ceil_mode)
    return layer, lambda x: functional.max_pool2d(x, size, stride, padding, ceil_mode=ceil_mode)


def average_pool(*arguments):
    return bl.AvgPool2D(*arguments), lambda x: functional.avg_pool2d(x, *arguments)


def norm():
    gamma, beta, mean = np.random.default_rng(3).normal(size=(3, 4))
    layer = bl.BatchNorm(gamma, beta, mean, [0.5, 1, 2, 0.01], 1e-3)
    statistics = [tensor(a) for a in (layer.mean, layer.variance, layer.gamma, layer.beta)]
    return layer, lambda x: functional.batch_norm(x, *statistics, eps=1e-3)


LAYERS = {
    "conv": conv(),
    "conv, stride": conv(stride=(2, 3)),
    "conv, stride over kernel": conv(stride=4, size=(2, 3)),
    "conv, padding": conv(padding=2),
    "conv, uneven padding": conv(padding=(3, 0, 1, 2), stride=2),
    "conv, dilation": conv(dilation=(2, 3), padding=1),
    "conv, dilation and stride": conv(dilation=2, stride=(3, 2), padding=(0, 2, 3, 0)),
    "conv, groups": conv(groups=2, padding=1),
    "conv, depthwise": conv(groups=4, stride=2, padding=1),
    "conv, pointwise": conv(size=(1, 1), stride=2),
    "max": max_pool(2),
    "max, overlapping": max_pool(3, 2, 1),
    "max, overlapping by far": max_pool((4, 3), 1, (2, 1)),
    "max, apart": max_pool(2, (3, 4)),
    "max, ceil": max_pool(2, 2, 0, True),
    "max, ceil and padding": max_pool((3, 4), (2, 3), 1, True),
    "average": average_pool(2),
    "average, overlapping": average_pool((3, 2), 1, 1),
    "average, apart": average_pool(2, 3),
    "average, ceil": average_pool(2, 2, 0, True),
    "average, ceil and padding": average_pool(3, 2, 1, True),
    "average, ceil, padding not counted": average_pool((3, 4), (2, 3), (1, 2), True, False),
    "average, padding not counted": average_pool(3, 2, 1, False, False),
    "global": (bl.GlobalAvgPool2D(), lambda x: x.mean((2, 3), keepdim=True)),
    "relu": (bl.ReLU(), torch.relu),
    "leaky": (bl.LeakyReLU(0.2), lambda x: functional.leaky_relu(x, 0.2)),
    "clip": (bl.Clip(-0.5, 0.7), lambda x: functional.hardtanh(x, -0.5, 0.7)),
    "sigmoid": (bl.Sigmoid(), torch.sigmoid),
    "tanh": (bl.Tanh(), torch.tanh),
    "softmax": (bl.Softmax(), lambda x: torch.softmax(x, 1)),
    "log-softmax": (bl.LogSoftmax(), lambda x: torch.log_softmax(x, 1)),
    "norm": norm(),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("shape", [(4, 7, 9), (4, 8, 6)])
def test_layers(rng, name, shape):
    layer, twin = LAYERS[name]
    X = rng.normal(size=(17, *shape)).astype(np.float32)
    x = tensor(X).requires_grad_()
    y = twin(x)
    g = rng.normal(size=y.shape)
    y.backward(tensor(g))
    double = X.astype(np.float64)
    assert_close(network.forward([layer], double), y.detach().numpy(), 1e-12)
    assert_close(network.backward([layer], double, g), x.grad.numpy(), 1e-12)

    model = ending(rng, [layer], shape)
    last = tensor(model.layers[-1].weights)
    x.grad = None
    logits = twin(x).flatten(1) @ last
    logits[:, 1].sum().backward()
    assert_close(model.logits(X), logits.detach().numpy())
    assert_close(bl.gradient(model, X, 1), x.grad.numpy())


KINKS = np.array([-2, -1, -0.0, 0, 1, 2, 6, 7], np.float32)[:, None]


@pytest.mark.parametrize(
    ("layer", "twin"),
    [
        (bl.ReLU(), torch.relu),
        (bl.LeakyReLU(0.25), lambda x: functional.leaky_relu(x, 0.25)),
        (bl.Clip(0, 6), functional.relu6),
        (bl.Clip(-1, 1), functional.hardtanh),
    ],
)
def test_derivatives_at_kinks(layer, twin):
    x = tensor(KINKS).requires_grad_()
    twin(x).sum().backward()
    model = bl.Model([layer, bl.Dense([[1.0]])], (1,))
    np.testing.assert_array_equal(bl.gradient(model, KINKS), x.grad.numpy())


@pytest.mark.parametrize("name", [n for n in LAYERS if n.startswith("max")])
def test_ties_of_maxima(rng, name):
    """Few different values: most windows have several maxima."""
    layer, twin = LAYERS[name]
    X = rng.integers(0, 3, (17, 4, 7, 9)).astype(np.float32)
    model = ending(rng, [layer], (4, 7, 9))
    x = tensor(X).requires_grad_()
    (twin(x).flatten(1) @ tensor(model.layers[-1].weights))[:, 2].sum().backward()
    for rows in (slice(0, 17), slice(3, 4)):  # many samples and one have kernels of their own
        np.testing.assert_array_equal(bl.gradient(model, X[rows], 2), x.grad.numpy()[rows])


SCORES = {
    "logit": lambda z, k: z[:, k],
    "log_probability": lambda z, k: torch.log_softmax(z, 1)[:, k],
    "probability": lambda z, k: torch.softmax(z, 1)[:, k],
    "loss": lambda z, k: functional.cross_entropy(z, torch.full((len(z),), k), reduction="none"),
}


@pytest.mark.parametrize("score", SCORES)
def test_scores(rng, score):
    weights = rng.normal(size=(6, 5))
    model = bl.Model([bl.Dense(weights)], (6,))
    X = rng.normal(size=(19, 6)).astype(np.float32)
    x = tensor(X).requires_grad_()
    SCORES[score](x @ tensor(model.layers[0].weights), 3).sum().backward()
    assert_close(bl.gradient(model, X, 3, score=score), x.grad.numpy(), 1e-6)
