"""Products of two tensors, transposed copies and sums along rows, of all sizes."""

from math import prod

import numpy as np
import pytest
from backlit_kernels.vector import LANES

from backlit.importers.builder import activations, arithmetic, products, reductions, shapes
from backlit.lowering.arrange import LEAST_COLUMNS
from tests.builds import normal, of_one
from tests.lowering.test_single_samples import kernels_of
from tests.reference import operators as reference

SIZES = [1, 2, 5, 15, 16, 17, 40]
SQUARES = [(1, 1, 3), (1, 40, 1), (5, 17, 3), (17, 5, 40), (33, 16, 33), (50, 35, 20)]


@pytest.mark.parametrize("heads", [(), (3,), (2, 2)])
@pytest.mark.parametrize(("rows", "depth", "columns"), SQUARES)
def test_products(rng, heads, rows, depth, columns):
    """Of x and a function of x, each as it is and transposed before and behind."""
    shape = (*heads, rows, depth)
    mix = rng.normal(size=(rows, columns)).astype(np.float32)
    swap = lambda x: np.swapaxes(x, -1, -2)  # noqa: E731
    rank = len(shape) + 1
    order = (*range(rank - 2), rank - 1, rank - 2)

    def build(b, x):
        turned = shapes.transpose(b, x, order)
        other = products.matmul(b, turned, mix)  # (depth, columns)
        product = products.matmul(b, x, other)
        return products.matmul(b, shapes.transpose(b, product, order), product)

    def definition(x):
        product = x @ (swap(x) @ mix)
        return swap(product) @ product

    case = of_one(rng, shape, build, definition)
    assert any("matrices" in name for name in kernels_of(case.model))
    case.check(normal(rng, *shape), 3e-5)


@pytest.mark.parametrize("rows", SIZES)
@pytest.mark.parametrize("columns", SIZES)
def test_transposes(rng, rows, columns):
    """Of a matrix, of each of several, and with an axis between."""
    for shape, axes in [
        ((rows, columns), (0, 2, 1)),
        ((3, rows, columns), (0, 1, 3, 2)),
        ((rows, 2, columns), (0, 3, 2, 1)),
    ]:
        case = of_one(
            rng,
            shape,
            lambda b, x, axes=axes: shapes.transpose(b, x, axes),
            lambda x, axes=axes: reference.transpose(x, axes),
        )
        turns = "transposing.transpose_matrices" in kernels_of(case.model)
        assert turns == (min(rows, columns) >= LANES)
        case.check(normal(rng, *shape))


@pytest.mark.parametrize("rows", SIZES)
@pytest.mark.parametrize("columns", SIZES)
def test_sums_along_rows(rng, rows, columns):
    for shape in [(rows, columns), (2, rows, columns)]:
        axes = [len(shape)]
        case = of_one(
            rng,
            shape,
            lambda b, x, axes=axes: reductions.reduce(b, "add", x, axes, True),
            lambda x, axes=axes: x.sum(axis=tuple(axes), keepdims=True),
        )
        squares = "transposing.add_columns" in kernels_of(case.model)
        assert squares == (rows >= LANES and columns >= LEAST_COLUMNS)
        case.check(normal(rng, *shape))


@pytest.mark.parametrize("rows", SIZES[::2])
@pytest.mark.parametrize("classes", SIZES[1:])
def test_softmax_along_the_last_axis(rng, rows, classes):
    """Of a matrix, of several, and of what a transposition lies before."""
    for shape in [(rows, classes), (3, rows, classes), (2, 2, rows, classes)]:

        def build(b, x):
            return activations.softmax(b, arithmetic.scale(b, x, 3.0), -1)

        case = of_one(rng, shape, build, lambda x: reference.softmax(3 * x, -1))
        kernels = " ".join(kernels_of(case.model))
        whole = min(rows if len(shape) == 3 else prod(shape[:-1]), classes) >= LANES
        assert ("softmax_rows.softmax_rows_backward" in kernels) == whole
        case.check(normal(rng, *shape))
