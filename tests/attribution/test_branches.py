"""Methods on graphs with branches: inputs used several times, concatenations, operators."""

import numpy as np
import pytest

import backlit as bl
from backlit.attribution.masked_probes import all_boxes
from backlit.attribution.method_table import METHODS
from backlit.importers.builder import (
    GraphBuilder,
    activations,
    arithmetic,
    finish,
    pooling,
    products,
    reductions,
    shapes,
)
from backlit.layers import ConvTranspose2D
from backlit.lowering import changed_regions
from tests.attribution.peers import assert_maps_agree
from tests.attribution.test_all import options

SHAPE = (2, 8, 7)


def filters(rng, outputs, inputs, size=3):
    return rng.normal(size=(outputs, inputs, size, size)) * np.sqrt(2 / (inputs * size * size))


def bent(rng, without=None):
    """Linear pieces of every kind; channel `without` of the layer "joined" replaced by 0."""
    b = GraphBuilder(SHAPE)

    def conv(x, outputs):
        weights, bias = filters(rng, outputs, x.shape[1]), rng.normal(size=outputs) * 0.3
        return products.convolution(b, x, weights, bias, padding=(1,) * 4)

    x = arithmetic.scale(b, shapes.pad(b, b.input, 3, 0, 1, "reflect"), 0.8, shift=0.1)
    left = b.append(bl.ReLU(), conv(x, 3))
    right = arithmetic.unary(b, "hard_sigmoid", conv(left, 3), alpha=0.5)
    clamped = arithmetic.unary(b, "clamp", conv(x, 3), low=-0.5, high=0.4)
    right = arithmetic.binary(b, "larger", right, clamped)
    b.label = "joined"
    x = shapes.concatenate(b, [left, right, shapes.gather(b, x, 1, [1])], 1)
    b.label = ""
    if without is not None:
        x = shapes.gather(b, x, 1, [-1 if n == without else n for n in range(7)])
    highest = reductions.reduce(b, "max", x, [2, 3], True)
    x = pooling.max_pool(b, conv(x, 4), (2, 2), (2, 2), (0,) * 4)
    x = arithmetic.binary(b, "add", x, shapes.gather(b, highest, 1, range(4)))
    up = ConvTranspose2D(filters(rng, 4, 3, 2), rng.normal(size=3), 2)
    x = arithmetic.unary(b, "abs", b.append(up, x))
    x = arithmetic.binary(b, "subtract", x, reductions.reduce(b, "mean", x, [1], True))
    x = shapes.reshape(b, shapes.transpose(b, x, (0, 2, 3, 1)), (1, 8 * 8 * 3))
    return finish(b, products.dense(b, x, rng.normal(size=(8 * 8 * 3, 3)) / 8, rng.normal(size=3)))


def smooth(rng):
    """A chain of smooth activations, then a dense block and a gate."""
    b = GraphBuilder(SHAPE)

    def conv(x, outputs, **options):
        weights, bias = filters(rng, outputs, x.shape[1]), rng.normal(size=outputs) * 0.3
        return products.convolution(b, x, weights, bias, **options)

    x = arithmetic.unary(b, "gelu", conv(b.input, 4))
    x = b.append(bl.BatchNorm(*rng.normal(size=(3, 4)), rng.uniform(0.5, 2, 4)), x)
    x = arithmetic.unary(b, "silu", conv(x, 4, padding=(1,) * 4))
    x = shapes.concatenate(b, [x, arithmetic.unary(b, "softplus", conv(x, 3, padding=(1,) * 4))], 1)
    gate = b.append(bl.Sigmoid(), reductions.reduce(b, "mean", x, [2, 3], True))
    x = reductions.reduce(b, "mean", arithmetic.binary(b, "multiply", x, gate), [2, 3], False)
    return finish(b, products.dense(b, x, rng.normal(size=(7, 3)), rng.normal(size=3)))


MODELS = {"bent": bent, "smooth": smooth}


def setting(name, count=5):
    rng = np.random.default_rng(3)
    model = MODELS[name](rng)
    x = rng.normal(size=(count, *SHAPE)).astype(np.float32)
    return model, x, np.arange(count) % 3


def test_exact_paths_are_complete():
    model, x, target = setting("bent")
    options = {"baseline": 0.3, "return_delta": True}
    found, delta = bl.integrated_gradients(model, x, target, steps="exact", **options)
    np.testing.assert_allclose(delta, 0, atol=2e-5)
    many = bl.integrated_gradients(model, x, target, steps=4000, baseline=0.3)
    np.testing.assert_allclose(found, many, atol=5e-3)


def test_exact_paths_through_what_is_not_straight_are_refused():
    model, x, _ = setting("smooth")
    with pytest.raises(ValueError, match=r"piecewise-linear networks, but layer .*gelu"):
        bl.integrated_gradients(model, x, steps="exact")
    b = GraphBuilder((2,))
    flipped = shapes.gather(b, b.input, 1, [1, 0])
    model = finish(b, arithmetic.binary(b, "multiply", b.input, flipped))
    with pytest.raises(ValueError, match=r"piecewise-linear networks, but layer .*multiply"):
        bl.integrated_gradients(model, np.ones((1, 2)), steps="exact")


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("count", [1, 5])
def test_occlusion_is_the_fall_of_the_score(name, count):
    """Where passes of small regions end at a branch, whole ones follow."""
    model, x, target = setting(name, count)
    if name == "smooth":
        stages = changed_regions.plan_stages(
            model._programs.graph, all_boxes((((0, 2),), ((0, 3),), ((0, 2),)))
        )
        assert len(stages) == 2
        assert len(stages[0][0].nodes) == 3  # the convolution, its activation, a normalisation
    found = bl.occlusion(model, x, target, window=(3, 2), fill=0.2)
    rows = np.arange(count)
    expected = np.zeros_like(found)
    for i in range(0, 8, 3):
        for j in range(0, 7, 2):
            covered = x.copy()
            covered[:, :, i : i + 3, j : j + 2] = 0.2
            fall = (model.logits(x) - model.logits(covered))[rows, target]
            expected[:, :, i : i + 3, j : j + 2] = fall[:, None, None, None]
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("name", ["grad_cam", "hires_cam", "layer_cam"])
@pytest.mark.parametrize("count", [1, 17])
def test_gradient_maps_of_a_branch(name, count):
    model, x, target = setting("bent", count)
    a = bl.layer_activation(model, x, layer="joined")
    g = bl.layer_gradient(model, x, target, layer="joined")
    weights = {
        "grad_cam": g.mean(axis=(2, 3), keepdims=True),
        "hires_cam": g,
        "layer_cam": np.maximum(g, 0),
    }[name]
    found = getattr(bl, name)(model, x, target, layer="joined", upsample=False, relu=False)
    assert_maps_agree(found, (weights * a).sum(axis=1, keepdims=True))


def test_ablation_of_a_branch():
    """Against models that leave a channel out."""
    model, x, target = setting("bent")
    rows = np.arange(len(x))
    y = model.logits(x)[rows, target]
    a = bl.layer_activation(model, x, layer="joined")
    expected = np.zeros((len(x), 1, *a.shape[2:]))
    for channel in range(a.shape[1]):
        without = bent(np.random.default_rng(3), channel).logits(x)[rows, target]
        expected += ((y - without) / y)[:, None, None, None] * a[:, channel : channel + 1]
    found = bl.ablation_cam(model, x, target, layer="joined", upsample=False, relu=False)
    assert_maps_agree(found, expected, 1e-3)


def test_full_grad_knows_transposed_convolutions():
    """One of a pixel is a convolution with its weights transposed."""
    rng = np.random.default_rng(0)
    weights, bias, top = rng.normal(size=(2, 4, 1, 1)), rng.normal(size=4), filters(rng, 3, 4)
    maps = []
    for layer in (
        bl.Conv2D(weights.transpose(1, 0, 2, 3), bias),
        ConvTranspose2D(weights, bias),
    ):
        layers = [layer, bl.ReLU(), bl.Conv2D(top), bl.GlobalAvgPool2D(), bl.Flatten()]
        maps.append(bl.full_grad(bl.Model(layers, SHAPE), setting("bent")[1], 1))
    assert_maps_agree(*maps)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", MODELS)
def test_every_method(name, method):
    """Maps are finite, and a sample's own whatever the company."""
    if method == "xrai":
        pytest.importorskip("skimage")
    model, x, target = setting(name, 19)
    given = options(method, x) | {"threads": 2}
    maps = getattr(bl, method)(model, x, target, **given)
    assert np.isfinite(maps).all()
    assert (maps != 0).any()
    if method != "feature_permutation":  # others are what it is about
        alone = getattr(bl, method)(model, x[7:8], target[7:8], **given)
        np.testing.assert_array_equal(alone, maps[7:8])


def of_patches(b, rng):
    """Patches that attend to each other: what follows has three axes, but no picture."""
    b.label = "last"
    x = products.convolution(b, b.input, filters(rng, 4, 2, 2), None, (2, 2), (0,) * 4)
    b.label = ""
    x = shapes.transpose(b, shapes.reshape(b, x, (1, 4, 12)), (0, 2, 1))
    heads = shapes.transpose(b, shapes.reshape(b, x, (1, 12, 2, 2)), (0, 2, 1, 3))
    scores = products.matmul(b, heads, shapes.transpose(b, heads, (0, 1, 3, 2)))
    weights = activations.softmax(b, scores, -1)
    x = arithmetic.unary(b, "gelu", products.matmul(b, weights, heads))
    x = shapes.reshape(b, shapes.transpose(b, x, (0, 2, 1, 3)), (1, 12, 4))
    return reductions.reduce(b, "mean", x, [1], False)


def of_windows(b, rng):
    """Features last, a branch that cuts the picture up, and a picture at the end."""
    x = products.convolution(b, b.input, filters(rng, 4, 2), None, padding=(1,) * 4)
    x = shapes.transpose(b, x, (0, 2, 3, 1))
    cut = shapes.transpose(b, shapes.reshape(b, x, (1, 4, 2, 7, 1, 4)), (0, 1, 3, 2, 4, 5))
    cut = arithmetic.unary(b, "gelu", shapes.reshape(b, cut, (1, 28, 2, 4)))
    cut = shapes.transpose(b, shapes.reshape(b, cut, (1, 4, 7, 2, 1, 4)), (0, 1, 3, 2, 4, 5))
    x = arithmetic.binary(b, "add", x, shapes.reshape(b, cut, (1, 8, 7, 4)))
    b.label = "last"
    x = shapes.transpose(b, x, (0, 3, 1, 2))
    b.label = ""
    return reductions.reduce(b, "mean", x, [2, 3], False)


def of_groups(b, rng):
    """Channels shuffled between groups; a dense layer along the channels at each pixel."""
    x = products.convolution(b, b.input, filters(rng, 4, 2), None, padding=(1,) * 4)
    x = shapes.transpose(b, shapes.reshape(b, x, (1, 2, 2, 8, 7)), (0, 2, 1, 3, 4))
    x = products.convolution(b, shapes.reshape(b, x, (1, 4, 8, 7)), filters(rng, 4, 4, 1), None)
    b.label = "last"
    x = b.append(bl.ReLU(), x)
    b.label = ""
    x = reductions.reduce(b, "mean", x, [2, 3], False)
    return products.dense(b, x, rng.normal(size=(4, 4)))


@pytest.mark.parametrize("build", [of_patches, of_windows, of_groups])
def test_the_last_layer_with_rows_and_columns(build):
    rng = np.random.default_rng(0)
    b = GraphBuilder((2, 8, 7) if build is not of_patches else (2, 8, 6))
    model = finish(b, products.dense(b, build(b, rng), rng.normal(size=(4, 3))))
    x = rng.normal(size=(3, *model.input_shape)).astype(np.float32)
    for method in (bl.grad_cam, bl.eigen_cam):
        np.testing.assert_array_equal(method(model, x), method(model, x, layer="last"))
