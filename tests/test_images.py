"""Samples read as pictures."""

import numpy as np
import pytest

from backlit.images import as_images, as_labels


def test_shapes():
    flat = np.arange(2 * 48).reshape(2, 48)
    assert as_images(flat, (3, 4, 4)).shape == (2, 3, 4, 4)
    np.testing.assert_array_equal(as_images(flat, (3, 4, 4)).reshape(2, 48), flat)
    assert as_images(np.zeros((2, 64)), (64,)).shape == (2, 1, 8, 8)
    assert as_images(flat.reshape(2, 6, 8)).shape == (2, 1, 6, 8)
    assert as_images(flat.reshape(2, 3, 4, 4)).shape == (2, 3, 4, 4)
    assert as_images(flat[:0], (3, 4, 4)).shape == (0, 3, 4, 4)


def test_what_is_no_picture():
    with pytest.raises(ValueError, match="maps has 65 values per sample, which is no square"):
        as_images(np.zeros((2, 65)), argument="maps")
    with pytest.raises(ValueError, match="X has 16 values per sample, too few to be taken for"):
        as_images(np.zeros((2, 16)), (16,))  # a table's columns
    with pytest.raises(ValueError, match=r"X must be .* got shape \(48,\)"):
        as_images(np.zeros(48))


def test_labels():
    assert as_labels([1, 2], 2).dtype == np.int64
    with pytest.raises(ValueError, match=r"each of the 3 samples, got shape \(2,\)"):
        as_labels([1, 2], 3)
    with pytest.raises(TypeError, match="y must be integers, not float64"):
        as_labels([1.0, 2.0], 2)
