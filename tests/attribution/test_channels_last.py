"""Models whose samples have their channels last: every method gives the same, axes moved."""

import inspect

import numpy as np
import pytest

import backlit as bl
from backlit.attribution.method_table import METHODS
from backlit.graph import build_graph
from backlit.model import Model
from tests.helpers import grid

SHAPE = (3, 8, 7)


@pytest.fixture(scope="module")
def layers():
    rng = np.random.default_rng(0)
    return [
        bl.Conv2D(rng.normal(size=(4, 3, 3, 3)), padding=1),
        bl.ReLU(),
        bl.MaxPool2D(2),
        bl.Conv2D(rng.normal(size=(5, 4, 2, 2))),
        bl.ReLU(),
        bl.Flatten(),
        bl.Dense(rng.normal(size=(30, 3))),
    ]


@pytest.fixture(scope="module")
def first(layers):
    return bl.Model(layers, SHAPE)


@pytest.fixture(scope="module")
def last(layers):
    return Model.of_graph(build_graph(layers, SHAPE), channels_last=True)


@pytest.fixture
def X(rng):
    return rng.normal(size=(5, *SHAPE)).astype(np.float32)


def moved(array, axis=1):
    return np.moveaxis(array, axis, -1)


def same(found, expected):
    np.testing.assert_array_equal(found, expected)
    assert found.flags.c_contiguous


def test_the_model_itself(first, last, X):
    assert last.input_shape == (8, 7, 3)
    assert last.channels_last
    assert not first.channels_last
    same(last.logits(moved(X)), first.logits(X))
    same(last.predict(moved(X)), first.predict(X))
    with pytest.raises(ValueError, match=r"X must have shape \(N, 8, 7, 3\), got \(5, 3, 8, 7\)"):
        last.logits(X)


@pytest.mark.parametrize("name", METHODS)
def test_every_method(first, last, X, name):
    if name == "xrai":
        pytest.importorskip("skimage")
    method = getattr(bl, name)
    parameters = inspect.signature(method).parameters
    own = {"segments": 2} if name == "exact_shapley" else {}
    own |= {k: v for k, v in (("samples", 120), ("steps", 4)) if k in parameters}
    more, more_last = dict(own), dict(own)
    if "background" in parameters:
        more["background"], more_last["background"] = X[:3], moved(X[:3])
    expected = moved(method(first, X, **more))
    found = method(last, moved(X), **more_last)
    same(found, expected)
    assert found.shape[1:3] == (8, 7)
    out = np.empty_like(found)
    assert method(last, moved(X), out=out, **more_last) is out
    same(out, expected)
    with pytest.raises(ValueError, match=r"X must have shape \(N, 8, 7, 3\)"):
        method(last, X, **more)
    with pytest.raises(ValueError, match="out must be"):
        method(last, moved(X), out=np.empty((5, 8, 7, 4), np.float32), **more_last)


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("integrated_gradients", "baseline"),
        ("deeplift", "baseline"),
        ("occlusion", "fill"),
        ("lime", "baseline"),
        ("guided_integrated_gradients", "baseline"),
    ],
)
@pytest.mark.parametrize("each", [False, True])
def test_references_have_the_samples_axes(first, last, X, rng, name, argument, each):
    reference = grid(rng, *((5,) if each else ()), *SHAPE)
    method = getattr(bl, name)
    expected = moved(method(first, X, **{argument: reference}))
    same(method(last, moved(X), **{argument: moved(reference, -3)}), expected)
    with pytest.raises(ValueError, match=rf"{argument} must be of shape \(8, 7, 3\)"):
        method(last, moved(X), **{argument: reference})


def test_several_baselines(first, last, X, rng):
    one = grid(rng, *SHAPE)
    expected, gap = bl.integrated_gradients(first, X, baseline=[0.5, one], return_delta=True)
    found, delta = bl.integrated_gradients(
        last, moved(X), baseline=[0.5, moved(one, 0)], return_delta=True
    )
    same(found, moved(expected))
    same(delta, gap)


def test_other_arguments_by_axis(first, last, X, rng):
    expected = moved(bl.occlusion(first, X, window=(1, 3, 2), stride=(1, 2, 2)))
    same(bl.occlusion(last, moved(X), window=(3, 2, 1), stride=(2, 2, 1)), expected)
    expected = moved(bl.occlusion(first, X, window=(3, 2)))
    same(bl.occlusion(last, moved(X), window=(3, 2)), expected)

    segments = rng.integers(0, 4, SHAPE)
    expected = moved(bl.feature_ablation(first, X, segments=segments))
    same(bl.feature_ablation(last, moved(X), segments=moved(segments, 0)), expected)
    as_many = bl.feature_ablation(last, moved(X)[: SHAPE[0]], segments=moved(segments, 0))
    same(as_many, expected[: SHAPE[0]])  # samples as there are channels
    expected = moved(bl.feature_ablation(first, X, segments=segments[0]))
    same(bl.feature_ablation(last, moved(X), segments=segments[0]), expected)

    low = X.min(axis=(0, 2, 3))
    expected = moved(bl.lrp(first, X, rule={0: "z_box"}, low=low[:, None, None], high=5.0))
    same(bl.lrp(last, moved(X), rule={0: "z_box"}, low=low, high=5.0), expected)


def test_results_with_more_or_fewer_axes(first, last, X):
    same(bl.jacobian(last, moved(X)), moved(bl.jacobian(first, X), 2))
    same(
        bl.layer_activation(last, moved(X), layer=1), moved(bl.layer_activation(first, X, layer=1))
    )
    same(
        bl.layer_gradient(last, moved(X), layer="2"), moved(bl.layer_gradient(first, X, layer="2"))
    )
    same(bl.layer_activation(last, moved(X), layer=5), bl.layer_activation(first, X, layer=5))
    grid_values = bl.lime(first, X, segments=2, per_segment=True)
    same(bl.lime(last, moved(X), segments=2, per_segment=True), grid_values)
    maps = bl.integrated_gradients(first, X, steps=8)
    same(bl.completeness_gap(last, moved(X), moved(maps)), bl.completeness_gap(first, X, maps))
    same(bl.attribute(last, moved(X), method="ig"), moved(bl.attribute(first, X, method="ig")))
