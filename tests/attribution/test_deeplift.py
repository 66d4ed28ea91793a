"""DeepLIFT and DeepLIFT SHAP: definitions, the paper's example, sums, Captum."""

import numpy as np
import pytest
from backlit_kernels.vector import LANES

import backlit as bl
from backlit.lowering import baselines
from backlit.portions import FEATURE_LANES
from tests.attribution.networks import NETWORKS, conv, dense, samples
from tests.attribution.peers import assert_maps_agree, tensor, twin_with_copies
from tests.helpers import assert_close
from tests.reference import deeplift as reference

SCORES = ("logit", "probability", "log_probability", "loss")


def curved(seed=0):
    """Every smooth or bent activation, softmax in the middle."""
    rng = np.random.default_rng(seed)
    layers = [
        conv(rng, 1, 3, padding=1),
        bl.Tanh(),
        conv(rng, 3, 4),
        bl.LeakyReLU(0.2),
        bl.MaxPool2D(2, stride=1),
        bl.Softmax(),
        conv(rng, 4, 3),
        bl.Clip(-0.5, 0.5),
        bl.Flatten(),
        dense(rng, 3 * 2 * 3, 8),
        bl.Sigmoid(),
        dense(rng, 8, 6),
        bl.LogSoftmax(),
        dense(rng, 6, 4),
    ]
    return bl.Model(layers, (1, 7, 8))


MODELS = {**NETWORKS, "curved": curved}


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("name", MODELS)
def test_the_definition(name, score):
    model = MODELS[name]()
    X, baseline = samples(model, 19), samples(model, 19, seed=2)
    found = bl.deeplift(model, X, 1, baseline=baseline, score=score)
    assert_close(found, reference.deeplift(model, X, baseline, 1, score), 2e-5)


@pytest.mark.parametrize("name", MODELS)
def test_multipliers(name):
    model = MODELS[name]()
    X, baselines = samples(model, 19), samples(model, 3, seed=2)
    X[:, 0] = baselines[0, 0]  # where there is no difference, there is a multiplier all the same
    each = [
        reference.deeplift(model, X, np.broadcast_to(b, X.shape), 1, multiply_by_inputs=False)
        for b in baselines
    ]
    found = bl.deeplift(model, X, 1, baseline=baselines[0], multiply_by_inputs=False)
    assert_close(found, each[0], 2e-5)
    found = bl.deeplift_shap(model, X, 1, background=baselines, multiply_by_inputs=False)
    assert_close(found, np.mean(each, axis=0), 2e-5)


@pytest.mark.parametrize("rule", ["rescale", "reveal_cancel"])
def test_multipliers_times_differences(rule):
    model = NETWORKS["pooled"]()
    X, options = samples(model, 5), {"baseline": 0.3, "rule": rule}
    multipliers = bl.deeplift(model, X, multiply_by_inputs=False, **options)
    expected = bl.deeplift(model, X, **options)
    assert_close((X - np.float32(0.3)) * multipliers, expected, 1e-6)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("name", MODELS)
def test_attributions_add_up(name, score):
    model = MODELS[name]()
    X = samples(model, 21)
    for baseline in (0.0, samples(model, 1, seed=3)[0], samples(model, 21, seed=2)):
        maps = bl.deeplift(model, X, baseline=baseline, score=score)
        gap = bl.completeness_gap(model, X, maps, baseline, score=score)
        scale = 1 + np.abs(maps).reshape(len(X), -1).sum(axis=1)
        np.testing.assert_array_less(np.abs(gap), 1e-5 * scale)


def test_differences_near_zero_keep_their_digits():
    """A multiplier tends to the derivative, also where quotients of float32s are noise."""
    model = curved()
    X = samples(model, 5)
    step = np.float32(1e-4) * samples(model, 5, seed=2)
    found = bl.deeplift(model, X, 1, baseline=X - step)
    assert_close(found, reference.deeplift(model, X, X - step, 1), 2e-2)
    assert_close(found, step * bl.gradient(model, X, 1), 2e-2)


def test_baseline_equal_to_the_input():
    model = curved()
    X = samples(model, 3)
    assert not bl.deeplift(model, X, baseline=X).any()


def test_the_papers_example():
    """2 relu(x1) + 2 relu(x2 - 1.5) at (1, 2): (2, 1), where the gradient says (2, 2)."""
    layers = [bl.Dense(np.eye(2), [0, -1.5]), bl.ReLU(), bl.Dense([[2], [2]])]
    model = bl.Model(layers, (2,))
    np.testing.assert_array_equal(bl.deeplift(model, np.array([[1.0, 2.0]])), [[2, 1]])


def test_maximum_by_value():
    """max(x1, x2) as a network of ReLUs and as pooling: the greater input takes the rise."""
    rectified = bl.Model(
        [bl.Dense([[1, 0, 0], [-1, 1, -1]]), bl.ReLU(), bl.Dense([[1], [1], [-1]])], (2,)
    )
    pooled = bl.Model([bl.MaxPool2D((1, 2)), bl.Flatten(), bl.Dense([[1.0]])], (1, 1, 2))
    X = np.array([[3.0, 1.0], [2.0, 5.0]])
    assert_close(bl.deeplift(rectified, X).sum(axis=1), np.array([3.0, 5.0], np.float32))
    found = bl.deeplift(pooled, X.reshape(2, 1, 1, 2)).reshape(2, 2)
    np.testing.assert_array_equal(found, [[3, 0], [0, 5]])
    # from (4, 0) to (1, 3) the maximum falls by 1: due to the baseline's maximum
    found = bl.deeplift(pooled, [[[[1.0, 3.0]]]], baseline=np.array([[[4.0, 0.0]]]))
    np.testing.assert_allclose(found.ravel(), [-1, 0], rtol=1e-6)


def test_saturation_is_seen():
    """1 - relu(1 - x1 - x2) is flat at (1, 1), where the gradient vanishes."""
    layers = [bl.Dense([[-1], [-1]], [1]), bl.ReLU(), bl.Dense([[-1]], [1])]
    model = bl.Model(layers, (2,))
    X = np.ones((1, 2))
    assert not bl.gradient(model, X).any()
    np.testing.assert_array_equal(bl.deeplift(model, X), [[0.5, 0.5]])


def test_linear_model_is_input_times_weight():
    weights = np.arange(12).reshape(4, 3) - 5
    model = bl.Model([bl.Dense(weights, [1, 2, 3])], (4,))
    X = np.arange(8).reshape(2, 4) - 3
    assert_close(bl.deeplift(model, X, 2), (X * weights[:, 2]).astype(np.float32))


@pytest.mark.parametrize("name", ["residual", "fully connected"])
@pytest.mark.parametrize("count", [5, 2 * FEATURE_LANES + 1])  # side by side in a tile, in several
def test_shap_is_the_mean_over_baselines(name, count):
    model = NETWORKS[name]()
    X, background = samples(model, FEATURE_LANES + 2), samples(model, count, seed=2)
    found = bl.deeplift_shap(model, X, background=background, score="probability")
    each = [bl.deeplift(model, X, baseline=b, score="probability") for b in background]
    assert_close(found, np.mean(each, axis=0), 2e-6)


@pytest.mark.parametrize("count", [3, LANES, 3 * LANES + 1])
def test_same_bits_however_it_is_split(count, monkeypatch):
    model = curved()
    X, background = samples(model, 40), samples(model, count, seed=2)
    whole = bl.deeplift_shap(model, X, background=background, threads=1)
    assert np.array_equal(bl.deeplift_shap(model, X, background=background, threads=2), whole)
    alone = [bl.deeplift_shap(model, x[None], background=background)[0] for x in X[:3]]
    assert np.array_equal(alone, whole[:3])
    with monkeypatch.context() as patch:
        patch.setattr(baselines, "MOST_FLOATS", 0)  # not side by side
        assert np.array_equal(bl.deeplift_shap(curved(), X, background=background), whole)
    one = bl.deeplift(model, X, baseline=0.3)
    assert np.array_equal(bl.deeplift(model, X, baseline=np.full(X.shape, 0.3)), one)
    assert np.array_equal(bl.deeplift(model, X[7:8], baseline=0.3)[0], one[7])


def test_arguments_are_checked():
    model = NETWORKS["fully connected"]()
    X = samples(model, 2)
    with pytest.raises(ValueError, match="baseline must be"):
        bl.deeplift(model, X, baseline=np.zeros(3))
    with pytest.raises(ValueError, match="background must be an array of shape"):
        bl.deeplift_shap(model, X, background=np.zeros(21))
    with pytest.raises(ValueError, match="background must not be empty"):
        bl.deeplift_shap(model, X, background=np.zeros((0, 21)))
    with pytest.raises(TypeError, match="background must hold real numbers"):
        bl.deeplift_shap(model, X, background=[["a"] * 21])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["mnist_fc", "mnist_cnn"])
def test_captum_agrees_on_multipliers(name, models, mnist):
    """Where input and baseline differ: elsewhere its max pooling takes the first sample's."""
    attr = pytest.importorskip("captum.attr")
    import torch

    model, X = models[name], mnist[0][:6]
    network, inputs = twin_with_copies(model), tensor(X).reshape(6, *model.input_shape)
    background = np.random.default_rng(0).uniform(size=X.shape)
    start = tensor(background).reshape(inputs.shape)
    target = torch.from_numpy(model.predict(X))
    theirs = attr.DeepLift(network, False).attribute(inputs, start, target=target)
    ours = bl.deeplift(model, X, baseline=background, multiply_by_inputs=False)
    assert_maps_agree(ours, theirs.detach().reshape(X.shape))
    theirs = attr.DeepLiftShap(network, False).attribute(inputs, start[:4], target=target)
    ours = bl.deeplift_shap(model, X, background=background[:4], multiply_by_inputs=False)
    assert_maps_agree(ours, theirs.detach().reshape(X.shape))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["mnist_fc", "mnist_cnn"])
def test_captum_agrees(name, models, mnist):
    attr = pytest.importorskip("captum.attr")
    import torch

    model, X = models[name], mnist[0][:12]
    network, inputs = twin_with_copies(model), tensor(X).reshape(12, *model.input_shape)
    target = torch.from_numpy(model.predict(X))
    rng = np.random.default_rng(0)
    for baseline in (np.zeros(X.shape), rng.uniform(size=X.shape), X[::-1]):
        start = tensor(baseline.copy()).reshape(inputs.shape)
        theirs = attr.DeepLift(network).attribute(inputs, start, target=target)
        ours = bl.deeplift(model, X, baseline=baseline)
        assert_maps_agree(ours, theirs.detach().reshape(X.shape))
    theirs = attr.DeepLiftShap(network).attribute(inputs, inputs[4:9], target=target)
    ours = bl.deeplift_shap(model, X, background=X[4:9])
    assert_maps_agree(ours, theirs.detach().reshape(X.shape))


@pytest.mark.parametrize("score", ["probability", "log_probability", "loss"])
def test_what_all_logits_have_in_common_costs_no_digits(score):
    """Logits of a million, and differences of one between them."""
    rng = np.random.default_rng(0)
    common = 1e5 * np.ones((12, 1))
    layers = [bl.Dense(rng.normal(size=(8, 12))), bl.ReLU()]
    far = bl.Model([*layers, bl.Dense(common + rng.integers(-3, 4, (12, 5)) / 8)], (8,))
    x = rng.uniform(0.5, 1, (9, 8)).astype(np.float32)
    near = bl.Model([*layers, bl.Dense(far.layers[-1].weights - common)], (8,))
    expected = bl.deeplift(near, x, 1, score=score)
    assert_close(bl.deeplift(far, x, 1, score=score), expected, 1e-5)
