"""Shapley values: exact, by regression, by permutations."""

from functools import cache

import numpy as np
import pytest

import backlit as bl
from backlit.attribution.kernel_shap import draw_coalitions, regression_fold
from tests.attribution.networks import NETWORKS, pooled, samples
from tests.attribution.peers import tensor, twin
from tests.helpers import assert_close
from tests.reference import perturbation

METHODS = {
    "exact_shapley": {},
    "kernel_shap": {"samples": 60},
    "shapley_sampling": {"samples": 8},
    "partition_shap": {},
}


@pytest.mark.parametrize("network", NETWORKS)
def test_exact_values_equal_the_textbook_sum(network):
    model = NETWORKS[network]()
    x = samples(model, 2)
    segments = np.arange(x[0].size).reshape(x[0].shape) % 5
    baseline = samples(model, 1, seed=3)[0]
    options = {"segments": segments[None], "baseline": baseline, "per_segment": True}
    expected = [
        perturbation.shapley(perturbation.Game(model, one, 1, segments, baseline)) for one in x
    ]
    for found in (
        bl.exact_shapley(model, x, 1, **options),
        bl.kernel_shap(model, x, 1, samples="exact", **options),
        bl.kernel_shap(model, x, 1, samples=30, **options),  # 2**5 - 2
    ):
        assert_close(found, np.array(expected))


@pytest.mark.parametrize("name", METHODS)
def test_efficiency(name):
    model = pooled()
    x = samples(model, 6)
    values = getattr(bl, name)(
        model, x, 2, segments=(3, 4), baseline=0.5, per_segment=True, **METHODS[name]
    )
    at_baseline = model.logits(np.full((1, 2, 9, 11), 0.5))[:, 2]
    assert_close(values.sum(axis=1, dtype=float), model.logits(x)[:, 2] - at_baseline)


@pytest.mark.parametrize("name", METHODS)
def test_a_linear_model_has_the_values_of_its_terms(name):
    # whatever the coalitions: regression and differences are exact; so are dummies (weight 0)
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((12, 3))
    weights[6:9] = 0
    model = bl.Model([bl.Dense(weights, rng.standard_normal(3))], (12,))
    x, baseline = rng.standard_normal((2, 5, 12)).astype(np.float32)
    values = getattr(bl, name)(
        model, x, 1, segments=12, baseline=baseline, per_segment=True, **METHODS[name]
    )
    expected = (x - baseline) * weights[:, 1]
    assert_close(values, expected)
    assert np.abs(values[:, 6:9]).max() < 1e-5


def test_symmetry_in_a_product():
    # and(x) = relu(x0 + x1 - 1): both players share alike; relu(x2 - x3) has 1, 0 at (1, 0)
    w = np.array([[1.0, 0], [1, 0], [0, 1], [0, -1]])
    layers = [bl.Dense(w, np.array([-1.0, 0])), bl.ReLU(), bl.Dense(np.ones((2, 1)))]
    model = bl.Model(layers, (4,))
    found = bl.exact_shapley(model, [[1.0, 1, 1, 0]], 0, segments=4)
    np.testing.assert_allclose(found, [[0.5, 0.5, 1, 0]], atol=1e-7)


@pytest.mark.parametrize("count", [2, 3, 6, 7, 12])
@pytest.mark.parametrize("budget", [24, 60, 900])
def test_regression_equals_a_slow_constrained_fit(count, budget):
    rng = np.random.default_rng(count)
    chosen = draw_coalitions(count, budget, rng)
    assert 0 < len(chosen.kept) <= budget
    assert set(chosen.kept.sum(axis=1)) <= set(range(1, count))
    y, full = rng.standard_normal(1 + len(chosen.kept)), 2.5
    found = regression_fold(chosen, count)(y, full)["values"]
    # the last value is what the others leave over
    last = chosen.kept[:, -1]
    root = np.sqrt(chosen.weights)
    right = (y[1:] - y[0] - last * (full - y[0])) * root
    free = (chosen.kept[:, :-1] - last[:, None]) * root[:, None]
    others = np.linalg.lstsq(free, right, rcond=None)[0]
    expected = np.append(others, full - y[0] - others.sum())
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-9)


def test_coalitions_have_the_kernels_weights():
    """Over many draws, each size's share of the weight is the kernel's."""
    count, sizes = 9, np.zeros(10)
    for seed in range(1000):
        chosen = draw_coalitions(count, 60, np.random.default_rng(seed))
        np.add.at(sizes, chosen.kept.sum(axis=1).astype(int), chosen.weights)
    kernel = np.array([1 / (k * (count - k)) for k in range(1, count)])
    np.testing.assert_allclose(sizes[1:9] / 1000, kernel / kernel.sum(), rtol=0.04)


@pytest.mark.parametrize("name", ["kernel_shap", "shapley_sampling"])
def test_sampled_values_are_right_within_their_standard_errors(name):
    model = pooled()
    x = samples(model, 3)
    exact = bl.exact_shapley(model, x, 0, segments=(2, 5), per_segment=True)
    scaled = []
    for seed in range(12):
        values, details = getattr(bl, name)(
            model,
            x,
            0,
            segments=(2, 5),
            samples={"kernel_shap": 200, "shapley_sampling": 30}[name],
            seed=seed,
            per_segment=True,
            return_details=True,
        )
        assert details["standard_error"].shape == (3, 10)
        scaled.append((values - exact) / details["standard_error"])
    scaled = np.array(scaled)
    assert abs(scaled.mean()) < 0.3
    assert 0.7 < np.sqrt((scaled**2).mean()) < 1.4


def test_more_samples_come_nearer():
    model = pooled()
    x = samples(model, 4)
    exact = bl.exact_shapley(model, x, segments=(2, 6), per_segment=True)
    errors = [
        np.abs(bl.kernel_shap(model, x, segments=(2, 6), samples=n, per_segment=True) - exact).max()
        for n in (60, 4094)
    ]
    assert errors[1] < 2e-6 * np.abs(exact).max() < errors[0]


def test_captum_agrees_in_expectation():
    attr = pytest.importorskip("captum.attr")
    pytest.importorskip("sklearn")
    model = bl.models.mnist_cnn()
    x = bl.datasets.mnist()[0][:1]
    target = int(model.predict(x)[0])
    grid = (np.arange(28) * 3 // 28)[:, None] * 3 + np.arange(28) * 3 // 28
    theirs = attr.KernelShap(twin(model)).attribute(
        tensor(x),
        target=target,
        feature_mask=tensor(grid[None, None]).long(),
        n_samples=3000,
        perturbations_per_eval=500,
    )
    ours = bl.kernel_shap(model, x, segments=3, samples="exact")
    assert np.abs(ours - theirs.numpy()).max() < 0.05 * np.abs(ours).max()


def test_samples_with_different_numbers_of_segments():
    model = pooled()
    x = samples(model, 3)
    rng = np.random.default_rng(0)
    segments = np.stack([rng.integers(0, n, (9, 11)) * 10 - 3 for n in (4, 2, 4)])
    values, details = bl.kernel_shap(
        model, x, segments=segments, per_segment=True, return_details=True
    )
    assert values.shape == details["standard_error"].shape == (3, 4)
    assert not values[1, 2:].any()
    maps = bl.kernel_shap(model, x, segments=segments)
    for one in range(3):
        alone = bl.kernel_shap(model, x[one : one + 1], segments=segments[one], per_segment=True)
        np.testing.assert_array_equal(alone[0], values[one, : alone.shape[1]])
        _, numbers = np.unique(segments[one], return_inverse=True)
        painted = np.broadcast_to(values[one][numbers.reshape(9, 11)], (2, 9, 11))
        np.testing.assert_array_equal(maps[one], painted)


@pytest.mark.parametrize("network", NETWORKS)
def test_owen_values_are_means_over_orders_that_respect_the_hierarchy(network):
    model = NETWORKS[network]()
    x = samples(model, 2)
    x = x.reshape(2, 3, 7) if x.ndim == 2 else x
    segments = np.arange(x.shape[-1]) * 5 // x.shape[-1] + np.zeros((x.shape[-2], 1), int)
    tree = (((0, 1), 2), (3, 4))

    def orders(node):
        if isinstance(node, int):
            return [(node,)]
        one, other = map(orders, node)
        return [a + b for a in one for b in other] + [b + a for a in one for b in other]

    found = bl.partition_shap(model, x, 1, segments=segments, baseline=0.2, per_segment=True)
    for sample in range(2):
        game = cache(perturbation.Game(model, x[sample], 1, segments, 0.2))
        expected = np.zeros(5)
        for order in orders(tree):
            for n, segment in enumerate(order):
                with_it, without = frozenset(order[: n + 1]), frozenset(order[:n])
                expected[segment] += game(with_it) - game(without)
        assert_close(found[sample], expected / len(orders(tree)))


@pytest.mark.parametrize(
    "shape", [(1, 4, 4), (1, 6, 5), (1, 7, 7), (1, 1, 7), (3, 4, 4), (4, 2, 2)]
)
def test_owen_values_equal_shaps(shape):
    """Whose pictures are cut between rows or columns, the odd one going to the first half.

    Channels of a pixel are told apart last.
    """
    shap = pytest.importorskip("shap")
    rng = np.random.default_rng(0)
    channels, height, width = shape
    layers = [
        *(bl.Conv2D(rng.normal(size=(3, channels, 3, 3)), padding=1), bl.ReLU(), bl.Flatten()),
        *(bl.Dense(rng.normal(size=(3 * height * width, 6))), bl.Tanh()),
        bl.Dense(rng.normal(size=(6, 2))),
    ]
    model = bl.Model(layers, shape)
    masker = shap.maskers.Image(np.zeros((height, width, channels)), (height, width, channels))
    explainer = shap.explainers.PartitionExplainer(
        lambda z: model.logits(np.moveaxis(np.asarray(z, np.float32), -1, 1)), masker
    )
    x = rng.normal(size=(1, *shape)).astype(np.float32)
    theirs = explainer(np.moveaxis(x, 1, -1), max_evals=100_000, silent=True, fixed_context=None)
    found = bl.partition_shap(model, x, 1, segments=np.arange(x.size).reshape(x.shape))
    assert_close(found[0], np.moveaxis(theirs.values[0, ..., 1], -1, 0))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("rows", [1, 7])
@pytest.mark.parametrize("features", [1, 2, 5])
@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_values_equal_shaps(kind, features, rows):
    """Of small networks of scikit-learn's; some features never differ from the background."""
    shap = pytest.importorskip("shap")
    networks = pytest.importorskip("sklearn.neural_network")
    rng = np.random.default_rng(features)
    train, background, x = (rng.normal(size=(n, features)).astype("f4") for n in (60, rows, 4))
    x[0], x[:, 2:4], background[:, 2:4] = background[0], 0.3, 0.3
    options = {"hidden_layer_sizes": (6,), "max_iter": 30, "random_state": 0}
    if kind == "classifier":
        fitted = networks.MLPClassifier(**options).fit(train, np.arange(60) % 3)
    else:
        fitted = networks.MLPRegressor(**options).fit(train, np.stack([train[:, 0]] * 2, axis=1))
    model = bl.from_sklearn(fitted)
    kernel = shap.KernelExplainer(model.logits, background)
    exact = shap.explainers.ExactExplainer(model.logits, shap.maskers.Independent(background))
    by_kernel, by_sums = kernel.shap_values(x, l1_reg=False, silent=True), exact(x).values
    for target in range(model.classes):
        found = bl.kernel_shap(model, x, target, segments=features, background=background)
        assert_close(found, by_kernel[..., target])
        assert_close(found, by_sums[..., target])
        found = bl.shapley_sampling(
            model, x, target, segments=features, background=background, samples=4000
        )
        assert_close(found, by_sums[..., target], 0.02)
        assert not found[:, 2:4].any()


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("network", NETWORKS)
def test_a_background_is_the_mean_over_its_baselines(name, network):
    model = NETWORKS[network]()
    x, background = samples(model, 19), samples(model, 3, seed=4)
    options = METHODS[name] | {"segments": 3}
    found = getattr(bl, name)(model, x, 1, background=background, **options)
    each = [getattr(bl, name)(model, x, 1, baseline=b, **options) for b in background]
    assert_close(found, np.mean(each, axis=0), 1e-5)
    alone = getattr(bl, name)(model, x[3:4], 1, background=background, **options)
    np.testing.assert_array_equal(alone, found[3:4])


def test_a_baseline_or_a_background():
    model = pooled()
    x = samples(model, 2)
    with pytest.raises(ValueError, match="baseline must be left out where there is a background"):
        bl.kernel_shap(model, x, baseline=0.5, background=x)
    with pytest.raises(ValueError, match=r"background must be an array of shape \(B, 2, 9, 11\)"):
        bl.kernel_shap(model, x, background=x[0])


def test_axes_of_masks_may_have_one_entry():
    model = pooled()
    x = samples(model, 3)
    rows = np.arange(9)[:, None] // 4
    plane = np.broadcast_to(rows, (9, 11))
    expected = bl.feature_ablation(model, x, segments=plane)
    for mask in (plane[None], plane[None, None], rows[None], rows[None, None], [[rows]] * 3):
        np.testing.assert_array_equal(bl.feature_ablation(model, x, segments=mask), expected)
    channels = np.arange(2)[:, None, None]
    expected = bl.feature_ablation(model, x, segments=np.broadcast_to(channels, (2, 9, 11)))
    np.testing.assert_array_equal(bl.feature_ablation(model, x, segments=channels), expected)


def test_owen_values_of_the_default_grid_add_up():
    model = bl.models.mnist_cnn()
    x = bl.datasets.mnist()[0][:2]
    values = bl.partition_shap(model, x, 3, per_segment=True)
    blank = model.logits(np.zeros_like(x[:1]))[:, 3]
    assert_close(values.sum(axis=1, dtype=float), model.logits(x)[:, 3] - blank)


@pytest.mark.parametrize(
    ("name", "options", "error", "words"),
    [
        ("kernel_shap", {"samples": 0}, ValueError, "samples must be at least 1"),
        ("kernel_shap", {"samples": 20}, ValueError, "samples must be at least 98"),
        (
            "kernel_shap",
            {"samples": 1, "segments": (1, 2)},
            ValueError,
            "samples must be at least 2",
        ),
        ("kernel_shap", {"samples": "all"}, ValueError, "samples must be an int or 'exact'"),
        ("kernel_shap", {"samples": "exact"}, ValueError, "segments must be at most 16"),
        ("kernel_shap", {"segments": (10, 2)}, ValueError, "segments must not exceed the 9 pixels"),
        ("kernel_shap", {"segments": (1, 2, 3)}, ValueError, "segments must give a number"),
        ("kernel_shap", {"segments": 1.5}, TypeError, "segments must be an int"),
        ("kernel_shap", {"segments": "superpixels"}, ValueError, "segments must be one of"),
        ("kernel_shap", {"segments": np.zeros((3, 3), int)}, ValueError, "segments must be an int"),
        ("kernel_shap", {"segments": np.zeros((9, 11))}, TypeError, "segments must hold ints"),
        ("kernel_shap", {"seed": 0.5}, TypeError, "seed must be an int"),
        ("kernel_shap", {"link": "log"}, ValueError, "link must be one of .*'logit', got 'log'"),
        ("kernel_shap", {"link": "logit"}, ValueError, "score must be 'probability' with link='lo"),
        ("exact_shapley", {"segments": 5}, ValueError, "segments must be at most 16"),
        ("shapley_sampling", {"samples": 3}, ValueError, "samples must be even"),
        ("partition_shap", {"segments": 9}, ValueError, "segments must be at most 64"),
    ],
)
def test_bad_arguments(name, options, error, words):
    model = pooled()
    with pytest.raises(error, match=words):
        getattr(bl, name)(model, samples(model, 2), **options)


@pytest.mark.parametrize("name", ["kernel_shap", "lime", "shapley_sampling"])
def test_masks_are_shared_or_each_images_own(models, mnist, name):
    model, X = models["mnist_cnn"], np.repeat(mnist[0][:3], 2, axis=0)
    method = getattr(bl, name)
    options = {"segments": 5, "samples": 60, "per_segment": True}
    shared = method(model, X, masks="shared", **options)
    np.testing.assert_array_equal(method(model, X, **options), shared)
    own = method(model, X, masks="per_image", **options)
    np.testing.assert_array_equal(own[::2], own[1::2])  # of equal images the same
    assert np.abs(own - shared).max() > 0
    alone = method(model, X[2:3], masks="per_image", **options)
    np.testing.assert_array_equal(alone, own[2:3])
    if name == "kernel_shap":  # drawn anew, near the same values
        assert np.corrcoef(own.ravel(), shared.ravel())[0, 1] > 0.8
    with pytest.raises(ValueError, match="masks must be one of 'shared', 'per_image', got 'x'"):
        method(model, X, masks="x", **options)
