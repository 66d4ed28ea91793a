"""Transposed, one-dimensional and dilated window operations against definitions."""

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import backlit as bl
from backlit.importers.builder import pooling, products
from tests.builds import between_convolutions, normal, of_one
from tests.reference import operators as reference

few = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
seeds = st.integers(0, 2**32 - 1)


def several(dims, least, most):
    return st.tuples(*[st.integers(least, most)] * dims)


@st.composite
def convolutions(draw, dims, transposed):
    """A shape and the arguments of a convolution that fits it."""
    rng = np.random.default_rng(draw(seeds))
    shape = draw(several(dims, 1, 6))
    kernel, stride = draw(several(dims, 1, 3)), draw(several(dims, 1, 3))
    dilation, padding = draw(several(dims, 1, 2)), draw(several(2 * dims, 0, 2))
    inputs, outputs, groups = draw(st.sampled_from([(1, 2, 1), (2, 3, 1), (4, 2, 2), (3, 3, 3)]))
    arguments = [stride, padding, dilation, groups]
    if transposed:
        extra = draw(several(dims, 0, 2))
        assume(all(n < max(s, d) for n, s, d in zip(extra, stride, dilation, strict=True)))
        for i in range(dims):
            size = (shape[i] - 1) * stride[i] + (kernel[i] - 1) * dilation[i] + 1 + extra[i]
            assume(size > padding[i] + padding[i + dims])
        arguments.append(extra)
        weights = rng.normal(size=(inputs, outputs // groups, *kernel))
    else:
        for i in range(dims):
            room = shape[i] + padding[i] + padding[i + dims]
            assume((kernel[i] - 1) * dilation[i] < room)
        weights = rng.normal(size=(outputs, inputs // groups, *kernel))
    bias = rng.normal(size=outputs)
    floats = [array.astype(np.float32) for array in (weights, bias)]
    return rng, (inputs, *shape), [*floats, *arguments]


@few
@given(drawn=convolutions(2, True))
def test_transposed_convolution(drawn):
    rng, shape, arguments = drawn
    case = of_one(
        rng,
        shape,
        lambda b, x: products.transposed_convolution(b, x, *arguments),
        lambda x: reference.transposed_convolution(x, *arguments),
    )
    case.check(normal(rng, *shape))


@few
@given(drawn=convolutions(2, True))
def test_transposed_convolution_of_images_with_borders(drawn):
    rng, shape, arguments = drawn
    case = between_convolutions(
        rng,
        shape,
        lambda b, x: b.append(bl.ReLU(), products.transposed_convolution(b, x, *arguments)),
        lambda x: np.maximum(reference.transposed_convolution(x, *arguments), 0),
    )
    case.check(normal(rng, *shape))


@few
@given(drawn=convolutions(1, True))
def test_transposed_convolution_in_one_dimension(drawn):
    rng, shape, arguments = drawn
    case = of_one(
        rng,
        shape,
        lambda b, x: products.transposed_convolution(b, x, *arguments),
        lambda x: reference.transposed_convolution(x, *arguments),
    )
    case.check(normal(rng, *shape))


@few
@given(drawn=convolutions(1, False))
def test_convolution_in_one_dimension(drawn):
    rng, shape, arguments = drawn
    case = of_one(
        rng,
        shape,
        lambda b, x: products.convolution(b, x, *arguments),
        lambda x: reference.convolution(x, *arguments),
    )
    case.check(normal(rng, *shape))


@few
@given(drawn=convolutions(2, False))
def test_convolution_of_images_with_borders(drawn):
    rng, shape, arguments = drawn
    case = between_convolutions(
        rng,
        shape,
        lambda b, x: products.convolution(b, x, *arguments),
        lambda x: reference.convolution(x, *arguments),
    )
    case.check(normal(rng, *shape))


def test_transposed_convolution_is_the_way_back(rng):
    """<conv(x), y> = <x, transposed(y)>, sizes made up by output padding."""
    weights, zeros = rng.normal(size=(4, 3, 3, 2)), np.zeros(4)
    x, y = rng.normal(size=(1, 3, 8, 7)), rng.normal(size=(1, 4, 4, 3))
    there = reference.convolution(x, weights, zeros, (2, 3), (1, 1, 1, 1), (1, 2), 1)
    back = reference.transposed_convolution(
        y, weights, np.zeros(3), (2, 3), (1, 1, 1, 1), (1, 2), 1, (1, 0)
    )
    assert there.shape == y.shape
    assert back.shape == x.shape
    np.testing.assert_allclose((there * y).sum(), (x * back).sum())


# size, stride, padding, dilation, ceil_mode
POOLS = [
    ((3, 2), (2, 1), (1, 1, 1, 1), (2, 2), False),
    ((2, 2), (2, 2), (0, 0, 0, 0), (1, 3), False),
    ((2, 3), (3, 2), (0, 1, 1, 2), (3, 1), True),
    ((3, 3), (2, 2), (2, 2, 2, 2), (1, 1), False),  # wider than half the window
    ((3, 3), (2, 2), (0, 0, 0, 0), (2, 2), True),
    ((2, 2), (1, 1), (1, 0, 0, 1), (1, 1), False),
    ((3, 3), (2, 2), (1, 1, 1, 1), (1, 1), True),
]


@pytest.mark.parametrize("place", [of_one, between_convolutions])
@pytest.mark.parametrize("pool", POOLS)
def test_max_pooling(rng, place, pool):
    shape = (2, 9, 8)
    case = place(
        rng,
        shape,
        lambda b, x: pooling.max_pool(b, x, *pool),
        lambda x: reference.max_pool(x, *pool),
    )
    case.check(normal(rng, *shape))


@pytest.mark.parametrize(
    "pool",
    [
        ((2,), (2,), (0, 0), (1,), False),
        ((3,), (2,), (1, 0), (1,), True),
        ((3,), (1,), (1, 2), (2,), False),
        ((4,), (3,), (2, 1), (1,), True),
    ],
)
def test_max_pooling_in_one_dimension(rng, pool):
    shape = (3, 11)
    case = of_one(
        rng,
        shape,
        lambda b, x: pooling.max_pool(b, x, *pool),
        lambda x: reference.max_pool(x, *pool),
    )
    case.check(normal(rng, *shape))


def test_ties_of_dilated_max_pooling(rng):
    """The first of equal maxima in row-major order takes the gradient, padding or not."""
    shape, size, dilation = (1, 4, 4), (2, 2), (2, 2)
    case = of_one(
        rng,
        shape,
        lambda b, x: pooling.max_pool(b, x, size, (2, 2), (0, 0, 0, 0), dilation),
        lambda x: reference.max_pool(x, size, (2, 2), (0, 0, 0, 0), dilation),
    )
    maps = bl.gradient(case.model, np.ones((19, *shape), np.float32), 0)
    expected = np.zeros(shape, np.float32)
    assert (maps != 0).sum() == 19
    expected[0, 0, 0] = maps[0, 0, 0, 0]
    np.testing.assert_array_equal(maps, np.broadcast_to(expected, maps.shape))


@pytest.mark.parametrize("place", [of_one, between_convolutions])
def test_average_pooling(rng, place):
    shape, pool = (2, 7, 8), ((3, 2), (2, 3), (1, 0, 1, 1))
    case = place(
        rng,
        shape,
        lambda b, x: pooling.average_pool(b, x, *pool),
        lambda x: reference.average_pool(x, *pool),
    )
    case.check(normal(rng, *shape))


def test_average_pooling_in_one_dimension(rng):
    shape, pool = (2, 9), ((3,), (2,), (1, 1))
    case = of_one(
        rng,
        shape,
        lambda b, x: pooling.average_pool(b, x, *pool),
        lambda x: reference.average_pool(x, *pool),
    )
    case.check(normal(rng, *shape))
