"""Constants are kept once for all programs of a model, and told apart by all their bits."""

import pickle
from copy import deepcopy

import numpy as np
import pytest

import backlit as bl
from backlit.constants import SAMPLED, Constants, ConstantsInUse
from tests.helpers import grid


def read(number, size):
    return ConstantsInUse.memory[number : number + size].copy()


@pytest.mark.parametrize("shape", [(1,), (7, 3), (16, 5, 3), (SAMPLED * 3 + 1,)])
def test_values_are_found_where_they_were_put(shape):
    rng, constants = np.random.default_rng(0), ConstantsInUse(Constants())
    arrays = [rng.normal(size=shape).astype(np.float32) for _ in range(9)]
    places = [constants.place(array) for array in arrays]
    for array, place in zip(arrays, places, strict=True):
        np.testing.assert_array_equal(read(place, array.size), array.reshape(-1))
        assert constants.place(array.copy()) == place
    assert len(set(places)) == len(places)


def test_views_are_put_in_order():
    constants, array = ConstantsInUse(Constants()), np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    for view in (array.transpose(2, 0, 1), array[:, ::-1], array[:, 1:, ::2]):
        np.testing.assert_array_equal(read(constants.place(view), view.size), view.reshape(-1))


def test_every_bit_counts():
    constants, many = ConstantsInUse(Constants()), 5 * SAMPLED
    ordinary = np.zeros(many, np.float32)
    others = []
    for place in (0, 1, many - 1):  # of which some are in the sample that is compared first
        for value in (-0.0, np.nan, 1e-45):
            other = ordinary.copy()
            other[place] = value
            others.append(other)
    numbers = [constants.place(array) for array in (ordinary, *others)]
    assert len(set(numbers)) == len(numbers)
    assert numbers == [constants.place(array) for array in (ordinary, *others)]


def test_what_cannot_change_is_derived_once():
    constants, calls = ConstantsInUse(Constants()), []
    source = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    source.flags.writeable = False

    def derive(array, recipe):
        return constants.derived(array, recipe, lambda: calls.append(recipe) or 2 * array)

    place = derive(source, "twice")
    assert derive(source[:], "twice") == place
    assert calls == ["twice"]
    assert derive(source, "again") == place  # the same values
    assert derive(source[1:], "twice") != place
    assert derive(source.T, "twice") != place
    assert len(calls) == 4


def test_what_can_change_is_derived_anew():
    constants, array = ConstantsInUse(Constants()), np.ones(4, np.float32)
    source = array[:]
    source.flags.writeable = False
    first = constants.derived(source, "same", lambda: source)
    array += 1
    second = constants.derived(source, "same", lambda: source)
    np.testing.assert_array_equal(read(first, 4), 1)
    np.testing.assert_array_equal(read(second, 4), 2)


def test_other_arrays_at_the_same_place_are_others():
    constants = ConstantsInUse(Constants())
    for value in range(50):  # most of which lie where the one before was
        source = np.full(1000, value, np.float32)
        source.flags.writeable = False
        place = constants.derived(source, "same", lambda source=source: source)
        assert read(place, 1)[0] == value


@pytest.fixture
def network():
    rng = np.random.default_rng(0)
    layers = [
        bl.Conv2D(grid(rng, 32, 16, 3, 3), padding=1),
        bl.ReLU(),
        bl.Conv2D(grid(rng, 32, 32, 3, 3), stride=2),
        bl.BatchNorm(*(np.ones(32) for _ in range(4))),
        bl.ReLU(),
        bl.MaxPool2D(2),
        bl.Flatten(),
        bl.Dense(grid(rng, 32 * 9, 5)),
    ]
    return bl.Model(layers, (16, 14, 14)), grid(rng, 17, 16, 14, 14)


def kept_bytes(model):
    return sum(array.nbytes for array in model._programs.graph.constants._kept.values())


def test_methods_share_weights(network):
    model, X = network
    bl.gradient(model, X)
    before = kept_bytes(model)
    bl.saliency(model, X)
    bl.input_x_gradient(model, X)
    bl.integrated_gradients(model, X, steps=3)
    bl.grad_cam(model, X)
    model.logits(X)
    assert kept_bytes(model) < 1.1 * before


def test_weights_end_with_the_programs_that_use_them(network, monkeypatch):
    model, X = network
    monkeypatch.setattr("backlit.programs.MOST_PROGRAMS", 4)
    sizes = []
    for n in range(12):
        bl.lrp(model, X, 0, rule="gamma", gamma=0.1 + 0.05 * n)
        sizes.append(kept_bytes(model))
    assert sizes[0] < sizes[1]
    assert max(sizes) == max(sizes[:6])
    expected = bl.gradient(model, X)
    bl.lrp(model, X, 0, rule="gamma", gamma=0.1)
    np.testing.assert_array_equal(bl.gradient(model, X), expected)


def test_what_nothing_uses_is_not_kept():
    shared = Constants()
    one, other = ConstantsInUse(shared), ConstantsInUse(shared)
    values = np.arange(100)
    assert one.place(values) == other.place(values)
    del one
    assert len(shared._kept) == 1
    del other
    assert not shared._kept


def test_copies_of_a_model_keep_their_own(network):
    model, X = network
    expected = bl.gradient(model, X)
    for twin in (deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert kept_bytes(twin) == 0
        np.testing.assert_array_equal(bl.gradient(twin, X), expected)
    del model
    np.testing.assert_array_equal(bl.gradient(twin, X), expected)
