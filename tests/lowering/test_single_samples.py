"""Single samples take ways of their own: against the reference, and the same bits as in tiles."""

import numpy as np
import pytest
from backlit_kernels.vector import LANES
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import backlit as bl
from backlit import lowering
from backlit.attribution.gradients import InputGradient
from backlit.importers.builder import GraphBuilder, finish, products, reductions, shapes
from backlit.lowering.flat_convolution import cut_runs
from backlit.portions import FEATURE_LANES
from backlit.probes import Logits
from tests.helpers import assert_close, ending, grid
from tests.reference import network

few = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
seeds = st.integers(0, 2**32 - 1)


@given(positions=st.integers(1, 5000), wanted=st.integers(12, 240))
def test_runs_of_a_flat_image_are_about_as_long(positions, wanted):
    runs, length, last = cut_runs(positions, wanted)
    assert (runs - 1) * length + last == positions
    assert length <= wanted
    assert length / 2 <= last <= 1.5 * length + 1


def kernels_of(model, lanes=1, probe=None):
    """The names of the kernels that a gradient takes, or another probe."""
    tape = (probe or InputGradient(0, False)).lower(model._programs.graph, lanes).tape
    return [i.kernel.name for part in tape.instructions.values() for i in part]


def check(model, X, tolerance=1e-5):
    """Samples alone and in a tile: the reference's logits and gradients, and the same bits."""
    target = np.arange(len(X)) % model.classes
    assert len(X) >= LANES
    logits, maps = model.logits(X), bl.gradient(model, X, target)
    some = slice(0, 2)
    assert_close(logits[some], network.logits(model, X[some]), tolerance)
    expected = network.input_gradient(model, X[some], target[some])
    assert_close(maps[some], expected, tolerance)
    for i in range(len(X)):
        one = slice(i, i + 1)
        np.testing.assert_array_equal(model.logits(X[one]), logits[one])
        np.testing.assert_array_equal(bl.gradient(model, X[one], target[one]), maps[one])


def with_scores(rng, layers, shape):
    """A model of layers with sums of all outputs, by weights of all sizes, for scores."""
    inner = shape
    for layer in layers:
        inner = layer.output_shape(inner)
    flat = [bl.Flatten()] if len(inner) > 1 else []
    size = int(np.prod(inner))
    dense = bl.Dense(rng.normal(size=(size, 3)) / np.sqrt(size))
    return bl.Model([*layers, *flat, dense], shape)


def normal(rng, *shape, count=LANES):
    return rng.normal(size=(count, *shape)).astype(np.float32)


# --- convolutions ---------------------------------------------------------------------------------


def pairs(least, most):
    return st.tuples(st.integers(least, most), st.integers(least, most))


@few
@given(
    seed=seeds,
    size=st.sampled_from([(5, 6), (7, 19), (9, 35), (1, 40), (12, 3), (16, 16)]),
    kernel=pairs(1, 5),
    stride=pairs(1, 4),
    dilation=pairs(1, 2),
    padding=st.tuples(*[st.integers(0, 3)] * 4),
    channels=st.sampled_from([(1, 2, 1), (2, 3, 1), (4, 6, 2), (3, 3, 3), (3, 6, 3), (5, 7, 1)]),
    around=st.sampled_from(["alone", "relu", "clip", "residual"]),
)
def test_strided_convolution(seed, size, kernel, stride, dilation, padding, channels, around):
    """By phases: of the stride along rows and columns, with dilation, groups and any padding."""
    rng = np.random.default_rng(seed)
    inputs, outputs, groups = channels
    for axis in range(2):
        room = size[axis] + padding[axis] + padding[axis + 2]
        assume((kernel[axis] - 1) * dilation[axis] < room)
    weights = rng.normal(size=(outputs, inputs // groups, *kernel))
    layer = bl.Conv2D(weights, rng.normal(size=outputs), stride, padding, dilation, groups)
    first = bl.Conv2D(rng.normal(size=(inputs, inputs, 3, 3)) / 3, padding=1)
    layers = {
        "alone": [layer],
        "relu": [first, bl.ReLU(), layer, bl.ReLU()],
        "clip": [first, bl.Clip(0, 1), layer, bl.Clip(0, 0.5)],
        "residual": [bl.Residual([first]), layer, bl.Tanh()],
    }[around]
    check(with_scores(rng, layers, (inputs, *size)), normal(rng, inputs, *size))


@pytest.mark.parametrize("stride", [2, 3, (2, 3), (3, 1), (1, 2)])
@pytest.mark.parametrize("size", [(11, 17), (16, 33), (6, 70)])
def test_depthwise_convolution(rng, size, stride):
    """As mobile networks have them, with a convolution of single pixels behind."""
    layers = [
        bl.Conv2D(rng.normal(size=(6, 1, 3, 3)), rng.normal(size=6), stride, 1, groups=6),
        bl.Clip(0, 6),
        bl.Conv2D(rng.normal(size=(4, 6, 1, 1)), rng.normal(size=4)),
    ]
    check(with_scores(rng, layers, (6, *size)), normal(rng, 6, *size))


@few
@given(
    seed=seeds,
    size=st.sampled_from([(5, 6), (7, 19), (9, 35), (1, 40), (12, 3), (2, 3)]),
    kernel=pairs(1, 9),
    dilation=st.sampled_from([(1, 1), (2, 1), (1, 2)]),
    padding=st.tuples(*[st.integers(0, 3)] * 4),
    around=st.sampled_from(["alone", "relu", "clip", "residual"]),
)
def test_windows_of_channels(seed, size, kernel, dilation, padding, around):
    """Depthwise, of any width, where neighbouring pixels are shifted in registers and where not."""
    rng = np.random.default_rng(seed)
    for axis in range(2):
        room = size[axis] + padding[axis] + padding[axis + 2]
        assume((kernel[axis] - 1) * dilation[axis] < room)
    weights = rng.normal(size=(3, 1, *kernel))
    layer = bl.Conv2D(weights, rng.normal(size=3), 1, padding, dilation, 3)
    first = bl.Conv2D(rng.normal(size=(3, 3, 3, 3)) / 3, padding=1)
    same = layer.output_shape((3, *size)) == (3, *size)
    layers = {
        "alone": [layer],
        "relu": [first, bl.ReLU(), layer, bl.ReLU()],
        "clip": [first, bl.Clip(0, 1), layer, bl.Clip(0, 0.5)],
        "residual": [first, bl.Residual([layer]) if same else layer, bl.ReLU()],
    }[around]
    model = with_scores(rng, layers, (3, *size))
    slides = any("depthwise" in name for name in kernels_of(model))
    assert slides == (2 <= kernel[1] <= 8 and dilation[1] == 1)
    check(model, normal(rng, 3, *size))


@pytest.mark.parametrize("stride", [2, 3])
@pytest.mark.parametrize("kernel", [1, 3, 7])
def test_strided_convolutions_in_a_row(rng, kernel, stride):
    """The phases of one read what another wrote, borders and all."""
    layers, channels = [], 2
    for outputs in (3, 4):
        weights = rng.normal(size=(outputs, channels, kernel, kernel)) / kernel
        layers += [bl.Conv2D(weights, rng.normal(size=outputs), stride, kernel // 2), bl.ReLU()]
        channels = outputs
    check(with_scores(rng, layers, (2, 29, 37)), normal(rng, 2, 29, 37))


# --- Winograd's method ----------------------------------------------------------------------------

SIZES = [(4, 4), (5, 8), (6, 9), (7, 8), (3, 8), (2, 33), (4, 3), (16, 35), (13, 66), (4, 250)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("after", ["alone", "relu", "clip"])
def test_winograd(rng, after, size):
    """Forward and backward, at odd and even sizes; wide enough for it."""
    conv = bl.Conv2D(rng.normal(size=(18, 16, 3, 3)) / 12, rng.normal(size=18), padding=1)
    between = {"alone": [], "relu": [bl.ReLU()], "clip": [bl.Clip(0, 0.7)]}[after]
    again = bl.Conv2D(rng.normal(size=(16, 18, 3, 3)) / 12, padding=1)
    model = with_scores(rng, [conv, *between, again], (16, *size))
    names = kernels_of(model)
    assert sum("transform_input" in name for name in names) >= 4  # both ways, both layers
    check(model, normal(rng, 16, *size), 2e-5)


@pytest.mark.parametrize("size", [(5, 7), (3, 5), (1, 5), (3, 3), (3, 2), (1, 1)])
def test_wide_convolutions_of_few_pixels(rng, size):
    """Too small for patches on one of the ways or on both."""
    conv = bl.Conv2D(rng.normal(size=(18, 16, 3, 3)) / 12, rng.normal(size=18), padding=1)
    again = bl.Conv2D(rng.normal(size=(16, 18, 3, 3)) / 12, padding=1)
    check(with_scores(rng, [conv, bl.ReLU(), again], (16, *size)), normal(rng, 16, *size), 2e-5)


@pytest.mark.parametrize("padding", [0, 2, (0, 2, 2, 0), (1, 0, 1, 0)])
@pytest.mark.parametrize("size", [(6, 8), (5, 7), (6, 7)])
def test_winograd_with_other_padding(rng, size, padding):
    conv = bl.Conv2D(rng.normal(size=(16, 17, 3, 3)) / 12, rng.normal(size=16), padding=padding)
    check(with_scores(rng, [conv, bl.ReLU()], (17, *size)), normal(rng, 17, *size), 2e-5)


@pytest.mark.parametrize("size", [(9, 12), (8, 13)])
def test_winograd_between_other_layers(rng, size):
    """Borders that others need are wider; what hangs over must not reach their pixels."""
    wide = [bl.Conv2D(rng.normal(size=(16, 16, 3, 3)) / 12, padding=1) for _ in range(2)]
    layers = [
        bl.Conv2D(rng.normal(size=(16, 3, 5, 5)) / 8, padding=2),
        bl.Residual([bl.ReLU(), wide[0], bl.ReLU(), wide[1]]),
        bl.Conv2D(rng.normal(size=(4, 16, 3, 3)) / 12, stride=2, padding=(1, 0, 2, 3)),
        bl.ReLU(),
    ]
    check(with_scores(rng, layers, (3, *size)), normal(rng, 3, *size), 2e-5)


def test_patches_err_little_more_than_sums_in_order(rng, monkeypatch):
    """On the way back, of many channels; the customary points of interpolation fail this."""
    weights = rng.normal(size=(128, 96, 3, 3)) / 30
    model = with_scores(rng, [bl.Conv2D(weights, padding=1)], (96, 16, 16))  # 2x2 going forward
    X = normal(rng, 96, 16, 16)
    exact = network.input_gradient(model, X[:4], np.zeros(4, int))

    def error():
        fresh = bl.Model(model.layers, model.input_shape)
        found = bl.gradient(fresh, X, 0)
        worst = np.abs(found[:4] - exact).max()
        return worst, any("input_4" in name for name in kernels_of(fresh))

    by_patches, taken = error()
    assert taken
    monkeypatch.setattr(lowering.convolution, "backward_patches", lambda *_: 0)
    monkeypatch.setattr(lowering.products, "PIECE", 10**9)
    by_sums, taken = error()
    assert not taken
    assert by_patches < 1.5 * by_sums


def test_patches_err_little_more_going_forward(rng, monkeypatch):
    """The larger ones, of layers with biases; F(2x2) where a bias is missing."""
    weights, bias = rng.normal(size=(128, 96, 3, 3)) / 30, rng.normal(size=128)
    X = normal(rng, 96, 16, 16)

    def error(bias):
        model = bl.Model([bl.Conv2D(weights, bias, padding=1), bl.Flatten()], (96, 16, 16))
        found, names = model.logits(X), kernels_of(model, probe=Logits())
        exact = np.stack([network.step(model.layers[0], x[None].astype(float))[0] for x in X[:2]])
        return np.abs(found[:2] - exact.reshape(2, -1)).max(), names

    by_patches, names = error(bias)
    assert any("input_4" in name for name in names)
    _, names = error(np.where(np.arange(128) == 5, 0, bias))
    assert any("input_2" in name for name in names)
    monkeypatch.setattr(lowering.convolution, "forward_patches", lambda *_: 0)
    monkeypatch.setattr(lowering.products, "PIECE", 10**9)
    by_sums, names = error(bias)
    assert not any("input" in name for name in names)
    assert by_patches < 1.5 * by_sums


def texture(rng, channels, height, width):
    """Images of period 3: equal patches lie at odd and even places."""
    tiles = rng.normal(size=(LANES, channels, 3, 3)).astype(np.float32)
    repeats = (1, 1, -(-height // 3), -(-width // 3))
    return np.tile(tiles, repeats)[:, :, :height, :width]


@pytest.mark.parametrize("size", [(12, 14), (9, 13)])
def test_equal_patches_tie_before_max_pooling(rng, size):
    """Winograd's method would break ties of a plain background by rounding."""
    conv = bl.Conv2D(rng.normal(size=(16, 16, 3, 3)) / 12, rng.normal(size=16), padding=1)
    layers = [conv, bl.MaxPool2D((7, 6), (2, 3)), bl.Tanh()]
    check(with_scores(rng, layers, (16, *size)), texture(rng, 16, *size), 2e-5)


def test_equal_patches_tie_before_a_maximum(rng):
    """All the places of equal maxima get equal shares."""
    size = (11, 14)
    weights = (rng.normal(size=(16, 16, 3, 3)) / 12).astype(np.float32)
    b = GraphBuilder((16, *size))
    y = products.convolution(b, b.input, weights, padding=(1, 1, 1, 1))
    y = shapes.pad(b, shapes.pad(b, y, 2, -1, -1), 3, -1, -1)  # where no patch is cut: 9 x 12
    model = finish(b, reductions.reduce(b, "max", y, [2, 3], False))
    X = texture(rng, 16, *size)
    conv = bl.Conv2D(weights, padding=1)
    for c in (0, 5, 15):
        maps = [bl.gradient(model, X, c), *(bl.gradient(model, x[None], c) for x in X[:3])]
        np.testing.assert_array_equal(np.concatenate(maps[1:]), maps[0][:3])
        for x, found in zip(X[:3], maps[0][:3], strict=True):
            values = network.step(conv, x[None].astype(np.float64))[0, c, 1:-1, 1:-1]
            hits = np.isclose(values, values.max(), rtol=1e-9)
            assert hits.sum() == 12
            share = np.zeros((1, 16, *size))
            share[0, c, 1:-1, 1:-1] = hits / 12
            expected = network.backward([conv], x[None].astype(np.float64), share)[0]
            assert_close(found, expected)


# --- max pooling by rows --------------------------------------------------------------------------


@few
@given(
    seed=seeds,
    window=st.sampled_from([(2, 2), (2, 3), (3, 3), (3, 2), (1, 3), (4, 2)]),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 2)),
    padding=st.tuples(*[st.integers(0, 1)] * 4),
    ceil_mode=st.booleans(),
    size=st.sampled_from([(4, 5), (5, 18), (5, 33), (3, 36), (4, 51), (2, 64)]),
    before=st.sampled_from(["alone", "relu", "clip", "border"]),
    tied=st.booleans(),
)
def test_max_pooling_by_rows(seed, window, stride, padding, ceil_mode, size, before, tied):
    rng = np.random.default_rng(seed)
    padding = tuple(min(p, n // 2) for p, n in zip(padding, window * 2, strict=True))
    assume(all(size[i] + padding[i] + padding[i + 2] >= window[i] for i in range(2)))
    pool = bl.MaxPool2D(window, stride, padding, ceil_mode)
    weights = grid(rng, 3, 3, 3, 3, most=1)
    layers = {
        "alone": [pool],
        "relu": [bl.ReLU(), pool],
        "clip": [bl.Clip(0, 1), pool],
        "border": [bl.Conv2D(weights, padding=1), pool, bl.Conv2D(weights, padding=(2, 0, 1, 2))],
    }[before]
    model = with_scores(rng, layers, (3, *size))
    X = grid(rng, LANES, 3, *size, most=1) if tied else normal(rng, 3, *size)
    check(model, X)


@pytest.mark.parametrize("window", [(2, 3), (3, 3), (3, 2)])
@pytest.mark.parametrize("stride", [1, 2])
def test_pooling_takes_rows(rng, window, stride):
    """All equal: the first pixel of each window takes it all, in the order of tiles."""
    model = with_scores(rng, [bl.MaxPool2D(window, stride, 1)], (2, 9, 50))
    names = kernels_of(model)
    assert f"max_pool_rows_{window[0]}_{window[1]}" in names
    assert f"max_pool_rows_backward_{window[0]}_{window[1]}" in names
    check(model, np.ones((LANES, 2, 9, 50), np.float32))
    check(model, normal(rng, 2, 9, 50))


# --- clips computed with the layer before -------------------------------------------------------


FUSED = {
    "convolution": (4, {"padding": 1}),
    "strided": (4, {"stride": 2, "padding": 1}),
    "groups": (4, {"padding": 1, "groups": 2}),
    "wide": (16, {"padding": 1}),
    "pooled": (4, {"padding": 1}),
    "transposed": (4, {"stride": 2, "padding": 1}),
}


@pytest.mark.parametrize("high", [6.0, 2.0, 2.5])
@pytest.mark.parametrize("name", FUSED)
def test_clips_of_images(rng, name, high):
    """Whole numbers meet the bounds exactly, where the derivative is 0."""
    c, options = FUSED[name]
    few_weights = grid(rng, c, c, 3, 3, most=1) * (rng.random((c, c, 3, 3)) < 5 / c / 9)
    kind = bl.layers.ConvTranspose2D if name == "transposed" else bl.Conv2D
    first = kind(few_weights[:, : c // options.get("groups", 1)], grid(rng, c), **options)
    between = [bl.MaxPool2D(2)] if name == "pooled" else []
    clip, last = bl.Clip(0, high), bl.Conv2D(few_weights, padding=1)
    X = grid(rng, LANES, c, 6, 7, most=2)
    met_by(first, X, {0, high})
    check(ending(rng, [first, clip, *between, last, clip], (c, 6, 7)), X, 2e-6)


def met_by(layer, X, bounds):
    """That outputs of a layer are whole numbers and reach the bounds."""
    values = np.unique(network.step(layer, X.astype(np.float64)))
    assert {bound for bound in bounds if bound % 1 == 0} <= set(values.tolist())
    assert values.max() > max(bounds)


@pytest.mark.parametrize("high", [6.0, 2.0, 2.5])
def test_clips_of_features(rng, high):
    first, last = (bl.Dense(grid(rng, 20, 20, most=1), grid(rng, 20)) for _ in range(2))
    clip = bl.Clip(0, high)
    X = grid(rng, FEATURE_LANES, 20, most=2)
    met_by(first, X, {0, high})
    check(ending(rng, [first, clip, last, clip], (20,)), X, 2e-6)


@pytest.mark.parametrize("count", [1, FEATURE_LANES, FEATURE_LANES + 1])
def test_derivatives_at_the_bounds_of_a_clip(count):
    """x in (0, 6) passes, 0 and 6 do not, whichever layer the clip is computed with."""
    x = np.array([-1, 0, 1, 5, 6, 7, 0.5, 5.5], np.float32)
    expected = np.array([0, 0, 1, 1, 0, 0, 1, 1], np.float32)
    one = bl.Dense(np.eye(8))
    X = np.tile(x, (count, 1))
    for layers in ([one, bl.Clip(0, 6)], [bl.Clip(0, 6)], [one, bl.Clip(0, 6), one]):
        model = bl.Model([*layers, bl.Dense(np.ones((8, 1)))], (8,), outputs="values")
        np.testing.assert_array_equal(bl.gradient(model, X), np.tile(expected, (count, 1)))
    one = bl.Conv2D(np.pad(np.ones((1, 1, 1, 1)), ((0, 0), (0, 0), (1, 1), (1, 1))), padding=1)
    images = X.reshape(count, 1, 2, 4)
    for layers in (
        [one, bl.Clip(0, 6)],
        [one, bl.Clip(0, 6), one],
        [one, bl.Clip(0, 6), bl.Tanh()],
    ):
        layers = [*layers, bl.Flatten(), bl.Dense(np.ones((8, 1)))]
        model = bl.Model(layers, (1, 2, 4), outputs="values")
        maps = bl.gradient(model, images).reshape(count, 8)
        np.testing.assert_array_equal(maps != 0, np.tile(expected != 0, (count, 1)))
