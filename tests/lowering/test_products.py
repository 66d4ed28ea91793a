"""Matrix products, softmax and normalisations of imported models against definitions."""

from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backlit.importers.builder import activations, arithmetic, normalization, products, shapes
from tests.builds import between_convolutions, normal, of_one
from tests.reference import operators as reference

few = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
IMAGE = (3, 5, 7)
SHAPES = [(7,), (3, 5), IMAGE, (2, 3, 2, 5)]
PLACES = [of_one, between_convolutions]


def weights_of(rng, *shape):
    return rng.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
def test_dense_along_the_last_axis(rng, shape):
    weights, bias = weights_of(rng, shape[-1], 4), weights_of(rng, 4)
    case = of_one(
        rng,
        shape,
        lambda b, x: products.dense(b, x, weights, bias),
        lambda x: reference.matmul(x[..., None, :], weights)[..., 0, :] + bias,
    )
    case.check(normal(rng, *shape))


@pytest.mark.parametrize("place", PLACES)
def test_products_with_constants(rng, place):
    """A constant on either side: a vector, a matrix, one with axes before, one per channel."""
    right = [weights_of(rng, *size) for size in [(7, 4), (1, 1, 7, 2), (3, 7, 4), (1, 3, 7, 1)]]
    left = [weights_of(rng, *size) for size in [(4, 5), (3, 4, 5), (1, 3, 1, 5)]]
    X = normal(rng, *IMAGE)
    for c in right:
        place(
            rng,
            IMAGE,
            lambda b, x, c=c: products.matmul(b, x, c),
            lambda x, c=c: reference.matmul(x, c),
        ).check(X)
    for c in left:
        place(
            rng,
            IMAGE,
            lambda b, x, c=c: products.matmul(b, c, x),
            lambda x, c=c: reference.matmul(c, x),
        ).check(X)
    vector = weights_of(rng, 7)
    of_one(
        rng,
        IMAGE,
        lambda b, x: products.matmul(b, x, vector),
        lambda x: reference.matmul(x, vector[:, None])[..., 0],
    ).check(X)


@few
@given(
    seed=st.integers(0, 2**32 - 1),
    outer=st.lists(st.integers(1, 3), max_size=2),
    sizes=st.tuples(*[st.integers(1, 9)] * 3),
    repeated=st.booleans(),
)
def test_product_of_two_tensors(seed, outer, sizes, repeated):
    """Of parts of the input; the second may be repeated along the axes before the matrix's."""
    rng = np.random.default_rng(seed)
    rows, depth, columns = sizes
    rank = len(outer) + 3  # with the batch
    shape = (*outer, rows + columns, depth)

    def both(x, gather, transpose):
        order = [*range(rank - 2), rank - 1, rank - 2]
        first = gather(x, rank - 2, list(range(rows)))
        second = transpose(gather(x, rank - 2, list(range(rows, rows + columns))), order)
        if repeated and outer:
            second = gather(second, 1, [0])
        return first, second

    def build(b, x):
        return products.matmul(b, *both(x, partial(shapes.gather, b), partial(shapes.transpose, b)))

    case = of_one(
        rng,
        shape,
        build,
        lambda x: reference.matmul(*both(x, reference.gather, reference.transpose)),
    )
    case.check(normal(rng, *shape), 3e-5)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("shape", [(1, 4, 4), (3, 5, 5)])
def test_square_of_images(rng, place, shape):
    """One tensor on both sides."""
    case = place(
        rng, shape, lambda b, x: products.matmul(b, x, x), lambda x: reference.matmul(x, x)
    )
    case.check(normal(rng, *shape), 3e-5)


@pytest.mark.parametrize("shape", [(5, 6), (2, 5, 6)])
def test_attention(rng, shape):
    rank = len(shape) + 1
    order = [*range(rank - 2), rank - 1, rank - 2]
    query, key = weights_of(rng, 6, 6) / 3, weights_of(rng, 6, 6) / 3

    def build(b, x):
        q, k = products.dense(b, x, query), products.dense(b, x, key)
        scores = products.matmul(b, q, shapes.transpose(b, k, order))
        return products.matmul(b, activations.softmax(b, scores, -1), x)

    def definition(x):
        scores = reference.matmul(x @ query, reference.transpose(x @ key, order))
        return reference.matmul(reference.softmax(scores, -1), x)

    of_one(rng, shape, build, definition).check(normal(rng, *shape), 3e-5)


@pytest.mark.parametrize("logarithm", [False, True])
@pytest.mark.parametrize(
    ("place", "shape"), [*((of_one, s) for s in SHAPES), (between_convolutions, IMAGE)]
)
def test_softmax_along_every_axis(rng, place, shape, logarithm):
    f = reference.log_softmax if logarithm else reference.softmax
    for axis in [*range(1, len(shape) + 1), -1]:
        case = place(
            rng,
            shape,
            lambda b, x, axis=axis: arithmetic.unary(
                b, "square", activations.softmax(b, x, axis, logarithm)
            ),
            lambda x, axis=axis: f(x, axis) ** 2,
        )
        case.check(normal(rng, *shape), 3e-5)


NORMALIZATIONS = {
    "layer norm of features": ((7,), (1,), (7,)),
    "layer norm of tokens": ((3, 5), (2,), (5,)),
    "layer norm of images": (IMAGE, (1, 2, 3), IMAGE),
    "instance norm": (IMAGE, (2, 3), (3, 1, 1)),
    "norm along channels": (IMAGE, (1,), (1, 3, 1, 1)),
    "group norm": ((2, 3, 2, 5), (2, 3, 4), (1, 2, 3, 1, 1)),
}


@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_normalizations(rng, name):
    shape, axes, of_weights = NORMALIZATIONS[name]
    scale, shift = rng.normal(size=(2, *of_weights))
    for more in ((), (scale,), (scale, shift)):
        case = of_one(
            rng,
            shape,
            lambda b, x, more=more: normalization.normalize(b, x, axes, 1e-5, *more),
            lambda x, more=more: reference.normalize(x, axes, 1e-5, *more),
        )
        case.check(normal(rng, *shape) + 0.5, 1e-4)


@pytest.mark.parametrize("axes", [(2, 3), (1, 2, 3)])
def test_normalizations_of_images_with_borders(rng, axes):
    case = between_convolutions(
        rng,
        IMAGE,
        lambda b, x: normalization.normalize(b, x, axes, 1e-3),
        lambda x: reference.normalize(x, axes, 1e-3),
    )
    case.check(normal(rng, *IMAGE), 1e-4)


@pytest.mark.parametrize(
    ("place", "shape"), [(of_one, (7,)), (of_one, IMAGE), (between_convolutions, IMAGE)]
)
def test_affine(rng, place, shape):
    """One scale and shift for each channel or feature."""
    scale, shift = rng.normal(size=(2, shape[0]))
    wide = (-1, *[1] * (len(shape) - 1))
    case = place(
        rng,
        shape,
        lambda b, x: arithmetic.affine(b, x, scale, shift),
        lambda x: scale.reshape(wide) * x + shift.reshape(wide),
    )
    case.check(normal(rng, *shape))
