"""Dense layers along the last of several axes, alone and in tiles."""

import numpy as np
import pytest
from backlit_kernels.vector import LANES

import backlit as bl
from backlit.importers.builder import arithmetic, products
from tests.builds import normal, of_one
from tests.helpers import ending, grid
from tests.lowering.test_single_samples import check, kernels_of

SHAPES = [(1, 20), (7, 3), (13, 40), (2, 9, 33), (5, 1, 17), (3, 2, 5, 16), (26, 130)]


def dense(rng, features, outputs):
    weights = rng.normal(size=(features, outputs)) / np.sqrt(features)
    return weights.astype(np.float32), rng.normal(size=outputs).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("outputs", [1, 3, 15, 16, 17, 33, 100])
def test_between_others(rng, shape, outputs):
    """With a ReLU behind, and going back."""
    (w, c), (v, d) = dense(rng, shape[-1], outputs), dense(rng, outputs, 5)

    def build(b, x):
        return products.dense(b, b.append(bl.ReLU(), products.dense(b, x, w, c)), v, d)

    case = of_one(rng, shape, build, lambda x: np.maximum(x @ w + c, 0) @ v + d)
    assert any("dense_rows" in name for name in kernels_of(case.model))
    case.check(normal(rng, *shape), 3e-5)


@pytest.mark.parametrize("shape", [(13, 40), (2, 9, 33), (30, 4)])
def test_residual_additions(rng, shape):
    """They are added as results are stored, going back as well."""
    (w, c), (v, d) = dense(rng, shape[-1], 20), dense(rng, 20, shape[-1])

    def build(b, x):
        inner = b.append(bl.ReLU(), products.dense(b, b.append(bl.ReLU(), x), w, c))
        return b.append(bl.ReLU(), arithmetic.binary(b, "add", x, products.dense(b, inner, v, d)))

    def definition(x):
        return np.maximum(x + np.maximum(np.maximum(x, 0) @ w + c, 0) @ v + d, 0)

    of_one(rng, shape, build, definition).check(normal(rng, *shape), 3e-5)


def test_pictures_with_borders(rng):
    """Along the rows of images that windows are moved over, before and behind."""
    layers = [
        bl.Conv2D(grid(rng, 4, 3, 3, 3), padding=1),
        bl.Dense(grid(rng, 18, 21), grid(rng, 21)),
        bl.Conv2D(grid(rng, 2, 4, 3, 3), padding=(1, 0, 2, 3)),
        bl.Dense(grid(rng, 22, 2)),
        bl.MaxPool2D(2, padding=1),
    ]
    check(ending(rng, layers, (3, 7, 18)), grid(rng, LANES, 3, 7, 18))


@pytest.mark.parametrize("threads", [2, 3, 5, 40])
def test_any_number_of_threads(rng, threads):
    """Large enough that threads share a sample."""
    layers = [bl.Dense(rng.normal(size=s) / 20) for s in [(300, 700), (700, 9), (9, 330)]]
    model = ending(rng, layers, (3, 61, 300))
    X = rng.normal(size=(2, 3, 61, 300)).astype(np.float32)
    for call in (model.logits, lambda X, threads: bl.gradient(model, X, 0, threads=threads)):
        np.testing.assert_array_equal(call(X, threads=threads), call(X, threads=1))


def test_normalisation_behind_is_of_the_first_axis(rng):
    """A batch normalisation is along channels, which such a layer has last: it is not folded."""
    norm = bl.BatchNorm(*(rng.uniform(0.5, 2, 6) for _ in range(4)))
    model = ending(rng, [bl.Dense(grid(rng, 4, 6)), norm], (6, 5, 4))
    check(model, grid(rng, LANES, 6, 5, 4))


def test_wrong_features():
    with pytest.raises(ValueError, match="takes 4 features, but its input has shape"):
        bl.Model([bl.Dense(np.ones((4, 2))), bl.Flatten()], input_shape=(2, 4, 3))
