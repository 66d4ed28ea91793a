"""XRAI: regions by the attribution they hold."""

import sys

import numpy as np
import pytest

import backlit as bl
from backlit.attribution.xrai import gather, segment_masks


def test_segments_are_gathered_by_the_mean_they_add():
    """Three nested segments and one that is too small on a strip of 224 x 224 pixels."""
    values = np.zeros((224, 224))
    values[:, :20], values[:, 20:50], values[:, 50:100] = 1, 3, 2
    values[0, 223] = 9
    masks = np.zeros((4, 224, 224), bool)
    masks[0, :, :20] = masks[1, :, :50] = masks[2, :, :100] = masks[3, 0, 200:] = True
    found = gather(masks, values)
    # first 0 ... 49 with (20 + 3 * 30) / 50, before 0 ... 99 with 2.1; 24 pixels are too few
    np.testing.assert_allclose(found[:, :50], 2.2)
    np.testing.assert_allclose(found[:, 50:100], 2)
    np.testing.assert_allclose(found[:, 100:], 9 / (224 * 124))


def test_segments_follow_edges():
    pytest.importorskip("skimage")
    image = np.zeros((3, 60, 80), np.float32)
    image[:, :, 40:] = 1
    masks = segment_masks(image)
    assert masks.any(axis=0).all()
    assert masks.shape[1:] == (60, 80)
    share = masks[:, :, 43:].any(axis=(1, 2)) & masks[:, :, :37].any(axis=(1, 2))
    assert not share.any()


@pytest.fixture
def digits():
    pytest.importorskip("skimage")
    return bl.models.mnist_cnn(), bl.datasets.mnist()[0][:4]


def test_default_is_integrated_gradients_from_both_ends(digits):
    model, x = digits
    given = bl.integrated_gradients(model, x, baseline=[0.0, 1.0])  # the digits' least, greatest
    np.testing.assert_allclose(x.max(axis=(1, 2, 3)), 1, atol=0.02)
    found = bl.xrai(model, x)
    assert found.shape == (4, 1, 28, 28)
    expected = bl.xrai(model, x, attributions=given)
    assert all(
        np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.9 for a, b in zip(found, expected, strict=True)
    )


def test_a_map_is_constant_on_regions_and_keeps_the_mean(digits):
    model, x = digits
    given = bl.input_x_gradient(model, x)
    found = bl.xrai(model, x, attributions=given)
    np.testing.assert_allclose(found.sum(axis=(1, 2, 3)), given.sum(axis=(1, 2, 3)), rtol=1e-3)
    for one in found:
        assert 2 <= len(np.unique(one)) < 100
    np.testing.assert_array_equal(bl.xrai(model, x[2:3], attributions=given[2:3]), found[2:3])


def test_errors(digits, monkeypatch):
    model, x = digits
    with pytest.raises(ValueError, match="attributions must have the shape of X"):
        bl.xrai(model, x, attributions=np.zeros((4, 28, 28)))
    with pytest.raises(ValueError, match="attributions must be finite"):
        bl.xrai(model, x, attributions=np.nan * x)
    for own in ({}, {"attributions": x}):
        with pytest.raises(ValueError, match="X must be finite, but sample 0"):
            bl.xrai(model, np.nan * x, **own)
    assert bl.xrai(model, x[:0], attributions=x[:0]).shape == (0, 1, 28, 28)
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(ImportError, match="xrai needs scikit-image: pip install"):
        bl.xrai(model, x)
