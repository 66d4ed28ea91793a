"""Class activation maps of layers that give a picture as tokens, or with its channels last."""

import numpy as np
import pytest

import backlit as bl
from backlit.importers.builder import GraphBuilder, arithmetic, finish, products, reductions, shapes
from tests.attribution.peers import assert_maps_agree
from tests.helpers import assert_close
from tests.reference import maps as reference

BY_GRADIENT = ("grad_cam", "grad_cam_plus_plus", "hires_cam", "layer_cam", "xgrad_cam")
ROWS, COLUMNS, CHANNELS = 3, 4, 5


def of_tokens(others):
    """Patches as tokens, behind so many others, that a layer mixes."""
    rng = np.random.default_rng(others)
    b = GraphBuilder((2, 6, 8))
    x = products.convolution(
        b, b.input, rng.normal(size=(CHANNELS, 2, 2, 2)), None, (2, 2), (0,) * 4, (1, 1)
    )
    x = shapes.transpose(b, shapes.reshape(b, x, (1, CHANNELS, ROWS * COLUMNS)), (0, 2, 1))
    if others:
        first = np.broadcast_to(rng.normal(size=(others, CHANNELS)), (1, others, CHANNELS))
        x = shapes.concatenate(b, [first.astype(np.float32), x], 1)
    b.label = "tokens"
    x = arithmetic.unary(b, "gelu", x)
    b.label = "rest"
    mixed = products.matmul(b, rng.normal(size=(1, x.shape[1], x.shape[1])).astype(np.float32), x)
    x = arithmetic.unary(b, "silu", arithmetic.binary(b, "add", x, mixed))
    x = reductions.reduce(b, "mean", x, [1], False)
    return finish(b, products.dense(b, x, rng.normal(size=(CHANNELS, 3))))


def of_channels_last():
    rng = np.random.default_rng(9)
    b = GraphBuilder((2, 6, 8))
    x = products.convolution(
        b, b.input, rng.normal(size=(CHANNELS, 2, 2, 2)), None, (2, 2), (0,) * 4, (1, 1)
    )
    b.label = "turned"
    x = arithmetic.unary(b, "gelu", shapes.transpose(b, x, (0, 2, 3, 1)))
    b.label = "rest"
    mixed = products.matmul(b, x, rng.normal(size=(CHANNELS, CHANNELS)).astype(np.float32))
    x = arithmetic.unary(b, "silu", arithmetic.binary(b, "add", x, mixed))
    x = reductions.reduce(b, "max", x, [1, 2], False)
    return finish(b, products.dense(b, x, rng.normal(size=(CHANNELS, 3))))


@pytest.fixture
def X(rng):
    return rng.normal(size=(19, 2, 6, 8)).astype(np.float32)


@pytest.mark.parametrize("name", BY_GRADIENT)
@pytest.mark.parametrize("others", [0, 1, 5])
def test_tokens_equal_the_formula(name, others, X):
    model = of_tokens(others)
    at = [f(model, X, layer="tokens") for f in (bl.layer_activation, bl.layer_gradient)]
    a, g = (v[:, others:].transpose(0, 2, 1).reshape(-1, CHANNELS, ROWS, COLUMNS) for v in at)
    expected = getattr(reference, name)(a.astype(float), g.astype(float))[:, None]
    found = getattr(bl, name)(model, X, layer="tokens", upsample=False, relu=False)
    assert_maps_agree(found, expected, 2e-3)
    alone = getattr(bl, name)(model, X[3:4], layer="tokens", upsample=False, relu=False)
    np.testing.assert_array_equal(alone, found[3:4])


@pytest.mark.parametrize("layer", ["turned", None])
def test_channels_last_inside(layer, X):
    """The last layer with rows and columns is found in whichever order they come."""
    model = of_channels_last()
    named = layer or model._picture_layers[-1]
    at = [f(model, X, layer=named) for f in (bl.layer_activation, bl.layer_gradient)]
    assert at[0].shape[1:3] == (ROWS, COLUMNS)
    a, g = (np.moveaxis(v, -1, 1).astype(float) for v in at)
    found = bl.grad_cam(model, X, layer=layer, upsample=False, relu=False)
    assert_maps_agree(found, reference.grad_cam(a, g)[:, None])


@pytest.mark.parametrize("name", ["score_cam", "ablation_cam", "eigen_cam", "guided_grad_cam"])
def test_other_maps(name, X):
    """Those of tokens are those of a picture: the same network with both says so."""
    model = of_tokens(1)
    found = getattr(bl, name)(model, X, 1, layer="tokens")
    assert found.shape[2:] == X.shape[2:]
    assert np.isfinite(found).all()
    assert found.any()
    np.testing.assert_array_equal(getattr(bl, name)(model, X[5:6], 1, layer="tokens"), found[5:6])


def test_ablated_tokens_lose_a_channel_in_every_token_of_the_picture(X):
    model = of_tokens(0)
    a = bl.layer_activation(model, X[:3], layer="tokens")
    full = model.logits(X[:3])[:, 1]
    found = bl.ablation_cam(model, X[:3], 1, layer="tokens", upsample=False, relu=False)
    rng = np.random.default_rng(0)
    b = GraphBuilder((ROWS * COLUMNS, CHANNELS))
    rng.normal(size=(CHANNELS, 2, 2, 2))
    mixing = rng.normal(size=(1, 12, 12)).astype(np.float32)
    x = arithmetic.binary(b, "add", b.input, products.matmul(b, mixing, b.input))
    x = reductions.reduce(b, "mean", arithmetic.unary(b, "silu", x), [1], False)
    rest = finish(b, products.dense(b, x, rng.normal(size=(CHANNELS, 3))))
    expected = np.zeros((3, ROWS * COLUMNS))
    for channel in range(CHANNELS):
        without = a.copy()
        without[:, :, channel] = 0
        falls = (full - rest.logits(without)[:, 1]) / full
        expected += falls[:, None] * a[:, :, channel]
    assert_close(found.reshape(3, -1), expected, 1e-4)


def test_what_is_no_picture(X):
    model = of_tokens(0)
    with pytest.raises(ValueError, match=r"or tokens of a picture, but that of .* has shape"):
        bl.grad_cam(model, X, layer=-1)
