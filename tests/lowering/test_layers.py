"""Every layer, forward and backward, against the reference over awkward shapes.

Inputs and weights are small whole numbers, so that float32 sums are exact and ties are frequent.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import backlit as bl
from tests.helpers import assert_close, ending, grid
from tests.reference import network

BATCHES = [1, 3, 7, 8, 9, 15, 16, 17, 33]
quick = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
sizes = st.tuples(st.integers(1, 11), st.integers(1, 11))
pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


def check(model, X, tolerance=1e-6):
    assert_close(model.logits(X), network.logits(model, X), tolerance)
    for target in (0, model.classes - 1):
        expected = network.input_gradient(model, X, target)
        assert_close(bl.gradient(model, X, target), expected, tolerance)


@quick
@given(
    seed=st.integers(0, 2**32 - 1),
    size=sizes,
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=pairs,
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    padding=st.tuples(*[st.integers(0, 3)] * 4),
    channels=st.sampled_from([(1, 1, 1), (1, 4, 1), (3, 5, 1), (4, 6, 2), (3, 3, 3), (2, 4, 2)]),
    batch=st.sampled_from(BATCHES),
    relu=st.booleans(),
)
def test_convolution(seed, size, kernel, stride, dilation, padding, channels, batch, relu):
    rng = np.random.default_rng(seed)
    inputs, outputs, groups = channels
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    assume(reach[0] <= size[0] + padding[0] + padding[2])
    assume(reach[1] <= size[1] + padding[1] + padding[3])
    weights = grid(rng, outputs, inputs // groups, *kernel)
    layer = bl.Conv2D(weights, grid(rng, outputs), stride, padding, dilation, groups)
    layers = [layer, bl.ReLU()] if relu else [layer]
    model = ending(rng, layers, (inputs, *size))
    check(model, grid(rng, batch, inputs, *size))


@quick
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from([bl.MaxPool2D, bl.AvgPool2D]),
    image=sizes,
    size=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.none() | pairs,
    padding=st.tuples(*[st.integers(0, 2)] * 4),
    ceil_mode=st.booleans(),
    count=st.booleans(),
    batch=st.sampled_from(BATCHES),
    relu=st.booleans(),
)
def test_pooling(seed, kind, image, size, stride, padding, ceil_mode, count, batch, relu):
    rng = np.random.default_rng(seed)
    padding = tuple(min(p, s // 2) for p, s in zip(padding, size * 2, strict=True))
    assume(size[0] <= image[0] + padding[0] + padding[2])
    assume(size[1] <= image[1] + padding[1] + padding[3])
    more = [count] if kind is bl.AvgPool2D else []
    layer = kind(size, stride, padding, ceil_mode, *more)
    layers = [bl.ReLU(), layer] if relu else [layer]
    model = ending(rng, layers, (2, *image))
    check(model, grid(rng, batch, 2, *image))


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("image", [(2, 2), (3, 5), (4, 7), (7, 4), (9, 35), (6, 40)])
def test_pooling_by_halves(rng, image, ceil_mode):
    """2x2 windows have kernels of their own; many ties."""
    layer = bl.MaxPool2D(2, ceil_mode=ceil_mode)
    for layers in ([layer], [bl.ReLU(), layer]):
        model = ending(rng, layers, (3, *image))
        for batch in (1, 2, 17):
            check(model, grid(rng, batch, 3, *image, most=1), 0)


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("shape", [(1, 1), (3, 17), (16, 16), (33, 7), (100, 31)])
def test_dense(rng, batch, shape):
    layers = [bl.Dense(grid(rng, *shape), grid(rng, shape[1])), bl.ReLU()]
    model = ending(rng, layers, shape[:1], classes=5)
    check(model, grid(rng, batch, shape[0]))


ACTIVATIONS = {
    "relu": bl.ReLU(),
    "leaky": bl.LeakyReLU(0.25),
    "clip": bl.Clip(-1, 2),
    "relu6": bl.Clip(0, 6),
    "sigmoid": bl.Sigmoid(),
    "tanh": bl.Tanh(),
    "softmax": bl.Softmax(),
    "log-softmax": bl.LogSoftmax(),
    "norm": bl.BatchNorm([1, 2, 0.5], [0, 1, -1], [0.5, 0, 1], [1, 4, 0.25], 0.0),
}


@pytest.mark.parametrize("batch", [1, 8, 17])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_of_images(rng, name, batch):
    """Between convolutions, so that borders matter: f(0) need not be 0."""
    first = bl.Conv2D(grid(rng, 3, 2, 3, 3, most=1), grid(rng, 3), padding=1)
    last = bl.Conv2D(grid(rng, 2, 3, 3, 3, most=1), padding=1)
    model = ending(rng, [first, ACTIVATIONS[name], last], (2, 5, 7))
    check(model, grid(rng, batch, 2, 5, 7, most=1) / 4, 1e-5)


@pytest.mark.parametrize("batch", [1, 8, 17, 33])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_of_features(rng, name, batch):
    layers = [bl.Dense(grid(rng, 6, 3, most=1), grid(rng, 3)), ACTIVATIONS[name]]
    model = ending(rng, layers, (6,))
    check(model, grid(rng, batch, 6, most=1) / 4, 1e-5)


@pytest.mark.parametrize("batch", [1, 5, 16, 17])
def test_graph_with_branches(rng, batch):
    """Gradients of a tensor's several uses add up."""

    def conv(inputs, outputs, size=3, **more):
        weights = grid(rng, outputs, inputs, size, size, most=1)
        return bl.Conv2D(weights, grid(rng, outputs), padding=size // 2, **more)

    layers = [
        conv(2, 3),
        bl.ReLU(),
        bl.Residual([conv(3, 3), bl.ReLU(), conv(3, 3)]),
        bl.ReLU(),
        bl.Residual([conv(3, 4, stride=2)], [conv(3, 4, 1, stride=2)]),
        bl.Residual([], [bl.MaxPool2D(3, 1, 1)]),
        bl.GlobalAvgPool2D(),
    ]
    model = ending(rng, layers, (2, 8, 6))
    check(model, grid(rng, batch, 2, 8, 6, most=1), 1e-6)


def test_batch_norm_is_folded_and_unfolded_alike(rng):
    norm = bl.BatchNorm([1, 2, 0.5], [0, 1, -1], [0.5, 0, 1], [1, 4, 0.25])
    conv = bl.Conv2D(grid(rng, 3, 1, 3, 3), grid(rng, 3), padding=1)
    X = grid(rng, 9, 1, 6, 5)
    check(ending(rng, [conv, norm, bl.ReLU()], (1, 6, 5)), X, 1e-5)
    check(ending(rng, [conv, bl.Residual([norm])], (1, 6, 5)), X, 1e-5)
    padded = bl.Conv2D(grid(rng, 2, 3, 3, 3), padding=1)
    check(ending(rng, [norm, padded], (3, 6, 5)), grid(rng, 9, 3, 6, 5), 1e-5)
    dense = bl.Dense(grid(rng, 30, 3))
    check(ending(rng, [bl.Flatten(), dense, norm], (1, 6, 5)), X, 1e-5)


def test_lenet(rng):
    """Convolutions without padding, large kernels, average pooling, tanh."""
    layers = [
        bl.Conv2D(rng.normal(size=(6, 1, 5, 5)) / 5, padding=2),
        bl.Tanh(),
        bl.AvgPool2D(2),
        bl.Conv2D(rng.normal(size=(16, 6, 5, 5)) / 12),
        bl.Tanh(),
        bl.AvgPool2D(2),
        bl.Flatten(),
        bl.Dense(rng.normal(size=(400, 120)) / 20),
        bl.Tanh(),
        bl.Dense(rng.normal(size=(120, 10)) / 11),
    ]
    model = bl.Model(layers, (1, 28, 28))
    check(model, rng.normal(size=(9, 1, 28, 28)).astype(np.float32), 1e-5)


@pytest.mark.parametrize("padding", [0, 1, 2, (1, 2, 0, 1)])
@pytest.mark.parametrize("size", [(8, 8), (6, 34), (5, 6)])
@pytest.mark.parametrize("channels", [(16, 16), (17, 20)])
def test_wide_convolution(rng, channels, size, padding):
    """The way back takes Winograd's method where the image has even sides."""
    inputs, outputs = channels
    conv = bl.Conv2D(grid(rng, outputs, inputs, 3, 3), grid(rng, outputs), padding=padding)
    model = ending(rng, [bl.ReLU(), conv, bl.ReLU()], (inputs, *size))
    X = grid(rng, 9, inputs, *size)
    check(model, X, 2e-6)
    alone = np.concatenate([bl.gradient(model, x[None], 0) for x in X])
    np.testing.assert_array_equal(bl.gradient(model, X, 0), alone)
