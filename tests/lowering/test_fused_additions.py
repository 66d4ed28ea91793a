"""Additions are made by the layer before them, on both ways, and activations with them."""

import numpy as np
import pytest
from backlit_kernels.vector import LANES

import backlit as bl
from backlit.attribution.gradients import InputGradient
from backlit.operators import Add
from tests.helpers import assert_close, ending
from tests.reference.network import input_gradient, logits


def kernels(model, lanes):
    tape = InputGradient(score=0, magnitude=False).lower(model._programs.graph, lanes).tape
    return [i.kernel.name for section in tape.instructions.values() for i in section]


def conv(rng, inputs, outputs, **options):
    weights = rng.normal(size=(outputs, inputs, 3, 3)) / (3 * inputs**0.5)
    return bl.Conv2D(weights, rng.normal(size=outputs), padding=1, **options)


def residual_network(rng, channels=5, stride=2, activation=bl.ReLU):
    """Blocks as ResNets have them: an identity, and one with a convolution beside it."""
    wide = channels + 3
    beside = bl.Conv2D(rng.normal(size=(wide, channels, 1, 1)) / channels**0.5, stride=stride)
    layers = [
        conv(rng, 3, channels),
        activation(),
        bl.Residual([conv(rng, channels, channels), bl.ReLU(), conv(rng, channels, channels)]),
        activation(),
        bl.Residual(
            [conv(rng, channels, wide, stride=stride), bl.ReLU(), conv(rng, wide, wide)], [beside]
        ),
        activation(),
        bl.Residual([conv(rng, wide, wide), bl.ReLU(), conv(rng, wide, wide)]),
        activation(),
    ]
    return ending(rng, layers, (3, 9, 11))


def relu6():
    return bl.Clip(0, 6)


@pytest.mark.parametrize("lanes", [1, LANES])
@pytest.mark.parametrize("channels", [5, 16])
def test_nothing_is_added_apart(rng, lanes, channels):
    names = kernels(residual_network(rng, channels), lanes)
    alone = [name for name in names if name.startswith("elementwise")]
    assert alone == ["elementwise.relu_backward"]  # what follows the last sum is a flatten


@pytest.mark.parametrize("activation", [bl.ReLU, relu6, bl.Tanh])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("channels", [5, 16])
def test_residual_networks(rng, channels, stride, activation):
    model = residual_network(rng, channels, stride, activation)
    X = rng.normal(size=(17, *model.input_shape)).astype(np.float32)
    target = rng.integers(0, model.classes, 17)
    maps, some = bl.gradient(model, X, target), [0, 9, 16]
    assert_close(model.logits(X)[some], logits(model, X[some]))
    assert_close(maps[some], input_gradient(model, X[some], target[some]))
    alone = [bl.gradient(model, X[n : n + 1], target[n : n + 1]) for n in range(17)]
    np.testing.assert_array_equal(maps, np.concatenate(alone))


def test_dense_layers_add_too(rng):
    def dense(inputs, outputs):
        return bl.Dense(rng.normal(size=(inputs, outputs)) / inputs**0.5, rng.normal(size=outputs))

    layers = [dense(9, 21), bl.ReLU(), bl.Residual([dense(21, 21), bl.ReLU(), dense(21, 21)])]
    model = bl.Model([*layers, bl.ReLU(), dense(21, 3)], (9,))
    assert "elementwise.add" not in kernels(model, 32) + kernels(model, 1)
    X = rng.normal(size=(33, 9)).astype(np.float32)
    assert_close(model.logits(X), logits(model, X))
    maps = bl.gradient(model, X, 1)
    assert_close(maps, input_gradient(model, X, np.ones(33, int)))
    np.testing.assert_array_equal(bl.gradient(model, X[:1], 1), maps[:1])


def test_tensor_that_is_wanted_stays(rng):
    """What a layer gives is not what it and an addition give."""
    model = residual_network(rng)
    X = rng.normal(size=(2, *model.input_shape)).astype(np.float32)
    graph = model._programs.graph
    for node in graph.nodes:
        if isinstance(node.layer, Add):
            first = graph.producer(node.inputs[0])
            before = bl.layer_activation(model, X, layer=first.name)
            others = [bl.layer_activation(model, X, layer=graph.producer(node.inputs[1]).name)]
            total = bl.layer_activation(model, X, layer=node.name)
            assert_close(before + others[0], total)


def test_sum_of_a_tensor_and_itself(rng):
    twice = bl.Residual([], [])
    layers = [conv(rng, 3, 16), twice, bl.ReLU(), conv(rng, 16, 4), bl.ReLU(), twice]
    model = ending(rng, layers, (3, 8, 7))
    X = rng.normal(size=(17, 3, 8, 7)).astype(np.float32)
    assert_close(model.logits(X), logits(model, X))
    assert_close(bl.gradient(model, X, 1), input_gradient(model, X, np.ones(17, int)))
