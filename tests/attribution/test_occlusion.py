"""Occlusion."""

import numpy as np
import pytest

import backlit as bl
from backlit import engine
from backlit.attribution.masked_probes import all_boxes
from backlit.lowering import changed_regions
from tests.attribution.networks import NETWORKS, conv, dense, fully_connected, norm, pooled, samples
from tests.attribution.peers import assert_maps_agree, tensor, twin
from tests.helpers import assert_close, filled_with
from tests.reference import perturbation


@pytest.mark.parametrize(
    ("window", "stride"),
    [
        *((4, None), (4, 1), ((3, 5), (2, 3)), ((1, 4, 2), (1, 3, 2)), ((2, 9, 11), None), (1, 1)),
        ((1, 4, 2), 2),  # one channel after the other, as the stride along channels is not given
        ((1, 4, 2), (3, 1)),
    ],
)
def test_equals_its_definition(window, stride):
    model = pooled()
    x = samples(model, 2)
    sizes = window if isinstance(window, tuple) else (window, window)
    sizes = sizes if len(sizes) == 3 else (2, *sizes)
    steps = sizes if stride is None else stride if isinstance(stride, tuple) else (stride, stride)
    steps = (*sizes[: 3 - len(steps)], *steps)
    found = bl.occlusion(model, x, 3, window=window, stride=stride, fill=0.25)
    expected = [perturbation.occlusion(model, one, 3, sizes, steps, 0.25) for one in x]
    assert_close(found, np.array(expected))


def test_hand_computed_with_overlap_and_short_last_window():
    # score = x . w; windows at 0-2, 2-4 and, cut off, 4-4 take 1*1+2*2+3*3, 3*3+4*4+5*5 and 5*5
    model = bl.Model([bl.Dense(np.array([[1.0], [2], [3], [4], [5]]))], (5,))
    x = np.array([[1.0, 2, 3, 4, 5]])
    found = bl.occlusion(model, x, 0, window=3, stride=2)
    assert found.tolist() == [[14, 14, 32, 50, 50]]
    found = bl.occlusion(model, x, 0, window=2, stride=2)
    assert found.tolist() == [[5, 5, 25, 25, 25]]


def test_windows_on_images_of_a_fully_connected_model():
    model = fully_connected()
    x = samples(model, 3).reshape(3, 1, 3, 7)
    found = bl.occlusion(model, x, 1, window=(2, 3), stride=(1, 2))
    expected = [perturbation.occlusion(model, one, 1, (1, 2, 3), (1, 1, 2)) for one in x]
    assert_close(found, np.array(expected))


@pytest.mark.parametrize("stride", [1, 3, 4])
def test_equals_captum(stride):
    attr = pytest.importorskip("captum.attr")
    model = bl.models.mnist_cnn()
    x = bl.datasets.mnist()[0][:5]
    theirs = attr.Occlusion(twin(model)).attribute(
        tensor(x),
        (1, 4, 4),
        strides=(1, stride, stride),
        target=tensor(model.predict(x)).long(),
        perturbations_per_eval=64,
    )
    assert_maps_agree(bl.occlusion(model, x, stride=stride), theirs)


@pytest.mark.parametrize("network", NETWORKS)
def test_fill_by_sample(network):
    model = NETWORKS[network]()
    x, fill = samples(model, 4), samples(model, 4, seed=2)
    together = bl.occlusion(model, x, window=2, stride=1, fill=fill)
    for one in range(4):
        alone = bl.occlusion(model, x[one : one + 1], window=2, stride=1, fill=fill[one])
        np.testing.assert_array_equal(together[one], alone[0])


def test_target_is_that_of_the_uncovered_input():
    model = bl.models.mnist_cnn()
    x = bl.datasets.mnist()[0][:3]
    np.testing.assert_array_equal(
        bl.occlusion(model, x, window=14), bl.occlusion(model, x, model.predict(x), window=14)
    )


def wide(seed=0):
    """Layers of every kind that regions are carried through, on images larger than the regions."""
    rng = np.random.default_rng(seed)
    layers = [
        conv(rng, 2, 3, padding=(0, 2, 1, 1)),
        bl.LeakyReLU(0.1),
        conv(rng, 3, 4, dilation=2, padding=1),
        norm(rng, 4),
        bl.ReLU(),
        bl.AvgPool2D(2),
        norm(rng, 4),
        bl.Tanh(),
        conv(rng, 4, 4, stride=(2, 1), groups=1, padding=1),
        bl.MaxPool2D((2, 3), stride=(1, 2)),
        bl.Flatten(),
    ]
    features = (2, 30, 26)
    for layer in layers:
        features = layer.output_shape(features)
    return bl.Model([*layers, dense(rng, features[0], 4)], (2, 30, 26))


@pytest.mark.parametrize("make", [wide, pooled, bl.models.mnist_cnn])
@pytest.mark.parametrize("window", [1, (3, 2), (1, 5, 4)])
def test_passes_of_regions_have_the_bits_of_whole_passes(make, window, monkeypatch):
    model = make()
    if make is not bl.models.mnist_cnn and window == (1, 5, 4):
        window = (2, 5, 4)
    x = samples(model, 18)
    options = {"window": window, "stride": 1}
    found = [bl.occlusion(model, part, 1, **options) for part in (x, x[:1])]
    monkeypatch.setattr(changed_regions, "LARGEST_SHARE", 0.0)
    whole = make()
    for part, ours in zip((x, x[:1]), found, strict=True):
        np.testing.assert_array_equal(bl.occlusion(whole, part, 1, **options), ours)


@pytest.mark.parametrize("window", [1, 4])
def test_regions_by_winograds_method(window, rng, monkeypatch):
    """Patches that hang over read zeros; they lie elsewhere than in the whole picture."""
    layers = [conv(rng, 2, 16), bl.ReLU(), conv(rng, 16, 16), bl.Flatten()]
    model = bl.Model([*layers, dense(rng, 16 * 24 * 22, 4)], (2, 28, 26))
    x = samples(model, 18)
    monkeypatch.setattr(engine, "aligned", filled_with(np.nan))
    found = bl.occlusion(model, x, 1, window=window, stride=1)
    alone = bl.occlusion(model, x[:1], 1, window=window, stride=1)
    np.testing.assert_array_equal(alone, found[:1])
    monkeypatch.setattr(changed_regions, "LARGEST_SHARE", 0.0)
    whole = bl.occlusion(bl.Model(model.layers, model.input_shape), x, 1, window=window, stride=1)
    assert_close(found, whole, 1e-4)


def test_regions_stay_small_through_most_of_the_network():
    graph = wide()._programs.graph
    boxes = all_boxes((((0, 2),), ((0, 3), (13, 16), (29, 30)), ((0, 3), (23, 26))))
    stages = changed_regions.plan_stages(graph, boxes)
    assert [len(stage.nodes) for stage, _ in stages] == [2, 2, 3, 1, 1]
    # 3, two more for each convolution of 3, two more for the dilation
    assert stages[0][1].size == (5, 5)
    assert stages[1][1].size == (9, 6)  # cut at the borders, where all columns of boxes are


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"window": 0}, ValueError, "window must be at least 1"),
        ({"window": 12}, ValueError, "window must fit"),
        ({"window": 2.5}, TypeError, "window must be an int"),
        ({"window": (1, 1, 1, 1)}, ValueError, "window must be an int or a tuple"),
        ({"window": [2, 2]}, ValueError, "window must be an int or a tuple"),
        ({"window": 2, "stride": 3}, ValueError, "stride must not exceed"),
        ({"fill": np.nan}, ValueError, "fill must be finite"),
        ({"fill": np.zeros(3)}, ValueError, "fill must be a number, or an array"),
    ],
)
def test_bad_arguments(options, error, words):
    model = pooled()
    with pytest.raises(error, match=words):
        bl.occlusion(model, samples(model, 2), **options)
