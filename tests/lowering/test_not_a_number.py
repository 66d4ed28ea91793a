"""What is no number on the way stays none: the larger of a NaN and a number is a NaN."""

import numpy as np
import pytest
from backlit_kernels.vector import LANES

import backlit as bl
from backlit.importers.builder import (
    GraphBuilder,
    arithmetic,
    finish,
    pooling,
    products,
    reductions,
    shapes,
)

SIZE = 8, 36  # wide enough for whole vectors of windows


def pooled(size, stride, padding=(0, 0, 0, 0)):
    return lambda b, x: pooling.max_pool(b, x, size, stride, padding)


def convolved(channels):
    """1x1 or, Winograd's way, 3x3, so that ties are settled; a ReLU or none; pooled."""

    def build(b, x):
        rng = np.random.default_rng(0)
        x = products.convolution(b, x, rng.normal(size=(16, 1, 1, 1)))
        kernel = (1, 1) if channels < 16 else (3, 3)
        same = tuple(n // 2 for n in kernel) * 2
        x = products.convolution(b, x, rng.normal(size=(channels, 16, *kernel)), padding=same)
        x = x if channels % 2 else b.append(bl.ReLU(), x)
        return pooling.max_pool(b, x, (2, 2), (2, 2), (0,) * 4)

    return build


OPERATIONS = {
    "pairs": pooled((2, 2), (2, 2)),
    "overlapping": pooled((3, 3), (2, 2), (1, 1, 1, 1)),
    "rows": pooled((2, 3), (1, 1)),
    "wide": pooled((2, 4), (2, 4)),
    "convolution": convolved(3),
    "convolution and ReLU": convolved(4),
    "Winograd": convolved(17),
    "Winograd and ReLU": convolved(18),
    "larger": lambda b, x: arithmetic.binary(b, "larger", arithmetic.scale(b, x, 0.0), x),
    "larger, other way": lambda b, x: arithmetic.binary(
        b, "larger", x, arithmetic.unary(b, "square", x)
    ),
    "smaller": lambda b, x: arithmetic.binary(b, "smaller", x, arithmetic.unary(b, "square", x)),
    "largest": lambda b, x: reductions.reduce(b, "max", x, [2], False),
    "least": lambda b, x: reductions.reduce(b, "min", x, [3], False),
}


@pytest.mark.parametrize("count", [1, LANES + 1])
@pytest.mark.parametrize("name", OPERATIONS)
def test_survives(name, count):
    """The logarithm of a negative pixel, wherever in a window it lies."""
    b = GraphBuilder((1, *SIZE))
    y = OPERATIONS[name](b, arithmetic.unary(b, "log", b.input))
    features = int(np.prod(y.sample))
    weights = np.random.default_rng(1).uniform(0.5, 1, (features, 3))
    scores = products.dense(b, shapes.reshape(b, y, (1, features)), weights)
    model = finish(b, scores, outputs="classes")
    X = np.random.default_rng(2).uniform(0.5, 2, (count, 1, *SIZE)).astype(np.float32)
    assert np.isfinite(model.logits(X)).all()
    for place in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 2), (3, 34), (5, 35), (7, 17)]:
        some = X.copy()
        some[count // 2, 0, *place] = -1
        found = np.isnan(model.logits(some))
        assert found[count // 2].all()
        assert found.sum() == 3
