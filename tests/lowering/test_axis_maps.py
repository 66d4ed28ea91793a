"""Operators along one axis against definitions: gathers, sums, padding, repeating."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backlit.importers.builder import shapes
from tests.builds import between_convolutions, normal, of_one
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
