"""What the demo says of two models, whichever way the numbers come out."""

import numpy as np
import pytest

from backlit.cli.demo.findings import Summary, describe, interval
from backlit.metrics import Focus


def summary(name, wrong, share, expected=0.3, concentration=0.5):
    rng = np.random.default_rng(len(name) + wrong)
    shares = share + 0.01 * rng.normal(size=400)
    found = Focus(shares - shares.mean() + share, np.full(400, expected))
    right = np.arange(400) >= wrong
    return Summary(name, right, 1.0, found, np.full(400, concentration))


def described(one, two):
    return " ".join(describe(one, two, np.full(400, 0.1)))


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ((0.3, 0.4), ["one puts 30.0%", "cannot tell that from chance", "1.33 times as much."]),
        ((0.2, 0.4), ["0.67 times as much, less than chance", "two puts more of its maps' mass"]),
        (
            (0.4, 0.3),
            ["one puts more of its maps' mass on the strokes: 40.0% against 30.0% of two"],
        ),
        (
            (0.4, 0.4),
            ["do not tell which puts more of its maps' mass on the strokes: one (40.0%) or"],
        ),
    ],
)
def test_findings_follow_the_shares(shares, words):
    text = described(summary("one", 5, shares[0]), summary("two", 3, shares[1]))
    for part in words:
        assert part in text
    assert "largely different pixels" in text


def test_findings_claim_accuracy_only_beyond_chance():
    close = described(summary("one", 5, 0.3), summary("two", 3, 0.3))
    assert "do not tell which is right on more of the images: one (98.8%) or two (99.2%)." in close
    apart = described(summary("one", 5, 0.3), summary("two", 85, 0.3))
    assert "one is right on more of the images: 98.8% against 78.8% of two, 20.0 points" in apart
    # 80 of 400 differ: 0.2 with a standard error of sqrt(0.2 * 0.8 / 399)
    margin = 196 * np.sqrt(0.16 / 399)
    assert f"(95 % interval {20 - margin:.1f} to {20 + margin:.1f})" in apart


def test_findings_on_concentration():
    one, two = summary("one", 5, 0.3, concentration=0.6), summary("two", 5, 0.3)
    assert "one has the more concentrated maps (Gini): 0.600 against 0.500" in described(one, two)
    assert "do not tell which has the more concentrated maps" in described(
        one, one._replace(name="two")
    )


def test_a_difference_is_that_of_the_numbers_shown():
    one = summary("one", 5, 0.3, concentration=0.5284)
    two = summary("two", 5, 0.3, concentration=0.5437)
    assert "0.544 against 0.528 of one, 0.016 more" in described(one, two)


def test_an_interval_needs_two_values():
    assert interval(np.array([3.0])) == (3, -np.inf, np.inf)
    assert not interval(np.array([3.0])).tells
    assert interval(np.array([1.0, 3.0])).mean == 2
