"""Relevance through operators: what moves it, shares it, and which factor of a product takes it."""

import numpy as np
import pytest

import backlit as bl
from backlit.attribution.lrp import choose_rules
from backlit.importers.builder import (
    GraphBuilder,
    activations,
    arithmetic,
    finish,
    normalization,
    products,
    reductions,
    shapes,
)

SHAPE = (2, 4, 3)


def explain(build, x, weights=None, **options):
    """The relevance of inputs whose features, made by `build`, are weighted and added up."""
    b = GraphBuilder(x.shape[1:])
    features = build(b, b.input)
    features = shapes.reshape(b, features, (1, int(np.prod(features.sample))))
    if weights is None:
        weights = np.ones(features.shape[1])
    model = finish(b, products.dense(b, features, np.asarray(weights)[:, None]), outputs="values")
    return bl.lrp(model, x, **options), model.logits(x)[:, 0]


def values(count=5, shape=SHAPE):
    return np.random.default_rng(0).normal(size=(count, *shape)).astype(np.float32)


MOVES = {
    "slice": lambda b, x: shapes.gather(b, x, 3, [0, 2]),
    "repeat": lambda b, x: shapes.gather(b, x, 2, [3, 3, 0, 1, 2]),
    "zeros around": lambda b, x: shapes.pad(b, x, 2, 1, 2, "constant", 0.0),
    "transpose": lambda b, x: shapes.transpose(b, x, (0, 3, 1, 2)),
    "reshape": lambda b, x: shapes.reshape(b, x, (1, 4, 6)),
    "concatenate": lambda b, x: shapes.concatenate(b, [x, shapes.gather(b, x, 1, [1])], 1),
}


@pytest.mark.parametrize("name", MOVES)
def test_moves_lose_nothing(name):
    """Relevance is that of the linear map, value by value, also where values are nearly 0."""
    x = values()
    x[0] *= 1e-6  # far below what stabilises denominators
    rng = np.random.default_rng(1)
    b = GraphBuilder(SHAPE)
    size = int(np.prod(MOVES[name](b, b.input).sample))
    weights = rng.normal(size=size)
    found, score = explain(MOVES[name], x, weights, epsilon=0.0)
    b = GraphBuilder(SHAPE)
    moved = shapes.reshape(b, MOVES[name](b, b.input), (1, size))
    linear = finish(b, products.dense(b, moved, weights[:, None]), outputs="values")
    scale = np.abs(x).max(axis=(1, 2, 3), keepdims=True)
    expected = x * bl.gradient(linear, x)
    np.testing.assert_allclose(found / scale, expected / scale, atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=(1, 2, 3)), score, rtol=1e-4)


SUMS = {
    "resized": lambda b, x: shapes.linear_map(
        b, x, 3, [[(0, 0.25), (1, 0.75)], [(1, 0.5), (2, 0.5)]]
    ),
    "sum": lambda b, x: reductions.reduce(b, "sum", x, [1, 3], True),
    "scale": lambda b, x: arithmetic.scale(b, x, -3.0),
    "difference": lambda b, x: arithmetic.binary(
        b, "subtract", x, reductions.reduce(b, "mean", x, [2], True)
    ),
}


@pytest.mark.parametrize("name", SUMS)
def test_sums_share_in_proportion(name):
    """A linear model's relevances are input times weight, whatever the order of its sums."""
    x = values()
    b = GraphBuilder(SHAPE)
    summed = SUMS[name](b, b.input)
    flat = shapes.reshape(b, summed, (1, int(np.prod(summed.sample))))
    weights = np.random.default_rng(1).normal(size=flat.shape[1])
    linear = finish(b, products.dense(b, flat, weights[:, None]), outputs="values")
    found, score = explain(SUMS[name], x, weights)
    # but for the stabiliser, where a difference is near 0
    np.testing.assert_allclose(found, x * bl.gradient(linear, x), atol=1e-3)
    np.testing.assert_allclose(found.sum(axis=(1, 2, 3)), score, atol=1e-3)


def test_a_shift_takes_its_share():
    """As a bias does: of 3 x + 2 at x = 4, x is 12 of 14 parts; at (x, 2), as summands."""
    x = np.array([[4.0]], np.float32)
    found, score = explain(lambda b, x: arithmetic.scale(b, x, 3.0, shift=2.0), x)
    np.testing.assert_allclose(found, [[12.0]], rtol=1e-5)
    assert score == 14


X = np.array([[0.5, -1.5, 2.0]], np.float32)
PRODUCTS = {
    "silu": lambda b, x: arithmetic.binary(b, "multiply", b.append(bl.Sigmoid(), x), x),
    "hard swish": lambda b, x: arithmetic.binary(
        b,
        "multiply",
        x,
        arithmetic.scale(b, arithmetic.clip(b, arithmetic.scale(b, x, shift=3.0), 0, 6), 1 / 6),
    ),
    "clamped": lambda b, x: arithmetic.binary(
        b,
        "multiply",
        x,
        arithmetic.clip(b, arithmetic.scale(b, x, shift=3.0), 0, 6, open_ends=False),
    ),
    "square": lambda b, x: arithmetic.binary(b, "multiply", x, x),
    "softsign": lambda b, x: arithmetic.binary(
        b, "divide", x, arithmetic.scale(b, arithmetic.unary(b, "abs", x), shift=1.0)
    ),
    "its own function": lambda b, x: arithmetic.binary(b, "multiply", x, b.append(bl.Tanh(), x)),
    "constant": lambda b, x: arithmetic.binary(
        b, "multiply", x, b.tensor(np.array([[1.0, 2, 3]]), x.shape)
    ),
    "sigmoid times a constant": lambda b, x: arithmetic.binary(
        b, "multiply", b.append(bl.Sigmoid(), x), b.tensor(np.array([[1.0, 2, 3]]), x.shape)
    ),
    "moved": lambda b, x: arithmetic.binary(
        b, "multiply", x, shapes.gather(b, b.append(bl.Sigmoid(), x), 1, [2, 0, 1])
    ),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_the_signal_takes_all(name):
    """The relevance of each product goes to its signal."""
    found, score = explain(PRODUCTS[name], X, epsilon=0.0)
    b = GraphBuilder((3,))
    product = finish(b, PRODUCTS[name](b, b.input))
    np.testing.assert_allclose(found, product.logits(X), rtol=1e-5)
    np.testing.assert_allclose(found.sum(), score[0], rtol=1e-5)


def test_normalisation_by_the_sample():
    """Its spread is a gate: relevances are those of the differences from the mean."""
    x = values()
    weights = np.random.default_rng(1).normal(size=24)
    found, score = explain(lambda b, x: normalization.normalize(b, x, [1, 2, 3], 1e-5), x, weights)
    spread = np.sqrt(x.var(axis=(1, 2, 3), keepdims=True) + 1e-5)
    centred = weights.reshape(SHAPE) - weights.mean()
    np.testing.assert_allclose(found, x * centred / spread, atol=1e-3)
    np.testing.assert_allclose(found.sum(axis=(1, 2, 3)), score, atol=1e-3)


def test_attention_is_a_gate():
    """Relevance is that of averages with fixed weights; queries and keys get none."""
    rng = np.random.default_rng(0)
    x = values(7, (5, 4))
    query, key, value = rng.normal(size=(3, 4, 4))
    weights = rng.normal(size=20)

    def attend(b, x):
        q, k, v = (products.dense(b, x, w) for w in (query, key, value))
        scores = products.matmul(b, q, shapes.transpose(b, k, (0, 2, 1)))
        return products.matmul(b, activations.softmax(b, scores, -1), v)

    found, score = explain(attend, x, weights, epsilon=0.0)
    scores = (x @ query) @ (x @ key).transpose(0, 2, 1)
    shares = np.exp(scores - scores.max(axis=2, keepdims=True))
    shares /= shares.sum(axis=2, keepdims=True)
    expected = x * (shares.transpose(0, 2, 1) @ weights.reshape(5, 4) @ value.T)
    np.testing.assert_allclose(found, expected, atol=2e-3)  # the stabiliser's doing
    np.testing.assert_allclose(found.sum(axis=(1, 2)), score, atol=2e-3)


def test_two_signals_are_refused():
    def product(function):
        return lambda b, x: arithmetic.binary(
            b, function, x, b.append(bl.Tanh(), shapes.gather(b, x, 1, [2, 0, 1]))
        )

    for function in ("multiply", "divide"):
        with pytest.raises(ValueError, match=f"a signal and a gate for LRP.*{function}"):
            explain(product(function), X)
    with pytest.raises(ValueError, match=r"a signal and a gate for LRP.*MatMul"):
        explain(lambda b, x: products.matmul(b, x, x), values(2, (3, 3)))


def test_the_larger_takes_all():
    found, _ = explain(
        lambda b, x: arithmetic.binary(b, "larger", x, arithmetic.unary(b, "square", x)), X
    )
    np.testing.assert_allclose(found, [[0.5, 2.25, 4.0]], rtol=1e-5)
    found, score = explain(
        lambda b, x: arithmetic.binary(b, "smaller", x, reductions.reduce(b, "mean", x, [1], True)),
        X,
    )
    np.testing.assert_allclose(found.sum(), score[0], rtol=1e-5)


def test_relevance_of_a_maximum():
    """An entry that is the maximum takes all; equal ones share."""
    x = np.array([[1.0, 3.0, 2.0], [2.0, 0.0, 2.0]], np.float32)
    found, _ = explain(lambda b, x: reductions.reduce(b, "max", x, [1], True), x)
    np.testing.assert_allclose(found, [[0, 3, 0], [1, 0, 1]], rtol=1e-5)


def test_composites_take_transposed_convolutions_for_convolutions():
    b = GraphBuilder(SHAPE)
    weights = np.ones((2, 3, 2, 2))
    b.label = "up"
    x = products.transposed_convolution(b, b.input, weights, None, (2, 2), (0,) * 4)
    b.label = "scores"
    model = finish(b, products.dense(b, shapes.reshape(b, x, (1, 3 * 8 * 6)), np.ones((144, 2))))
    assert choose_rules(model._programs.graph, "epsilon_plus") == {
        "up": "z_plus",
        "scores": "epsilon",
    }
    assert choose_rules(model._programs.graph, "epsilon_plus_flat")["up"] == "flat"
