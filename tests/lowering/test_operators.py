"""Operators of imported models, forward and backward, against definitions in float64.

Each is built as importers build it. Images with borders have ways of their own, so operations on
images are tested between padded convolutions too.
"""

from functools import partial
from itertools import chain, combinations, permutations, product

import numpy as np
import pytest

from backlit.importers.builder import arithmetic, reductions, shapes
from tests.builds import between_convolutions, normal, of_one, positive
from tests.reference import operators as reference

IMAGE = (3, 5, 7)
SHAPES = [(7,), (3, 5), IMAGE, (2, 3, 1, 5)]
PLACES = [of_one, between_convolutions]


def subsets(values):
    values = list(values)
    return list(chain.from_iterable(combinations(values, n) for n in range(1, len(values) + 1)))


# --- two tensors --------------------------------------------------------------------------------

PATTERNS = list(product([False, True], repeat=3))  # which axes are repeated
PAIRS = [
    (function, a, b)
    for i, (a, b) in enumerate(product(PATTERNS, PATTERNS))
    for function in (list(reference.BINARY)[i % 7], list(reference.BINARY)[(i + 3) % 7])
]


def narrowed(x, repeated, gather):
    """The first entry alone of some axes."""
    for axis, whether in enumerate(repeated):
        if whether:
            x = gather(x, axis + 1, [0])
    return x


def pair(function, left, right):
    """An operation on parts of x and of another function of x, and its definition."""

    def build(b, x):
        gather = partial(shapes.gather, b)
        first = narrowed(x, left, gather)
        second = narrowed(arithmetic.scale(b, x, 0.7, shift=0.3), right, gather)
        return arithmetic.binary(b, function, first, second)

    def definition(x):
        first = narrowed(x, left, reference.gather)
        second = narrowed(0.7 * x + 0.3, right, reference.gather)
        return reference.BINARY[function](first, second)

    return build, definition


@pytest.mark.parametrize(("function", "a", "b"), PAIRS)
def test_broadcasting(rng, function, a, b):
    shape = (2, 3, 5)
    of_one(rng, shape, *pair(function, a, b)).check(positive(rng, *shape), 3e-5)


@pytest.mark.parametrize("b", [(0, 0, 0), (0, 1, 1), (1, 0, 0), (0, 0, 1), (0, 1, 0), (1, 1, 1)])
@pytest.mark.parametrize("function", ["add", "subtract", "multiply", "larger", "smaller"])
def test_broadcasting_of_images_with_borders(rng, function, b):
    case = between_convolutions(rng, IMAGE, *pair(function, (0, 0, 0), b))
    case.check(normal(rng, *IMAGE))
    case = between_convolutions(rng, IMAGE, *pair(function, b, (0, 0, 0)))
    case.check(normal(rng, *IMAGE))


@pytest.mark.parametrize("shape", [(7,), (3, 5), (2, 3, 1, 5)])
@pytest.mark.parametrize("function", reference.BINARY)
def test_two_tensors_of_any_rank(rng, function, shape):
    for a, b in product(subsets(range(len(shape)))[-2:], [(), (0,)]):
        sides = [[axis in axes for axis in range(len(shape))] for axes in (a, b)]
        case = of_one(rng, shape, *pair(function, *sides))
        case.check(positive(rng, *shape), 3e-5)


CONSTANTS = [(), (1,), (5,), (3, 1), (2, 1, 1), (1, 3, 5), (1, 2, 3, 5), (1, 1, 3, 1), (1, 1, 1, 1)]


@pytest.mark.parametrize("size", CONSTANTS)
@pytest.mark.parametrize("function", reference.BINARY)
def test_constants(rng, function, size):
    """On either side; of less rank than the tensor, or with an axis for the batch."""
    shape, constant = (2, 3, 5), rng.uniform(0.3, 2, size=size)
    f = reference.BINARY[function]
    X = positive(rng, *shape)
    of_one(
        rng,
        shape,
        lambda b, x: arithmetic.binary(b, function, x, constant),
        lambda x: f(x, constant),
    ).check(X, 3e-5)
    of_one(
        rng,
        shape,
        lambda b, x: arithmetic.binary(b, function, constant, x),
        lambda x: f(constant, x),
    ).check(X, 3e-5)


@pytest.mark.parametrize("function", ["add", "subtract", "multiply", "divide", "larger"])
def test_constant_repeats_the_tensor(rng, function):
    shape, constant = (2, 1, 5), rng.uniform(0.3, 2, size=(3, 1))
    case = of_one(
        rng,
        shape,
        lambda b, x: arithmetic.binary(b, function, x, constant),
        lambda x: reference.BINARY[function](x, constant),
    )
    case.check(positive(rng, *shape), 3e-5)


@pytest.mark.parametrize("exponent", [2.0, 0.5, -1.0, 1.0, 0.0, 3.0, -2.5])
def test_powers(rng, exponent):
    shape = (2, 5)
    case = of_one(
        rng,
        shape,
        lambda b, x: arithmetic.binary(b, "raise_to", x, exponent),
        lambda x: x**exponent,
    )
    case.check(positive(rng, *shape), 3e-5)


# --- reductions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("function", reference.REDUCTIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_reductions_over_every_set_of_axes(rng, shape, function):
    f = reference.REDUCTIONS[function]
    for number, axes in enumerate(subsets(range(1, len(shape) + 1))):
        keep = number % 2 == 0
        case = of_one(
            rng,
            shape,
            lambda b, x, axes=axes, keep=keep: arithmetic.unary(
                b, "square", reductions.reduce(b, function, x, axes, keep)
            ),
            lambda x, axes=axes, keep=keep: f(x, axis=axes, keepdims=keep) ** 2,
        )
        case.check(normal(rng, *shape))


@pytest.mark.parametrize("function", reference.REDUCTIONS)
@pytest.mark.parametrize("axes", subsets([1, 2, 3]))
def test_reductions_of_images_with_borders(rng, axes, function):
    case = between_convolutions(
        rng,
        IMAGE,
        lambda b, x: reductions.reduce(b, function, x, axes, True),
        lambda x: reference.REDUCTIONS[function](x, axis=axes, keepdims=True),
    )
    case.check(normal(rng, *IMAGE))


# --- shapes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES[1:])
def test_every_transpose(rng, shape):
    orders = list(permutations(range(1, len(shape) + 1)))
    for order in orders[:: 5 if len(shape) == 4 else 1]:
        axes = (0, *order)
        case = of_one(
            rng,
            shape,
            lambda b, x, axes=axes: shapes.transpose(b, x, axes),
            lambda x, axes=axes: reference.transpose(x, axes),
        )
        case.check(normal(rng, *shape))


@pytest.mark.parametrize("order", list(permutations([1, 2, 3]))[1:])
def test_transposes_of_images_with_borders(rng, order):
    axes = (0, *order)
    case = between_convolutions(
        rng,
        IMAGE,
        lambda b, x: shapes.transpose(b, x, axes),
        lambda x: reference.transpose(x, axes),
    )
    case.check(normal(rng, *IMAGE))


RESHAPES = [((3, 5, 4), s) for s in [(5, 3, 4), (1, 60, 1), (3, 4, 5), (2, 3, 10), (3, 2, 10)]]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("shape", "other"), RESHAPES)
def test_reshapes_of_images(rng, place, shape, other):
    case = place(
        rng,
        shape,
        lambda b, x: shapes.reshape(b, x, (1, *other)),
        lambda x: reference.reshape(x, (1, *other)),
    )
    case.check(normal(rng, *shape))


@pytest.mark.parametrize("middle", [(60,), (15, 4), (3, 5, 2, 2), (1, 3, 1, 5, 4)])
def test_reshapes_to_other_ranks_and_back(rng, middle):
    shape, other = (3, 5, 4), (5, 6, 2)
    case = between_convolutions(
        rng,
        shape,
        lambda b, x: shapes.reshape(b, shapes.reshape(b, x, (-1, *middle)), (1, 5, -1, 2)),
        lambda x: reference.reshape(x, (1, *other)),
    )
    case.check(normal(rng, *shape))


@pytest.mark.parametrize("place", PLACES)
def test_channel_shuffle(rng, place):
    """Reshaping, transposing and reshaping back."""
    shape = (6, 3, 5)
    order = [0, 3, 1, 4, 2, 5]
    case = place(
        rng,
        shape,
        lambda b, x: shapes.reshape(
            b,
            shapes.transpose(b, shapes.reshape(b, x, (1, 2, 3, 3, 5)), (0, 2, 1, 3, 4)),
            (1, *shape),
        ),
        lambda x: reference.gather(x, 1, order),
    )
    case.check(normal(rng, *shape))


@pytest.mark.parametrize(
    ("place", "shape"), [*((of_one, s) for s in SHAPES), (between_convolutions, IMAGE)]
)
def test_concatenation(rng, place, shape):
    """A tensor twice, a piece of another extent, a constant."""
    for axis in range(1, len(shape) + 1):
        one = [n if i + 1 != axis else 2 for i, n in enumerate(shape)]
        constant = rng.normal(size=(1, *one))

        def build(b, x, axis=axis, constant=constant):
            piece = shapes.gather(b, arithmetic.unary(b, "square", x), axis, [0])
            return shapes.concatenate(b, [x, piece, constant, x], axis)

        def definition(x, axis=axis, constant=constant):
            piece = reference.gather(x**2, axis, [0])
            repeated = np.repeat(constant, len(x), axis=0)
            return np.concatenate([x, piece, repeated, x], axis)

        place(rng, shape, build, definition).check(normal(rng, *shape))
