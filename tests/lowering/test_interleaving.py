"""Separable convolutions in turns for some channels after others: the same bits, in less memory."""

from unittest import mock

import numpy as np
import pytest
from backlit_kernels.vector import LANES
from hypothesis import given
from hypothesis import strategies as st

import backlit as bl
from backlit import engine, interleaving
from backlit.probes import Logits
from tests.helpers import filled_with
from tests.lowering.test_single_samples import check, few, normal, seeds, with_scores

METHODS = {
    "gradient": {},
    "guided_backprop": {},
    "integrated_gradients": {"steps": 3},
    "smoothgrad": {"samples": 3},
    "deeplift": {},
    "lrp": {"rule": "epsilon_plus"},
    "grad_cam": {},
    "occlusion": {"window": 5, "stride": 3},
}
ACTIVATIONS = [bl.ReLU(), bl.Clip(0, 6), bl.Tanh(), bl.LeakyReLU(0.1), bl.Activation("silu")]


def separable(rng, channels, wide, size, stride, activation, dilation=1):
    """Widened, windows of each channel alone, narrowed."""
    return [
        bl.Conv2D(rng.normal(size=(wide, channels, 1, 1)), rng.normal(size=wide)),
        activation,
        bl.Conv2D(
            rng.normal(size=(wide, 1, size, size)),
            rng.normal(size=wide),
            stride,
            dilation * (size // 2),
            dilation,
            groups=wide,
        ),
        activation,
        bl.Conv2D(0.1 * rng.normal(size=(channels, wide, 1, 1)), rng.normal(size=channels)),
    ]


def in_turns(at_hand, cache=0):
    """A cache that holds few bytes: images are made so many at a time."""
    return mock.patch.multiple(interleaving, NEAR_CACHE=cache, MOST_AT_HAND=at_hand)


def instructions(model, at_hand, cache):
    """The kernels that a single sample's logits take, and the size of its arena."""
    with in_turns(at_hand, cache):
        tape = Logits().lower(model._programs.graph, 1).tape
        size = tape.link(1).arena_size
    return [i.kernel.name for i in tape.instructions["body"]], size


@few
@given(
    seed=seeds,
    channels=st.integers(1, 30),
    wide=st.integers(2, 60),
    size=st.sampled_from([3, 5]),
    stride=st.sampled_from([1, 1, 2]),
    dilation=st.sampled_from([1, 1, 2]),
    activation=st.sampled_from(ACTIVATIONS),
    at_hand=st.sampled_from([0, 5000, 40000]),
)
def test_reference_and_bits(seed, channels, wide, size, stride, dilation, activation, at_hand):
    rng = np.random.default_rng(seed)
    body = separable(rng, channels, wide, size, stride, activation, dilation)
    layers = [bl.Conv2D(rng.normal(size=(channels, 2, 3, 3)), padding=1), bl.ReLU()]
    layers += [bl.Residual(body, [])] if stride == 1 else body
    shape = 2, int(rng.integers(7, 15)), int(rng.integers(7, 20))
    model = with_scores(rng, layers, shape)
    with in_turns(at_hand), mock.patch.object(engine, "aligned", filled_with(np.nan)):
        check(model, normal(rng, *shape), 2e-5)


@pytest.mark.parametrize("activation", ACTIVATIONS[:3])
@pytest.mark.parametrize("name", METHODS)
def test_methods(rng, name, activation):
    layers = [
        bl.Conv2D(rng.normal(size=(6, 1, 3, 3)), padding=1),
        activation,
        bl.Residual(separable(rng, 6, 40, 3, 1, activation), []),
        *separable(rng, 6, 40, 3, 2, activation),
    ]
    model = with_scores(rng, layers, (1, 12, 14))
    again = bl.Model(model.layers, (1, 12, 14))
    X, method, own = normal(rng, 1, 12, 14)[: LANES + 1], getattr(bl, name), METHODS[name]
    expected = method(model, X[-1:], 1, **own)
    with in_turns(4000), mock.patch.object(engine, "aligned", filled_with(np.nan)):
        np.testing.assert_array_equal(method(again, X[-1:], 1, **own), expected)


def test_what_is_between_is_never_there_as_a_whole(rng):
    layers = [
        bl.Conv2D(rng.normal(size=(8, 1, 1, 1))),
        bl.ReLU(),
        *separable(rng, 8, 96, 3, 2, bl.Clip(0, 6)),
    ]
    model = with_scores(rng, layers, (1, 40, 40))
    wide, at_hand = 96 * 41 * 41, 4 * 12 * 50 * 50
    whole, size = instructions(model, at_hand, np.inf)
    assert size > wide
    cut, less = instructions(model, at_hand, 4 * wide)
    assert less < size - wide / 2
    assert sum("depthwise" in name for name in whole) == 1
    assert sum("depthwise" in name for name in cut) > 4


def test_an_image_that_is_used_again_stays_whole(rng):
    wide = [bl.Conv2D(rng.normal(size=(60, 4, 1, 1))), bl.ReLU()]
    deep = bl.Conv2D(rng.normal(size=(60, 1, 3, 3)), padding=1, groups=60)
    model = with_scores(rng, [*wide, bl.Residual([deep], [])], (4, 12, 12))
    with in_turns(3000), mock.patch.object(engine, "aligned", filled_with(np.nan)):
        check(model, normal(rng, 4, 12, 12))
