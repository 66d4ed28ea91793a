"""Whatever the memory and the threads: models too large for tiles, teams, and budgets."""

import threading
from itertools import pairwise

import numpy as np
import pytest
from backlit_kernels import frame
from backlit_kernels.vector import LANES

import backlit as bl
from backlit import portions, programs
from backlit.attribution.gradients import InputGradient
from backlit.engine import Job, Part, Worker, run_teams
from backlit.importers.builder import (
    GraphBuilder,
    activations,
    arithmetic,
    finish,
    normalization,
    products,
    reductions,
    shapes,
)

PATIENCE = 120  # seconds, for what might wait for ever


def images(rng, channels=16):
    """A network with most of what runs on single samples."""
    scale = 1 / (3 * np.sqrt(channels))

    def conv(inputs, outputs, size=3, **more):
        weights = rng.normal(size=(outputs, inputs, size, size)) * scale * 3 / size
        return bl.Conv2D(weights, rng.normal(size=outputs) / 9, padding=size // 2, **more)

    return [
        conv(2, channels, 5, stride=2),
        bl.Clip(0, 6),
        bl.MaxPool2D(3, 2, 1),
        bl.Residual([conv(channels, channels), bl.ReLU(), conv(channels, channels)]),
        bl.LeakyReLU(0.1),
        bl.MaxPool2D(2),
        bl.Conv2D(rng.normal(size=(channels, 1, 3, 3)) / 3, stride=3, padding=1, groups=channels),
        bl.BatchNorm(*rng.uniform(0.5, 1, size=(4, channels))),
        conv(channels, channels),
        bl.Sigmoid(),
        bl.AvgPool2D(2, 1),
        conv(channels, channels),
        bl.Tanh(),
        bl.Flatten(),
    ]


def model_of(name):
    rng = np.random.default_rng(1)
    if name == "features":
        sizes = (50, 70, 33, 7)
        layers = []
        for a, b in pairwise(sizes):
            layers += [
                bl.Dense(rng.normal(size=(a, b)) / np.sqrt(a), rng.normal(size=b)),
                bl.ReLU(),
            ]
        return bl.Model(layers[:-1], (50,))
    if name == "operators":
        return operators(rng)
    shape, layers = (2, 37, 45), images(rng)
    for layer in layers:
        shape = layer.output_shape(shape)
    return bl.Model([*layers, bl.Dense(rng.normal(size=(shape[0], 5)))], (2, 37, 45))


def operators(rng):
    """Kernels that teams share, and others that their first thread runs."""
    b = GraphBuilder((4, 9, 11))
    x = products.convolution(b, b.input, rng.normal(size=(4, 4, 3, 3)) / 6, padding=(1, 1, 1, 1))
    x = arithmetic.unary(b, "gelu", normalization.normalize(b, x, [2, 3], 1e-5))
    y = shapes.concatenate(b, [x, reductions.reduce(b, "max", x, [1], True)], 1)
    y = shapes.transpose(b, y, (0, 2, 3, 1))
    y = activations.softmax(b, products.matmul(b, y, shapes.transpose(b, y, (0, 1, 3, 2))), -1)
    y = products.matmul(b, y, shapes.reshape(b, x, (1, 9, 11, 4)))
    y = products.transposed_convolution(
        b, shapes.transpose(b, y, (0, 3, 1, 2)), rng.normal(size=(4, 3, 3, 3)) / 6, None, (2, 2)
    )
    size = int(np.prod(y.sample))
    y = shapes.reshape(b, y, (1, size))
    return finish(b, products.dense(b, y, rng.normal(size=(size, 5)) / 9))


def samples(model, count):
    rng = np.random.default_rng(2)
    return rng.normal(size=(count, *model.input_shape)).astype(np.float32)


def results(model, X, threads=None, **options):
    """Several methods' results; targets and baselines are given or chosen."""
    options["threads"] = threads
    return [
        model.logits(X, threads=threads),
        bl.gradient(model, X, score="loss", **options),
        bl.saliency(model, X, 1, **options),
        bl.integrated_gradients(model, X, steps=3, **options),
    ]


def assert_equal(found, expected):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


NAMES = ["images", "operators", "features"]


@pytest.fixture(scope="module", params=NAMES)
def case(request):
    """A model's name, the model, samples and their results one by one."""
    model = model_of(request.param)
    X = samples(model, LANES + 1)
    alone = [results(model, X[i : i + 1], threads=1) for i in range(len(X))]
    return request.param, model, X, [np.concatenate(parts) for parts in zip(*alone, strict=True)]


# --- memory ---------------------------------------------------------------------------------------


def test_models_too_large_for_tiles(case, monkeypatch):
    """Samples one by one, on any number of threads, give the bits of tiles."""
    name, model, X, expected = case
    assert model._programs.tile_lanes > 1
    assert_equal(results(model, X), expected)
    for bound in ("TILE_BYTES", "SHARED_TILE_BYTES", "LARGE_TILE_BYTES"):
        monkeypatch.setattr(portions, bound, 1000)
    large = model_of(name)
    assert large._programs.tile_lanes == (portions.FEATURE_LANES if name == "features" else 1)
    for threads in (1, 2, 3):
        assert_equal(results(large, X, threads=threads), expected)


def test_memory_for_less_than_a_tile(case):
    _, model, X, expected = case
    programs = model._programs
    arenas = [
        4 * programs.program(InputGradient(0, False), lanes).arena_size
        for lanes in (1, programs.tile_lanes)
    ]
    assert arenas[0] < arenas[1]
    for memory in (1, arenas[0] + 1, arenas[1] - 1, 2 * arenas[1]):
        for threads in (1, 3):
            assert_equal(results(model, X, threads=threads, memory=memory), expected)


# --- teams ----------------------------------------------------------------------------------------


@pytest.fixture
def teams(monkeypatch):
    """Threads work on one tile together, however little there is to do; how often they did."""
    monkeypatch.setattr(programs, "TEAM_WORK", 0)
    monkeypatch.setattr(programs, "SERIAL_WORK", 0)
    calls = []

    def counted(parts, threads, progress, run_teams=programs.run_teams):
        calls.extend([threads] * len(parts))
        return run_teams(parts, threads, progress)

    monkeypatch.setattr(programs, "run_teams", counted)
    return calls


@pytest.mark.parametrize("name", ["images", "operators"])
def test_large_tiles_are_shared(name, monkeypatch, teams):
    """A few threads work on one tile of large samples together, many on samples of their own."""
    monkeypatch.setattr(portions, "TILE_BYTES", 1000)
    model = model_of(name)
    assert model._programs.tile_lanes == LANES
    X = samples(model, 3 * LANES + 1)
    expected = results(model, X, threads=1)
    for threads in (2, 3):
        assert_equal(in_time(lambda threads=threads: results(model, X, threads=threads)), expected)
        assert teams
        assert set(teams) == {threads}
        teams.clear()
    assert_equal(results(model, X, threads=portions.FEW_THREADS + 1), expected)
    assert not teams


def in_time(function):
    """The function's result or exception, if it comes at all."""
    found = {}

    def run():
        try:
            found["result"] = function()
        except BaseException as error:
            found["error"] = error

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive(), "still waiting"
    if "error" in found:
        raise found["error"]
    return found["result"]


@pytest.mark.parametrize("threads", [2, 3, 5])
@pytest.mark.parametrize("count", [1, 2])
def test_teams(case, teams, count, threads):
    _, model, X, expected = case
    found = in_time(lambda: results(model, X[:count], threads=threads))
    assert_equal(found, [e[:count] for e in expected])
    assert teams == ([threads] * 4 * count if count < threads else [])


@pytest.mark.parametrize("threads", [2, 5])
def test_teams_on_whole_tiles(case, teams, threads):
    """A tile, with a single sample behind it."""
    name, model, X, expected = case
    if name == "features":
        X = np.repeat(X[:1], portions.FEATURE_LANES + 1, axis=0)
        expected = [np.repeat(e[:1], len(X), axis=0) for e in expected]
    found = in_time(lambda: results(model, X, threads=threads))
    assert_equal(found, expected)
    # a tile and a single sample are enough for two threads to work apart
    assert teams == ([] if threads == 2 else [threads] * 8)


def test_teams_run_again_and_again(case, teams):
    """Waiting for one another must not depend on luck."""
    _, model, X, expected = case
    probe = expected[1][:1]

    def many():
        return [bl.gradient(model, X[:1], score="loss", threads=3) for _ in range(30)]

    for found in in_time(many):
        np.testing.assert_array_equal(found, probe)
    assert teams == [3] * 30


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 1])
def test_teams_refuse_what_is_not_finite(case, teams, place, value):
    """All the threads stop, and the next call works."""
    _, model, X, expected = case
    bad = X[:2].copy()
    bad[place].flat[-1] = value

    def run():
        return bl.gradient(model, bad, score="loss", threads=3)

    with pytest.raises(ValueError, match=f"sample {place} holds NaN or infinity"):
        in_time(run)
    assert teams
    again = in_time(lambda: bl.gradient(model, X[:2], score="loss", threads=3))
    np.testing.assert_array_equal(again, expected[1][:2])


def test_a_team_stops_at_the_first_bad_sample(case):
    """All of it, though samples are left: nobody waits for those who have gone."""
    _, model, X, _ = case
    program = model._programs.program(InputGradient(0, False), 1)
    for place in (0, 2):
        bad, maps = X[:6].copy(), np.zeros_like(X[:6])
        bad[place].flat[0] = np.nan
        job = Job(program, [bad, maps, np.zeros(6, np.int64)])
        assert not in_time(lambda job=job: run_teams([Part(job, 0, 6, (0, 1))], 3))
        assert (maps[:place] != 0).any(axis=tuple(range(1, maps.ndim))).all()
        assert not maps[place + 1 :].any()


@pytest.mark.parametrize("late", [0, 1, 2])
def test_nobody_waits_for_who_comes_late(case, teams, monkeypatch, late):
    """The others do all of its work."""
    _, model, X, expected = case
    run = Worker.run

    def without_one(self, part):
        return self.frame[frame.MEMBER] == late or run(self, part)

    monkeypatch.setattr(Worker, "run", without_one)
    assert_equal(in_time(lambda: results(model, X[:2], threads=3)), [e[:2] for e in expected])
    assert teams == [3] * 8


def test_a_team_ends_if_one_thread_never_comes(case, monkeypatch):
    """Because it was interrupted before it began, such as the caller's."""
    _, model, X, expected = case
    program = model._programs.program(InputGradient(0, False), 1)
    run = Worker.run

    def interrupted(self, part):
        if self.frame[frame.MEMBER] == 0:
            raise KeyboardInterrupt
        return run(self, part)

    monkeypatch.setattr(Worker, "run", interrupted)
    job = Job(program, [X[:2], np.empty_like(X[:2]), np.zeros(2, np.int64)])
    with pytest.raises(KeyboardInterrupt):
        in_time(lambda: run_teams([Part(job, 0, 2, (0, 1))], 3))
    monkeypatch.undo()
    np.testing.assert_array_equal(bl.gradient(model, X[:2], score="loss"), expected[1][:2])


@pytest.mark.parametrize("part", [0, 1])
def test_what_goes_wrong_in_a_team_is_raised(case, monkeypatch, part):
    _, model, X, _ = case
    program = model._programs.program(InputGradient(0, False), 1)
    run = Worker.run

    def fails(self, some):
        if self.frame[frame.MEMBER] == part:
            raise MemoryError("no room")
        return run(self, some)

    monkeypatch.setattr(Worker, "run", fails)
    job = Job(program, [X[:2], np.empty_like(X[:2]), np.zeros(2, np.int64)])
    with pytest.raises(MemoryError, match="no room"):
        in_time(lambda: run_teams([Part(job, 0, 1, (0, 1)), Part(job, 1, 2, (0, 1))], 3))


def test_progress_of_teams(case, teams):
    """The bar ends where it should."""
    _, model, X, expected = case
    found = in_time(lambda: bl.gradient(model, X[:1], score="loss", threads=3, progress=True))
    np.testing.assert_array_equal(found, expected[1][:1])
