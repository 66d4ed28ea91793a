"""Reshapes, as around one-dimensional convolutions, keep no layer from its neighbours."""

import numpy as np
import pytest

import backlit as bl
from backlit.layers import Softmax
from backlit.operators import Reshape
from backlit.programs import ProgramStore
from backlit.rewriting import simplify
from backlit.signals import in_rows
from tests.helpers import assert_close

LENGTH = 10


@pytest.fixture
def networks(rng):
    """A one-dimensional network as importers write it, and the same one on pictures of one row."""

    def norm(channels):
        return bl.BatchNorm(
            rng.uniform(0.5, 2, channels),
            rng.normal(size=channels),
            rng.normal(size=channels),
            rng.uniform(0.5, 2, channels),
        )

    def weights(*shape):
        return rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))

    first = bl.Conv2D(weights(4, 2, 1, 3), weights(4))
    second = bl.Conv2D(weights(6, 4, 1, 2), weights(6), stride=(1, 2))
    norms, head = (norm(4), norm(6)), bl.Dense(weights(12, 3), weights(3))
    pictures = [
        *(first, norms[0], bl.ReLU(), bl.MaxPool2D((1, 2))),
        *(second, bl.LeakyReLU(0.1), norms[1], bl.Flatten(), head),
    ]
    rows = [
        *(first, Reshape((4, 8)), norms[0], bl.ReLU()),
        *(Reshape((4, 1, 8)), bl.MaxPool2D((1, 2)), Reshape((4, 4)), Reshape((4, 1, 4))),
        *(second, Reshape((6, 2)), bl.LeakyReLU(0.1), norms[1], Reshape((12,)), head),
    ]
    return bl.Model(rows, (2, 1, LENGTH)), bl.Model(pictures, (2, 1, LENGTH))


def kinds(model):
    return [type(node.layer).__name__ for node in model._programs.graph.nodes]


def test_layers_meet(networks):
    rows, _ = networks
    assert kinds(rows) == [
        *("Conv2D", "ReLU", "MaxPool2D", "Conv2D", "LeakyReLU", "BatchNorm"),
        *("Reshape", "Dense"),
    ]


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("gradient", {}),
        ("deeplift", {}),
        ("deeplift", {"rule": "reveal_cancel"}),
        ("lrp", {"rule": "epsilon_plus"}),
        ("lrp", {"rule": "epsilon_gamma_box", "low": -3, "high": 3}),
    ],
)
def test_methods_see_the_same_network(networks, rng, method, options):
    rows, pictures = networks
    X = rng.normal(size=(17, 2, 1, LENGTH)).astype(np.float32).clip(-3, 3)
    found = getattr(bl, method)(rows, X, 1, **options)
    expected = getattr(bl, method)(pictures, X, 1, **options)
    assert_close(found, expected, 1e-6)


def test_layers_keep_their_shapes(networks, rng):
    """By number, whether or not what they give is computed in that shape, or at all."""
    rows, pictures = networks
    X = rng.normal(size=(5, 2, 1, LENGTH)).astype(np.float32)
    shapes = [(4, 1, 8), (4, 8), (4, 8), (4, 8), (4, 1, 8), (4, 1, 4), (4, 4)]
    shapes += [(4, 1, 4), (6, 1, 2), (6, 2), (6, 2), (6, 2), (12,), (3,)]
    same = {0: 0, 2: 1, 3: 2, 5: 3, 8: 4, 10: 5, 11: 6, 13: 8}  # numbers of both networks' layers
    for number, shape in enumerate(shapes):
        found = bl.layer_activation(rows, X, layer=number)
        assert found.shape == (5, *shape)
        if number in same:
            expected = bl.layer_activation(pictures, X, layer=same[number])
            assert_close(found, expected.reshape(found.shape), 1e-6)


def test_a_residual_network(rng):
    """Sums of signals are sums of pictures; what is no signal any more is reshaped once."""
    body = [Reshape((2, 1, 6)), bl.Conv2D(rng.normal(size=(2, 2, 1, 3)), padding=(0, 1))]
    layers = [
        *(bl.Conv2D(rng.normal(size=(2, 2, 1, 5))), Reshape((2, 6))),
        *(bl.Residual([*body, Reshape((2, 6))]), bl.ReLU(), Softmax(), bl.Flatten()),
    ]
    model = bl.Model([*layers, bl.Dense(rng.normal(size=(12, 2)))], (2, 1, LENGTH))
    assert kinds(model) == [
        "Conv2D",
        "Conv2D",
        "Add",
        "ReLU",
        "Reshape",
        "Softmax",
        "Flatten",
        "Dense",
    ]
    X = rng.normal(size=(17, 2, 1, LENGTH)).astype(np.float32)
    as_it_is = ProgramStore(simplify(model._source))
    maps = bl.gradient(model, X, 0)
    model._programs = as_it_is
    assert_close(maps, bl.gradient(model, X, 0), 1e-6)


def test_what_is_no_signal_stays(rng):
    layers = [Reshape((2, 4)), bl.BatchNorm(*rng.uniform(1, 2, (4, 2))), Reshape((8,))]
    model = bl.Model([bl.Residual(layers), bl.ReLU(), bl.Dense(rng.normal(size=(8, 2)))], (8,))
    assert in_rows(model._source) is model._source
