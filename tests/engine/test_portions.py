"""Which samples run in tiles and which one by one, before their kernels are compiled and after."""

from types import SimpleNamespace

import numpy as np
import pytest
from backlit_kernels.kernel import Kernel
from backlit_kernels.vector import LANES

import backlit as bl
from backlit import portions
from backlit.attribution.gradients import InputGradient
from backlit.portions import Pace
from backlit.probes import SumOfSteps
from tests.helpers import ending

PROBE = InputGradient(0, False)


@pytest.fixture
def model(rng):
    return ending(rng, [bl.Conv2D(rng.normal(size=(2, 1, 3, 3))), bl.ReLU()], (1, 8, 8))


@pytest.fixture
def nothing_is_kept(monkeypatch):
    monkeypatch.setattr(Kernel, "is_kept", lambda self: False)


def lanes_of(programs, samples, threads=1):
    portions = programs.portions(PROBE, samples, 1, threads, programs.tile_lanes)
    assert portions[0].first == 0
    assert portions[-1].stop == samples
    return [portion.lanes for portion in portions]


def compiled(programs, yes):
    programs._kernels[PROBE] = [] if yes else [SimpleNamespace(is_kept=lambda: False)]


def test_what_is_left_of_tiles(model):
    programs = model._programs
    compiled(programs, True)
    assert lanes_of(programs, LANES) == [LANES]
    assert lanes_of(programs, LANES + 1) == [LANES, 1]
    assert lanes_of(programs, 2 * LANES - 1) == [LANES]
    assert lanes_of(programs, 1) == [1]


def test_lanes_idle_rather_than_that_kernels_are_compiled(model, monkeypatch):
    programs = model._programs
    compiled(programs, False)
    assert lanes_of(programs, LANES + 1) == [LANES]
    assert lanes_of(programs, LANES) == [LANES]
    assert lanes_of(programs, 1) == [1]  # somebody must begin
    monkeypatch.setattr("backlit.programs.WORTH_COMPILING", 1)
    assert lanes_of(programs, LANES + 1) == [LANES, 1]


def test_once_they_are_compiled(model, rng, nothing_is_kept):
    X = rng.normal(size=(LANES + 1, 1, 8, 8)).astype(np.float32)
    maps = bl.gradient(model, X)
    assert not model._programs.is_compiled(PROBE)
    np.testing.assert_array_equal(bl.gradient(model, X[-1:]), maps[-1:])
    assert model._programs.is_compiled(PROBE)
    np.testing.assert_array_equal(bl.gradient(model, X), maps)


def test_kernels_on_disk_are_found(model, rng):
    bl.gradient(model, rng.normal(size=(1, 1, 8, 8)))
    other = bl.Model(model.layers, model.input_shape)
    assert other._programs.is_compiled(PROBE)


@pytest.mark.parametrize(("threads", "share"), [(1, None), (2, 2), (4, 4)])
def test_threads_take_steps_of_their_own(threads, share):
    """Where a team would share a tile, its samples' steps are dealt out to a tile for each."""
    pace = Pace(LANES, threads, teams=threads > 1, alone=1.0)
    dealt = portions.dealt_out(SumOfSteps(), 0, LANES, 200, pace)
    assert (dealt and dealt.share) == share


def test_many_threads(model):
    programs = model._programs
    for yes in (True, False):
        compiled(programs, yes)
        for threads in (1, 2, 3, 64):
            for samples in range(1, 4 * LANES):
                lanes_of(programs, samples, threads)
