"""Depthwise convolutions of single samples with a stride of two: the same bits as in tiles."""

import numpy as np
import pytest
from backlit_kernels.vector import LANES

import backlit as bl
from backlit.attribution.gradients import InputGradient
from backlit.lowering.depthwise_by_two import moves_by_two
from tests.helpers import ending

WINDOWS = [(3, 3), (5, 5), (1, 1), (1, 4)]
CHANNELS = 3


def depthwise(rng, window, padding=0, **options):
    weights = rng.normal(size=(CHANNELS, 1, *window))
    options = {"stride": 2, "padding": padding, "groups": CHANNELS} | options
    return bl.Conv2D(weights, rng.normal(size=CHANNELS), **options)


def kernels(model):
    tape = InputGradient(0, False).lower(model._programs.graph, 1).tape
    return " ".join(kernel.name for kernel in tape.kernels())


@pytest.mark.parametrize("width", [7, 16, 33])
@pytest.mark.parametrize("padding", [0, (1, 0, 2, 1)])
@pytest.mark.parametrize("window", WINDOWS)
def test_forward_and_backward(rng, window, padding, width):
    model = ending(rng, [depthwise(rng, window, padding), bl.ReLU()], (CHANNELS, 8, width))
    names = kernels(model)
    assert f"depthwise_by_two_{window[0]}x{window[1]} " in names
    assert "depthwise_by_two_back" in names
    X = rng.normal(size=(2 * LANES, CHANNELS, 8, width)).astype(np.float32)
    logits, maps = model.logits(X), bl.gradient(model, X, 1)
    for n in range(2):
        np.testing.assert_array_equal(model.logits(X[n : n + 1]), logits[n : n + 1])
        np.testing.assert_array_equal(bl.gradient(model, X[n : n + 1], 1), maps[n : n + 1])


@pytest.mark.parametrize("window", [(3, 3), (2, 5)])
def test_transposed(rng, window):
    weights = rng.normal(size=(CHANNELS, 1, *window))
    layer = bl.ConvTranspose2D(weights, rng.normal(size=3), stride=2, padding=1, groups=CHANNELS)
    model = ending(rng, [layer, bl.ReLU()], (CHANNELS, 6, 9))
    assert "depthwise_by_two_back" in kernels(model)
    X = rng.normal(size=(LANES, CHANNELS, 6, 9)).astype(np.float32)
    maps = bl.gradient(model, X, 0)
    np.testing.assert_array_equal(bl.gradient(model, X[:1], 0), maps[:1])


@pytest.mark.parametrize(
    "options", [{"stride": (1, 2)}, {"stride": 3}, {"dilation": 2}, {"stride": (2, 1)}]
)
def test_others_go_by_phases(rng, options):
    layer = depthwise(rng, (3, 3), 1, **options)
    assert not moves_by_two(layer)
    model = ending(rng, [layer], (CHANNELS, 9, 11))
    X = rng.normal(size=(LANES, CHANNELS, 9, 11)).astype(np.float32)
    np.testing.assert_array_equal(bl.gradient(model, X[:1], 0), bl.gradient(model, X, 0)[:1])
