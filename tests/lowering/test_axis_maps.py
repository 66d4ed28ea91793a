"""Operators along one axis against definitions: gathers, sums, padding, repeating."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backlit.importers.builder import arithmetic, shapes
from backlit.operators import AxisMap, Run
from tests.builds import between_convolutions, normal, of_one
from tests.lowering.test_single_samples import kernels_of
from tests.reference import operators as reference

few = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
seeds = st.integers(0, 2**32 - 1)
IMAGE = (3, 5, 7)
SHAPES = [(7,), (3, 5), IMAGE, (2, 3, 1, 5)]
PLACES = [of_one, between_convolutions]


@few
@given(seed=seeds, shape=st.sampled_from(SHAPES), data=st.data())
def test_gather(seed, shape, data):
    """Entries left out, repeated, in any order, and zeros."""
    rng = np.random.default_rng(seed)
    axis = data.draw(st.integers(1, len(shape)))
    indices = data.draw(st.lists(st.integers(-1, shape[axis - 1] - 1), min_size=1, max_size=9))
    places = PLACES if len(shape) == 3 else PLACES[:1]
    case = data.draw(st.sampled_from(places))(
        rng,
        shape,
        lambda b, x: shapes.gather(b, x, axis, indices),
        lambda x: reference.gather(x, axis, indices),
    )
    case.check(normal(rng, *shape))


@few
@given(seed=seeds, shape=st.sampled_from(SHAPES), data=st.data())
def test_linear_map(seed, shape, data):
    """Rows of any number of weighted entries, one entry several times among them."""
    rng = np.random.default_rng(seed)
    axis = data.draw(st.integers(1, len(shape)))
    entry = st.tuples(st.integers(0, shape[axis - 1] - 1), st.sampled_from([-1.5, 0.25, 1.0]))
    rows = data.draw(st.lists(st.lists(entry, max_size=4), min_size=1, max_size=8))
    places = PLACES if len(shape) == 3 else PLACES[:1]
    case = data.draw(st.sampled_from(places))(
        rng,
        shape,
        lambda b, x: shapes.linear_map(b, x, axis, rows),
        lambda x: reference.rows(x, axis, rows),
    )
    case.check(normal(rng, *shape))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("mode", ["constant", "number", "reflect", "edge", "wrap"])
def test_padding(rng, mode, place):
    """Along each axis; negative amounts crop."""
    for axis, before, after in [(1, 1, 2), (2, 3, 0), (3, 2, 4), (2, -1, 2), (3, 0, -3), (1, 0, 0)]:
        name, value = ("constant", -0.7) if mode == "number" else (mode, 0.0)

        def definition(x, axis=axis, before=before, after=after, name=name, value=value):
            kept = [slice(None)] * x.ndim
            kept[axis] = slice(max(-before, 0), x.shape[axis] - max(-after, 0))
            edges = [(0, 0)] * x.ndim
            edges[axis] = max(before, 0), max(after, 0)
            more = {"constant_values": value} if name == "constant" else {}
            return np.pad(x[tuple(kept)], edges, mode=name, **more)

        case = place(
            rng,
            IMAGE,
            lambda b, x, a=axis, f=before, t=after, m=name, v=value: shapes.pad(
                b, x, a, f, t, m, v
            ),
            definition,
        )
        case.check(normal(rng, *IMAGE))


@pytest.mark.parametrize("wanted", [(1, 2, 3, 5), (1, 2, 1, 5), (1, 4, 3, 5)])
def test_expand(rng, wanted):
    shape = (1 if wanted[1] == 4 else 2, 1, 5)
    case = of_one(
        rng,
        shape,
        lambda b, x: shapes.expand(b, x, wanted),
        lambda x: np.broadcast_to(x, (len(x), *wanted[1:])),
    )
    case.check(normal(rng, *shape))


STEADY = {  # indices, and their runs: how many, first output and input, and steps of both
    "slice": ([2, 3, 4], [(3, 0, 2, 1, 1)]),
    "every second": ([0, 2, 4, 6], [(4, 0, 0, 1, 2)]),
    "flip": ([6, 5, 4, 3, 2, 1, 0], [(7, 0, 6, 1, -1)]),
    "roll": ([5, 6, 0, 1, 2, 3, 4], [(2, 0, 5, 1, 1), (5, 2, 0, 1, 1)]),
    "padding": ([-1, 0, 1, 2, 3, 4, 5, 6, -1], [(7, 1, 0, 1, 1)]),
    "repeat": ([3, 3, 3], [(3, 0, 3, 1, 0)]),
    "two ends": ([0, 6], [(2, 0, 0, 1, 6)]),
    "one": ([4], [(1, 0, 4, 0, 0)]),
    "a gap": ([1, -1, -1, 2, 6], [(2, 0, 1, 3, 1), (1, 4, 6, 0, 0)]),
    "nothing": ([-1, -1], []),
}


@pytest.mark.parametrize("name", STEADY)
def test_runs(name):
    indices, runs = STEADY[name]
    layer = AxisMap.gather(0, 7, indices)
    assert layer.runs() == [Run(*run) for run in runs]
    entries = [
        (run.row + i * run.row_step, run.column + i * run.column_step)
        for run in layer.runs()
        for i in range(run.length)
    ]
    assert entries == [(row, column) for row, column in enumerate(indices) if column >= 0]
    assert layer.transposed().runs() is not None


def test_there_are_no_runs_of_scattered_entries_and_of_weights(rng):
    assert AxisMap.gather(0, 500, rng.permutation(500)).runs() is None
    assert AxisMap.of_rows(0, 3, [[(0, 1.0)], [(1, 1.0)], [(2, 0.5)]]).runs() is None
    assert AxisMap.of_rows(0, 3, [[(0, 0.5)], [(1, 1.0)], [(2, 1.0)]]).runs() is None


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("axis", [1, 2, 3])
def test_slices_and_what_they_repeat(rng, place, axis):
    """As they are copied: in one run, in two, and summed on the way back."""
    size = IMAGE[axis - 1]
    for indices in ([*range(1, size)], [*range(1, size), 0], [0] * 6, [*range(size)] * 2):
        case = place(
            rng,
            IMAGE,
            lambda b, x, i=indices: shapes.gather(b, x, axis, i),
            lambda x, i=indices: reference.gather(x, axis, i),
        )
        assert "strided.axis_map" not in kernels_of(case.model)
        case.check(normal(rng, *IMAGE))


SLICES = {
    "apart": [(3, [0, 1]), (3, [2, 3, 4]), (3, [6])],
    "overlapping": [(3, [0, 1, 2]), (3, [2, 3, 4]), (3, [5, 6])],
    "along several axes": [(2, [0, 1]), (3, [0, 1]), (2, [3, 4]), (3, [3, 4])],
    "repeating": [(3, [1, 1]), (3, [0]), (3, [2, 3])],
    "not all even": [(3, [0, 1]), (3, [2, 2, 4, 3, 4, 2]), (3, [5, 6])],
}


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", SLICES)
def test_slices_of_one_tensor(rng, name, place, whole):
    """Their gradients, alone and beside that of a use of the whole tensor."""

    def build(b, x):
        parts = [shapes.gather(b, x, *where) for where in SLICES[name]]
        parts += [x] if whole else []
        squares = [arithmetic.binary(b, "multiply", part, part) for part in parts]
        rows = [shapes.reshape(b, y, (1, IMAGE[0], -1, 1)) for y in squares]
        return shapes.concatenate(b, rows, 2)

    def definition(x):
        parts = [np.take(x, places, axis) for axis, places in SLICES[name]]
        parts += [x] if whole else []
        return np.concatenate([(p * p).reshape(len(x), IMAGE[0], -1, 1) for p in parts], axis=2)

    place(rng, IMAGE, build, definition).check(normal(rng, *IMAGE))


def test_a_split_needs_no_sums_of_gradients(rng):
    def build(b, x):
        parts = [shapes.gather(b, x, *where) for where in SLICES["apart"]]
        return shapes.concatenate(b, [arithmetic.scale(b, part, 2.0) for part in parts], 3)

    case = of_one(rng, IMAGE, build, None)
    kernels = kernels_of(case.model)
    assert "elementwise.add" not in kernels
    assert kernels.count("channels.fill_zero") == 1
