"""Figures of merit on cases worked out by hand."""

import numpy as np
import pytest

from backlit.findings import Summary, describe
from backlit.metrics import Focus, focus, gini, map_agreement, stroke_mask


def test_stroke_is_widened_by_one():
    X = np.zeros((2, 1, 5, 6))
    X[0, 0, 2, 2] = 1
    X[1, 0, 0, 5] = 0.31
    mask = stroke_mask(X)
    expected = np.zeros((2, 5, 6), bool)
    expected[0, 1:4, 1:4] = True
    expected[1, :2, 4:] = True
    np.testing.assert_array_equal(mask, expected)
    np.testing.assert_array_equal(stroke_mask(X, dilation=0)[:, None], X > 0.3)


def test_focus():
    X = np.zeros((3, 1, 5, 5))
    X[:, 0, 2, 2] = 1
    maps = np.ones((3, 1, 5, 5))
    maps[1] = -(X[1] * 4)
    maps[2] = 0
    found = focus(maps, X)
    np.testing.assert_allclose(found.expected, 9 / 25)
    np.testing.assert_allclose(found.share, [9 / 25, 1, 9 / 25])
    with pytest.raises(ValueError, match="maps must be of the shape of X"):
        focus(maps[:2], X)


def test_gini():
    maps = np.zeros((4, 10))
    maps[0] = 1
    maps[1, 3] = -5
    maps[2] = np.arange(10)
    # mean absolute difference over twice the mean
    pairs = np.abs(maps[2][:, None] - maps[2]).mean() / (2 * maps[2].mean())
    np.testing.assert_allclose(gini(maps), [0, 0.9, pairs, 0], atol=1e-12)


def test_agreement_is_spearmans(rng):
    a = rng.integers(0, 5, (6, 40)).astype(float)
    b = a.copy()
    b[1] = -b[1]  # magnitudes count
    b[2] = 4 - a[2]
    b[3] = 7
    b[4:] = rng.integers(0, 5, (2, 40))
    found = map_agreement(a, b)
    np.testing.assert_allclose(found[:4], [1, 1, -1, 0], atol=1e-12)

    def ranks(v):
        return np.array([(v < x).sum() + ((v == x).sum() - 1) / 2 for x in v])

    for n in (4, 5):
        expected = np.corrcoef(ranks(a[n]), ranks(b[n]))[0, 1]
        np.testing.assert_allclose(found[n], expected)
    with pytest.raises(ValueError, match="a and b must hold as many maps"):
        map_agreement(a, b[:, :3])


def summary(name, wrong, share, expected=0.3, concentration=0.5):
    rng = np.random.default_rng(len(name))
    shares = share + 0.01 * rng.normal(size=400)
    found = Focus(shares, np.full(400, expected))
    return Summary(name, 1 - wrong / 400, wrong, 1.0, found, np.full(400, concentration))


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (
            (0.3, 0.4),
            ["one puts 30", "no more and no less than chance", "two has the higher share"],
        ),
        ((0.4, 0.3), ["1.33 times as much", "one has the higher share"]),
        (
            (0.2, 0.2),
            ["less than chance", "In share of the map on the stroke the two do not differ"],
        ),
    ],
)
def test_findings_follow_the_numbers(share, words):
    sentences = describe(
        summary("one", 5, share[0]), summary("two", 3, share[1]), np.full(400, 0.1)
    )
    text = " ".join(sentences)
    for part in words:
        assert part in text
    assert "two is right on 99.25% of the images, one on 98.75%" in text
    assert "largely different pixels" in text
