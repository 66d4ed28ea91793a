"""SmoothGrad, its square and VarGrad."""

import numpy as np
import pytest

import backlit as bl
from tests.attribution.networks import NETWORKS, fully_connected, pooled, residual, samples
from tests.attribution.peers import tensor, twin
from tests.helpers import assert_close

STATISTICS = ("mean", "squared", "variance")


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("antithetic", [False, True])
def test_same_bits_whatever_the_threads_split_and_order(network, statistic, antithetic):
    model = NETWORKS[network]()
    x = samples(model, 41)
    options = {"samples": 6, "statistic": statistic, "antithetic": antithetic, "seed": 3}
    whole = bl.smoothgrad(model, x, threads=1, **options)
    np.testing.assert_array_equal(bl.smoothgrad(model, x, threads=3, **options), whole)
    for part in (slice(0, 1), slice(3, 20), slice(40, 41), slice(None, None, -1)):
        np.testing.assert_array_equal(bl.smoothgrad(model, x[part], **options), whole[part])


@pytest.mark.parametrize("network", NETWORKS)
def test_without_noise(network):
    model = NETWORKS[network]()
    x = samples(model, 19)
    gradient = bl.gradient(model, x)
    largest = np.abs(gradient).max()
    for statistic, expected in (("mean", gradient), ("squared", gradient**2), ("variance", 0.0)):
        maps = bl.smoothgrad(model, x, samples=5, noise=0.0, statistic=statistic)
        np.testing.assert_allclose(maps, np.broadcast_to(expected, maps.shape), atol=1e-5 * largest)


def test_statistics_belong_together():
    """The variance is the mean square less the squared mean, of the same noise."""
    model = residual()
    x = samples(model, 18)
    mean, squared, variance = (
        bl.smoothgrad(model, x, samples=20, statistic=s).astype(np.float64) for s in STATISTICS
    )
    np.testing.assert_allclose(variance, squared - mean**2, atol=1e-6 * squared.max())


def test_expectation_of_a_quadratic_score():
    """The gradient of a clipped product in closed form: noise moves the kink of a ReLU.

    For score relu(w.x) the expected gradient is w times the normal distribution function of
    w.x / (sigma |w|), and its variance w^2 p (1 - p).
    """
    from math import erf

    rng = np.random.default_rng(0)
    w = rng.standard_normal(12)
    model = bl.Model([bl.Dense(w[:, None]), bl.ReLU(), bl.Dense(np.ones((1, 1)))], (12,))
    x = rng.standard_normal((30, 12)).astype(np.float32)
    n, sigma = 4000, 0.7
    p = np.array([0.5 + 0.5 * erf(a / np.sqrt(2)) for a in x @ w / (sigma * np.linalg.norm(w))])
    options = {"samples": n, "noise": sigma, "relative": False}
    error = 5 * np.sqrt(p * (1 - p) / n)[:, None] * np.abs(w) + 1e-5
    mean = bl.smoothgrad(model, x, 0, **options)
    assert (np.abs(mean - p[:, None] * w) < error).all()
    variance = bl.smoothgrad(model, x, 0, statistic="variance", **options)
    np.testing.assert_allclose(variance, (p * (1 - p))[:, None] * w**2, atol=0.05)
    paired = bl.smoothgrad(model, x, 0, antithetic=True, **options)
    assert (np.abs(paired - p[:, None] * w) < error).all()
    assert np.abs(paired - p[:, None] * w).mean() < np.abs(mean - p[:, None] * w).mean()


def test_relative_noise_is_a_share_of_each_range():
    model = pooled()
    x = samples(model, 3)
    spread = float(x[1].max() - x[1].min())
    relative = bl.smoothgrad(model, x[1:2], samples=4, noise=0.2)
    absolute = bl.smoothgrad(model, x[1:2], samples=4, noise=0.2 * spread, relative=False)
    np.testing.assert_allclose(relative, absolute, atol=1e-4 * np.abs(absolute).max())


def test_equals_captum_in_expectation():
    attr = pytest.importorskip("captum.attr")
    import torch

    model = bl.models.mnist_cnn()
    x = bl.datasets.mnist()[0][:4]
    target = model.predict(x)
    torch.manual_seed(0)
    kinds = ("smoothgrad", "smoothgrad_sq", "vargrad")
    tunnel = attr.NoiseTunnel(attr.Saliency(twin(model)))
    for statistic, kind in zip(STATISTICS, kinds, strict=True):
        theirs = tunnel.attribute(
            tensor(x).requires_grad_(),
            nt_type=kind,
            nt_samples=400,
            stdevs=0.2,
            target=tensor(target).long(),
            abs=False,
        )
        ours = bl.smoothgrad(model, x, samples=1600, noise=0.2, relative=False, statistic=statistic)
        correlation = np.corrcoef(ours.ravel(), theirs.detach().numpy().ravel())[0, 1]
        assert correlation > 0.97
        np.testing.assert_allclose(ours.mean(), theirs.mean().item(), atol=0.1 * ours.std())


def test_target_is_what_is_predicted_without_noise():
    model = fully_connected()
    x = samples(model, 33)
    options = {"samples": 8, "noise": 1.0, "score": "log_probability"}
    np.testing.assert_array_equal(
        bl.smoothgrad(model, x, **options), bl.smoothgrad(model, x, model.predict(x), **options)
    )


def test_seeds():
    model = fully_connected()
    x = samples(model, 3)
    same = [bl.smoothgrad(model, x, seed=s) for s in (1, 1, 2)]
    np.testing.assert_array_equal(same[0], same[1])
    assert (same[0] != same[2]).any()
    generators = [np.random.default_rng(4) for _ in range(2)]
    first, second = (bl.smoothgrad(model, x, seed=g) for g in generators)
    np.testing.assert_array_equal(first, second)
    assert (bl.smoothgrad(model, x, seed=generators[0]) != first).any()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"samples": 0}, ValueError),
        ({"samples": 2.5}, TypeError),
        ({"noise": -1.0}, ValueError),
        ({"noise": "a"}, TypeError),
        ({"statistic": "median"}, ValueError),
        ({"samples": 5, "antithetic": True}, ValueError),
        ({"seed": 0.5}, TypeError),
    ],
)
def test_refuses(options, error):
    model = fully_connected()
    with pytest.raises(error, match=next(iter(options))):
        bl.smoothgrad(model, samples(model, 2), **options)


def test_no_samples():
    model = fully_connected()
    assert bl.smoothgrad(model, np.zeros((0, 21))).shape == (0, 21)


# --- of other methods -----------------------------------------------------------------------------


@pytest.mark.parametrize("antithetic", [False, True])
@pytest.mark.parametrize("statistic", ["mean", "squared", "variance"])
@pytest.mark.parametrize("network", NETWORKS)
def test_the_tunnel_of_gradients_is_smoothgrad(network, statistic, antithetic):
    model = NETWORKS[network]()
    x = samples(model, 19)
    options = {"statistic": statistic, "antithetic": antithetic, "noise": 0.2}
    expected = bl.smoothgrad(model, x, samples=6, **options)
    options["copies"] = 6
    found = bl.noise_tunnel(model, x, of="gradient", **options)
    assert_close(found, expected, 1e-5)
    alone = bl.noise_tunnel(model, x[4:5], of="gradient", **options)
    np.testing.assert_array_equal(alone, found[4:5])


def test_numbers_of_copies_are_any_integers():
    model = NETWORKS["pooled"]()
    x = samples(model, 3)
    for kind in (np.int8, np.int16, np.uint64):
        np.testing.assert_array_equal(
            bl.smoothgrad(model, x, samples=kind(120)), bl.smoothgrad(model, x, samples=120)
        )
        np.testing.assert_array_equal(
            bl.noise_tunnel(model, x, of="gradient", copies=kind(120)),
            bl.noise_tunnel(model, x, of="gradient", copies=120),
        )


def test_the_tunnel_takes_a_methods_own_arguments(monkeypatch):
    """And its shapes; whatever the memory that its copies may take."""
    model = NETWORKS["pooled"]()
    x = samples(model, 7)
    target = np.arange(7) % model.classes
    options = {"copies": 4, "noise": 0.1, "relative": False}
    none = options | {"noise": 0.0}
    for of, own in (
        ("ig", {"steps": 3, "baseline": x[0]}),
        ("grad_cam", {"layer": 1, "upsample": False}),
        ("lime", {"segments": 3, "samples": 20, "per_segment": True}),
    ):
        expected = bl.attribute(model, x, target, method=of, **own)
        found = bl.noise_tunnel(model, x, target, of=of, **none, **own)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)
        found = bl.noise_tunnel(model, x, target, of=of, **options, **own)
        assert found.shape == expected.shape
        assert not np.allclose(found, expected)
        monkeypatch.setattr("backlit.attribution.noise_tunnel.CHUNK_BYTES", 1)
        np.testing.assert_array_equal(
            bl.noise_tunnel(model, x, target, of=of, **options, **own), found
        )
        monkeypatch.undo()
    out = np.empty_like(x)
    assert bl.noise_tunnel(model, x, out=out, steps=2, copies=2) is out
    assert bl.noise_tunnel(model, x[:0], copies=2).shape == (0, *x.shape[1:])
    with pytest.raises(ValueError, match="method must be one of"):
        bl.noise_tunnel(model, x, of="magic")
    with pytest.raises(ValueError, match="noise must not be negative"):
        bl.noise_tunnel(model, x, noise=-1)


def test_the_tunnel_of_channels_last():
    layers = [bl.Conv2D(np.random.default_rng(0).normal(size=(4, 3, 3, 3))), bl.ReLU()]
    layers += [bl.Flatten(), bl.Dense(np.random.default_rng(1).normal(size=(4 * 5 * 4, 2)))]
    first = bl.Model(layers, (3, 7, 6))
    last = bl.Model.of_graph(first._source, channels_last=True)
    x = np.random.default_rng(2).normal(size=(5, 3, 7, 6)).astype(np.float32)
    expected = bl.noise_tunnel(first, x, of="deeplift", copies=3)
    found = bl.noise_tunnel(last, np.moveaxis(x, 1, -1), of="deeplift", copies=3)
    np.testing.assert_array_equal(found, np.moveaxis(expected, 1, -1))
