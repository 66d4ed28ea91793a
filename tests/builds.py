"""Models of single operations, built as importers build them, and compared with definitions."""

from dataclasses import dataclass
from math import prod

import numpy as np
from backlit_kernels.vector import LANES

import backlit as bl
from backlit.importers.builder import GraphBuilder, arithmetic, finish, products, shapes
from backlit.portions import FEATURE_LANES
from tests.helpers import assert_close
from tests.reference import operators as reference

# one by one, in a tile of images, with single samples behind it, in a tile of features
BATCHES = (1, 3, LANES, LANES + 3, FEATURE_LANES)
ENTRIES = 400  # of a sample whose derivatives are worked out: all of them, or so many


@dataclass(frozen=True)
class Case:
    """A model and the function that it is to compute, of float64 arrays, samples first."""

    model: bl.Model
    function: object

    def check(self, X, tolerance=1e-5):
        """Logits, some gradients, and the bits of each sample alone."""
        target = np.arange(len(X)) % self.model.classes
        assert_close(self.model.logits(X), self.function(X.astype(np.float64)), tolerance)
        some = [0, 1, -1]
        entries = np.random.default_rng(0).permutation(X[0].size)[:ENTRIES]
        expected = reference.gradient(self.function, X[some], target[some], entries)
        maps = bl.gradient(self.model, X, target)[some].reshape(len(some), -1)
        assert_close(maps[:, entries], expected, tolerance)
        assert_same_bits(self.model, X, target)


def assert_same_bits(model, X, target):
    """Each sample's results do not depend on its batch."""
    alone = [slice(i, i + 1) for i in range(len(X))]
    logits = np.concatenate([model.logits(X[one]) for one in alone])
    maps = np.concatenate([bl.gradient(model, X[one], target[one]) for one in alone])
    for batch in BATCHES:
        some = slice(0, batch)
        np.testing.assert_array_equal(model.logits(X[some]), logits[some])
        np.testing.assert_array_equal(bl.gradient(model, X[some], target[some]), maps[some])


def of_one(rng, shape, build, function):
    """The operation alone, with three sums of its outputs for scores."""
    b = GraphBuilder(shape)
    y = build(b, b.input)
    outputs = prod(y.sample)
    weights = rng.normal(size=(outputs, 3)).astype(np.float32) / np.sqrt(outputs)
    scores = products.dense(b, shapes.reshape(b, y, (1, outputs)), weights)
    model = finish(b, scores, outputs="classes")
    return Case(model, lambda x: function(x).reshape(len(x), -1) @ weights.astype(np.float64))


def between_convolutions(rng, shape, build, function):
    """The operation on images with borders, forward and backward, whose input has another user."""
    channels = shape[0]
    first = rng.normal(size=(channels, channels, 3, 3)).astype(np.float32) / 3
    beside = rng.normal(size=(2, channels, 5, 5)).astype(np.float32) / 5
    b = GraphBuilder(shape)
    x = products.convolution(b, b.input, first, padding=(1, 1, 1, 1))
    y = build(b, x)
    behind = rng.normal(size=(2, y.sample[0], 3, 5)).astype(np.float32) / 4
    ends = [
        products.convolution(b, y, behind, padding=(1, 2, 1, 2)),
        products.convolution(b, x, beside, padding=(2, 2, 2, 2)),
    ]
    sizes = [prod(end.sample) for end in ends]
    weights = [rng.normal(size=(n, 3)).astype(np.float32) / np.sqrt(n) for n in sizes]
    scores = [
        products.dense(b, shapes.reshape(b, end, (1, n)), w)
        for end, n, w in zip(ends, sizes, weights, strict=True)
    ]
    model = finish(b, arithmetic.binary(b, "add", *scores), outputs="classes")

    def convolve(x, weights):
        rows, columns = (n // 2 for n in weights.shape[2:])
        return fast_convolution(x, weights.astype(np.float64), rows, columns)

    def whole(x):
        x = convolve(x, first)
        ends = convolve(function(x), behind), convolve(x, beside)
        return sum(e.reshape(len(e), -1) @ w for e, w in zip(ends, weights, strict=True))

    return Case(model, whole)


def fast_convolution(x, weights, rows, columns):
    """A convolution of stride 1, by sliding windows."""
    padded = np.pad(x, ((0, 0), (0, 0), (rows, rows), (columns, columns)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, weights.shape[2:], (2, 3))
    return np.einsum("ncyxij,mcij->nmyx", windows, weights, optimize=True)


def normal(rng, *shape, count=BATCHES[-1]):
    return rng.normal(size=(count, *shape)).astype(np.float32)


def positive(rng, *shape, count=BATCHES[-1]):
    return rng.uniform(0.3, 2, size=(count, *shape)).astype(np.float32)
