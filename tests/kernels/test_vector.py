"""Each vector operation: its machine code does what its NumPy body says."""

import operator

import numpy as np
import pytest
from backlit_kernels import vector
from backlit_kernels.vector import any_of, select, splat
from numba.extending import register_jitable

from tests.kernels.compiled import in_python, run

SPECIAL = [0, -0.0, 1, -1, 0.5, -2.5, 1e-40, 1e-38, 3e38, -3e38, np.inf, -np.inf, np.nan, 7, -8, 9]
ALL_PAIRS = np.array([(a, b) for a in SPECIAL for b in SPECIAL], np.float32).T
MANY = np.random.default_rng(0).normal(size=(3, 256)).astype(np.float32) * 100
A, B = np.concatenate([ALL_PAIRS, MANY[:2], MANY[1:] // 10], axis=1)


def visible(condition):
    """A mask as ones and zeros."""
    condition = register_jitable(condition)

    @register_jitable
    def choose(a, b):
        return select(condition(a, b), splat(1.0), splat(0.0))

    return choose


OPERATIONS = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "truediv": operator.truediv,
    "minimum": vector.minimum,
    "maximum": vector.maximum,
    "rectified": vector.rectified,
    "rectified, no ceiling": register_jitable(lambda a, b: vector.rectified(a, None)),
    "inside": visible(lambda a, b: vector.inside(a, b)),
    "inside, no ceiling": visible(lambda a, b: vector.inside(a, None)),
    "smaller_of": vector.smaller_of,
    "larger_of": vector.larger_of,
    "evens": vector.evens,
    "odds": vector.odds,
    "interleave_low": vector.interleave_low,
    "interleave_high": vector.interleave_high,
    "greater": visible(lambda a, b: a > b),
    "greater or equal": visible(lambda a, b: a >= b),
    "less": visible(lambda a, b: a < b),
    "less or equal": visible(lambda a, b: a <= b),
    "equal": visible(lambda a, b: a == b),
    "and": visible(lambda a, b: (a < b) & (b > splat(0.0))),
    "or": visible(lambda a, b: (a < b) | (b > splat(0.0))),
    "not": visible(lambda a, b: ~(a < b)),
    "any": visible(lambda a, b: (a < b) if any_of(a == b) else (a > b)),
    "neg": register_jitable(lambda a: -a),
    "absolute": vector.absolute,
    "square_root": vector.square_root,
    "round_even": vector.round_even,
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_compiled_is_as_written(name):
    function = OPERATIONS[name]
    one = name in ("neg", "absolute", "square_root", "round_even")
    arrays = (A,) if one else (A, B)
    found, expected = run(function, *arrays), in_python(function, *arrays)
    np.testing.assert_array_equal(found, expected)
    known = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found)[known], np.signbit(expected)[known])


def test_multiply_add():
    """Fused or not, as the processor can: the last place may differ."""
    found, expected = run(vector.fma, *MANY), in_python(vector.fma, *MANY)
    exact = np.abs(MANY[0] * MANY[1]) + np.abs(MANY[2])
    assert (np.abs(found - expected) <= 2**-23 * exact).all()


def test_powers_of_two():
    """Normal results are exact; smaller ones reach 0, larger ones infinity."""
    powers = np.tile(np.arange(-304, 304), 4).astype(np.float32)
    x = np.repeat([1, -1.5, 1e-30, 1e30], 608).astype(np.float32)
    found = run(vector.times_power_of_two, x, powers)
    expected = in_python(vector.times_power_of_two, x, powers)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1.5e-45)
