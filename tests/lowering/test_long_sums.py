"""Sums of many terms, which are added up in pieces."""

import numpy as np
import pytest

import backlit as bl
from backlit import programs
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


@pytest.mark.parametrize("stride", [1, 2, (2, 1)])
@pytest.mark.parametrize(
    ("channels", "kernel"), [((37, 3), 3), ((26, 5), 5), ((150, 25), 1), ((24, 1), 3)]
)
def test_sums_in_pieces(rng, channels, kernel, stride):
    model = long_sums(rng, channels=channels, kernel=kernel, stride=stride)
    X = rng.normal(size=(17, *model.input_shape)).astype(np.float32)
    target = rng.integers(0, model.classes, len(X))
    maps, some = bl.gradient(model, X, target), [0, 9, 16]
    assert_close(model.logits(X)[some], logits(model, X[some]))
    assert_close(maps[some], input_gradient(model, X[some], target[some]))
    alone = [bl.gradient(model, X[n : n + 1], target[n : n + 1]) for n in range(len(X))]
    np.testing.assert_array_equal(maps, np.concatenate(alone))


@pytest.mark.parametrize("depth", [95, 97, 1000, 4608])
def test_dense_sums_in_pieces(rng, depth):
    layers = [bl.Dense(rng.normal(size=(depth, 210)) / depth**0.5, rng.normal(size=210))]
    model = bl.Model([*layers, bl.Tanh(), bl.Dense(rng.normal(size=(210, 3)))], (depth,))
    X = rng.normal(size=(33, depth)).astype(np.float32)
    assert_close(model.logits(X), logits(model, X))
    maps = bl.gradient(model, X, 1)
    assert_close(maps, input_gradient(model, X, np.ones(len(X), int)))
    for n in range(len(X)):
        np.testing.assert_array_equal(bl.gradient(model, X[n : n + 1], 1), maps[n : n + 1])


def test_grouped_sums_in_pieces(rng):
    weights = rng.normal(size=(2 * 30, 25, 3, 3)) / 15
    model = ending(rng, [bl.Conv2D(weights, padding=1, groups=2)], (50, 9, 7))
    X = rng.normal(size=(17, 50, 9, 7)).astype(np.float32)
    maps, some = bl.gradient(model, X, 2), [0, 9, 16]
    assert_close(model.logits(X)[some], logits(model, X[some]))
    assert_close(maps[some], input_gradient(model, X[some], np.full(3, 2)))
    alone = [bl.gradient(model, X[n : n + 1], 2) for n in range(17)]
    np.testing.assert_array_equal(maps, np.concatenate(alone))


def test_order_of_tiles_changes_no_bit(rng, monkeypatch):
    model = long_sums(rng, channels=(48, 5))
    X = rng.normal(size=(16, *model.input_shape)).astype(np.float32)
    found = []
    for least in (1, 10**9):
        monkeypatch.setattr(products, "LEAST_POSITIONS", least)
        found.append(bl.gradient(bl.Model(model.layers, model.input_shape), X, 0))
    np.testing.assert_array_equal(found[0], found[1])


def test_pieces_round_less(rng, monkeypatch):
    """Errors of sums of 4,608 terms: about eight of rounding a sum, in one piece about forty."""
    model = bl.Model([bl.Dense(rng.normal(size=(4608, 64)).astype(np.float32))], (4608,))
    X = rng.normal(size=(64, 4608)).astype(np.float32)
    expected = X.astype(np.float64) @ model.layers[0].weights.astype(np.float64)
    pieces = np.std(model.logits(X) - expected)
    monkeypatch.setattr(products, "PIECE", 10**9)
    whole = np.std(bl.Model(model.layers, model.input_shape).logits(X) - expected)
    assert pieces < whole / 3


def test_pieces_of_teams(rng, monkeypatch):
    """Threads that share a sample are at different runs of it now and then."""
    monkeypatch.setattr(programs, "TEAM_WORK", 0)
    monkeypatch.setattr(programs, "SERIAL_WORK", 0)
    model = long_sums(rng, channels=(50, 25), kernel=5, size=(13, 33))
    X = rng.normal(size=(1, *model.input_shape)).astype(np.float32)
    expected = bl.gradient(model, X, 0, threads=1)
    for _ in range(20):
        np.testing.assert_array_equal(bl.gradient(model, X, 0, threads=3), expected)
