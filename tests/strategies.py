"""Hypothesis strategies: random small networks of every kind of layer, with samples.

A network has two parts. In the first, values are small whole numbers (or quarters), so that
float32 is exact and kinks and ties are decided as in float64. The second has no kinks, so rounding
stays rounding.
"""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

import backlit as bl
from tests.helpers import grid
from tests.reference import network

LARGEST = 2000  # values in a tensor: the reference loops over them


@dataclass(frozen=True)
class Case:
    model: bl.Model
    X: np.ndarray
    target: np.ndarray
    score: str


@st.composite
def cases(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    features = st.tuples(st.integers(1, 40))
    images = st.tuples(*(st.sampled_from(range(1, most + 1)) for most in (4, 9, 11)))
    shape = input_shape = draw(st.one_of(images, images, images, features))
    batch = draw(st.sampled_from([1, 2, 5, 8, 15, 16, 17, 33]))
    X = grid(rng, batch, *shape, most=2)
    layers = []
    for _ in range(draw(st.integers(1, 4))):
        layers.append(draw(exact_layers(rng, shape)))
        shape = layers[-1].output_shape(shape)
    for _ in range(draw(st.integers(0, 3))):
        layers += [scaled_to_one(layers, X), draw(smooth_layers(rng, shape))]
        shape = layers[-1].output_shape(shape)
    layers.append(scaled_to_one(layers, X))
    if len(shape) > 1:
        layers.append(bl.Flatten())
    size, classes = int(np.prod(shape)), draw(st.integers(1, 11))
    layers.append(bl.Dense(rng.normal(size=(size, classes)) / np.sqrt(size)))
    if draw(st.booleans()):
        layers.append(draw(st.sampled_from([bl.Softmax(), bl.LogSoftmax()])))
    score = draw(st.sampled_from(["logit", "log_probability", "probability", "loss"]))
    model = bl.Model(layers, input_shape, outputs="classes")
    return Case(model, X, rng.integers(0, classes, batch), score)


def scaled_to_one(layers, X):
    """Batch normalisation by a power of two, lest sigmoids saturate: 1 - y then has no digits."""
    values = np.abs(network.forward(layers, X.astype(np.float64)))
    exponent = np.ceil(np.log2(values.max() + 1))
    ones, zeros = np.ones(values.shape[1]), np.zeros(values.shape[1])
    return bl.BatchNorm(ones, zeros, zeros, 4.0**exponent * ones, epsilon=0)


@st.composite
def exact_layers(draw, rng, shape, nested=False):
    kinds = [activations]
    if len(shape) == 1:
        kinds += [exact_dense]
    else:
        kinds += [exact_convolutions, exact_convolutions, exact_convolutions, max_poolings]
    if not nested:
        kinds += [residuals]
    return fitting(draw(draw(st.sampled_from(kinds))(rng, shape)), shape)


def fitting(layer, shape):
    """The layer, or a ReLU where it does not fit or makes too much."""
    try:
        return layer if np.prod(layer.output_shape(shape)) <= LARGEST else bl.ReLU()
    except ValueError:
        return bl.ReLU()


@st.composite
def activations(draw, rng, shape):
    del rng, shape
    return draw(st.sampled_from([bl.ReLU(), bl.LeakyReLU(0.25), bl.Clip(-1, 6), bl.Clip(1, 4)]))


@st.composite
def exact_dense(draw, rng, shape):
    outputs = draw(st.sampled_from([1, 3, 8, 16, 17, 31, 40]))
    bias = draw(st.sampled_from([None, grid(rng, outputs)]))
    return bl.Dense(grid(rng, shape[0], outputs, most=1), bias)


@st.composite
def convolutions(draw, weights_of, shape, **fixed):
    channels = shape[0]
    groups = draw(st.sampled_from([g for g in range(1, channels + 1) if channels % g == 0]))
    outputs = groups * draw(st.integers(1, 4))
    size = draw(pairs(1, 4))
    options = {
        "stride": draw(st.one_of(st.just(1), pairs(1, 3))),
        "padding": draw(st.one_of(st.integers(0, 2), st.tuples(*[st.integers(0, 3)] * 4))),
        "dilation": draw(st.one_of(st.just(1), pairs(1, 3))),
        "groups": groups,
    } | fixed
    weights = weights_of(outputs, channels // options["groups"], *size)
    return bl.Conv2D(weights, weights_of(outputs), **options)


def exact_convolutions(rng, shape):
    return convolutions(lambda *size: grid(rng, *size, most=1), shape)


def pairs(least, most):
    return st.tuples(st.integers(least, most), st.integers(least, most))


@st.composite
def poolings(draw):
    """Size, stride, padding and ceil mode."""
    size = draw(pairs(1, 4))
    padding = tuple(draw(st.integers(0, s // 2)) for s in size * 2)
    return size, draw(st.one_of(st.none(), pairs(1, 4))), padding, draw(st.booleans())


@st.composite
def max_poolings(draw, rng, shape):
    del rng, shape
    return bl.MaxPool2D(*draw(st.one_of(st.just((2,)), poolings())))


@st.composite
def residuals(draw, rng, shape):
    """Bodies of any kind; shortcuts of the shape that they ask for, by a convolution of 1x1."""
    body, inner = [], shape
    for _ in range(draw(st.integers(0, 3))):
        body.append(draw(exact_layers(rng, inner, nested=True)))
        inner = body[-1].output_shape(inner)
    if inner == shape:
        branches = [body, []]
    elif len(shape) == 1:
        branches = [body, [bl.Dense(grid(rng, *shape, *inner, most=1))]]
    elif inner[1:] == shape[1:]:
        branches = [body, [bl.Conv2D(grid(rng, inner[0], shape[0], 1, 1, most=1))]]
    else:
        return bl.Residual([bl.ReLU()])
    return bl.Residual(*draw(st.permutations(branches)))


@st.composite
def smooth_layers(draw, rng, shape):
    channels = shape[0]
    gamma, beta, mean = rng.normal(size=(3, channels))
    choices = [
        st.just(bl.Sigmoid()),
        st.just(bl.Tanh()),
        st.just(bl.Softmax()),
        st.just(bl.LogSoftmax()),
        st.just(bl.BatchNorm(gamma, beta, mean, rng.uniform(0.5, 2, channels))),
        st.just(bl.Residual([bl.Tanh()])),
    ]
    if len(shape) == 3:
        choices += [
            convolutions(lambda *size: rng.normal(size=size) / np.sqrt(np.prod(size[1:])), shape),
            st.builds(lambda p, c: bl.AvgPool2D(*p, c), poolings(), st.booleans()),
            st.just(bl.AvgPool2D(2)),
            st.just(bl.GlobalAvgPool2D()),
        ]
    layer = draw(draw(st.sampled_from(choices)))
    fits = fitting(layer, shape)
    return fits if fits is layer else bl.Tanh()
