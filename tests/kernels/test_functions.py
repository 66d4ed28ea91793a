"""Functions of vectors, against NumPy in float64."""

import math

import numba
import numpy as np
import pytest
from backlit_kernels import functions
from backlit_kernels.vector import LANES

from tests.kernels.compiled import run

COUNT = 1 << 14
RANGES = {
    "exp": (-87, 88.7),
    "sine": (-np.pi / 4, np.pi / 4),
    "cosine": (-np.pi / 4, np.pi / 4),
    "sigmoid": (-87, 100),
    "tanh": (-20, 20),
}
EXACT = {
    "exp": np.exp,
    "log": np.log,
    "sine": np.sin,
    "cosine": np.cos,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
}


def inputs(name):
    """Evenly over the range, and ever closer to 0; for the logarithm, over all positive floats.

    And about powers of two and their roots, where its two parts change.
    """
    if name == "log":
        edges = np.float32([0.5**0.5, 1])[:, None] * (1 + 2.0**-23 * np.arange(-2, 2))
        edges = edges.reshape(-1, 1) * 2.0 ** np.arange(-64, 64)
        every = np.geomspace(1.2e-38, 3.4e38, COUNT)
        return np.concatenate([every, edges.reshape(-1)]).astype(np.float32)
    low, high = RANGES[name]
    near = np.geomspace(1e-30, 1, COUNT // 4)
    x = np.concatenate([np.linspace(low, high, COUNT // 2), near * low, near * high])
    return x.astype(np.float32)


@pytest.mark.parametrize("name", EXACT)
def test_within_two_units_in_the_last_place(name):
    x = inputs(name)
    found = run(getattr(functions, name), x).astype(np.float64)
    exact = EXACT[name](x.astype(np.float64))
    units = np.abs(found - exact) / np.spacing(np.abs(exact).astype(np.float32))
    assert units.max() <= 2, f"{units.max():.3g} units at {x[units.argmax()]}"


def test_logarithm_of_subnormal_numbers():
    x = np.geomspace(1.5e-45, 1.2e-38, 1 << 10).astype(np.float32)
    found = run(functions.logarithm, x).astype(np.float64)
    np.testing.assert_allclose(found, np.log(x.astype(np.float64)), rtol=2e-7)


def test_normal_distribution_keeps_its_digits_far_out():
    """Against the complementary error function, whose digits Python's has everywhere."""
    size = np.concatenate([np.linspace(0, 12, COUNT // 2), np.geomspace(1e-30, 1, COUNT // 2)])
    x = (size * np.where(np.arange(COUNT) % 2, 1, -1)).astype(np.float32)
    square = x.astype(np.float64) ** 2
    exact = [0.5 * math.erfc(abs(float(value)) / math.sqrt(2)) for value in x]
    error = np.abs(run(first_of(functions.normal_tail), x) / exact - 1)
    assert (error <= 4e-7 + 3e-8 * square).all()  # the square is rounded to float32
    error = np.abs(run(second_of(functions.normal_tail), x) / np.exp(-square / 2) - 1)
    assert (error <= 2e-7 + 3e-8 * square).all()
    for value, expected in ((np.inf, 0), (-np.inf, 0), (1e30, 0), (np.nan, np.nan)):
        x = np.full(LANES, value, np.float32)
        np.testing.assert_array_equal(run(first_of(functions.normal_tail), x), expected)


def first_of(function):
    return numba.njit(lambda x: function(x)[0])


def second_of(function):
    return numba.njit(lambda x: function(x)[1])


LIMITS = {
    "logarithm": [
        (0, -np.inf),
        (-0.0, -np.inf),
        (-1e-40, np.nan),
        (-1, np.nan),
        (-np.inf, np.nan),
        (1, 0),
        (np.inf, np.inf),
    ],
    "exp": [(-np.inf, 0), (-1e30, 0), (-104, 0), (89, np.inf), (1e30, np.inf), (np.inf, np.inf)],
    "sigmoid": [(-np.inf, 0), (-1e30, 0), (100, 1), (np.inf, 1), (0, 0.5)],
    "tanh": [(-np.inf, -1), (-1e30, -1), (0, 0), (1e30, 1), (np.inf, 1)],
}


@pytest.mark.parametrize("name", LIMITS)
def test_limits(name):
    x, expected = np.array(
        LIMITS[name] + [(np.nan, np.nan)] * (16 - len(LIMITS[name])), np.float32
    ).T
    np.testing.assert_array_equal(run(getattr(functions, name), x), expected)
