"""Sums of many terms, which are added up in pieces."""

import numpy as np
import pytest

import backlit as bl
from backlit import probes
from backlit.lowering import products
from tests.helpers import assert_close, ending
from tests.reference.network import input_gradient, logits


def long_sums(rng, *, channels, kernel=3, stride=1, size=(7, 9)):
    """Convolutions of many input channels, back and forth: to many channels and to few."""
    wide, few = channels

    def conv(inputs, outputs, stride):
        weights = rng.normal(size=(outputs, inputs, kernel, kernel)) / kernel / inputs**0.5
        return bl.Conv2D(weights, rng.normal(size=outputs), stride=stride, padding=kernel // 2)

    layers = [
        conv(few, wide, 1),
        bl.Tanh(),
        conv(wide, wide, stride),
        bl.Tanh(),
        conv(wide, few, 1),
    ]
    return ending(rng, layers, (few, *size))


@pytest.mark.parametrize("far", [products.FAR, 0])
@pytest.mark.parametrize("stride", [1, 2, (2, 1)])
@pytest.mark.parametrize(
    ("channels", "kernel"), [((37, 3), 3), ((26, 5), 5), ((150, 25), 1), ((24, 1), 3)]
)
def test_sums_in_pieces(rng, monkeypatch, channels, kernel, stride, far):
    monkeypatch.setattr(products, "FAR", far)
    model = long_sums(rng, channels=channels, kernel=kernel, stride=stride)
    X = rng.normal(size=(17, *model.input_shape)).astype(np.float32)
    assert_close(model.logits(X), logits(model, X))
    target = rng.integers(0, model.classes, len(X))
    maps = bl.gradient(model, X, target)
    assert_close(maps, input_gradient(model, X, target))
    alone = [bl.gradient(model, X[n : n + 1], target[n : n + 1]) for n in range(len(X))]
    np.testing.assert_array_equal(maps, np.concatenate(alone))


def test_pieces_change_no_bit(rng, monkeypatch):
    model = long_sums(rng, channels=(48, 5))
    X = rng.normal(size=(16, *model.input_shape)).astype(np.float32)
    found = []
    for piece in (10**9, 100, 7):
        monkeypatch.setattr(products, "PIECE", piece)
        found.append(bl.gradient(bl.Model(model.layers, model.input_shape), X, 0))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_pieces_of_teams(rng, monkeypatch):
    """Threads that share a sample are at different runs of it now and then."""
    monkeypatch.setattr(probes, "TEAM_WORK", 0)
    monkeypatch.setattr(probes, "SERIAL_WORK", 0)
    model = long_sums(rng, channels=(50, 25), kernel=5, size=(13, 33))
    X = rng.normal(size=(1, *model.input_shape)).astype(np.float32)
    expected = bl.gradient(model, X, 0, threads=1)
    for _ in range(20):
        np.testing.assert_array_equal(bl.gradient(model, X, 0, threads=3), expected)
