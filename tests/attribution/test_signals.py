"""Models of signals: methods give what they give of the same model for pictures of one row."""

import inspect

import numpy as np
import pytest

import backlit as bl
from backlit.attribution.method_table import METHODS
from backlit.importers.builder import GraphBuilder, finish
from backlit.operators import Add, Reshape, Transpose

BY_ORDER = ("expected_gradients", "guided_integrated_gradients")
SHAPE, CHANNELS, LENGTH = (3, 24), 3, 24


@pytest.fixture(scope="module")
def layers():
    rng = np.random.default_rng(0)
    return {
        "first": bl.Conv2D(rng.normal(size=(4, 3, 1, 5)), rng.normal(size=4), padding=(0, 2)),
        "pool": bl.MaxPool2D((1, 2)),
        "norm": bl.BatchNorm([1, 2, 3, 4], [0, 1, 0, 1], [0, 0.5, 1, 0], [1, 1, 2, 2]),
        "second": bl.Conv2D(rng.normal(size=(4, 4, 1, 3)), padding=(0, 1)),
        "dense": bl.Dense(rng.normal(size=(48, 3))),
    }


@pytest.fixture(scope="module")
def pictures(layers):
    body = [layers["norm"], bl.ReLU(), layers["second"]]
    start = [layers["first"], bl.ReLU(), layers["pool"]]
    end = [bl.Residual(body), bl.ReLU(), bl.Flatten(), layers["dense"]]
    return bl.Model([*start, *end], (CHANNELS, 1, LENGTH))


def signals(layers, last):
    """As importers build them: windows between reshapes; with channels last, and transpositions."""
    b = GraphBuilder(SHAPE[::-1] if last else SHAPE)

    def step(layer, x, name=None):
        b.label = name or "inner"
        return b.append(layer, x)

    def windows(layer, x, name):
        if last:
            x = step(Transpose((1, 0)), x)
        x = step(layer, step(Reshape((x.sample[0], 1, x.sample[1])), x))
        if not last:
            return step(Reshape((x.sample[0], x.sample[2])), x, name)
        return step(Transpose((1, 0)), step(Reshape((x.sample[0], x.sample[2])), x), name)

    def norm(x):
        if not last:
            return step(layers["norm"], x)
        x = step(layers["norm"], step(Transpose((1, 0)), x))
        return step(Transpose((1, 0)), x)

    x = step(bl.ReLU(), windows(layers["first"], b.input, "first"), "relu")
    x = windows(layers["pool"], x, "pool")
    y = windows(layers["second"], step(bl.ReLU(), norm(x)), "second")
    b.label = "sum"
    x = step(bl.ReLU(), b.append(Add(), x, y), "end")
    if last:
        x = step(Transpose((1, 0)), x)
    return finish(b, step(layers["dense"], step(bl.Flatten(), x), "dense"))


@pytest.fixture(scope="module", params=[False, True], ids=["channels first", "channels last"])
def case(request, layers):
    last = request.param
    model = signals(layers, last)

    def moved(array):
        """From pictures to this model's samples, or their maps."""
        array = array[..., 0, :]
        return np.moveaxis(array, -2, -1) if last else array

    return model, moved


@pytest.fixture
def X(rng):
    return rng.normal(size=(5, CHANNELS, 1, LENGTH)).astype(np.float32)


def same(found, expected):
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    assert found.flags.c_contiguous


@pytest.mark.parametrize("name", [name for name in METHODS if name not in ("xrai", "smoothgrad")])
def test_every_method(case, pictures, X, name):
    model, moved = case
    method = getattr(bl, name)
    parameters = inspect.signature(method).parameters
    own = {k: v for k, v in (("samples", 120), ("steps", 4)) if k in parameters}
    there, here = dict(own), dict(own)
    if name == "exact_shapley":
        there["segments"], here["segments"] = (1, 4), (4,)
    if name == "occlusion":
        there["window"], here["window"] = (1, 4), 4
    if "background" in parameters:
        there["background"], here["background"] = X[:3], moved(X[:3])
    if name in BY_ORDER and model.input_shape != SHAPE:
        pytest.skip("draws by, or breaks ties in, the order of values")
    expected = method(pictures, X, **there)
    found = method(model, moved(X), **here)
    same(found, moved(expected))
    out = np.empty_like(found)
    assert method(model, moved(X), **here, out=out) is out
    np.testing.assert_array_equal(out, found)


def test_layers_by_name(case, pictures, X):
    model, moved = case
    for name, theirs in (("first", 0), ("relu", 1), ("pool", 2), ("second", "3.body.2"), (-3, 4)):
        layer = "end" if name == -3 else name
        for upsample in (True, False):
            found = bl.grad_cam(model, moved(X), layer=layer, upsample=upsample)
            expected = bl.grad_cam(pictures, X, layer=theirs, upsample=upsample)
            same(found, moved(expected))
    same(bl.grad_cam(model, moved(X)), moved(bl.grad_cam(pictures, X, layer=4)))
    with pytest.raises(ValueError, match="layer must be one"):
        bl.grad_cam(model, moved(X), layer="dense")


def test_windows_and_segments(case, pictures, X):
    model, moved = case
    shape = moved(X).shape[1:]
    last = shape[0] == LENGTH
    window, stride = ((6, 1), (3, 1)) if last else ((1, 6), (1, 3))
    expected = bl.occlusion(pictures, X, window=(1, 1, 6), stride=(1, 1, 3))
    same(bl.occlusion(model, moved(X), window=window, stride=stride), moved(expected))
    runs = np.arange(LENGTH) // 5
    expected = moved(bl.feature_ablation(pictures, X, segments=runs[None]))
    own = np.broadcast_to(runs[:, None] if last else runs, shape)
    for segments in (runs, own, np.tile(runs, (len(X), 1)), np.broadcast_to(own, (5, *shape))):
        same(bl.feature_ablation(model, moved(X), segments=segments), expected)
    as_many = moved(X[:CHANNELS])  # samples as there are channels
    same(bl.feature_ablation(model, as_many, segments=own), expected[:CHANNELS])
    grid = moved(bl.kernel_shap(pictures, X, segments=(1, 6)))
    for segments in (6, (6,)):
        same(bl.kernel_shap(model, moved(X), segments=segments), grid)
    fill = np.random.default_rng(1).normal(size=shape)
    there = fill.T[:, None] if last else fill[:, None]
    expected = bl.occlusion(pictures, X, window=(1, 3), fill=there)
    same(bl.occlusion(model, moved(X), window=3, fill=fill), moved(expected))


def test_what_is_no_signal():
    """Rows of features without windows, and pictures, are taken as they are."""
    b = GraphBuilder((4, 6))
    flat = finish(b, b.append(bl.Dense(np.ones((24, 2))), b.append(bl.Flatten(), b.input)))
    assert flat._signal is None
    with pytest.raises(ValueError, match="model must take images, but its input has shape"):
        bl.grad_cam(flat, np.ones((1, 4, 6)))
    b = GraphBuilder((6, 6))  # a picture whose channel comes within
    x = b.append(bl.Conv2D(np.ones((1, 1, 3, 3))), b.append(Reshape((1, 6, 6)), b.input))
    assert finish(b, b.append(bl.Flatten(), x))._signal is None
