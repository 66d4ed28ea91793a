"""2x2 max-pooling in one with the convolution, or the interpolation, that makes its input."""

import numpy as np
import pytest
from backlit_kernels.vector import LANES

import backlit as bl
from backlit.attribution.expected_gradients import BackgroundPaths
from backlit.attribution.gradients import InputGradient
from backlit.attribution.integrated_gradients import PathIntegral
from backlit.lowering import Lowering, interpolation
from backlit.rewriting import relu_first
from tests.helpers import assert_close, ending, grid
from tests.reference.network import input_gradient, logits


def kernels(model, probe=None, lanes=LANES):
    probe = probe or InputGradient(score=0, magnitude=False)
    tape = probe.lower(model._programs.graph, lanes).tape
    return [i.kernel.name for section in tape.instructions.values() for i in section]


def network(rng, channels=4, size=(9, 12), kernel=3, inputs=2, pool=None, **conv):
    weights = grid(rng, channels, inputs, kernel, kernel)
    layers = [bl.Conv2D(weights, grid(rng, channels), padding=kernel // 2, **conv), bl.ReLU()]
    return ending(rng, [*layers, pool or bl.MaxPool2D(2)], (inputs, *size))


def check(model, X, target):
    """Whole numbers, many of them equal: all is exact, and so must be."""
    maps = bl.gradient(model, X, target)
    np.testing.assert_array_equal(model.logits(X), logits(model, X))
    np.testing.assert_array_equal(maps, input_gradient(model, X, target))
    for n in range(len(X)):
        alone = bl.gradient(model, X[n : n + 1], target[n : n + 1])
        np.testing.assert_array_equal(alone[0], maps[n])
    return maps


@pytest.mark.parametrize("channels", [1, 3, 6, 7, 13])
@pytest.mark.parametrize("size", [(2, 2), (5, 4), (9, 12), (8, 17)])
def test_windows_with_ties(rng, channels, size):
    model = network(rng, channels, size)
    assert any("pooled_product" in name for name in kernels(model))
    X = grid(rng, 17, *model.input_shape, most=1)
    check(model, X, rng.integers(0, 3, 17))


@pytest.mark.parametrize(
    "conv", [{"stride": 2}, {"stride": (1, 2)}, {"dilation": (2, 1)}, {"stride": 2, "dilation": 2}]
)
def test_any_convolution(rng, conv):
    model = network(rng, **conv, size=(13, 18))
    assert any("pooled_product" in name for name in kernels(model))
    check(model, grid(rng, 17, *model.input_shape, most=1), rng.integers(0, 3, 17))


@pytest.mark.parametrize("inputs", [1, 2, 3, 8])
def test_few_terms(rng, inputs):
    model = network(rng, kernel=(3 if inputs == 1 else 1), inputs=inputs)
    terms = 9 if inputs == 1 else inputs
    assert any(name.endswith(f"_of_{terms}") for name in kernels(model))
    check(model, grid(rng, 17, *model.input_shape, most=1), rng.integers(0, 3, 17))


def test_long_sums(rng):
    model = network(rng, channels=9, inputs=11, kernel=5)
    assert any(name.startswith("pooled") and name.endswith("_cut") for name in kernels(model))
    check(model, grid(rng, 17, *model.input_shape, most=1), rng.integers(0, 3, 17))


@pytest.mark.parametrize("pool", [bl.MaxPool2D(2, ceil_mode=True), bl.MaxPool2D(2, padding=1)])
def test_windows_beyond_the_edge_are_left_alone(rng, pool):
    model = network(rng, pool=pool)
    assert not any("pooled_product" in name for name in kernels(model))
    check(model, grid(rng, 17, *model.input_shape, most=1), rng.integers(0, 3, 17))


def test_pooling_without_a_relu(rng):
    weights = grid(rng, 5, 2, 3, 3)
    model = ending(rng, [bl.Conv2D(weights, -grid(rng, 5)), bl.MaxPool2D(2)], (2, 8, 9))
    assert any("pooled_product" in name for name in kernels(model))
    X = grid(rng, 17, 2, 8, 9, most=1) - 5  # mostly negative sums
    check(model, X, rng.integers(0, 3, 17))


@pytest.mark.parametrize("method", [bl.guided_backprop, bl.deconvnet])
def test_other_rules_of_the_relu(rng, method):
    """Where nothing in a window is positive, the first of its zeros is the maximum."""
    model = network(rng)
    X = grid(rng, 17, *model.input_shape, most=1)
    tiles = method(model, X, 1)
    alone = [method(model, X[n : n + 1], 1) for n in range(17)]  # kernels that compare
    np.testing.assert_array_equal(tiles, np.concatenate(alone))


def test_values_that_are_wanted_are_stored(rng):
    model = network(rng)
    X = grid(rng, 17, *model.input_shape)
    for layer in range(3):
        alone = [bl.layer_activation(model, X[n : n + 1], layer=layer) for n in range(17)]
        found = bl.layer_activation(model, X, layer=layer)
        np.testing.assert_array_equal(found, np.concatenate(alone))
        assert found.min() < 0 or layer > 0


@pytest.mark.parametrize("channels", [2, 5])
def test_paths(rng, channels):
    """Interpolated and pooled at once: the sums of all points' gradients."""
    model = network(rng, channels, size=(7, 10))
    assert any("interpolate_windows" in k for k in kernels(model, PathIntegral(0, 0)))
    X = rng.normal(size=(16, *model.input_shape)).astype(np.float32)
    found = bl.integrated_gradients(model, X, 1, steps=8, rule="riemann_middle")
    points = (np.arange(8) + 0.5) / 8
    slopes = [input_gradient(model, X * t, np.ones(16, int)) for t in points.astype(np.float32)]
    assert_close(found, X * np.mean(slopes, axis=0), 1e-4)
    alone = bl.integrated_gradients(model, X[:1], 1, steps=8, rule="riemann_middle")
    np.testing.assert_array_equal(alone, found[:1])


@pytest.mark.parametrize("together", [1, 3, 10])
@pytest.mark.parametrize("baselines", [1, 2, LANES + 1])
def test_points_side_by_side(rng, monkeypatch, baselines, together):
    """The same bits as one sample alone, whose pictures are interpolated."""
    model = network(rng, 3, size=(7, 10))
    lowering = Lowering(relu_first(model._programs.graph), LANES)
    *_, pooling = (n for n in lowering.graph.nodes if isinstance(n.layer, bl.MaxPool2D))
    size = lowering.layouts[pooling.output].size
    monkeypatch.setattr(interpolation, "MOST_FLOATS", 3 * size * together)
    found = kernels(model, BackgroundPaths(0, baselines, 10))
    groups = -(-10 // together)
    assert sum("interpolate_windows" in k for k in found) == groups
    assert sum("sum_choices" in k for k in found) == groups
    X, background = (rng.normal(size=(n, *model.input_shape)) for n in (LANES + 1, baselines))
    options = {"background": background, "samples": 10 * baselines}
    maps = bl.expected_gradients(model, X, 1, **options)
    alone = bl.expected_gradients(model, X[-1:], 1, **options)
    np.testing.assert_array_equal(maps[-1:], alone)
    assert maps.any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("method", [bl.gradient, bl.guided_backprop, bl.deconvnet, bl.deeplift])
def test_a_relu_behind_the_pooling(rng, method):
    """As before it: where windows overlap, and by rules that tell the two apart, as it stands."""
    conv = bl.Conv2D(grid(rng, 4, 2, 3, 3), grid(rng, 4), padding=1)
    pools = (bl.MaxPool2D(2), bl.MaxPool2D(3, stride=2), bl.MaxPool2D(2, stride=1))
    for pool in pools:
        behind = ending(rng, [conv, pool, bl.ReLU()], (2, 9, 12))
        before = bl.Model([conv, bl.ReLU(), pool, *behind.layers[3:]], (2, 9, 12))
        X = grid(rng, LANES + 1, 2, 9, 12, most=1)
        np.testing.assert_array_equal(behind.logits(X), before.logits(X))
        maps = method(behind, X, 1)
        np.testing.assert_array_equal(method(behind, X[-1:], 1)[0], maps[-1])
        if method is bl.gradient:
            np.testing.assert_array_equal(maps, input_gradient(behind, X, np.ones(len(X), int)))
            np.testing.assert_array_equal(maps, method(before, X, 1))
            assert "elementwise.relu" not in kernels(behind)
        pooled = bl.layer_activation(behind, X, layer=1)
        assert (pooled < 0).any()
        np.testing.assert_array_equal(bl.layer_activation(behind, X, layer=2), pooled.clip(0))
