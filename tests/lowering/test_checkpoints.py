"""Stages of the forward pass computed again: the same bits in less memory."""

import weakref
from dataclasses import replace
from itertools import pairwise
from unittest import mock

import numpy as np
import pytest
from backlit_kernels.vector import LANES
from hypothesis import given, settings

import backlit as bl
from backlit import engine, programs
from backlit.attribution.gradients import InputGradient
from backlit.attribution.method_table import METHODS
from backlit.graph import build_graph
from backlit.lowering.checkpoints import bottlenecks, checkpoints
from tests.attribution.networks import NETWORKS, conv, dense, samples
from tests.attribution.test_all import options
from tests.strategies import cases

some = settings(max_examples=60, deadline=None)


@pytest.fixture(scope="module")
def deep():
    """Activations whose derivatives take their values: all of them would be kept."""
    rng = np.random.default_rng(0)
    layers = [conv(rng, 1, 4, padding=1)]
    for _ in range(12):
        layers += [bl.Residual([conv(rng, 4, 4, padding=1), bl.Tanh()], []), bl.Sigmoid()]
    layers += [bl.GlobalAvgPool2D(), bl.Flatten(), dense(rng, 4, 3)]
    return bl.Model(layers, (1, 16, 16))


class Arenas(list):
    """The sizes in bytes of all arenas, as they are made, and of those at a time at most."""

    live = peak = 0

    def make(self, size, aligned=engine.aligned):
        memory = aligned(size)
        self.append(4 * size)
        self.live += 4 * size
        self.peak = max(self.peak, self.live)
        weakref.finalize(memory, self.end, 4 * size)
        return memory

    def end(self, size):
        self.live -= size


@pytest.fixture
def arenas(monkeypatch):
    made = Arenas()
    monkeypatch.setattr(engine, "aligned", made.make)
    return made


def arena(model, stages):
    return 4 * model._programs.program(InputGradient(0, False), 1, stages).arena_size


# --- where a network is cut -----------------------------------------------------------------------


@some
@given(case=cases())
def test_bottlenecks_are_on_every_way(case):
    graph = build_graph(case.model.layers, case.model.input_shape)

    def reached_without(tensor):
        reached = {0}
        for node in graph.nodes:
            if node.output != tensor and reached.intersection(node.inputs):
                reached.add(node.output)
        return reached

    on_every_way = [
        node.output
        for node in graph.nodes
        if node.output != graph.output and graph.output not in reached_without(node.output)
    ]
    assert bottlenecks(graph) == on_every_way


def test_stages_follow_one_another(deep):
    graph = replace(deep._programs.graph, stages=4)
    known = range(len(graph.shapes))
    stages = checkpoints(graph, known)
    assert len(stages) == 3
    assert stages[0][0] == 0
    assert all(before[1] == after[0] for before, after in pairwise(stages))
    assert {last for _, last in stages} <= set(bottlenecks(graph))
    assert checkpoints(replace(graph, stages=1), known) == []
    assert checkpoints(graph, [graph.output - 1]) == []


# --- what comes of it -----------------------------------------------------------------------------


def test_less_memory(deep):
    whole, halves, quarters = (arena(deep, stages) for stages in (1, 2, 4))
    assert quarters < halves < whole
    assert quarters < 0.5 * whole


def test_a_budget_is_kept(deep, arenas, rng):
    X = rng.normal(size=(3, 1, 16, 16)).astype(np.float32)
    expected = bl.gradient(deep, X)
    least = min(arena(deep, stages) for stages in programs.STAGES)
    for budget in (arena(deep, 1), arena(deep, 2), arena(deep, 4), least):
        arenas.clear()
        np.testing.assert_array_equal(bl.gradient(deep, X, memory=budget, threads=2), expected)
        assert 0 < sum(arenas) <= budget
    arenas.clear()
    np.testing.assert_array_equal(bl.gradient(deep, X, memory=1, threads=2), expected)
    assert arenas == [least]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("samples_of", [16, 17, 33])
@pytest.mark.parametrize("network", ["pooled", "residual", "pooled twice"])
def test_a_budget_is_kept_by_tiles_and_what_is_left(
    network, samples_of, threads, arenas, monkeypatch
):
    """Also where a single sample's steps could be dealt out to lanes."""
    monkeypatch.setattr(programs, "SERIAL_WORK", 0)
    model = NETWORKS[network]()
    X = samples(model, samples_of)
    tile = 4 * model._programs.program(InputGradient(0, False), LANES).arena_size
    for method, own in (
        (bl.gradient, {}),
        (bl.integrated_gradients, {"steps": 20}),
        (bl.smoothgrad, {"samples": 40}),
    ):
        expected = method(model, X, 0, **own)
        for budget in (tile, 2 * tile, 3 * tile):
            arenas.peak = arenas.live
            found = method(model, X, 0, threads=threads, memory=budget, **own)
            np.testing.assert_array_equal(found, expected)
            assert 0 < arenas.peak <= budget


def test_affine_models():
    """There the way back begins at the output."""
    model, X = bl.Model([bl.Dense(np.eye(4))], (4,)), np.ones((2, 4))
    for method in (bl.gradient, bl.integrated_gradients, bl.smoothgrad):
        np.testing.assert_array_equal(method(model, X, 0, memory=1), method(model, X, 0))


def staged(stages):
    """All programs in so many stages."""

    def program(self, probe, lanes, _=1, program=programs.ProgramStore.program):
        return program(self, probe, lanes, stages)

    return mock.patch.object(programs.ProgramStore, "program", program)


@some
@given(case=cases())
def test_random_networks(case):
    expected = bl.gradient(case.model, case.X, case.target, score=case.score)
    for stages in (2, 3, 5):
        with staged(stages):
            maps = bl.gradient(case.model, case.X, case.target, score=case.score)
        np.testing.assert_array_equal(maps, expected)


@pytest.mark.parametrize("network", ["pooled", "residual", "pooled twice"])
@pytest.mark.parametrize("name", METHODS)
def test_all_methods(network, name):
    if name == "xrai":
        pytest.importorskip("skimage")
    model = NETWORKS[network]()
    X = samples(model, 3)
    method, own = getattr(bl, name), options(name, X)
    expected = method(model, X, **own)
    with staged(3):
        np.testing.assert_array_equal(method(model, X, **own), expected)


@pytest.mark.parametrize("name", METHODS)
def test_all_methods_within_a_budget(deep, arenas, rng, name):
    if name == "xrai":
        pytest.importorskip("skimage")
    X = rng.normal(size=(2, 1, 16, 16)).astype(np.float32)
    method, own = getattr(bl, name), options(name, X)
    expected = method(deep, X, **own)
    arenas.clear()
    np.testing.assert_array_equal(method(deep, X, memory=1, **own), expected)
    assert len(arenas) > 0
