"""Polynomials of vectors, against NumPy in float64."""

import numpy as np
import pytest
from backlit_kernels.polynomial import polynomial

from tests.kernels.compiled import in_python, run

X = np.linspace(-1, 1, 1 << 10, dtype=np.float32)


@pytest.mark.parametrize("call", [run, in_python])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 9, 11])
def test_equals_the_sum_of_powers(count, call):
    coefficients = np.random.default_rng(count).normal(size=count).astype(np.float32).tolist()
    found = call(polynomial(*coefficients), X)
    scale = np.polyval(np.abs(coefficients), np.abs(X.astype(np.float64)))
    error = np.abs(found - np.polyval(coefficients, X.astype(np.float64)))
    assert (error <= 2.0**-22 * scale).all()


def test_not_a_number():
    x = np.full(16, np.nan, np.float32)
    assert np.isnan(run(polynomial(1.0, 2.0, 3.0), x)).all()
